# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions, from what is wanted and what is there. Each plan, once done, leaves nothing to do; and it can be undone."""

from __future__ import annotations

import dataclasses
import typing

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError, MissingError
from ansible_collections.virtnet.kvm.plugins.module_utils._core.plan import Plan
from ansible_collections.virtnet.kvm.plugins.module_utils._network import domain, xml
from ansible_collections.virtnet.kvm.plugins.module_utils._network.desired import desired
from ansible_collections.virtnet.kvm.plugins.module_utils._network.model import Desired, Form, Guest, Network, Observed
from ansible_collections.virtnet.kvm.plugins.module_utils._network.options import MARK_NAMESPACE, definition
from ansible_collections.virtnet.kvm.plugins.module_utils._network.plan import plan, touched
from hypothesis import given
from hypothesis import strategies as st
from networks import definitions

NET = {"name": "n", "mode": "nat", "address": "10.0.0.1/24"}
CHOSEN = {"uuid": "c7a5fdbd-edaf-9455-926a-d65c16db1809", "bridge": "virbr0", "mac_address": "52:54:00:00:00:01"}
GUEST = Guest("g", "52:54:00:00:00:09", "vnet0", "port", None, True, "<networkport/>")


def form(ours: bool = True, **options: typing.Any) -> Form:
    said = desired({"name": "n", **options}).wants[0].source
    one = definition({**CHOSEN, **said.options})
    return Form(one, xml.write("n", one, ours), ours)


def network(
    live: dict | None = None, config: dict | None = None, guests: tuple[Guest, ...] = (), autostart: bool = True
) -> Network:
    forms = [form(**options) if options else None for options in (live, config)]
    return Network("n", CHOSEN["uuid"], forms[0], forms[1], autostart, guests)


def options(**more: typing.Any) -> dict:
    return {**{name: value for name, value in NET.items() if name != "name"}, **more}


def actions(there: Network | None, **params: typing.Any) -> list[str]:
    observed = Observed({there.name: there} if there else {}, links=())
    return [step.action for step in plan(desired(params), observed).steps if step.action]


RUNNING = network(options(), options())
STOPPED = network(None, options(), autostart=False)
BUSY = network(options(), options(), (GUEST,))
LOOSE = network(options(), options(), (dataclasses.replace(GUEST, plugged=False),))
TRANSIENT = network(options(), None, autostart=False)
DRIFTED = network(options(mtu=1400), options())
PLUG = "plug g 52:54:00:00:00:09"

CASES = [
    (None, NET, ["define", "autostart", "start"]),
    (None, {**NET, "state": "present"}, ["define", "autostart"]),
    (None, {**NET, "state": "inactive"}, ["define"]),
    (None, {**NET, "state": "inactive", "autostart": True}, ["define", "autostart"]),
    (None, {"name": "n", "state": "absent"}, []),
    (RUNNING, NET, []),
    (RUNNING, {**NET, "state": "inactive"}, ["stop"]),
    (RUNNING, {"name": "n", "state": "absent"}, ["stop", "undefine"]),
    (RUNNING, {"name": "n", "autostart": False}, ["no autostart"]),
    (STOPPED, NET, ["autostart", "start"]),
    (STOPPED, {"name": "n", "state": "absent"}, ["undefine"]),
    (STOPPED, {**NET, "state": "present", "mtu": 1400}, ["define", "autostart"]),
    (TRANSIENT, NET, ["define", "autostart"]),
    (TRANSIENT, {"name": "n", "state": "inactive"}, ["define", "stop"]),
    (TRANSIENT, {"name": "n", "state": "absent"}, ["stop"]),
    (RUNNING, {**NET, "mtu": 1400}, ["define", "restart"]),
    (RUNNING, {**NET, "mtu": 1400, "restart": "never"}, ["define"]),
    (BUSY, {**NET, "mtu": 1400}, ["define"]),
    (BUSY, {**NET, "mtu": 1400, "restart": "always"}, ["define", "restart", PLUG]),
    (BUSY, {**NET, "dns": {"txts": [{"name": "a", "value": "b"}]}}, ["define", "update dns-txt add"]),
    (BUSY, {**NET, "mtu": 1400, "dns": {"txts": [{"name": "a", "value": "b"}]}}, ["define"]),
    (BUSY, {"name": "n", "state": "inactive", "force": True}, ["stop"]),
    (LOOSE, NET, [PLUG]),
    (DRIFTED, NET, ["restart"]),
    (DRIFTED, {**NET, "restart": "never"}, []),
    (DRIFTED, {**NET, "mtu": 1400}, ["define"]),
]


