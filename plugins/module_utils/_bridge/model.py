# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The values that the rooms hand to each other: what is wanted, what is there, and what will be."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable

from .._core.table import Options
from .._kernel.values import Link, Route
from .._persist.model import Boot, File


@dataclasses.dataclass(frozen=True)
class State:
    """What runs, and what the boot configuration keeps: everything that a change may touch, and that can be put back."""

    links: dict[str, Link]
    routes: tuple[Route, ...] | None = None  # None: not asked
    files: dict[str, File] = dataclasses.field(default_factory=dict)

    def ports(self, bridge: str) -> list[Link]:
        return self._by_master.get(bridge, [])

    @functools.cached_property
    def _by_master(self) -> dict[str, list[Link]]:
        found: dict[str, list[Link]] = {}
        for link in self.links.values():
            if link.master:
                found.setdefault(link.master, []).append(link)
        return found

    def standing_on(self, names: Iterable[str]) -> set[str]:
        """The VLANs on these links, and on those: they go down with them, and are never larger (vlan_device_event in vlan.c)."""
        found: set[str] = set()
        more = set(names)
        while more:
            more = {link.name for link in self.links.values() if link.kind == "vlan" and link.parent in more} - found
            found |= more
        return found

    def routes_over(self, link: str) -> list[Route]:
        return self._by_device.get(link, [])

    @functools.cached_property
    def _by_device(self) -> dict[str | None, list[Route]]:
        found: dict[str | None, list[Route]] = {}
        for route in self.routes or ():
            for device in {hop.dev for hop in route.hops}:
                found.setdefault(device, []).append(route)
        return found


@dataclasses.dataclass(frozen=True)
class Want:
    """What the user wants of one bridge; what was not said is not in `options`, and stays as it is."""

    name: str
    state: str
    options: Options = dataclasses.field(default_factory=dict)
    ports: tuple[Options, ...] | None = None
    inherit: bool = False
    purge_ports: bool = True


@dataclasses.dataclass(frozen=True)
class Back:
    """Put these links, their routes, and these files back to what they were. `retell`: tell the daemon of its files also where
    they are as they were; it may have started in the midst of a change that crashed."""

    state: State
    links: frozenset[str]
    paths: frozenset[str] = frozenset()
    retell: bool = False


@dataclasses.dataclass(frozen=True)
class Desired:
    wants: tuple[Want, ...]
    persist: str = "none"
    confirm_timeout: int = 0
    back: Back | None = None


@dataclasses.dataclass(frozen=True)
class Observed:
    """What one call found. `boot` is None where nothing is to be kept for the next boot."""

    state: State
    guests: dict[str, str] = dataclasses.field(default_factory=dict)  # tap: the guest it belongs to
    wireless: frozenset[str] = frozenset()
    incapable: dict[str, str] = dataclasses.field(default_factory=dict)  # what this kernel can't do: its own words
    boot: Boot | None = None
    path: frozenset[str] = frozenset()  # the links that carry this very connection
    client: str | None = None  # where it comes from

    def guest(self, tap: str) -> str:
        return self.guests.get(tap, tap)

    def guests_on(self, bridge: str) -> list[str]:
        return sorted({self.guest(link.name) for link in self.state.ports(bridge) if link.guests})
