# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every machine of a lab is, whatever its kind: a name, addresses, files, and commands run inside."""

from __future__ import annotations

import abc
import dataclasses
import io
import pathlib
import socket
import subprocess
import tarfile
import typing

from . import boot
from .settings import CLIENT, DHCP_FIRST, DHCP_LAST, DOMAIN, LAN4, LAN6, OUTSIDE4, OUTSIDE6, ROUTER, LabError

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}


@dataclasses.dataclass(frozen=True)
class Machine(abc.ABC):
    """Role is host, router, client or outside; number is the last part of its addresses."""

    NIC: typing.ClassVar[str]
    GUEST_PATIENCE: typing.ClassVar[int]  # how much longer than in a container its guests may take

    name: str
    role: str
    number: int
    namespace: str
    folder: pathlib.Path
    release: str
    backend: str = "networkd"  # who keeps its boot configuration

    @property
    def address(self) -> str:
        return (OUTSIDE4 if self.role == "outside" else LAN4).format(self.number)

    @abc.abstractmethod
    def start(self) -> None:
        """Begin to boot; `wait_until_up` says when it is done."""

    @abc.abstractmethod
    def wait_until_up(self) -> None: ...

    @abc.abstractmethod
    def stop(self) -> None:
        """Pull the plug and throw the disk away."""

    @abc.abstractmethod
    def kill(self) -> None:
        """Pull the plug, and take away its cables."""

    @abc.abstractmethod
    def reboot(self) -> None: ...

    @abc.abstractmethod
    def is_running(self) -> bool: ...

    @abc.abstractmethod
    def cables(self) -> list[str]:
        """The links of the lab's namespace that it hangs on, that of its NIC first."""

    @abc.abstractmethod
    def _door(self) -> list[str]:
        """The words before a command that has to run inside."""

    @abc.abstractmethod
    def connect(self, path: str) -> socket.socket:
        """A connection to a Unix socket inside; OSError when nobody listens."""

    def inside(self, command: list[str]) -> list[str]:
        """The command as one to run here, which runs it inside: without the network, so on a locked-out host, too."""
        if not self.is_running():
            raise LabError(f"{self.name} is not running")
        return [*self._door(), "env", "-i", *(f"{name}={value}" for name, value in ENVIRONMENT.items()), *command]

    def run(self, command: list[str], **how: typing.Any) -> subprocess.CompletedProcess:
        """`subprocess.run` of the command inside."""
        return subprocess.run(self.inside(command), check=False, **how)

    def put(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file inside, and the folders that lead to it."""
        data = content.encode() if isinstance(content, str) else content
        script = 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"'
        self._feed(["sh", "-c", script, "put", f"/{path.lstrip('/')}", f"{mode:o}"], data)

    def put_tree(self, source: pathlib.Path, target: str, skip: tuple[str, ...] = ("__pycache__",)) -> None:
        """Copy a folder's content into a folder inside, over what is there; files and folders named in skip stay here."""

        def chosen(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = "root"
            return None if pathlib.PurePath(entry.name).name in skip else entry

        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(source, arcname=".", filter=chosen)
        script = 'mkdir -p "$1" && tar -x -f - -C "$1"'
        self._feed(["sh", "-c", script, "put_tree", f"/{target.lstrip('/')}"], archive.getvalue())

    def _feed(self, command: list[str], data: bytes) -> None:
        done = self.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            raise LabError(f"{' '.join(command[3:])} on {self.name}: {done.stderr.decode(errors='replace').strip()}")

    def files(self) -> dict[str, str]:
        """What makes the tree this machine, by path; its own services are among them."""
        files = {"etc/hosts": HOSTS, **(_router_network if self.role == "router" else boot.files)(self)}
        if self.role == "router":
            files["etc/systemd/system/lan-dnsmasq.service"] = DNSMASQ_UNIT
            files["etc/dnsmasq-lan.conf"] = DNSMASQ
            # since systemd 256 networkd's IPv6Forwarding= of a link leaves the kernel's switch for all of them off
            files["etc/sysctl.d/50-router.conf"] = "net.ipv6.conf.all.forwarding = 1\n"
        if self.role in ("outside", "client"):
            files["etc/systemd/system/web.service"] = WEB_UNIT.format(name=self.name)
        if self.role != "outside":
            files["etc/resolv.conf"] = f"nameserver {LAN4.format(ROUTER)}\nsearch {DOMAIN}\n"
        return files


def _router_network(machine: Machine) -> dict[str, str]:
    sides = {machine.NIC: (LAN4, LAN6), "out0": (OUTSIDE4, OUTSIDE6)}
    files = {
        f"etc/systemd/network/10-{nic}.network": (
            f"[Match]\nName={nic}\n[Network]\nIPForward=yes\nIPv4Forwarding=yes\nIPv6Forwarding=yes\nIPv6AcceptRA=no\n"
            f"Address={four.format(ROUTER)}/24\nAddress={six.format(ROUTER)}/64\n"
        )
        for nic, (four, six) in sides.items()
    }
    return {"etc/lab/networkd": "", **files}


HOSTS = "127.0.0.1 localhost\n::1 localhost\n"

DNSMASQ = f"""\
interface=host0
bind-dynamic
no-resolv
no-hosts
domain={DOMAIN}
local=/{DOMAIN}/
dhcp-range={LAN4.format(DHCP_FIRST)},{LAN4.format(DHCP_LAST)},255.255.255.0,10m
dhcp-option=option:router,{LAN4.format(ROUTER)}
dhcp-leasefile=/run/dnsmasq-lan.leases
address=/router.{DOMAIN}/{LAN4.format(ROUTER)}
address=/client.{DOMAIN}/{LAN4.format(CLIENT)}
address=/www.outside.example/{OUTSIDE4.format(10)}
"""

DNSMASQ_UNIT = """\
[Unit]
Description=DHCP and DNS of the lab's LAN
[Service]
ExecStart=/usr/sbin/dnsmasq --keep-in-foreground --conf-file=/etc/dnsmasq-lan.conf
Restart=always
RestartSec=1
"""

WEB_UNIT = """\
[Unit]
Description=A web page to reach
[Service]
RuntimeDirectory=web
ExecStartPre=/bin/sh -c 'echo hello from {name} > /run/web/index.html'
ExecStart=/bin/busybox httpd -f -p 80 -h /run/web
"""
