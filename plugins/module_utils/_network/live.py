# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which changes a running network can take without a restart, and in which order libvirt accepts them. Pure.

What virNetworkUpdate does with each section was measured, and read in network_conf.c (virNetworkDefUpdateSection):
a delete by several hits and an add of something taken are errors, a modify overwrites the first entry that matches any
of its keys. So whatever is not plainly safe to modify is deleted first and added after.
"""

from __future__ import annotations

import copy
import dataclasses
import typing
from collections.abc import Callable, Iterator

from .._core.table import Options, keyed
from .._core.xmltable import Row
from . import xml
from .model import Definition
from .options import TABLE

FIRST_MATCH = -1
_TEXTS = ("title", "description", "metadata")


@dataclasses.dataclass(frozen=True)
class Update:
    """One call of virNetworkUpdate, or of virNetworkSetMetadata (section metadata, title or description)."""

    command: str
    section: str
    index: int
    item: str | None
    namespace: str | None = None

    @property
    def action(self) -> str:
        return f"update {self.section} {self.command}"


class NotLive(Exception):
    """This change needs a restart."""


def updates(live: Definition, wanted: Definition, live_xml: str, metadata_live: bool) -> list[Update] | None:
    """The calls that make the running network as wanted; None where only a restart can."""
    if _skeleton(live) != _skeleton(wanted):
        return None
    try:
        return [*_subnets(live, wanted, live_xml), *_top(live, wanted), *_texts(live, wanted, metadata_live)]
    except NotLive:
        return None


def _without_texts(one: Definition) -> tuple[Options, tuple[str, ...]]:
    return {name: value for name, value in one.options.items() if name not in _TEXTS}, one.extras


def matters(live: Definition, wanted: Definition, metadata_live: bool) -> bool:
    """Whether what runs differs in anything that running makes a difference for, and that can be told."""
    if _without_texts(live) != _without_texts(wanted):
        return True
    return any(True for _update in _texts(live, wanted, metadata_live))


def _skeleton(one: Definition) -> tuple[Options, tuple[str, ...]]:
    """The definition without what can be changed live, empty parents dropped."""
    options, extras = _without_texts(one)
    return _strip(TABLE, copy.deepcopy(options)), extras


def _strip(rows: tuple[Row, ...], options: Options) -> Options:
    result = dict(options)
    for row in rows:
        if row.name not in result:
            continue
        if row.section:
            del result[row.name]
        elif row.fields and row.many:
            result[row.name] = [_strip(row.fields, item) for item in result[row.name]]
        elif row.fields:
            result[row.name] = _strip(row.fields, result[row.name])
            if not result[row.name]:
                del result[row.name]
    return result


# Where the lists are


def _row(*path: str) -> Row:
    rows = TABLE
    for name in path:
        row = next(row for row in rows if row.name == name)
        rows = row.fields
    return row


_RANGES, _HOSTS = _row("subnets", "dhcp", "ranges"), _row("subnets", "dhcp", "hosts")
_DNS_HOSTS, _TXTS, _SRVS = _row("dns", "hosts"), _row("dns", "txts"), _row("dns", "srvs")
_INTERFACES, _PORTGROUPS = _row("forward", "interfaces"), _row("portgroups")


def _subnets(live: Definition, wanted: Definition, live_xml: str) -> Iterator[Update]:
    """The index counts every <ip> of the live XML as it stands there, both families."""
    order = xml.read_addresses(live_xml)
    there = {subnet["address"]: subnet.get("dhcp", {}) for subnet in live.subnets}
    # libvirt serves DHCP in one subnet of a family: the one that loses it goes first
    for subnet in sorted(wanted.subnets, key=lambda one: "dhcp" in one):
        address = subnet["address"]
        now, then = there[address], subnet.get("dhcp", {})
        if now == then:
            continue
        at = order.index(address)
        # A reservation can't be removed for good before its range is, nor the other way round: libvirt looks at each
        # entry alone. Ranges are added first so that DHCP does not stop in between.
        yield from _ranges(now.get("ranges", []), then.get("ranges", []), at)
        yield from _reservations(now.get("hosts", []), then.get("hosts", []), at)


def _top(live: Definition, wanted: Definition) -> Iterator[Update]:
    now, then = live.options, wanted.options
    dns_now, dns_then = now.get("dns", {}), then.get("dns", {})
    yield from _dns_hosts(dns_now.get("hosts", []), dns_then.get("hosts", []))
    yield from _replace(_TXTS, dns_now.get("txts", []), dns_then.get("txts", []))
    yield from _srvs(dns_now.get("srvs", []), dns_then.get("srvs", []))
    yield from _interfaces(
        now.get("forward", {}).get("interfaces", []), then.get("forward", {}).get("interfaces", []), live.mode
    )
    yield from _portgroups(now.get("portgroups", []), then.get("portgroups", []))


# The sections


def _replace(
    row: Row,
    now: list[Options],
    then: list[Options],
    at: int = FIRST_MATCH,
    shorten: Callable[[Options], Options] = dict,
) -> Iterator[Update]:
    """Delete what is not wanted so, then add what is missing."""
    _unique(row, now, then)
    yield from (_update("delete", row, shorten(item), at) for item in now if item not in then)
    yield from (_update("add", row, item, at) for item in then if item not in now)


def _ranges(now: list[Options], then: list[Options], at: int) -> Iterator[Update]:
    """Add first where no range of the same bounds is in the way: deleting the last one would stop DHCP."""
    _unique(_RANGES, now, then)
    gone, fresh = [one for one in now if one not in then], [one for one in then if one not in now]
    bounds = {keyed(_RANGES, one) for one in gone}
    early = [one for one in fresh if keyed(_RANGES, one) not in bounds]
    late = [one for one in fresh if keyed(_RANGES, one) in bounds]
    yield from (_update("add", _RANGES, one, at) for one in early)
    yield from (_update("delete", _RANGES, one, at) for one in gone)
    yield from (_update("add", _RANGES, one, at) for one in late)


def _reservations(now: list[Options], then: list[Options], at: int) -> Iterator[Update]:
    """In place where the new entry meets nobody but the old one; else (a swap, a move) delete, then add.

    libvirt can't match a reservation by its DUID.
    """
    gone, fresh = [one for one in now if one not in then], [one for one in then if one not in now]
    if any("id" in one for one in gone + fresh):
        raise NotLive
    in_place: list[tuple[Options, Options]] = []
    for new in fresh:
        met = [old for old in now if _meets(old, new)]
        rivals = [other for other in fresh if other is not new and _meets(other, new)]
        if len(met) == 1 and met[0] in gone and not rivals and not any(met[0] is old for old, _new in in_place):
            in_place.append((met[0], new))
    moved = [old for old, _new in in_place]
    placed = [new for _old, new in in_place]
    yield from (_update("delete", _HOSTS, _identity(one), at) for one in gone if one not in moved)
    yield from (_update("modify", _HOSTS, one, at) for one in placed)
    yield from (_update("add", _HOSTS, one, at) for one in fresh if one not in placed)


def _meets(one: Options, two: Options) -> bool:
    return any(name in one and one.get(name) == two.get(name) for name in ("mac", "ip", "name"))


def _identity(host: Options) -> Options:
    return {name: host[name] for name in ("mac", "name", "ip") if name in host}


def _dns_hosts(now: list[Options], then: list[Options]) -> Iterator[Update]:
    """By address alone: a hostname may stand under several, and an add is refused where any of its names is taken."""
    kept = [name for one in then if one in now for name in one["hostnames"]]
    fresh = [name for one in then if one not in now for name in one["hostnames"]]
    if len(fresh) != len(set(fresh)) or set(fresh) & set(kept):
        raise NotLive
    yield from _replace(_DNS_HOSTS, now, then, shorten=lambda one: {"ip": one["ip"]})


def _srvs(now: list[Options], then: list[Options]) -> Iterator[Update]:
    """Unset keys are wildcards to libvirt: two records that differ only in them can't be told apart."""

    def overlap(one: Options, two: Options) -> bool:
        return all(one.get(name) in (None, two.get(name)) or two.get(name) is None for name in _SRVS.key)

    gone = [one for one in now if one not in then]
    fresh = [one for one in then if one not in now]
    for one in gone:
        if sum(overlap(one, other) for other in now) > 1:
            raise NotLive
    rest = [one for one in now if one in then]
    for number, one in enumerate(fresh):
        if any(overlap(one, other) for other in rest + fresh[:number]):
            raise NotLive
    yield from _replace(_SRVS, now, then)


