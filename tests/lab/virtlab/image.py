# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree that every machine of a lab boots from: built once from Debian packages, then cached.

A tree's folder carries a hash of this recipe, so a changed recipe builds a new tree and an unchanged one never does.
"""

from __future__ import annotations

import fcntl
import hashlib
import pathlib
import shutil
import subprocess

from .settings import CACHE, LabError
from .system import run, say

PACKAGES = [
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "python3",
    "iproute2",
    "procps",
    "libvirt-daemon-system",
    "libvirt-clients",
    "dnsmasq-base",
    "nftables",
    "iptables",
    "python3-libvirt",
    "python3-lxml",
    "python3-pyroute2",
    "qemu-system-x86",
    "linux-image-cloud-amd64",
    "libpam-systemd",
    "polkitd",
    "iputils-ping",
    "tcpdump",
    "netcat-openbsd",
    "busybox-static",
    "firewalld",
    "ufw",
    "docker.io",
    "ifupdown",
    "isc-dhcp-client",
    "network-manager",
    "netplan.io",
]

# Who keeps a machine's boot configuration: its own files say which of these starts.
DAEMONS = {"networkd": "systemd-networkd", "networkmanager": "NetworkManager", "ifupdown": "networking"}
IN_CHARGE = "etc/lab/{}"
IF_IN_CHARGE = "[Unit]\nConditionPathExists=/" + IN_CHARGE + "\n"

# A container sees its devices read-only, and libvirt sets a bridge port's isolation through sysfs.
SYSFS_UNIT = """\
[Unit]
Description=Links of this machine writable in sysfs
Before=libvirtd.service
[Service]
Type=oneshot
ExecStart=/bin/mount -o remount,rw /sys/devices
[Install]
WantedBy=multi-user.target
"""

# In the order in which they have to be loaded.
GUEST_MODULES = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
]
GUEST_FOLDER = "opt/lab"

# A guest's whole user space. It asks for DHCP on every NIC, and answers to commands on the serial console: a line is
# "ID BASE64-OF-A-SHELL-COMMAND", the answer "@@ ID STATUS BASE64-OF-STDOUT BASE64-OF-STDERR".
GUEST_INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /etc /usr/bin /usr/sbin /sbin
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in MODULES; do insmod /modules/$module.ko; done
ip link set lo up
for nic in /sys/class/net/e*; do
    nic=${nic##*/}
    ip link set "$nic" up
    udhcpc -i "$nic" -b -t 3 -T 1 -A 1 -S -s /udhcpc.sh -x hostname:"$(sed -n 's/.*guest=\\([^ ]*\\).*/\\1/p' /proc/cmdline)" &
done
(cd /tmp && echo "hello from a guest" > index.html && httpd -p 80 -h /tmp)
stty -F /dev/ttyS0 -echo -onlcr
exec < /dev/ttyS0 > /dev/ttyS0 2>&1
while :; do
    read -r id command || continue
    echo "$command" | base64 -d > /run/command 2> /dev/null
    sh /run/command > /run/stdout 2> /run/stderr < /dev/null
    echo "@@ $id $? $(base64 /run/stdout | tr -d '\\n')_ $(base64 /run/stderr | tr -d '\\n')_"
done
"""

GUEST_UDHCPC = """#!/bin/busybox sh
case "$1" in
deconfig) ip addr flush dev "$interface"; ip link set "$interface" up ;;
bound|renew)
    ip addr replace "$ip/${mask:-24}" dev "$interface"
    [ -n "$router" ] && ip route replace default via "${router%% *}" dev "$interface"
    : > /etc/resolv.conf
    [ -n "$domain" ] && echo "search $domain" >> /etc/resolv.conf
    for server in $dns; do echo "nameserver $server" >> /etc/resolv.conf; done
    echo "$ip" > "/run/lease-$interface"
    ;;
esac
"""


def ensure_tree(release: str) -> pathlib.Path:
    """The folder of the release's tree, built first where it is not there yet (some two minutes)."""
    recipe = pathlib.Path(__file__).read_bytes() + release.encode()
    tree = CACHE / f"{release}-{hashlib.sha256(recipe).hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{release}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two labs may come up at once
        if not tree.exists():
            _build(release, tree)
    return tree


def ensure_key() -> pathlib.Path:
    """The lab's own SSH key, made once."""
    key = CACHE / "id_ed25519"
    CACHE.mkdir(parents=True, exist_ok=True)
    if not key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "virtnet-lab", "-f", str(key)])
    return key


def mirror() -> str:
    """The machine's own Debian mirror: the first URI of its apt sources."""
    lines = []
    for source in [pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]:
        if source.is_file():
            lines += source.read_text().splitlines()
    for line in lines:
        words = line.split()
        if words and words[0] in ("URIs:", "deb"):
            for word in words[1:]:
                if word.startswith(("http://", "https://")):
                    return word
    raise LabError("no http(s) URI found in the apt sources: the lab's image is built from the machine's own mirror")


