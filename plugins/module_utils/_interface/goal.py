# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of one interface: which one is meant, what it will be, and what of that libvirt can do while the guest
runs. Pure."""

from __future__ import annotations

import collections
import dataclasses
import typing

from .._core.errors import InputError
from .._core.table import Options, differing
from . import xml
from .model import ABSENT, Guest, Interface, Network, Observed, Side, Want
from .options import GIVEN, LIVE, SOURCE, merge, without_ids

NEW_MODEL = "virtio"


@dataclasses.dataclass(frozen=True)
class Change:
    """What becomes of an interface on one side (what runs, or what is stored). `then` is None where it goes."""

    before: Interface | None
    now: Options | None
    then: Options | None
    xml: str = ""  # of `then`

    @property
    def names(self) -> list[str]:
        """The options that change; all of them for an interface that comes."""
        return differing(self.now or {}, self.then or {}) if self.then is not None else []

    @property
    def comes(self) -> bool:
        return self.now is None and self.then is not None

    @property
    def goes(self) -> bool:
        return self.now is not None and self.then is None


@dataclasses.dataclass(frozen=True)
class Part:
    """What becomes of one interface. `pending` are the options that only a new start of the guest, or plugging it in
    anew, brings into what runs."""

    want: Want
    guest: Guest
    mac: str | None  # None: libvirt picks one
    config: Change | None
    live: Change | None
    pending: tuple[str, ...] = ()

    @property
    def there(self) -> bool:
        return any(change and change.now is not None for change in (self.config, self.live))

    @property
    def goal(self) -> Options:
        """What it will be, as far as it stays."""
        return next((change.then for change in (self.config, self.live) if change and change.then is not None), {})

    @property
    def names(self) -> set[str]:
        """The options that change on either side."""
        return {name for change in (self.config, self.live) if change for name in change.names} | set(self.pending)


def which(want: Want, guest: Guest) -> str | None:
    """The MAC address of the interface that is meant; None where there is none. Raises InputError where it is one of
    several."""
    if want.mac:
        _refuse_twins(want.mac, guest)
        return want.mac if want.mac in guest.macs() else None
    kind, name = want.source or ("", "")
    kept = {one.mac for one in guest.config.interfaces} if guest.config else set()
    found = [
        one.mac for one in (guest.config or guest.live or Side("", ())).interfaces if one.options.get(kind) == name
    ]
    if not found and guest.config and guest.live:
        found = [one.mac for one in guest.live.interfaces if one.options.get(kind) == name and one.mac not in kept]
    if len(found) > 1:
        raise InputError(
            f"guest {guest.name}: {kind} {name}: it has {len(found)} interfaces on it ({', '.join(found)});"
            " say which one by mac",
            macs=found,
        )
    if found:
        _refuse_twins(found[0], guest)
    return found[0] if found else None


def _refuse_twins(mac: str, guest: Guest) -> None:
    for side in guest.sides:
        if sum(one.mac == mac for one in side.interfaces) > 1:
            raise InputError(
                f"guest {guest.name}: mac {mac}: it has more than one interface of that address;"
                " give them different ones first"
            )


def part(want: Want, guest: Guest, observed: Observed) -> Part:
    """What becomes of the interface that is meant; raises InputError."""
    mac = which(want, guest)
    config = guest.config.by_mac(mac) if guest.config and mac else None
    live = guest.live.by_mac(mac) if guest.live and mac else None
    now = own(live, config, observed.networks) if live else None
    if want.state == ABSENT:
        return Part(
            want,
            guest,
            mac,
            Change(config, config.options, None) if config else None,
            Change(live, now, None) if live else None,
        )
    if mac is None and want.source is None:
        raise InputError(
            f"guest {guest.name}: mac {want.mac}: it has no interface of that address; say network or bridge to plug one"
        )
    stored = _stored(want, config, live, now) if guest.config else None
    running, pending = _running(want, live, now, stored, observed) if guest.live else (None, ())
    return Part(want, guest, mac or want.mac, stored, running, pending)


def _stored(want: Want, config: Interface | None, live: Interface | None, now: Options | None) -> Change:
    """One that only runs is stored as it runs, and changed."""
    if config:
        then = merge(config.options, want.options)
        return Change(config, config.options, then, xml.amended(config.xml, config.options, then))
    if live:
        then = merge(now or {}, want.options)
        return Change(None, None, then, xml.amended(_owned(live, now or {}), now or {}, then))
    return _new(want)


def _owned(live: Interface, now: Options) -> str:
    """The XML of what runs, without what the network gave."""
    return xml.amended(xml.cleaned(live.xml), live.options, now)


def _new(want: Want) -> Change:
    then = merge({"model": NEW_MODEL}, want.options)
    return Change(None, None, then, xml.new(then, want.mac))


def _running(
    want: Want, live: Interface | None, now: Options | None, stored: Change | None, observed: Observed
) -> tuple[Change, tuple[str, ...]]:
    """(what becomes of it now, the options that have to wait)."""
    if live is None or now is None:
        return (Change(None, None, stored.then, stored.xml) if stored else _new(want)), ()
    then = _as_given(now, merge(now, want.options), want, observed.networks)
    change, pending = change_live(live, now, then, want.replug, observed.networks)
    if pending and want.replug and stored:  # what is plugged in anew is what is stored
        return Change(live, now, stored.then, stored.xml), pending
    return change, pending


def change_live(
    live: Interface, now: Options, then: Options, replug: bool, networks: dict[str, Network]
) -> tuple[Change, tuple[str, ...]]:
    """(the change, the options that have to wait), unless it may be plugged in anew."""
    pending = stuck(now, then, networks)
    if pending and replug:
        return Change(live, now, then, xml.amended(_owned(live, now), now, then)), pending
    for name in pending:
        then = {key: value for key, value in {**then, name: now.get(name)}.items() if value is not None}
    moves = any(now.get(name) != then.get(name) for name in SOURCE)
    text = xml.amended(live.xml, live.options, now) if moves else live.xml  # what the old network gave stays there
    return Change(live, now, then, xml.amended(text, now, then)), pending


def stuck(now: Options, then: Options, networks: dict[str, Network]) -> tuple[str, ...]:
    """The options that libvirt can't change while the guest runs. A move takes the portgroup along, or waits with it."""
    names = differing(now, then)
    moves = [name for name in names if name in SOURCE]
    waits = [name for name in names if name not in LIVE]
    if moves and ("portgroup" in names or not all(_bridged(one, networks) for one in (now, then))):
        waits = sorted({*waits, *moves})
    return tuple(waits)


