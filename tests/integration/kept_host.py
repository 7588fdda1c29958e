# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's host by who keeps its network: what of it has to be as before, and how the daemon itself tells its view."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import time
from collections.abc import Callable, Iterator

import drills
from bridge_host import BridgeHost, difference
from test_ansible import ansible
from virtlab.lab import Lab
from virtlab.settings import LAN6, LabError
from virtlab.system import wait_for

FOLDERS = "systemd/network/* network/interfaces* network/interfaces.d/* netplan/* NetworkManager/*.* NetworkManager/system-connections/*"
BOOT_FILES = f"cd /etc; for f in {FOLDERS}; do [ -f $f ] && stat -c '%n %a' $f && cat $f; done"
FILES = f"{BOOT_FILES}; ls -d /var/lib/virtnet-kvm /etc/systemd/system/virtnet-* 2>/dev/null; true"
# Not: numbers of links, what is left of a lease, and what the kernel makes of itself.
RUNTIME = (
    "ip -br link | sed 's/@[^ ]*//; s/ \\+/ /g' | sort;"
    " ip -o address | sed 's/^[0-9]*: //; s/valid_lft.*//; s/ \\+/ /g' | grep -v -e fe80 | sort;"
    " for v in -4 -6; do ip $v route show table all; done | grep -v -e fe80 -e multicast | sed 's/ *expires [^ ]*//; s/ *$//' | sort;"
    " grep -v '^#' /etc/resolv.conf"
)
# Only a matter of words: ifupdown's onlink of a gateway that an address reaches; who has made a route, which the kernel
# is not told of until the next boot; the metric of a lease's prefix; NetworkManager's flags of an address that
# it takes as it is, and the prefix's route, which comes of the address; and systemd-networkd 252 may wait for ever for a
# link-local address that it knows.
WORDS = [
    (r" noprefixroute| nodad| onlink|(?<=/24) metric \d+| proto static", ""),
    (r"(?m)^\S+/\d+ dev \S+ proto kernel (scope link|metric).*\n", ""),
    ("configuring", "configured"),
]
# What tells the next run of a change that nobody has confirmed
LEFT_TO_THE_NEXT = re.compile(r"(?m)^(/etc/systemd/system/virtnet-undo.service|/var/lib/virtnet-kvm)\n")
NETWORKCTL = "networkctl list --no-legend | awk '{print $2, $5}' | sort"
NMCLI = "nmcli -t -f DEVICE,STATE,CONNECTION device | grep -v ^virbr | sort"


@dataclasses.dataclass(frozen=True)
class Backend:
    """`foreign`: the installer's file; `folder`: that of all its files; `dhcp`: that file with DHCP; `half`: a file that
    somebody has not written to its end; `view`: how the daemon tells of its links, and with the bridge; `dns`: where it
    has the servers; `unkept`: an option that it can't keep, and the word for it."""

    persist: str
    unit: str
    foreign: str
    backup: str
    folder: str
    dhcp: str
    half: tuple[str, str]
    view: str
    bridged: str
    dns: str
    unkept: tuple[dict, str]


