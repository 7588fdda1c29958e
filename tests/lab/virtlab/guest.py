# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real guests on a lab's host: a kernel and a busybox initrd under TCG, spoken to over their serial console."""

from __future__ import annotations

import base64
import secrets
import subprocess
import time

from .image import GUEST_FOLDER
from .machine import Machine
from .settings import LabError
from .system import wait_for

LEASE_SECONDS = 120

DOMAIN = """\
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>96</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>/{folder}/vmlinuz</kernel>
    <initrd>/{folder}/initrd.img</initrd>
    <cmdline>console=ttyS0 quiet guest={name}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    {interfaces}
    <serial type='unix'><source mode='bind' path='/run/lab-guest-{name}.sock'/></serial>
    <memballoon model='none'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>
"""


def interface(network: str, mac: str | None, portgroup: str | None) -> str:
    mac = f"<mac address='{mac}'/>" if mac else ""
    group = f" portgroup='{portgroup}'" if portgroup else ""
    return f"<interface type='network'>{mac}<source network='{network}'{group}/><model type='virtio'/></interface>"


def start(host: Machine, name: str, interfaces: list[str]) -> None:
    """Define and start the guest; returns at once."""
    define(host, name, interfaces)
    boot(host, name)


def define(host: Machine, name: str, interfaces: list[str]) -> None:
    xml = DOMAIN.format(name=name, folder=GUEST_FOLDER, interfaces="".join(interfaces))
    _virsh(host, name, "define", "/dev/stdin", stdin=xml)


def boot(host: Machine, name: str) -> None:
    _virsh(host, name, "start", name)


def _virsh(host: Machine, name: str, *words: str, stdin: str = "") -> None:
    done = host.run(["virsh", "-q", *words], input=stdin.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        raise LabError(f"guest {name} on {host.name}: {done.stderr.decode().strip()}")


def wait_for_lease(host: Machine, name: str, nic: str = "eth0") -> str:
    """The address that DHCP gave to the guest's NIC."""

    def probe() -> str | None:
        try:
            done = speak(host, name, f"cat /run/lease-{nic}", seconds=3 * host.GUEST_PATIENCE)
        except (TimeoutError, OSError):
            return None
        return done.stdout.decode().strip() or None

    return wait_for(f"a lease of guest {name} on {host.name}", probe, LEASE_SECONDS * host.GUEST_PATIENCE, 0.3)


def speak(host: Machine, name: str, command: str, seconds: float = 60) -> subprocess.CompletedProcess:
    """Run a shell command inside the guest.

    Raises TimeoutError when the guest does not answer, OSError when it has no console.
    """
    number = secrets.token_hex(4)
    line = f"{number} {base64.b64encode(command.encode()).decode()}\n".encode()
    deadline = time.monotonic() + seconds
    with host.connect(f"/run/lab-guest-{name}.sock") as console:
        # The guest's UART has a FIFO of 16 bytes and a slow reader: long lines go in small pieces.
        for start in range(0, len(line), 512):
            console.sendall(line[start : start + 512])
        text = b""
        while f"@@ {number} ".encode() not in text or not text.endswith(b"\n"):
            console.settimeout(max(0.01, deadline - time.monotonic()))
            piece = console.recv(65536)
            if not piece:
                raise ConnectionError(f"guest {name} closed its console")
            text += piece
    words = text.decode(errors="replace").split(f"@@ {number} ")[1].split("\n")[0].split()
    stdout, stderr = (base64.b64decode(word.rstrip("_\r")) for word in words[1:3])
    return subprocess.CompletedProcess(command, int(words[0]), stdout, stderr)
