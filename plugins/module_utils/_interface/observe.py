# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: one bulk look, the XML of the guests that are named, and more only where something is to be done."""

from __future__ import annotations

import collections.abc
import dataclasses

from .._core.errors import VirtnetError
from .._kernel import links
from .._libvirt.driver import DomainEntry, Driver
from . import plan as planner
from . import xml
from .model import ABSENT, Desired, Guest, Network, Observed, Side


def observe(driver: Driver, desired: Desired) -> Observed:
    """The guests that are named, the networks that their interfaces are or will be on, and what the plan has to know."""
    entries = driver.domains()
    words = {want.guest for want in desired.wants} | {guest.name for guest in desired.back}
    guests = _guests(driver, entries, words)
    networks, names = _networks(driver, _concerned(desired, guests))
    observed = Observed(
        guests,
        networks,
        bridge_vlans=driver.bridge_vlans,
        guest_names=frozenset(entry.name for entry in entries),
        network_names=names,
    )
    return observed if desired.back or not _pending(desired, observed) else _more(driver, desired, entries, observed)


def _pending(desired: Desired, observed: Observed) -> bool:
    """Whether anything is to be done at all, or is to be refused, which has to be said with all known."""
    try:
        return planner.plan(desired, observed).changed
    except VirtnetError:
        return True


def _concerned(desired: Desired, guests: dict[str, Guest]) -> set[str]:
    """The networks that an interface is on, or will be."""
    names = {want.options["network"] for want in desired.wants if want.options.get("network")}
    meant = [(guests[want.guest], want.mac) for want in desired.wants if want.guest in guests]
    meant += [(guests[guest.name], None) for guest in desired.back if guest.name in guests]
    held = [one for guest, mac in meant for side in guest.sides for one in side.interfaces if mac in (None, one.mac)]
    return names | {one.options["network"] for one in held if one.options.get("network")}


def _guests(driver: Driver, entries: list[DomainEntry], words: collections.abc.Set[str]) -> dict[str, Guest]:
    """By name, or else by UUID."""
    names = {entry.name: entry for entry in entries}
    uuids = {entry.uuid: entry for entry in entries}
    found, read = {}, dict[str, "Guest | None"]()
    for word in sorted(words):
        entry = names.get(word) or uuids.get(word.lower())
        if entry and entry.name not in read:
            read[entry.name] = _guest(driver, entry)
        guest = read.get(entry.name) if entry else None
        if guest:
            found[word] = guest
    return found


def _guest(driver: Driver, entry: DomainEntry) -> Guest | None:
    live = _side(driver, entry, inactive=False) if entry.active else None
    config = _side(driver, entry, inactive=True) if entry.persistent else None
    return Guest(entry.name, entry.uuid, live, config) if live or config else None


def _side(driver: Driver, entry: DomainEntry, inactive: bool) -> Side | None:
    text = driver.domain_xml(entry.name, inactive)
    return xml.side(text) if text else None


def _networks(driver: Driver, wanted: set[str]) -> tuple[dict[str, Network], frozenset[str] | None]:
    """(those that are wanted and there, every network's name)."""
    if not wanted:
        return {}, None
    entries = driver.networks()
    named = [entry for entry in entries if entry.name in wanted]
    found = {}
    for entry in named:
        text = driver.network_xml(entry.name, inactive=not entry.active)
        if text:
            found[entry.name] = xml.network(entry.name, text, entry.active)
    return found, frozenset(entry.name for entry in entries)


def _more(driver: Driver, desired: Desired, entries: list[DomainEntry], observed: Observed) -> Observed:
    """What a change may miss or collide with."""
    options = [want.options for want in desired.wants]
    return dataclasses.replace(
        observed,
        filters=frozenset(driver.filters()) if any(one.get("filter") for one in options) else None,
        bridges=links.bridges()
        if driver.local and any(one.get("bridge") or "vlan" in one for one in options)
        else None,
        owners=_owners(driver, entries) if _brings_mac(desired, observed) else {},
    )


def _brings_mac(desired: Desired, observed: Observed) -> bool:
    """Whether a guest is to have a MAC address that it has not got, and another one may have."""
    guests = observed.guests
    return any(
        want.mac and want.state != ABSENT and want.guest in guests and want.mac not in guests[want.guest].macs()
        for want in desired.wants
    )


def _owners(driver: Driver, entries: list[DomainEntry]) -> dict[str, str]:
    """Every MAC address with the guest that has it."""
    owners: dict[str, str] = {}
    for entry in entries:
        guest = _guest(driver, entry)
        for mac in guest.macs() if guest else ():
            owners[mac] = entry.name
    return owners