def _interfaces(now: list[str], then: list[str], mode: str) -> Iterator[Update]:
    """libvirt appends, and the order means something; a NAT network has one device at most, so the old goes first."""
    if now == then:
        return
    kept = [one for one in now if one in then]
    if kept + [one for one in then if one not in now] != then:
        raise NotLive
    adds = [_update("add", _INTERFACES, one) for one in then if one not in now]
    deletes = [_update("delete", _INTERFACES, one) for one in now if one not in then]
    yield from deletes + adds if mode in ("nat", "route") else adds + deletes


def _portgroups(now: list[Options], then: list[Options]) -> Iterator[Update]:
    """Two defaults at once are refused: first what goes or stops being the default, then the rest."""
    _unique(_PORTGROUPS, now, then)
    names = {one["name"] for one in then}
    there = {one["name"] for one in now}
    changed = [one for one in then if one["name"] in there and one not in now]
    yield from (_update("delete", _PORTGROUPS, {"name": one["name"]}) for one in now if one["name"] not in names)
    yield from (_update("modify", _PORTGROUPS, one) for one in changed if not one.get("default"))
    yield from (_update("modify", _PORTGROUPS, one) for one in changed if one.get("default"))
    yield from (_update("add", _PORTGROUPS, one) for one in then if one["name"] not in there)


def _texts(live: Definition, wanted: Definition, metadata_live: bool) -> Iterator[Update]:
    """Title, description and metadata; an older libvirt shows them live after the next start, which harms nobody."""
    if not metadata_live:
        return
    for name in ("title", "description"):
        now, then = live.options.get(name), wanted.options.get(name)
        if now != then:
            yield Update("modify", name, FIRST_MATCH, then)
    now, then = (xml.fragments(one.options.get("metadata", "")) for one in (live, wanted))
    for namespace in sorted({*now, *then}):
        # told live, what has no namespace would get that of the whole (virXMLInjectNamespace)
        whole = all(xml.has_namespaces(one[namespace]) for one in (now, then) if namespace in one)
        if now.get(namespace) != then.get(namespace) and whole:
            yield Update("modify", "metadata", FIRST_MATCH, then.get(namespace), namespace)


def _unique(row: Row, *lists: list[Options]) -> None:
    for items in lists:
        keys = [keyed(row, item) for item in items]
        if len(keys) != len(set(keys)):
            raise NotLive


def _update(command: str, row: Row, item: typing.Any, at: int = FIRST_MATCH) -> Update:
    return Update(command, row.section, at, xml.item(row, item))
