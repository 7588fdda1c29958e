# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions, from what is wanted and what is there. Each plan, once done, leaves nothing to do; and it can be undone."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._interface import domain
from ansible_collections.virtnet.kvm.plugins.module_utils._interface.model import Guest
from ansible_collections.virtnet.kvm.plugins.module_utils._interface.plan import plan
from hypothesis import given
from hypothesis import strategies as st
from interfaces import MAC, OPTIONS, done, guest, interface, live, observed, told, wanted

STOPPED = guest([interface()])
RUNS = guest([interface()], [live(interface())])
TRANSIENT = guest(None, [live(interface())])
WAITS = guest([interface(mtu=1400)], [live(interface())])
DETACHED = guest([interface()], [])
FORGOTTEN = guest([], [live(interface())])
M1 = {"mac": MAC(1)}

# (what is there, what is wanted, the actions, what waits)
CASES = [
    (STOPPED, {"network": "na"}, [], []),
    (STOPPED, {"network": "nb"}, ["plug"], []),
    (STOPPED, {"network": "na", "mtu": 1400, "link_state": "down"}, ["update link_state, mtu"], []),
    (STOPPED, {"network": "na", "state": "absent"}, ["unplug"], []),
    (STOPPED, {"network": "nb", "state": "absent"}, [], []),
    (RUNS, {"network": "na"}, [], []),
    (RUNS, {"network": "nb"}, ["plug"], []),
    (RUNS, {"mac": MAC(2), "bridge": "br0"}, ["plug"], []),
    (RUNS, {**M1, "link_state": "down"}, ["update link_state"], []),
    (RUNS, {**M1, "link_state": "down", "mtu": 1400}, ["update link_state, mtu"], ["mtu"]),
    (RUNS, {**M1, "link_state": "down", "mtu": 1400, "replug": True}, ["update link_state, mtu", "replug"], []),
    (RUNS, {**M1, "network": "nb"}, ["update network"], []),
    (RUNS, {**M1, "network": "tap"}, ["update network"], ["network"]),
    (RUNS, {**M1, "network": "tap", "replug": True}, ["update network", "replug"], []),
    (RUNS, {**M1, "state": "absent"}, ["unplug"], []),
    (TRANSIENT, {"network": "nb"}, ["plug"], []),
    (TRANSIENT, {**M1, "link_state": "down", "mtu": 1400}, ["update link_state"], ["mtu"]),
    (TRANSIENT, {**M1, "mtu": 1400, "replug": True}, ["replug"], []),
    (TRANSIENT, {**M1, "state": "absent"}, ["unplug"], []),
    (WAITS, {**M1, "mtu": 1400}, [], ["mtu"]),
    (WAITS, {**M1, "mtu": 1400, "replug": True}, ["replug"], []),
    (WAITS, {**M1, "mtu": 0}, ["update mtu"], []),
    (WAITS, {**M1}, [], []),
    (DETACHED, {"network": "na"}, ["plug"], []),
    (DETACHED, {"network": "na", "link_state": "down"}, ["update link_state", "plug"], []),
    (DETACHED, {**M1, "state": "absent"}, ["unplug"], []),
    (FORGOTTEN, {"network": "na"}, ["plug"], []),
    (FORGOTTEN, {"network": "na", "link_state": "down"}, ["plug", "update link_state"], []),
    (FORGOTTEN, {**M1, "state": "absent"}, ["unplug"], []),
]


@pytest.mark.parametrize(("there", "params", "actions", "pending"), CASES)
def test_actions(there: Guest, params: dict, actions: list[str], pending: list[str]) -> None:
    before = observed(there)
    first = plan(wanted(**params), before)
    assert first.items[0].actions == actions and first.items[0].facts["pending"] == pending
    after = done(first, before)
    again = plan(wanted(**params), after)
    assert not again.changed, again.steps
    assert again.items[0].facts["pending"] == pending
    undone_and_as_before(first, before, after)


def undone_and_as_before(first, before, after) -> None:
    if first.changed:
        back = domain.restore(first)
        undone = done(plan(back, after), after)
        assert told(undone) == told(before)
        assert not plan(back, undone).changed


@given(OPTIONS, OPTIONS, OPTIONS, st.sampled_from(["stopped", "running", "transient"]), st.booleans())
def test_planning_after_doing_finds_nothing(stored: dict, runs: dict, said: dict, state: str, replug: bool) -> None:
    there = guest(
        None if state == "transient" else [interface(**stored)],
        None if state == "stopped" else [live(interface(**runs))],
    )
    before = observed(there)
    want = wanted(mac=MAC(1), replug=replug, **said)
    first = plan(want, before)
    after = done(first, before)
    again = plan(want, after)
    assert not again.changed, again.steps
    assert again.items[0].facts["pending"] == first.items[0].facts["pending"]
    assert first.items[0].after == again.items[0].before
    undone_and_as_before(first, before, after)


def test_what_is_stored_goes_first_and_what_goes_makes_room() -> None:
    other = guest([interface(MAC(2))], [live(interface(MAC(2)))], name="h")
    items = [
        {"guest": "g", "network": "nb"},
        {"guest": "g", "bridge": "br0"},
        {"guest": "g", "mac": MAC(1), "link_state": "down"},
        {"guest": "h", "mac": MAC(2), "mtu": 1400, "replug": True},
    ]
    before = observed(RUNS, other)
    first = plan(wanted(interfaces=items), before)
    verbs = [step.verb for step in first.steps]
    assert verbs == ["store", "with", "with", "store", "unplug", "update", "plug", "plug", "plug"]
    assert [item.actions for item in first.items] == [
        ["plug"],
        ["plug"],
        ["update link_state"],
        ["update mtu", "replug"],
    ]
    after = done(first, before)
    assert not plan(wanted(interfaces=items), after).changed
    assert len(after.guests["g"].config.interfaces) == len(after.guests["g"].live.interfaces) == 3
    undone_and_as_before(first, before, after)


def test_the_guest_may_be_named_by_its_uuid() -> None:
    items = [{"guest": "g", "network": "nb"}, {"guest": "uuid-g", "network": "na", "mtu": 1400}]
    first = plan(wanted(interfaces=items), observed(STOPPED))
    assert [item.facts["guest"] for item in first.items] == ["g", "g"]
    assert [step.verb for step in first.steps] == ["store", "with"]
