# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done, decided from what is wanted and what is there. Pure.

What is stored goes first: what runs is never ahead of it. A guest's stored XML is written once, however many of its
interfaces change.
"""

from __future__ import annotations

import collections.abc
import dataclasses

from .._core.plan import Item, Plan, Step
from .._core.table import Options, differing
from . import checks, goal, xml
from .goal import Change, Part
from .model import ABSENT, Desired, Guest, Interface, Observed, Want

# Each rank with its reason.
STORE = 10  # what libvirt refuses to store costs nobody a link
UNPLUG = 20  # what goes makes room for what comes: MAC addresses, names of taps, places on the bus
UPDATE = 30
PLUG = 40


def plan(desired: Desired, observed: Observed) -> Plan:
    """Every step of one call; raises InputError where something is refused."""
    if desired.back:
        return Plan(tuple(_back(before, observed) for before in desired.back))
    parts = []
    for want in desired.wants:
        guest = observed.guests.get(want.guest)
        if guest is None:
            checks.unknown_guest(want, observed)
        parts.append(goal.part(want, guest, observed))
    checks.refuse(parts, observed)
    stored = {guest.name: _stored(guest, parts) for guest in observed.guests.values()}
    items, written = [], set[str]()
    for part in parts:
        steps = _steps(part, stored[part.guest.name], part.guest.name in written)
        written |= {part.guest.name for step in steps if step.verb == "store"}
        items.append(_item(part, steps, observed))
    touched = {part.guest.name for part, item in zip(parts, items) if item.steps}
    before = tuple({part.guest.name: part.guest for part in parts if part.guest.name in touched}.values())
    return Plan(tuple(items), before)


def _item(part: Part, steps: list[Step], observed: Observed) -> Item:
    facts = {
        "guest": part.guest.name,
        "mac": part.mac,
        "want": part.want,
        "pending": [] if part.want.replug else list(part.pending),
        "differing": sorted(part.names) if steps else [],
    }
    before = view(part.guest, part.mac, observed) if part.mac else None
    return Item(_label(part), before, _after(part), tuple(steps), facts)


def _label(part: Part) -> str:
    return f"guest {part.guest.name}, " + (f"mac {part.mac}" if part.mac else " ".join(part.want.source or ()))


def _stored(guest: Guest, parts: collections.abc.Sequence[Part]) -> str:
    """The guest's stored XML as it will be."""
    if guest.config is None:
        return ""
    mine = [part.config for part in parts if part.config and part.guest.name == guest.name]
    changes = [change for change in mine if _changes(change)]
    if not changes:
        return guest.config.xml
    replaced = {one.before.mac: None if one.goes else one.xml for one in changes if one.before}
    text = xml.domain(guest.config.xml, replaced, [one.xml for one in changes if one.comes])
    if any("boot_order" in one.names for one in changes):
        xml.check_orders(guest.name, text)
    return text


def _changes(change: Change | None) -> bool:
    return change is not None and (change.comes or change.goes or bool(change.names))


def _steps(part: Part, stored: str, written: bool) -> list[Step]:
    """The config's step, and what runs follows it; a word that the first has said the other does not say again."""
    subject, guest, words = _label(part), part.guest.name, ""
    steps = []
    if part.config and _changes(part.config):
        words = _words(part.config)
        verb = "with" if written else "store"
        steps.append(Step(STORE, subject, verb, words, {"guest": guest, "xml": stored}))
    if part.live and _changes(part.live):
        steps += _live(part, part.live, words)
    return steps


def _words(change: Change) -> str:
    return "plug" if change.comes else "unplug" if change.goes else f"update {', '.join(change.names)}"


def _live(part: Part, change: Change, words: str) -> list[Step]:
    said = "" if _words(change) == words or (change.names and words == _words(_whole(part, change))) else _words(change)
    arguments: Options = {"guest": part.guest.name, "mac": part.mac}
    if change.comes:
        return [_plug(part, change, said)]
    subject = _label(part)
    if change.goes:
        return [Step(UNPLUG, subject, "unplug", said, arguments)]
    if part.pending and part.want.replug:
        return [Step(UNPLUG, subject, "unplug", "", arguments), _plug(part, change, "replug")]
    return [Step(UPDATE, subject, "update", said, {**arguments, "xml": change.xml})]


