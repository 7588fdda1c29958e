# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that the rooms hand to each other: what is wanted, what is there, and what libvirt can do with it."""

from __future__ import annotations

import dataclasses

from .._core.table import Options

PRESENT, ABSENT = STATES = ("present", "absent")


@dataclasses.dataclass(frozen=True)
class Interface:
    """An interface of a guest: its options in normal form (type, mac and source among them), and its XML."""

    mac: str
    kind: str  # network, bridge, or whatever else libvirt knows
    options: Options
    xml: str


@dataclasses.dataclass(frozen=True)
class Side:
    """What runs of a guest, or what is stored of it: the domain's XML and the interfaces in it."""

    xml: str
    interfaces: tuple[Interface, ...]
    os_boot: bool = False  # it boots by <os><boot>, which excludes boot orders of devices
    boot_orders: tuple[tuple[int, str], ...] = ()  # (order, MAC of the interface or the device's kind)

    def by_mac(self, mac: str) -> Interface | None:
        """The interface of that MAC address."""
        return next((one for one in self.interfaces if one.mac == mac), None)


@dataclasses.dataclass(frozen=True)
class Guest:
    """A guest as it is there. `live` is what runs (None: stopped), `config` what is stored (None: transient)."""

    name: str
    uuid: str
    live: Side | None
    config: Side | None

    @property
    def sides(self) -> tuple[Side, ...]:
        return tuple(side for side in (self.config, self.live) if side)

    def macs(self) -> set[str]:
        return {one.mac for side in self.sides for one in side.interfaces}


@dataclasses.dataclass(frozen=True)
class Network:
    """What a libvirt network means to an interface. `given` is what it gives to each, by portgroup (None: none said)."""

    name: str
    active: bool
    mode: str
    given: dict[str | None, Options]
    bridge: str | None = None  # the host's own that it is on; None: it makes one, or has none (macvtap, SR-IOV)

    @property
    def makes_bridge(self) -> bool:
        return self.mode in ("nat", "route", "open", "isolated")

    @property
    def bridged(self) -> bool:
        """Whether interfaces on it are taps in a bridge, which libvirt can move while the guest runs."""
        return self.makes_bridge or self.bridge is not None


@dataclasses.dataclass(frozen=True)
class Want:
    """What the user wants of one interface.

    `options` holds what was said, in normal form; None takes an option off. What is not in it stays as it is.
    """

    guest: str
    state: str
    mac: str | None = None
    options: Options = dataclasses.field(default_factory=dict)
    replug: bool = False

    @property
    def source(self) -> tuple[str, str] | None:
        """("network" or "bridge", its name)."""
        return next(((kind, self.options[kind]) for kind in ("network", "bridge") if self.options.get(kind)), None)


@dataclasses.dataclass(frozen=True)
class Desired:
    """What one call wants. `back` are guests to be put back exactly as they were."""

    wants: tuple[Want, ...] = ()
    back: tuple[Guest, ...] = ()


@dataclasses.dataclass(frozen=True)
class Observed:
    """What one call found. Lists that nothing in the call asks about are None."""

    guests: dict[str, Guest]  # by the word that the task names them with
    networks: dict[str, Network] = dataclasses.field(default_factory=dict)
    bridges: dict[str, bool] | None = None  # the host's, and whether they filter VLANs; None: not this host
    filters: frozenset[str] | None = None
    owners: dict[str, str] = dataclasses.field(default_factory=dict)  # MAC: the other guest that has it
    guest_names: frozenset[str] | None = None  # to say what there is instead
    network_names: frozenset[str] | None = None
    bridge_vlans: bool = False  # this libvirt sets VLANs on a plain Linux bridge
