# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel's network consists of, as plain values."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import socket
import typing

Attributes = dict[str, typing.Any]

IFA_F_PERMANENT = 0x80
IFA_F_NODAD = 0x02
IFA_F_NOPREFIXROUTE = 0x200
RTPROT_KERNEL, RTPROT_STATIC = 2, 4  # linux/rtnetlink.h
FOREVER = 0xFFFFFFFF
NO_MAC = "00:00:00:00:00:00"  # a bridge without ports has this one
BY_INDEX = ("IFLA_VXLAN_LINK", "IFLA_BOND_PRIMARY", "IFLA_BOND_ACTIVE_SLAVE")  # attributes whose value is a link


def words(attributes: typing.Iterable[str]) -> str:
    """Netlink attributes as a person says them: IFLA_BR_STP_STATE is stp_state."""
    return ", ".join(sorted(name.split("_", 2)[-1].lower() for name in attributes))


@dataclasses.dataclass(frozen=True)
class Address:
    """An address of a link. `flags` are those of linux/if_addr.h that last; lifetimes in seconds."""

    cidr: str
    scope: int = 0
    peer: str | None = None
    broadcast: str | None = None
    label: str | None = None
    flags: int = IFA_F_PERMANENT
    valid: int = dataclasses.field(default=FOREVER, compare=False)
    preferred: int = dataclasses.field(default=FOREVER, compare=False)

    @property
    def permanent(self) -> bool:
        return bool(self.flags & IFA_F_PERMANENT)

    @property
    def ip(self) -> str:
        return self.cidr.split("/", maxsplit=1)[0]

    @property
    def prefix(self) -> str:
        """The net that the address reaches directly."""
        return str(ipaddress.ip_interface(self.cidr).network)

    @functools.cached_property
    def link_local(self) -> bool:
        """The link's own, which the kernel or a daemon makes (RFC 4291, 2.5.6). Neither makes one such as fe80::1: an interface
        identifier has 64 bits, from the MAC address (with ff:fe in its middle) or by chance (RFC 7217)."""
        if not self.cidr.lower().startswith("fe80:"):
            return False
        return any(socket.inet_pton(socket.AF_INET6, self.ip)[8:12])


@dataclasses.dataclass(frozen=True)
class Hop:
    """A next hop: over which link, by which router."""

    dev: str | None
    via: str | None = None
    weight: int = 1
    onlink: bool = False


@dataclasses.dataclass(frozen=True)
class Route:
    """A route that somebody made; the kernel's own, which follow from addresses, are none of these values, unless an
    address was added without (IFA_F_NOPREFIXROUTE) and a daemon made the route in the kernel's place.

    `extra` are further attributes as (name, value) by their netlink names, such as RTA_PREFSRC.
    """

    to: str
    hops: tuple[Hop, ...]
    table: int = 254
    metric: int = 0
    protocol: int = RTPROT_STATIC
    scope: int = 0
    type: int = 1
    extra: tuple[tuple[str, typing.Any], ...] = ()
    expires: bool = dataclasses.field(default=False, compare=False)

    @property
    def version(self) -> int:
        return 6 if ":" in self.to else 4

    def crosses(self, hop: Hop) -> bool:
        """Whether the hop's router is of the other IP version (RFC 5549)."""
        return hop.via is not None and (":" in hop.via) is not (self.version == 6)

    def over(self, *links: str) -> bool:
        """Whether one of its ways is over one of these links."""
        return any(hop.dev in links for hop in self.hops)


@dataclasses.dataclass(frozen=True)
class Link:
    """A link. `data` and `port` hold netlink attributes by their names (IFLA_BR_..., IFLA_BRPORT_...).

    `vlans` are a bridge's or port's, as {VLAN: flags of linux/if_bridge.h}; None where nobody asked.
    """

    name: str
    index: int = dataclasses.field(default=0, compare=False)
    kind: str = ""
    mac: str | None = None
    mtu: int = 1500
    up: bool = False
    running: bool = dataclasses.field(default=False, compare=False)
    master: str | None = None
    parent: str | None = None
    loopback: bool = False
    alias: str | None = None
    data: Attributes = dataclasses.field(default_factory=dict)
    port_kind: str | None = None
    port: Attributes = dataclasses.field(default_factory=dict)
    vlans: dict[int, int] | None = None
    addresses: tuple[Address, ...] = ()

    @property
    def guests(self) -> bool:
        """A tap: the far end of it is a running guest's NIC."""
        return self.kind == "tun"
