# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of the lab: a systemd-nspawn container with an overlay of its own over the release's tree."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess

from .settings import CLIENT, DHCP_FIRST, DHCP_LAST, DOMAIN, LAN4, LAN6, OUTSIDE4, OUTSIDE6, ROUTER, LabError
from .system import alive, children, command_line, kill, processes_naming, processes_rooted_in, run, unmount, wait_for

BOOT_SECONDS = 90

# Looking through all processes of a busy machine costs more than most commands that are then run.
_LEADERS: dict[pathlib.Path, int] = {}

# systemd-nspawn that may not make units of its own ends with status 133 when its machine wants to reboot.
KEEP_BOOTING = 'while "$@"; [ $? -eq 133 ]; do :; done'

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}


@dataclasses.dataclass(frozen=True)
class Machine:
    """Role is host, router, client or outside; number is the last part of its addresses."""

    name: str
    role: str
    number: int
    namespace: str
    folder: pathlib.Path
    release: str

    @property
    def address(self) -> str:
        return (OUTSIDE4 if self.role == "outside" else LAN4).format(self.number)

    @property
    def root(self) -> pathlib.Path:
        return self.folder / "root"

    def start(self, tree: pathlib.Path) -> None:
        """Begin to boot; `wait_until_up` says when it is done."""
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if not os.path.ismount(self.root):
            layers = f"lowerdir={tree},upperdir={self.folder}/upper,workdir={self.folder}/work"
            run(["mount", "-t", "overlay", "-o", layers, "virtnet-lab", str(self.root)])
        self._configure()
        self.kill()  # what a machine that died by itself has left
        bridge = "out0" if self.role == "outside" else "lan0"
        extra = ["--network-veth-extra=router-out:out0"] if self.role == "router" else []
        command = [
            "sh", "-c", KEEP_BOOTING, "lab-machine",
            "nsenter", f"--net=/run/netns/{self.namespace}",
            "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--capability=all",
            f"--directory={self.root}", f"--machine={self.name}", f"--hostname={self.name}",
            f"--network-bridge={bridge}", *extra, "--bind=/dev/net/tun", "--console=pipe", "--link-journal=no",
        ]  # fmt: skip
        with open(self.folder / "console.log", "wb") as log:
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
            )  # fmt: skip

    def wait_until_up(self) -> None:
        wait_for(f"{self.name}'s boot (its console: {self.folder}/console.log)", self._is_up, BOOT_SECONDS)
        if self.role == "router":
            # nspawn can't plug an extra veth into a bridge by itself
            run(["ip", "-n", self.namespace, "link", "set", "router-out", "master", "out0", "up"])

    def _is_up(self) -> bool:
        if not self.leader():
            if not processes_naming(f"--directory={self.root} "):
                raise LabError(f"{self.name} did not start; its console: {self.folder}/console.log")
            return False
        state = self.run(["systemctl", "is-system-running"], stderr=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
        return state.strip() in (b"running", b"degraded")

    def stop(self) -> None:
        """Pull the plug and throw the disk away."""
        self.kill()
        if os.path.ismount(self.root):
            unmount(str(self.root))
        run(["rm", "-rf", str(self.folder)])

    def kill(self) -> None:
        """The loop that boots it first, else it boots again; then its cables, which the kernel would take off later."""
        for pid in processes_naming(f"--directory={self.root} "):
            if command_line(pid).startswith("sh "):
                kill(pid)
        for pid in self._nspawn():
            kill(pid)
        for pid in processes_rooted_in(f"{self.folder}/upper"):
            kill(pid)  # the first is the container's init, and the kernel ends the others with it
        for link in self._cables():
            subprocess.run(["ip", "-n", self.namespace, "link", "delete", link], stderr=subprocess.DEVNULL, check=False)

    def reboot(self) -> None:
        before = self.leader()
        self.run(["systemctl", "reboot"])
        wait_for(f"{self.name} going down", lambda: self.leader() not in (before, None), BOOT_SECONDS)
        self.wait_until_up()

    def leader(self) -> int | None:
        """The container's first process, or None while there is none."""
        known = _LEADERS.get(self.root)
        if known and alive(known) and os.path.exists(f"/proc/{known}/root/run/systemd/system"):
            return known
        found = self._find_leader()
        if found:
            _LEADERS[self.root] = found
        return found

    def _find_leader(self) -> int | None:
        for nspawn in self._nspawn():
            for pid in children(nspawn):
                inner = children(pid)  # nspawn keeps an outer child in between while it sets things up
                if os.path.exists(f"/proc/{pid}/root/run/systemd/system") and alive(pid):
                    return pid
                if inner and alive(inner[0]) and os.path.exists(f"/proc/{inner[0]}/root/run/systemd/system"):
                    return inner[0]
        return None

    def _cables(self) -> list[str]:
        return [f"vb-{self.name}"] + (["router-out"] if self.role == "router" else [])

    def _nspawn(self) -> list[int]:
        pids = processes_naming(f"--directory={self.root} ")
        return [pid for pid in pids if command_line(pid).startswith("systemd-nspawn ")]

    def run(self, command: list[str], **how) -> subprocess.CompletedProcess:
        """Run it inside, without the network: it works on a host that has locked itself out, too."""
        leader = self.leader()
        if not leader:
            raise LabError(f"{self.name} is not running")
        environment = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        inside = ["nsenter", f"--target={leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        return subprocess.run([*inside, "env", "-i", *environment, *command], check=False, **how)

    def _configure(self) -> None:
        for path, text in self._files().items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        if self.role != "host":
            for unit in ("libvirtd.service", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket"):
                target = self.root / "etc/systemd/system" / unit
                target.unlink(missing_ok=True)
                target.symlink_to("/dev/null")
        for unit in [path for path in self._files() if path.endswith(".service")]:
            wants = self.root / "etc/systemd/system/multi-user.target.wants" / os.path.basename(unit)
            wants.parent.mkdir(parents=True, exist_ok=True)
            wants.unlink(missing_ok=True)
            wants.symlink_to(f"/{unit}")

    def _files(self) -> dict[str, str]:
        files = {"etc/hosts": HOSTS, **NETWORK[self.role](self)}
        if self.role == "router":
            files["etc/systemd/system/lan-dnsmasq.service"] = DNSMASQ_UNIT
            files["etc/dnsmasq-lan.conf"] = DNSMASQ
        if self.role in ("outside", "client"):
            files["etc/systemd/system/web.service"] = WEB_UNIT.format(name=self.name)
        if self.role != "outside":
            files["etc/resolv.conf"] = f"nameserver {LAN4.format(ROUTER)}\nsearch {DOMAIN}\n"
        return files


def _network(machine: Machine) -> dict[str, str]:
    """networkd's file of a machine with one NIC."""
    outside = machine.role == "outside"
    four, six = (OUTSIDE4, OUTSIDE6) if outside else (LAN4, LAN6)
    text = (
        "[Match]\nName=host0\n[Network]\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=no\n"
        f"Address={four.format(machine.number)}/24\nGateway={four.format(ROUTER)}\n"
        f"Address={six.format(machine.number)}/64\nGateway={six.format(ROUTER)}\n"
    )
    if not outside:
        text += f"DNS={LAN4.format(ROUTER)}\nDomains={DOMAIN}\n"
    return {"etc/systemd/network/10-host0.network": text}


def _router_network(machine: Machine) -> dict[str, str]:
    sides = {"host0": (LAN4, LAN6), "out0": (OUTSIDE4, OUTSIDE6)}
    return {
        f"etc/systemd/network/10-{nic}.network": (
            f"[Match]\nName={nic}\n[Network]\nIPForward=yes\nIPv4Forwarding=yes\nIPv6Forwarding=yes\nIPv6AcceptRA=no\n"
            f"Address={four.format(ROUTER)}/24\nAddress={six.format(ROUTER)}/64\n"
        )
        for nic, (four, six) in sides.items()
    }


NETWORK = {"host": _network, "client": _network, "outside": _network, "router": _router_network}

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