NETWORKD_DNS = "cat /run/systemd/netif/links/$(cat /sys/class/net/LINK/ifindex) | grep -e ^DNS= -e ^DOMAINS="
NMCLI_DNS = 'nmcli -t -f IP4.DNS,IP4.SEARCHES device show LINK; nmcli -t -f ipv4.dns-search connection show "$(nmcli -g GENERAL.CONNECTION device show LINK)"'
NETPLAN_DHCP = "network:\n  version: 2\n{renderer}  ethernets:\n    NIC:\n      dhcp4: true\n      link-local: [ipv6]\n"
ISOLATED = ({"ports": [{"name": "NIC", "isolated": True}]}, "ports.isolated")
NETPLAN = Backend(
    persist="netplan", unit="systemd-networkd", folder="/etc/netplan",
    foreign="/etc/netplan/50-cloud-init.yaml", backup="/etc/netplan/50-cloud-init.yaml.virtnet-backup",
    dhcp=NETPLAN_DHCP.format(renderer=""), half=("/etc/netplan/90-half.yaml", "network:\n  ethernets: [\n"),
    view=f"{NETWORKCTL}; netplan get", bridged="br0 configured\nNIC configured", dns=NETWORKD_DNS,
    unkept=ISOLATED,
)  # fmt: skip
UUID = "8a1c0f5e-2f6d-4f0e-9a0b-0d6c1c2b3a4d"
OF = {
    "networkd": Backend(
        persist="networkd", unit="systemd-networkd", folder="/etc/systemd/network",
        foreign="/etc/systemd/network/10-NIC.network", backup="/etc/systemd/network/10-NIC.network.virtnet-backup",
        dhcp="[Match]\nName=NIC\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=no\n",
        half=("/etc/systemd/network/90-half.network", "[Match]\nName=x0\n[Netwo\n"),
        view=NETWORKCTL, bridged="br0 configured\nNIC configured", dns=NETWORKD_DNS,
        unkept=({"multicast": {"router": 2}}, "multicast.router"),
    ),
    "ifupdown": Backend(
        persist="ifupdown", unit="networking", folder="/etc/network",
        foreign="/etc/network/interfaces", backup="/etc/network/interfaces.virtnet-backup",
        dhcp="source /etc/network/interfaces.d/*\nauto lo\niface lo inet loopback\nauto NIC\niface NIC inet dhcp\n",
        half=("/etc/network/interfaces.d/half", "auto x0\niface x0 inet\n"),
        view="ifquery --state", bridged="br0=br0", dns="true",
        unkept=({"dns": {"servers": ["192.0.2.1"]}}, "dns"),
    ),
    "networkmanager": Backend(
        persist="networkmanager", unit="NetworkManager", folder="/etc/NetworkManager/system-connections",
        foreign="/etc/NetworkManager/system-connections/NIC.nmconnection", backup="/etc/NetworkManager/NIC.nmconnection.virtnet-backup",
        dhcp=f"[connection]\nid=NIC\nuuid={UUID}\ntype=ethernet\ninterface-name=NIC\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=link-local\n",
        half=("/etc/NetworkManager/system-connections/half.nmconnection", "[connection]\nid=half\ninterf\n"),
        view=NMCLI, bridged="br0:connected:virtnet-br0\nNIC:connected:virtnet-NIC", dns=NMCLI_DNS, unkept=ISOLATED,
    ),
    "netplan": NETPLAN,
    "netplan-nm": dataclasses.replace(
        NETPLAN, unit="NetworkManager", dhcp=NETPLAN_DHCP.format(renderer="  renderer: NetworkManager\n"),
        view=f"{NMCLI}; netplan get", bridged="br0:connected:virtnet-br0\nNIC:connected:virtnet-NIC", dns=NMCLI_DNS,
    ),
}  # fmt: skip


def plain(told: str) -> str:
    for word, instead in WORDS:
        told = re.sub(word, instead, told)
    return told


@contextlib.contextmanager
def raised(stem: str, backend: str, release: str, kind: str = "nspawn") -> Iterator[Lab]:
    """A lab of one host of this backend."""
    short = {"networkmanager": "nm", "netplan-nm": "netplan-n"}.get(backend, backend)
    lab = Lab(f"test-{stem}-{short}-{release[0]}")
    lab.up(1, release, kind, backend)
    try:
        yield lab
    finally:
        if not os.environ.get("VIRTNET_KEEP_LAB"):
            lab.down()


