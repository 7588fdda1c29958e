# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VM boots: a disk made of the release's tree, and the tree's kernel with a small initrd; made once, then cached.

The image's folder carries a hash of the tree's name and of what is put on top of it here.
"""

from __future__ import annotations

import fcntl
import hashlib
import lzma
import os
import pathlib
import select
import shutil
import subprocess
import time

from .image import GUEST_FOLDER, GUEST_MODULES, ensure_tree
from .settings import CACHE
from .system import processes_naming, run, say, unmount

DISK_SIZE = "6G"  # sparse
PROBE_SECONDS = 10
NIC_SLOTS = {"nic0": "10", "nic1": "11"}
AGENT = "usr/local/lib/lab-agent.py"

# The NICs by the slots that vm.py plugs them into, so that a bond that lends them its MAC does not confuse the names.
LINK = """\
[Match]
Path=pci-0000:00:{slot}.0
[Link]
Name={nic}
"""

NIC1_UNIT = """\
[Unit]
Description=The second NIC up, without an address, in nobody's charge
Wants=sys-subsystem-net-devices-nic1.device
After=sys-subsystem-net-devices-nic1.device
Before=systemd-networkd.service
[Service]
Type=oneshot
ExecStart=/sbin/ip link set nic1 addrgenmode none
ExecStart=/sbin/ip link set nic1 up
[Install]
WantedBy=multi-user.target
"""

AGENT_UNIT = f"""\
[Unit]
Description=Commands from the lab
DefaultDependencies=no
After=systemd-remount-fs.service
Before=shutdown.target
Conflicts=shutdown.target
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/python3 /{AGENT}
Restart=always
RestartSec=0.2
KillMode=process
OOMScoreAdjust=-1000
[Install]
WantedBy=sysinit.target
"""

# lab-sysfs makes writable what is read-only in containers only; the others would only make the boot longer.
MASKED = [
    "lab-sysfs.service",
    "systemd-timesyncd.service",
    "e2scrub_reap.service",
    "e2scrub_all.timer",
    "fstrim.timer",
    "dpkg-db-backup.timer",
]

# On top of the guests' initrd: mounts the disk and unpacks the machine's own files onto it, once.
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /dev /disk
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc; mount -t devtmpfs dev /dev
for module in MODULES; do [ ! -e /modules/$module.ko ] || insmod /modules/$module.ko; done
until [ -b /dev/vda ] && [ -b /dev/vdb ]; do sleep 0.05; done
mount -t ext4 /dev/vda /disk
[ -e /disk/etc/lab-files ] || { tar -xf /dev/vdb -C /disk && : > /disk/etc/lab-files; }
mount --move /dev /disk/dev; umount /proc
exec switch_root /disk /sbin/init
"""
MODULES = [module for module in GUEST_MODULES if "net" not in module and module != "failover"] + ["virtio_blk"]