@pytest.mark.parametrize(("there", "params", "expected"), CASES)
def test_actions(there: Network | None, params: dict, expected: list[str]) -> None:
    assert actions(there, **params) == expected
    before = Observed({"n": there} if there else {}, links=())
    first = plan(desired(params), before)
    after = done(first, before)
    again = plan(desired(params), after)
    assert not again.changed, again.steps
    back = domain.restore(first)
    undone = done(plan(back, after), after)
    assert told(undone) == told(before)
    assert not plan(back, undone).changed


@given(
    definitions(),
    st.one_of(st.none(), definitions()),
    st.sampled_from(["active", "present", "inactive", "absent"]),
    st.sampled_from(["never", "if_unused", "always"]),
)
def test_planning_after_applying_finds_nothing(wanted: dict, there: dict | None, state: str, restart: str) -> None:
    first_there = network(there, there, (GUEST,)) if there else None
    before = Observed({"n": first_there} if first_there else {}, links=())
    params = {"name": "n", "state": state, "restart": restart, "force": True, **wanted}
    first = plan(desired(params), before)
    after = done(first, before)
    assert not plan(desired(params), after).changed
    assert told(done(plan(domain.restore(first), after), after)) == told(before)


def test_pending_restart_is_said_each_time() -> None:
    there = network(options(), options(mtu=1400), (GUEST,))
    item = plan(desired({**NET, "mtu": 1400}), Observed({"n": there})).items[0]
    assert item.facts["restart_required"] and item.facts["guests"] == ["g"] and not item.steps
    assert item.facts["differing"] == ["mtu"]


def test_guests_are_asked_only_where_a_step_needs_them() -> None:
    for params, names in ((NET, set()), ({**NET, "mtu": 1400}, {"n"}), ({"name": "n", "state": "absent"}, {"n"})):
        assert touched(desired(params), Observed({"n": RUNNING})) == names


def test_what_libvirt_chose_is_kept() -> None:
    item = plan(desired({**NET, "mtu": 1400}), Observed({"n": RUNNING})).items[0]
    assert {name: item.after.config.definition.options[name] for name in CHOSEN} == CHOSEN
    item = plan(desired({"name": "n", "mode": "bridge", "bridge": "br0"}), Observed({"n": RUNNING})).items[0]
    assert item.after.config.definition.options == {"mode": "bridge", "bridge": "br0", "uuid": CHOSEN["uuid"]}


def test_networks_of_others_are_not_marked_as_ours() -> None:
    theirs = dataclasses.replace(RUNNING, live=form(False, **options()), config=form(False, **options()))
    item = plan(desired({**NET, "mtu": 1400}), Observed({"n": theirs})).items[0]
    assert MARK_NAMESPACE not in item.steps[0].arguments["xml"]


@pytest.mark.parametrize("state", ["inactive", "absent"])
def test_guests_are_not_cut_off_without_force(state: str) -> None:
    with pytest.raises(InputError, match=r"connected: g\. .*force: true"):
        actions(BUSY, name="n", state=state)


def test_purge() -> None:
    theirs = Network("theirs", "u", None, form(False, **options()), False)
    found = plan(Desired((), purge=True), Observed({"n": RUNNING, "theirs": theirs}))
    assert [(item.subject, [step.action for step in item.steps]) for item in found.items] == [
        ("n", ["stop", "undefine"])
    ]