class KeptHost(BridgeHost):
    """One host, and what it was like at first."""

    def __init__(self, lab: Lab, name: str = "h1") -> None:
        super().__init__(lab, lab.machine(name))
        self.nic = self.machine.NIC
        told = OF[self.machine.backend]
        words = {field.name: self.named(getattr(told, field.name)) for field in dataclasses.fields(told)}
        self.backend = Backend(**words)
        self.own = {f"{self.machine.address}/24", f"{LAN6.format(self.machine.number)}/64"}

    def named(self, value):
        """With the NIC's name in its place."""
        if isinstance(value, dict):
            return {word: self.named(one) for word, one in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(map(self.named, value))
        return value.replace("NIC", self.nic) if isinstance(value, str) else value

    def take_over(self, check: bool = False, **more) -> dict:
        answer = self.ask(
            check=check, **{"name": "br0", "ports": [self.nic], "inherit": True, "persist": "auto", **more}
        )
        assert not answer.get("failed"), answer["msg"]
        return answer

    def give_back(self) -> dict:
        answer = self.ask(name="br0", state="absent", persist="auto")
        assert not answer.get("failed"), answer["msg"]
        return answer

    def everything(self) -> str:
        """Links, addresses, routes, DNS, boot files byte for byte, and what the daemon says of it."""
        return self.run(f"{RUNTIME}; {FILES}; {self.backend.view}; true")

    def settled_like(self, before: str, look: Callable[[], str] | None = None, seconds: float = 15) -> None:
        """It is as before, at the latest a moment later."""
        look = look or self.everything
        with contextlib.suppress(LabError):
            wait_for("the same again", lambda: plain(look()) == plain(before), seconds, 0.3)
        left = difference(plain(before), plain(look()))
        assert not left, left

    def drill(self, how: str, confirm_timeout: int = 12) -> None:
        """It is cut off in one of the ways of drills.EVERY, and as before soon after."""
        before = self.everything()
        change = {"name": "br0", "ports": [self.nic], "inherit": True, "persist": "auto"}
        drills.EVERY[how](self, {**change, "confirm_timeout": confirm_timeout})
        seconds = 15 * self.machine.GUEST_PATIENCE
        self.settled_like(before, lambda: LEFT_TO_THE_NEXT.sub("", self.everything()), seconds)
        assert not self.ask(name="br0", state="absent", persist="auto")["changed"]
        self.settled_like(before, seconds=seconds)
        assert "pong" in ansible(self.lab, "ansible", self.name, "-m", "ping")

    def dns(self, link: str) -> str:
        return self.run(self.backend.dns.replace("LINK", link))

    def text(self, path: str) -> str:
        return self.run(["cat", path])

    def booted(self) -> None:
        """Once more, until the daemon has done its part."""
        self.close()
        self.machine.reboot()
        self.come_to_rest()

    def come_to_rest(self) -> None:
        wait_for(f"{self.name} at rest", self._is_at_rest, 40 * self.machine.GUEST_PATIENCE, 0.3)

    def _is_at_rest(self) -> bool:
        seen = self.everything()
        busy = any(word in seen for word in ("tentative", "linkdown", "configuring", ":connecting", "pending"))
        return not busy and "default via" in seen and (time.sleep(1) or self.everything() == seen)

    def read_only(self) -> contextlib.AbstractContextManager[None]:
        folder = self.backend.folder
        return self._mounted(f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}")

    def full(self) -> contextlib.AbstractContextManager[None]:
        """A disk of its own for the folder, filled to its last byte."""
        folder = self.backend.folder
        return self._mounted(
            f"rm -rf /root/there && cp -a {folder} /root/there && mount -t tmpfs -o size=1m,mode=755 full {folder} && cp -a /root/there/. {folder}"
            f" && mkdir {folder}/zz && dd if=/dev/zero of={folder}/zz/full bs=4k status=none; df {folder} | grep -q 100%"
        )

    @contextlib.contextmanager
    def _mounted(self, command: str) -> Iterator[None]:
        self.run(command)
        try:
            yield
        finally:
            self.run(f"umount {self.backend.folder}")

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """The daemon, while what it has set up stays."""
        unit = self.backend.unit
        self.run(
            f"mkdir -p /run/systemd/system/{unit}.service.d && printf '[Service]\\nExecStop=\\n' > /run/systemd/system/{unit}.service.d/no.conf"
            f" && systemctl daemon-reload && systemctl stop {unit}.socket {unit} 2>/dev/null; systemctl is-active -q {unit} && exit 1; true"
        )
        try:
            yield
        finally:
            self.run(f"rm -r /run/systemd/system/{unit}.service.d; systemctl daemon-reload; systemctl start {unit}")