def _whole(part: Part, change: Change) -> Change:
    """The live change together with what has to wait, which the config's word names as well."""
    names = {*change.names, *part.pending}
    return dataclasses.replace(change, now={}, then={name: True for name in names})


def _plug(part: Part, change: Change, action: str) -> Step:
    """Of a persistent guest what is stored is plugged in, since libvirt may have picked its MAC address just now."""
    arguments: Options = {
        "guest": part.guest.name,
        "mac": part.mac,
        "stored": part.guest.config is not None,
        "xml": change.xml,
        "known": frozenset(part.guest.macs()),
        "source": part.want.source,
    }
    return Step(PLUG, _label(part), "plug", action, arguments)


# What the user reads


def view(guest: Guest, mac: str, observed: Observed) -> Options | None:
    """An interface in the options' own words; `live` holds what runs otherwise than it is stored."""
    config = guest.config.by_mac(mac) if guest.config else None
    live = guest.live.by_mac(mac) if guest.live else None
    now = goal.own(live, config, observed.networks) if live else None
    return described(mac, config.options if config else None, now, guest.config is not None, guest.live is not None)


def described(mac: str | None, config: Options | None, live: Options | None, keeps: bool, runs: bool) -> Options | None:
    """The same from its parts: `config` and `live` are None where the interface is not there."""
    kept = config if keeps else live
    if kept is None and live is None:
        return None
    facts: Options = {"mac": mac} if mac else {}
    facts.update(kept if kept is not None else {})
    if keeps and runs and live != config:
        there, stored = live or {}, config or {}
        facts["live"] = {name: there.get(name) for name in differing(there, stored)} if live is not None else None
    return facts


def _after(part: Part) -> Options | None:
    then = [change.then if change else None for change in (part.config, part.live)]
    return described(part.mac, then[0], then[1], part.guest.config is not None, part.guest.live is not None)


def found_again(want: Want, observed: Observed) -> tuple[Guest, str] | None:
    """The interface that a plan was about, after it was done."""
    guest = observed.guests.get(want.guest)
    if guest is None or want.state == ABSENT:
        return None
    mac = goal.which(want, guest)
    return (guest, mac) if mac else None


# Putting back


def _back(before: Guest, observed: Observed) -> Item:
    """Exactly what was there before a change that failed: the stored XML to the letter, each running interface."""
    now = observed.guests.get(before.name)
    steps = []
    label = f"guest {before.name}"
    if now and before.config and (now.config is None or now.config.xml != before.config.xml):
        steps.append(Step(STORE, label, "store", "define", {"guest": before.name, "xml": before.config.xml}))
    if now and now.live and before.live:
        for mac in sorted({one.mac for side in (now.live, before.live) for one in side.interfaces}):
            steps += _back_live(before.name, now.live.by_mac(mac), before.live.by_mac(mac), observed)
    return Item(label, None, None, tuple(steps), {"guest": before.name})


def _back_live(guest: str, now: Interface | None, then: Interface | None, observed: Observed) -> list[Step]:
    mac = now.mac if now else then.mac if then else ""
    subject, arguments = f"guest {guest}, mac {mac}", {"guest": guest, "mac": mac}
    plug: Options = {**arguments, "stored": False, "xml": xml.cleaned(then.xml) if then else ""}
    off = Step(UNPLUG, subject, "unplug", "unplug", arguments)
    on = Step(PLUG, subject, "plug", "plug", plug)
    if now is None or then is None:
        return [on] if then else [off] if now else []
    if now.options == then.options:
        return []
    options = [goal.own(one, None, observed.networks) for one in (now, then)]
    change, pending = goal.change_live(now, options[0], options[1], False, observed.networks)
    return [off, on] if pending else [Step(UPDATE, subject, "update", "update", {**arguments, "xml": change.xml})]
