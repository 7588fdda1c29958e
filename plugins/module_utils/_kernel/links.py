# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's links, as far as libvirt's networks need them. The only importer of pyroute2 (with its neighbours here)."""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import os
import pathlib
import socket
import struct
import typing

from .._core.errors import SystemFailure

_NET = pathlib.Path("/sys/class/net")
ISOLATED = "IFLA_BRPORT_ISOLATED"
_IFF_TAP, _IFF_PERSIST = 0x0002, 0x0800  # linux/if_tun.h


def names() -> tuple[str, ...]:
    """Every link of this host. if_nameindex(3) would have the kernel tell all about each of them."""
    return tuple(entry.name for entry in os.scandir(_NET) if entry.is_symlink())  # not bonding_masters, which is none


def loose_taps() -> set[str]:
    """Taps that are in no bridge: a running guest's tap may have lost its bridge."""
    return {name for name in names() if _is_guest_tap(name) and not (_NET / name / "master").exists()}


def _is_guest_tap(name: str) -> bool:
    """A tap that lives as long as its program; a VPN's tun and what an administrator made for good are not asked about."""
    try:
        with open(f"{_NET}/{name}/tun_flags", encoding="ascii") as file:
            flags = int(file.read(), 16)
    except OSError:  # no tap, or gone meanwhile
        return False
    return bool(flags & _IFF_TAP) and not flags & _IFF_PERSIST


def master(name: str) -> str | None:
    """The bridge (or bond) that a link is a port of."""
    path = _NET / name / "master"
    return os.path.basename(os.readlink(path)) if path.exists() else None


def is_foreign(name: str) -> bool:
    """Whether it is a link, and no bridge of the kernel's (Open vSwitch has its own)."""
    return (_NET / name).exists() and not (_NET / name / "bridge").exists()


def ports(bridge: str) -> list[str]:
    """The ports of a bridge."""
    folder = _NET / bridge / "brif"
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []


def subnets() -> list[tuple[str, str]]:
    """(link, CIDR) of every net that the host reaches without a gateway; the same sources that libvirt looks at."""
    return _routes4() + _addresses6()


def _routes4() -> list[tuple[str, str]]:
    """/proc/net/route, see proc_net(5): little-endian hexadecimal numbers."""
    found = []
    for line in pathlib.Path("/proc/net/route").read_text().splitlines()[1:]:
        words = line.split()
        net, gateway, mask = (ipaddress.IPv4Address(struct.pack("<L", int(words[at], 16))) for at in (1, 2, 7))
        if int(mask) and not int(gateway):
            found.append((words[0], f"{net}/{bin(int(mask)).count('1')}"))
    return found


def _addresses6() -> list[tuple[str, str]]:
    found = []
    path = pathlib.Path("/proc/net/if_inet6")
    for line in path.read_text().splitlines() if path.exists() else ():
        address, _index, prefix, _scope, _flags, link = line.split()
        network = ipaddress.ip_interface(f"{ipaddress.IPv6Address(int(address, 16))}/{int(prefix, 16)}").network
        if not network.is_link_local and not network.is_loopback:
            found.append((link, str(network)))
    return found


def port_flags(device: str) -> dict[str, int]:
    """A bridge port's flags by their netlink names, to be set again when it is plugged in again."""
    folder = _NET / device / "brport"
    found = {}
    for attribute, name in _FLAGS.items():
        path = folder / name
        if path.exists():
            found[attribute] = int(path.read_text())
    return found


# netlink attribute (linux/if_link.h) and file in sysfs (net/bridge/br_sysfs_if.c)
_FLAGS = {
    ISOLATED: "isolated",
    "IFLA_BRPORT_LEARNING": "learning",
    "IFLA_BRPORT_UNICAST_FLOOD": "unicast_flood",
    "IFLA_BRPORT_MODE": "hairpin_mode",
    "IFLA_BRPORT_GUARD": "bpdu_guard",
    "IFLA_BRPORT_PROTECT": "root_block",
    "IFLA_BRPORT_NEIGH_SUPPRESS": "neigh_suppress",
    "IFLA_BRPORT_MCAST_FLOOD": "multicast_flood",
}


def plug(device: str, bridge: str, flags: dict[str, int]) -> None:
    """Make a tap a port of the bridge, with the bridge's MTU and these flags; it forwards at once.

    A port that joins a bridge with STP listens and learns for twice the forward delay, at least 4 seconds, in which a
    running guest would be cut off. One that joins while STP is off forwards at once, and stays so when STP is switched
    on (br_make_forwarding in net/bridge/br_stp.c leaves a port alone that is not blocking). So STP is held for the
    moment of joining; a loop behind the guest would still be found by the next BPDU.
    """
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with IPRoute() as ipr:
            link, above = socket.if_nametoindex(device), socket.if_nametoindex(bridge)
            mtu, stp = (int((_NET / bridge / name).read_text()) for name in ("mtu", "bridge/stp_state"))
            with _stp_held(ipr, above, stp):
                ipr.link("set", index=link, master=above, mtu=mtu)
            if flags:
                ipr.brport("set", index=link, **{name[12:].lower(): value for name, value in flags.items()})
    except (NetlinkError, OSError) as error:
        raise SystemFailure(f"plugging {device} into {bridge}: {error}") from error


@contextlib.contextmanager
def _stp_held(ipr: typing.Any, bridge: int, stp: int) -> typing.Iterator[None]:
    if not stp:
        yield
        return
    ipr.link("set", index=bridge, kind="bridge", br_stp_state=0)
    try:
        yield
    finally:
        ipr.link("set", index=bridge, kind="bridge", br_stp_state=stp)


def can_plug() -> bool:
    """Whether pyroute2 is there, asked without the price of importing it."""
    return importlib.util.find_spec("pyroute2") is not None


def bridges() -> dict[str, bool]:
    """Every Linux bridge of this host, and whether it filters VLANs."""
    paths = {name: _NET / name / "bridge/vlan_filtering" for name in names()}
    return {
        name: path.exists() and path.read_text().strip() == "1" for name, path in paths.items() if path.parent.exists()
    }
