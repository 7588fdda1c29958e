# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that the rooms hand to each other: what is declared, what of it the host's services are, what is there."""

from __future__ import annotations

import dataclasses
import ipaddress

from .._core.subnets import Net
from .._core.table import Options

BRIDGED, ROUTED, NAT, ISOLATED = "bridged", "routed", "nat", "isolated"
CUSTOM_ROUTED, CUSTOM_NAT = "custom_routed", "custom_nat"
PATTERNS = (BRIDGED, ROUTED, NAT, ISOLATED, CUSTOM_ROUTED, CUSTOM_NAT)
CUSTOM = (CUSTOM_ROUTED, CUSTOM_NAT)


@dataclasses.dataclass(frozen=True)
class Forward:
    """A port of the host (or a range of them) that leads to a guest. `ports` and `to_ports`: first and last."""

    protocol: str
    ports: tuple[int, int]
    to: str
    to_ports: tuple[int, int]
    sources: tuple[str, ...] = ()
    address: str | None = None

    @property
    def version(self) -> int:
        return ipaddress.ip_address(self.to).version


@dataclasses.dataclass(frozen=True)
class Network:
    """One declared network, in normal form."""

    name: str
    pattern: str
    bridge: str
    options: Options = dataclasses.field(default_factory=dict)
    forwards: tuple[Forward, ...] = ()

    @property
    def addresses(self) -> list[str]:
        """The host's own, IPv4 first."""
        return [self.options[name] for name in ("address", "address6") if name in self.options]

    @property
    def nets(self) -> list[Net]:
        return [ipaddress.ip_interface(address).network for address in self.addresses]

    @property
    def dhcp(self) -> bool:
        return "address" in self.options and self.options.get("dhcp") is not False

    @property
    def own_bridge(self) -> bool:
        """Whether linux_bridge makes its bridge, not libvirt."""
        return self.pattern == BRIDGED or self.pattern in CUSTOM

    @property
    def sealed(self) -> bool:
        """Whether its guests are kept from the host too."""
        return self.options.get("host_access") is False


@dataclasses.dataclass(frozen=True)
class Plug:
    """A declared guest's interface on a network."""

    guest: str
    network: str
    options: Options = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Declaration:
    networks: tuple[Network, ...] = ()
    plugs: tuple[Plug, ...] = ()


@dataclasses.dataclass(frozen=True)
class File:
    text: str
    mode: int = 0o644


@dataclasses.dataclass(frozen=True)
class State:
    """Files, units (True: enabled and running), kernel settings, and which rules are in force (their stamps)."""

    files: dict[str, File] = dataclasses.field(default_factory=dict)
    units: dict[str, bool] = dataclasses.field(default_factory=dict)
    settings: dict[str, str] = dataclasses.field(default_factory=dict)
    stamps: tuple[str, str] = ("", "")  # of our own table, and beside the rules of others


@dataclasses.dataclass(frozen=True)
class Desired:
    """`back` is a state to return to, as it was found."""

    networks: tuple[Network, ...] = ()
    record: Options = dataclasses.field(default_factory=dict)
    back: State | None = None


@dataclasses.dataclass(frozen=True)
class Observed:
    state: State
    others_forward: frozenset[int] = frozenset()  # the IP versions that somebody else on this host needs forwarded