def _build(release: str, tree: pathlib.Path) -> None:
    mounts = pathlib.Path("/proc/mounts").read_text()
    for old in CACHE.glob(f"{release}-*"):
        if str(old) not in mounts:  # a lab that is up boots from it
            shutil.rmtree(old)
    draft = tree.with_name(f"{tree.name}.draft")
    say(f"building the {release} image (once, about two minutes)")
    if draft.exists():
        shutil.rmtree(draft)
    log = CACHE / f"{release}.log"
    with open(log, "w") as output:
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", release, str(draft), mirror()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            _follow(process, output)
    if process.returncode:
        raise LabError(f"debootstrap of {release} failed; its log is {log}")
    _prepare(draft)
    _guest_initrd(draft)
    draft.rename(tree)
    say(f"the {release} image is ready")


def _follow(process: subprocess.Popen, output) -> None:
    """Keep the log, and tell every hundredth line so that a waiting user sees it move."""
    for number, line in enumerate(process.stdout or ()):
        output.write(line)
        if number % 150 == 0:
            say(f"  {line.strip()}")


def _prepare(tree: pathlib.Path) -> None:
    (tree / "etc/hostname").unlink(missing_ok=True)  # it would override --hostname
    (tree / "etc/machine-id").write_text("")
    (tree / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(f"{ensure_key()}.pub", tree / "root/.ssh/authorized_keys")
    (tree / "etc/ssh/sshd_config.d/lab.conf").write_text("UseDNS no\nMaxStartups 100\nMaxSessions 100\n")
    # The cgroups that a container sees are read-only; root spares qemu the search for devices it may open.
    with open(tree / "etc/libvirt/qemu.conf", "a") as conf:
        conf.write('cgroup_controllers = []\nuser = "root"\ngroup = "root"\n')
    # Without machined libvirt runs a guest as a plain process: in a container its scopes outlive their guests.
    (tree / "usr/share/dbus-1/system-services/org.freedesktop.machine1.service").unlink(missing_ok=True)
    for package_cache in (tree / "var/cache/apt/archives").glob("*.deb"):
        package_cache.unlink()
    (tree / "etc/systemd/system/lab-sysfs.service").write_text(SYSFS_UNIT)
    for daemon, unit in DAEMONS.items():
        folder = tree / f"etc/systemd/system/{unit}.service.d"
        folder.mkdir()
        (folder / "lab.conf").write_text(IF_IN_CHARGE.format(daemon))
    units = ["lab-sysfs", *DAEMONS.values(), "ssh", "libvirtd", "libvirtd.socket"]
    run(["systemctl", f"--root={tree}", "--quiet", "enable", *units])
    for_tests = ["firewalld", "ufw", "docker.service", "docker.socket", "containerd"]  # which start them
    run(["systemctl", f"--root={tree}", "--quiet", "disable", *for_tests])
    timers = ["apt-daily.timer", "apt-daily-upgrade.timer"]
    waits = ["systemd-networkd-wait-online.service", "NetworkManager-wait-online.service"]
    run(["systemctl", f"--root={tree}", "--quiet", "mask", *timers, *waits, "libvirt-guests"])
    for link in ("etc/libvirt/qemu/networks/autostart/default.xml", "etc/libvirt/qemu/networks/default.xml"):
        (tree / link).unlink(missing_ok=True)


def _guest_initrd(tree: pathlib.Path) -> None:
    """A kernel and a busybox initrd for guests, in the tree's /opt/lab."""
    folder = tree / GUEST_FOLDER
    root = folder / "initrd"
    for name in ("bin", "modules"):
        (root / name).mkdir(parents=True)
    shutil.copy(next((tree / "boot").glob("vmlinuz-*")), folder / "vmlinuz")
    shutil.copy(tree / "bin/busybox", root / "bin/busybox")
    for module in GUEST_MODULES:
        source = next((tree / "lib/modules").glob(f"*/kernel/**/{module}.ko*"), None)
        if source is None:
            continue  # built into this kernel
        if source.suffix == ".xz":
            run(["xz", "-dkf", "--suffix=.xz", str(source)])
            shutil.copy(source.with_suffix(""), root / f"modules/{module}.ko")
        else:
            shutil.copy(source, root / f"modules/{module}.ko")
    for name, text in (("init", GUEST_INIT.replace("MODULES", " ".join(GUEST_MODULES))), ("udhcpc.sh", GUEST_UDHCPC)):
        (root / name).write_text(text)
        (root / name).chmod(0o755)
    names = "\0".join(str(path.relative_to(root)) for path in sorted(root.rglob("*"))).encode()
    archive = subprocess.run(
        ["cpio", "-0", "-o", "-H", "newc", "--quiet"], cwd=root, input=names, stdout=subprocess.PIPE, check=True
    )
    (folder / "initrd.img").write_bytes(archive.stdout)
    shutil.rmtree(root)
