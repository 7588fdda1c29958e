# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do: the difference of two states of the host's services, forward and back."""

from __future__ import annotations

import typing
from collections.abc import Iterator

from .._core.plan import Item, Plan, Step
from .._core.table import Options
from . import units
from .firewall import stamp_of
from .model import Desired, Observed, State
from .services import target

# The order: what goes stops while its files are there, and before its rules go, since it would bring them back; units are
# told of their files before they start.
STOP, LEAVE, FILE, TELL, SETTING, START = range(6)

_FIREWALL_FILES = (units.TABLE_FILE, f"{units.SYSTEMD}/{units.FIREWALL_UNIT}")
FIREWALL, BESIDE, FORWARDING, RECORD = "firewall", "beside other firewalls", "forwarding", "record"
_UNIT_OF = {FIREWALL: units.FIREWALL_UNIT, BESIDE: units.BESIDE_UNIT}


def plan(desired: Desired, observed: Observed) -> Plan:
    """From the state that was found to the one that is wanted."""
    now, then = observed.state, target(desired, observed)
    subjects: dict[str, None] = {}
    for state in (now, then):
        subjects.update(dict.fromkeys([*map(subject_of, state.files), *map(_subject_of_unit, state.units)]))
        subjects.update(dict.fromkeys([FORWARDING] if state.settings else []))
    items = []
    for subject in sorted(subjects):
        steps = tuple(_steps(subject, now, then))
        items.append(Item(subject, _view(subject, now), _view(subject, then), steps))
    return Plan(tuple(items), now)


def subject_of(path: str) -> str:
    """What a file is part of, in the words of the result."""
    if path.startswith(f"{units.FOLDER}/dnsmasq/"):
        return f"dhcp {path.rsplit('/', 1)[1][: -len('.conf')]}"
    if path == units.DNSMASQ_FILE:
        return "dhcp"
    if path in _FIREWALL_FILES:
        return FIREWALL
    return {units.SETTINGS: FORWARDING, units.RECORD: RECORD}.get(path, BESIDE)


def _subject_of_unit(unit: str) -> str:
    name = unit.rsplit(".", 1)[0]
    if name.startswith("virtnet-dnsmasq@"):
        return f"dhcp {name.partition('@')[2]}"
    return FIREWALL if unit == units.FIREWALL_UNIT else BESIDE


def _steps(subject: str, now: State, then: State) -> Iterator[Step]:
    changed = [
        path for path in sorted({*now.files, *then.files})
        if subject_of(path) == subject and now.files.get(path) != then.files.get(path)
    ]  # fmt: skip
    for path in changed:
        file = then.files.get(path)
        yield Step(FILE, subject, "file", f"{'write' if file else 'delete'} {path}", {"path": path, "file": file})
    if any(path.startswith(units.SYSTEMD) for path in changed):
        yield Step(TELL, subject, "tell", "")
    yield from _unit_steps(subject, now, then, changed)
    if subject == FORWARDING:
        for key, value in then.settings.items():
            if now.settings.get(key) != value:
                yield Step(SETTING, subject, "setting", f"set {key} = {value}", {"key": key, "value": value})


def _unit_steps(subject: str, now: State, then: State, changed: list[str]) -> Iterator[Step]:
    template = now.files.get(units.DNSMASQ_FILE) != then.files.get(units.DNSMASQ_FILE)
    for unit in sorted({*now.units, *then.units}):
        if _subject_of_unit(unit) != subject:
            continue
        was, wanted = now.units.get(unit, False), then.units.get(unit, False)
        goes = unit in now.units and any(
            path not in then.files for path in changed
        )  # one that has failed is enabled, too
        if not wanted and (was or goes):
            yield Step(STOP, subject, "stop", f"stop {unit}", {"unit": unit})
        elif wanted and not was:
            yield Step(START, subject, "start", f"start {unit}", {"unit": unit})
        elif wanted and (changed or (template and subject.startswith("dhcp ")) or _stale(unit, now, then)):
            yield Step(START, subject, "restart", f"restart {unit}", {"unit": unit})
    keeper = _UNIT_OF.get(subject)
    gone = keeper and not then.units.get(keeper) and _in_force(subject, now)
    if gone:
        yield Step(
            LEAVE,
            subject,
            "leave",
            f"take {'the table' if subject == FIREWALL else 'our chains'} away",
            {"subject": subject},
        )


def _in_force(subject: str, now: State) -> bool:
    return bool(now.stamps[0]) if subject == FIREWALL else units.BESIDE in now.files


def _stale(unit: str, now: State, then: State) -> bool:
    """Whether other rules are in force than those of the files: somebody has flushed them."""
    if unit == units.FIREWALL_UNIT:
        return now.stamps[0] != stamp_of(then.files[units.TABLE_FILE].text)
    return unit == units.BESIDE_UNIT and now.stamps[1] != stamp_of(then.files[f"{units.FOLDER}/mark"].text)


def _view(subject: str, state: State) -> Options | None:
    """The subject's part of a state, as a person reads it."""
    files = {path: file.text.splitlines() for path, file in sorted(state.files.items()) if subject_of(path) == subject}
    running = {unit: on for unit, on in sorted(state.units.items()) if _subject_of_unit(unit) == subject}
    found: dict[str, typing.Any] = {}
    if files:
        found["files"] = files
    if any(running.values()):
        found["units"] = [unit for unit, on in running.items() if on]
    if subject == FORWARDING:
        found["settings"] = dict(state.settings)
    return found or None
