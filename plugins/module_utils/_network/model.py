# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that the rooms hand to each other: what is wanted, what is there, who is connected."""

from __future__ import annotations

import dataclasses
import typing

from .._core.table import Options

ACTIVE, PRESENT, INACTIVE, ABSENT = STATES = ("active", "present", "inactive", "absent")
NEVER, IF_UNUSED, ALWAYS = RESTARTS = ("never", "if_unused", "always")

# Modes in which libvirt makes the bridge, chooses its name and MAC, and serves DHCP and DNS on it.
OWN_BRIDGE = ("isolated", "nat", "route", "open")


@dataclasses.dataclass(frozen=True)
class Definition:
    """A network's definition in normal form: two that mean the same are equal.

    `extras` are the elements and attributes that no row of the option table knows, as canonical XML with their place.
    """

    options: Options
    extras: tuple[str, ...] = ()

    @property
    def mode(self) -> str:
        return typing.cast(str, self.options["mode"])

    @property
    def bridge(self) -> str | None:
        return self.options.get("bridge")

    @property
    def own_bridge(self) -> str | None:
        """The bridge that libvirt makes for it, if it makes one."""
        return self.bridge if self.mode in OWN_BRIDGE else None

    @property
    def subnets(self) -> list[Options]:
        return typing.cast("list[Options]", self.options.get("subnets", []))


@dataclasses.dataclass(frozen=True)
class Form:
    """A definition, and the XML that says it; `ours` where it carries the mark of this collection."""

    definition: Definition
    xml: str
    ours: bool = False


@dataclasses.dataclass(frozen=True)
class Guest:
    """A running guest's interface on a network. `device` is its tap on the host, `port` libvirt's network port."""

    guest: str
    mac: str
    device: str | None
    port: str | None
    portgroup: str | None
    plugged: bool
    port_xml: str = ""
    isolated: bool = False  # from other guests, as it was started


@dataclasses.dataclass(frozen=True)
class Network:
    """A network as it is there. `live` is what runs (None: not running), `config` what is stored (None: transient)."""

    name: str
    uuid: str
    live: Form | None
    config: Form | None
    autostart: bool
    guests: tuple[Guest, ...] | None = None  # None: not asked

    @property
    def kept(self) -> Form:
        """What stays when it is not running; a transient network's is what runs."""
        return typing.cast(Form, self.config or self.live)

    @property
    def ours(self) -> bool:
        return any(form.ours for form in (self.live, self.config) if form)


@dataclasses.dataclass(frozen=True)
class Want:
    """What the user wants of one network. `source` None: the definition is left as it is."""

    name: str
    state: str
    autostart: bool | None = None
    restart: str = IF_UNUSED
    force: bool = False
    source: Definition | None = None
    source_xml: str | None = None  # the user's own XML, which is kept to the letter
    back: Network | None = None  # put back exactly this, whatever the other words say


@dataclasses.dataclass(frozen=True)
class Desired:
    """What one call wants: some networks, and whether ours that are not named are to go."""

    wants: tuple[Want, ...]
    purge: bool = False
    force: bool = False  # what a purge may do


@dataclasses.dataclass(frozen=True)
class Observed:
    """What one call found. `others` are read only when a step may collide with them."""

    networks: dict[str, Network]
    others: dict[str, Network] = dataclasses.field(default_factory=dict)
    links: tuple[str, ...] | None = None  # the host's links; None: not this host
    host_subnets: tuple[tuple[str, str], ...] = ()  # (link, CIDR) that the host routes to directly
    schema: frozenset[str] | None = None  # names in libvirt's own schema; None: it is not there
    can_plug: bool = True  # pyroute2 is there
    metadata_live: bool = False  # this libvirt can change metadata of a running network