def _bridged(options: Options, networks: dict[str, Network]) -> bool:
    """Whether this is a tap in a bridge."""
    if options.get("bridge"):
        return True
    network = networks.get(options.get("network", ""))
    return network is not None and network.bridged


# What the network gives


def given(options: Options, networks: dict[str, Network]) -> Options:
    """What an interface gets from its network or portgroup."""
    network = networks.get(options.get("network", ""))
    if network is None:
        return {}
    return network.given.get(options.get("portgroup"), network.given[None])


def own(live: Interface, config: Interface | None, networks: dict[str, Network]) -> Options:
    """What a running interface says itself: libvirt shows in it what its network gives, too."""
    gifts, kept = given(live.options, networks), config.options if config else {}
    return {
        name: value
        for name, value in live.options.items()
        if not (name in GIVEN and _same(gifts.get(name), value) and kept.get(name) != value)
    }


def _same(gift: typing.Any, value: typing.Any) -> bool:
    """A virtual port that the network gives gets an id of its own."""
    return bool(gift == (without_ids(value) if isinstance(value, dict) and "type" in value else value))


def _as_given(now: Options, then: Options, want: Want, networks: dict[str, Network]) -> Options:
    """What is said and what the network gives already are one: libvirt does not show which it is."""
    gifts = given(then, networks) if all(now.get(name) == then.get(name) for name in SOURCE) else {}
    same = {name for name in GIVEN if name in want.options and name in then and then[name] == gifts.get(name)}
    return {name: value for name, value in then.items() if name not in same or name in now}


def twice(parts: list[Part]) -> list[str]:
    """The interfaces that more than one item means."""
    count = collections.Counter(f"guest {one.guest.name}, mac {one.mac}" for one in parts if one.mac)
    return sorted(label for label, number in count.items() if number > 1)