def ensure_image(release: str) -> pathlib.Path:
    """The folder with disk.qcow2, vmlinuz, initrd.img and accelerator, made first where it is not there yet."""
    tree = ensure_tree(release)
    recipe = tree.name.encode() + b"".join(
        (pathlib.Path(__file__).parent / name).read_bytes() for name in ("vm_disk.py", "vm_agent.py")
    )
    image = CACHE / f"vm-{release}-{hashlib.sha256(recipe).hexdigest()[:12]}"
    with open(CACHE / f"vm-{release}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two labs may come up at once
        if not image.exists():
            _build(release, tree, image)
    return image


def _build(release: str, tree: pathlib.Path, image: pathlib.Path) -> None:
    for old in CACHE.glob(f"vm-{release}-*"):
        if not processes_naming(f"{old}/"):  # a VM that is up has its disk on it
            _remove(old)
    say(f"making the {release} disk for VMs (once, some 10 seconds)")
    draft = image.with_name(f"{image.name}.draft")
    for name in ("upper", "work", "root"):
        (draft / name).mkdir(parents=True)
    layers = f"lowerdir={tree},upperdir={draft}/upper,workdir={draft}/work"
    run(["mount", "-t", "overlay", "-o", layers, "virtnet-lab", str(draft / "root")])
    _prepare(draft / "root")
    run(["mke2fs", "-q", "-t", "ext4", "-d", str(draft / "root"), str(draft / "disk.raw"), DISK_SIZE])
    _remove(draft / "root")
    run(["qemu-img", "convert", "-O", "qcow2", str(draft / "disk.raw"), str(draft / "disk.qcow2")])
    for name in ("upper", "work", "disk.raw"):
        _remove(draft / name)
    shutil.copy(next((tree / "boot").glob("vmlinuz-*")), draft / "vmlinuz")
    _make_initrd(tree, draft)
    (draft / "accelerator").write_text(_probe(draft))
    draft.rename(image)
    say(f"the {release} disk for VMs is ready")


def _remove(path: pathlib.Path) -> None:
    """Whatever it is; a build that was killed leaves its mount."""
    for mount in (path, path / "root"):
        if os.path.ismount(mount):
            unmount(str(mount))
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _prepare(root: pathlib.Path) -> None:
    for nic, slot in NIC_SLOTS.items():
        (root / f"etc/systemd/network/10-{nic}.link").write_text(LINK.format(slot=slot, nic=nic))
    shutil.copy(pathlib.Path(__file__).with_name("vm_agent.py"), root / AGENT)
    for name, text in (("lab-agent", AGENT_UNIT), ("lab-nic1", NIC1_UNIT)):
        (root / f"etc/systemd/system/{name}.service").write_text(text)
        run(["systemctl", f"--root={root}", "--quiet", "enable", name])
    for unit in MASKED:
        target = root / "etc/systemd/system" / unit
        target.unlink(missing_ok=True)
        target.symlink_to("/dev/null")


def _make_initrd(tree: pathlib.Path, image: pathlib.Path) -> None:
    """The guests' initrd and a second archive behind it, whose files win."""
    folder = image / "initrd"
    (folder / "modules").mkdir(parents=True)
    source = next((tree / "lib/modules").glob("*/kernel/drivers/block/virtio_blk.ko*"))
    content = lzma.decompress(source.read_bytes()) if source.suffix == ".xz" else source.read_bytes()
    (folder / "modules/virtio_blk.ko").write_bytes(content)
    (folder / "init").write_text(INIT.replace("MODULES", " ".join(MODULES)))
    (folder / "init").chmod(0o755)
    names = b"init\0modules\0modules/virtio_blk.ko"
    archive = subprocess.run(
        ["cpio", "-0", "-o", "-H", "newc", "--quiet"], cwd=folder, input=names, stdout=subprocess.PIPE, check=True
    )
    (image / "initrd.img").write_bytes((tree / GUEST_FOLDER / "initrd.img").read_bytes() + archive.stdout)
    shutil.rmtree(folder)


def _probe(image: pathlib.Path) -> str:
    """KVM where it brings this kernel as far as its init; some machines have a /dev/kvm that hangs or lacks features."""
    command = [
        *emulator("kvm", 256), "-no-reboot", "-serial", "stdio",
        "-kernel", f"{image}/vmlinuz", "-initrd", f"{image}/initrd.img", "-append", "console=ttyS0 panic=-1",
    ]  # fmt: skip
    passed = False
    if os.path.exists("/dev/kvm"):
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as probe:
            passed = _reads(probe, b"Run /init as init process", PROBE_SECONDS)
            probe.kill()
    say(f"VMs run under {'KVM' if passed else 'TCG: KVM does not bring a kernel up here'}")
    return "kvm" if passed else "tcg,thread=multi"


def _reads(process: subprocess.Popen, word: bytes, seconds: float) -> bool:
    text, deadline = b"", time.monotonic() + seconds
    while word not in text and time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 0.1)[0]:
            piece = process.stdout.read1(65536)
            if not piece:
                break
            text += piece
    return word in text


def emulator(accelerator: str, megabytes: int) -> list[str]:
    """The bare machine. Page tables of five levels would only cost time under TCG."""
    return [
        "qemu-system-x86_64", "-machine", "q35", "-accel", accelerator, "-cpu", "max,la57=off", "-smp", "2",
        "-m", str(megabytes), "-nodefaults", "-no-user-config", "-display", "none",
    ]  # fmt: skip
