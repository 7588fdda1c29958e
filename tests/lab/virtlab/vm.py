# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kind `vm`: a virtual machine with its own kernel and two NICs on the LAN, whose settled state is a snapshot.

It is spoken to over virtio-serial ports (vm_client.py here, vm_agent.py inside), so its network may be in any state.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import pathlib
import socket
import subprocess
import sys
import tarfile
import time

from . import boot, inventory
from .machine import Machine
from .settings import LabError
from .system import command_line, kill, processes_naming, run, wait_for
from .vm_disk import NIC_SLOTS, emulator, ensure_image

BOOT_SECONDS = 300  # half a minute on an idle machine, but two emulated processors want two real ones
MEGABYTES = 1024
PORTS = 8  # so many commands at a time
SNAPSHOT = "settled"
# What is slow the first time and would be so after every restore: libvirt asks QEMU for its features, Python reads its files.
WARM_UP = "virsh version; python3 -c 'import json, libvirt, lxml.etree, pyroute2'"
KERNEL_ARGUMENTS = "root=/dev/vda rw console=ttyS0 loglevel=4 net.ifnames=0 mitigations=off panic=5"


@dataclasses.dataclass(frozen=True)
class VirtualMachine(Machine):
    """Everything of it is in its folder: the disk with its snapshot, its files, the ports and the console's log."""

    NIC = "nic0"
    GUEST_PATIENCE = 6

    # Up and down

    def start(self) -> None:
        (self.folder / "ports").mkdir(parents=True, exist_ok=True)
        self.kill()  # what a machine that died by itself has left
        if not self._disk.exists():
            self._make_disk()
        for number in range(PORTS):
            (self.folder / f"ports/{number}.lock").touch()
        for tap in self.cables():
            run(["ip", "-n", self.namespace, "tuntap", "add", tap, "mode", "tap"])
            run(["ip", "-n", self.namespace, "link", "set", tap, "master", "lan0", "up"])
        with open(self.folder / "qemu.log", "wb") as log:
            subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.namespace}", *self._qemu()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def wait_until_up(self) -> None:
        self._wait_until_settled()
        if SNAPSHOT not in self._monitor("info snapshots"):
            wait_for(f"the SSH server of {self.name}", self._takes_ssh, BOOT_SECONDS, 0.3)
            self.run(["sh", "-c", WARM_UP], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=BOOT_SECONDS)
            self._monitor(f"savevm {SNAPSHOT}")

    def restore(self) -> None:
        """Back to the state after the first boot, disk and memory; a machine that is switched off is switched on."""
        if not self._qemu_pid():
            self.start()
            wait_for(f"the monitor of {self.name}", (self.folder / "monitor").exists, 10)
        inventory.close_connections(self.folder.parent)
        self._monitor(f"loadvm {SNAPSHOT}")
        self.run(["date", "-u", "-s", f"@{time.time():.3f}"], stdout=subprocess.DEVNULL, timeout=BOOT_SECONDS)

    def reboot(self) -> None:
        before = self._boot_id()
        self.run(["systemctl", "reboot"], stderr=subprocess.DEVNULL, timeout=BOOT_SECONDS)
        wait_for(f"{self.name} going down", lambda: self._boot_id() not in (before, ""), BOOT_SECONDS)
        self._wait_until_settled()

    def stop(self) -> None:
        self.kill()
        run(["rm", "-rf", str(self.folder)])

    def kill(self) -> None:
        pid = self._qemu_pid()
        if pid:
            kill(pid, lambda one: one == self._qemu_pid())
        (self.folder / "monitor").unlink(missing_ok=True)
        for tap in self.cables():
            words = ["ip", "-n", self.namespace, "link", "delete", tap]
            subprocess.run(words, stderr=subprocess.DEVNULL, check=False)

    # Speaking to it

    def is_running(self) -> bool:
        return self._qemu_pid() is not None

    def connect(self, path: str) -> socket.socket:
        here, there = socket.socketpair()
        with there:
            subprocess.Popen(
                self.inside(["nc", "-N", "-U", path]), stdin=there, stdout=there, stderr=subprocess.DEVNULL
            )
        return here

    def _door(self) -> list[str]:
        client = pathlib.Path(__file__).with_name("vm_client.py")
        return [sys.executable, "-I", "-S", str(client), f"{self.folder}/ports"]

    def _monitor(self, command: str) -> str:
        """What QEMU answers to a command of its human monitor; savevm and loadvm say nothing when all is well."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"{self.folder}/monitor")
            with connection.makefile("rw") as lines:
                for execute, arguments in (
                    ("qmp_capabilities", {}),
                    ("human-monitor-command", {"command-line": command}),
                ):
                    lines.write(json.dumps({"execute": execute, "arguments": arguments}) + "\n")
                    lines.flush()
                    answer = next(found for found in map(json.loads, lines) if "return" in found or "error" in found)
        said = answer.get("return", answer.get("error"))
        if "error" in answer or (said and not command.startswith("info")):
            raise LabError(f"{self.name}: {command}: {said}")
        return said

    def _boot_id(self) -> str:
        """Empty when it can't say, since it is going down."""
        command = ["cat", "/proc/sys/kernel/random/boot_id"]
        done = self.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        return done.stdout.decode().strip()

    def _wait_until_settled(self) -> None:
        wait_for(f"{self.name}'s boot (its console: {self.folder}/console.log)", self._is_settled, BOOT_SECONDS, 0.2)

    def _is_settled(self) -> bool:
        if not self._qemu_pid():
            raise LabError(f"{self.name} did not start: {self.folder}/qemu.log and console.log")
        command = ["systemctl", "is-system-running", "--wait"]
        try:
            done = self.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=BOOT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.stdout.strip() in (b"running", b"degraded")

    def _takes_ssh(self) -> bool:
        words = ["nsenter", f"--net=/run/netns/{self.namespace}", "nc", "-z", "-w", "2", self.address, "22"]
        return subprocess.run(words, stdin=subprocess.DEVNULL, check=False).returncode == 0

    # What it consists of

    @property
    def _disk(self) -> pathlib.Path:
        return self.folder / "disk.qcow2"

    def cables(self) -> list[str]:
        return [self._tap(nic) for nic in NIC_SLOTS]

    def _tap(self, nic: str) -> str:
        return f"{self.name}-{nic}"

    def _mac(self, nic: str) -> str:
        """Locally administered, and the same whenever this machine of this lab is made."""
        digest = hashlib.sha256(f"{self.namespace} {self.name} {nic}".encode()).digest()
        return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))

    def _qemu_pid(self) -> int | None:
        found = [pid for pid in processes_naming(f"{self._disk},") if command_line(pid).startswith("qemu-system-")]
        return found[0] if found else None

    def _qemu(self) -> list[str]:
        image = (self.folder / "image").resolve()
        # What is in memory anyway needs no flush; a disk of a lab that the machine's crash ends is worth nothing.
        disk = f"file={self._disk},format=qcow2,if=virtio,cache=unsafe"
        words = [
            *emulator((image / "accelerator").read_text(), MEGABYTES), "-name", f"{self.namespace}-{self.name}",
            "-kernel", f"{image}/vmlinuz", "-initrd", f"{image}/initrd.img", "-append", KERNEL_ARGUMENTS,
            "-drive", disk, "-drive", f"file={self.folder}/files.tar,format=raw,if=virtio,readonly=on",
            "-serial", f"file:{self.folder}/console.log", "-qmp", f"unix:{self.folder}/monitor,server=on,wait=off",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
        ]  # fmt: skip
        for nic, slot in NIC_SLOTS.items():
            words += ["-netdev", f"tap,id={nic},ifname={self._tap(nic)},script=no,downscript=no"]
            words += ["-device", f"virtio-net-pci,netdev={nic},mac={self._mac(nic)},addr=0x{slot},romfile="]
        for number in range(PORTS):
            words += ["-chardev", f"socket,id=port{number},path={self.folder}/ports/{number}.port,server=on,wait=off"]
            words += ["-device", f"virtserialport,chardev=port{number},name=lab.{number}"]
        return words

    def _make_disk(self) -> None:
        """An overlay of the image, which is noted beside it, and the machine's own files as a disk for the initrd."""
        image = ensure_image(self.release)
        (self.folder / "image").unlink(missing_ok=True)
        (self.folder / "image").symlink_to(image)
        with tarfile.open(self.folder / "files.tar", "w") as tar:
            for path, text in {"etc/hostname": f"{self.name}\n", **self.files()}.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(text.encode())
                entry.mtime = int(time.time())
                entry.mode = boot.mode(path)
                tar.addfile(entry, io.BytesIO(text.encode()))
        command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", f"{image}/disk.qcow2", "-F", "qcow2"]
        run([*command, str(self._disk)])