def test_stops_come_before_starts_over_all_networks() -> None:
    other = dataclasses.replace(RUNNING, name="o", live=form(address="10.1.0.1/24", mode="nat", bridge="virbr1"),
                                config=form(address="10.1.0.1/24", mode="nat", bridge="virbr1"))  # fmt: skip
    swapped = {"networks": [{**NET, "address": "10.1.0.1/24"}, {**NET, "name": "o"}]}
    found = plan(desired(swapped), Observed({"n": RUNNING, "o": other}))
    assert [step.verb for step in found.steps] == ["define", "define", "stop", "stop", "start", "start"]


def test_what_does_not_exist_has_to_be_described() -> None:
    with pytest.raises(InputError, match="does not exist, and no option says what it should be"):
        actions(None, name="n")


def test_guests_can_be_plugged_in_only_where_they_are() -> None:
    with pytest.raises(MissingError, match="on the KVM host itself"):
        plan(desired({**NET, "mtu": 1400, "restart": "always"}), Observed({"n": BUSY}, links=None))
    with pytest.raises(MissingError, match="python3-pyroute2"):
        plan(desired({**NET, "mtu": 1400, "restart": "always"}), Observed({"n": BUSY}, links=(), can_plug=False))


# A model of what applying does


def done(one: Plan, before: Observed) -> Observed:
    networks = dict(before.networks)
    for step in one.steps:
        there = networks.get(step.subject)
        networks[step.subject] = apply(step.verb, step, there)
    return dataclasses.replace(
        before, networks={name: net for name, net in networks.items() if net and (net.live or net.config)}
    )


def apply(verb: str, step: typing.Any, there: Network | None) -> Network:
    there = there or Network(step.subject, CHOSEN["uuid"], None, None, False, ())
    if verb == "define":
        read = xml.read(step.arguments["xml"])
        chosen = {name: value for name, value in CHOSEN.items() if name == "uuid" or read.definition.mode != "bridge"}
        one = definition({**chosen, **read.definition.options}, read.definition.extras)
        return dataclasses.replace(there, config=dataclasses.replace(read, definition=one))
    if verb == "undefine":
        return dataclasses.replace(there, config=None, autostart=False)
    if verb == "autostart":
        return dataclasses.replace(there, autostart=step.arguments["on"])
    if verb == "stop":
        return dataclasses.replace(there, live=None)
    if verb == "start":
        return dataclasses.replace(
            there, live=xml.read(step.arguments["xml"]) if "xml" in step.arguments else there.config
        )
    if verb == "update":
        return dataclasses.replace(there, live=dataclasses.replace(there.config))
    guests = tuple(dataclasses.replace(guest, plugged=True) for guest in there.guests or ())
    return dataclasses.replace(there, guests=guests)


def told(observed: Observed) -> dict:
    return {
        name: (net.live and net.live.definition, net.config and net.config.definition, net.autostart)
        for name, net in observed.networks.items()
    }


def plugged(now: dict, then: dict, isolated: bool) -> bool:
    """How the guest hangs in the network after its restart."""
    there = network(options(**now), options(**now), (dataclasses.replace(GUEST, isolated=isolated),))
    wanted = desired({**NET, "mtu": 1400, "restart": "always", **then})
    steps = plan(wanted, Observed({"n": there}, links=())).steps
    return next(step.arguments["isolated"] for step in steps if step.verb == "plug")


@pytest.mark.parametrize(
    ("now", "then", "isolated", "after"),
    [
        ({}, {"isolate_ports": True}, False, True),
        ({"isolate_ports": True}, {"isolate_ports": False}, True, False),
        ({"isolate_ports": True}, {"isolate_ports": True}, True, True),
        ({}, {}, True, True),  # by a word of its own
        ({}, {}, False, False),
    ],
)
def test_who_is_kept_from_others_after_a_restart(now: dict, then: dict, isolated: bool, after: bool) -> None:
    assert plugged(now, then, isolated) is after


def test_where_libvirt_keeps_the_bridges_addresses_nobody_can_be_plugged_back_in() -> None:
    kept = {"bridge_options": {"mac_table_manager": "libvirt"}}
    there = network(options(**kept), options(**kept), (GUEST,))
    with pytest.raises(InputError, match="mac_table_manager"):
        plan(desired({**NET, **kept, "mtu": 1400, "restart": "always"}), Observed({"n": there}, links=()))
