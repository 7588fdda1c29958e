# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The difference between two states, in steps and their order."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.difference import difference
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.goal import goal
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.model import State
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.plan import plan
from ansible_collections.virtnet.kvm.plugins.module_utils._core.plan import Step
from ansible_collections.virtnet.kvm.plugins.module_utils._kernel.values import Address, Hop, Link, Route

from tests.bridges import observed, state, wanted


def actions(**params: object) -> list[str]:
    return [step.action for step in plan(wanted(**params), observed()).steps if step.action]


def test_new_before_old_so_that_the_host_is_never_without_an_address() -> None:
    told = actions(name="br0", ports=["eno1"], inherit=True)
    assert told == [
        "create bridge br0", "add eno1 to br0", "add 192.0.2.10/24 to br0", "add 2001:db8::10/64 to br0", "add 192.0.2.77/24 to br0",
        "route 0.0.0.0/0 over br0", "route ::/0 over br0", "route 10.44.0.0/16 over br0", "route 0.0.0.0/0 over br0",
        "remove 192.0.2.10/24 from eno1", "remove 2001:db8::10/64 from eno1", "remove 192.0.2.77/24 from eno1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mtu", "order"),
    [(9000, ["mtu 9000 of eno9", "mtu 9000 of br9"]), (1400, ["mtu 1400 of br9", "mtu 1400 of eno9"])],
)
def test_a_bridge_is_never_larger_than_its_ports(mtu: int, order: list[str]) -> None:
    assert actions(name="br9", mtu=mtu) == order


def test_a_bond_takes_a_link_while_it_is_down() -> None:
    desired = wanted(name="br0", ports=[{"name": "bond0", "type": "bond", "ports": ["eno2"]}])
    steps = [
        (step.subject, step.verb, step.arguments)
        for step in plan(desired, observed()).steps
        if step.subject in ("bond0", "eno2")
    ]
    assert [step[1] for step in steps] == ["make", "set", "set", "set", "set"]
    assert [step[2].get("up", step[2].get("master")) for step in steps[1:]] == [False, "bond0", "br0", True]


def test_vlans_in_excess_go_first_and_a_new_port_has_the_default_one() -> None:
    desired = wanted(
        name="br9", vlan={"filtering": True}, ports=[{"name": "eno2", "vlans": {"pvid": 5}}], purge_ports=False
    )
    steps = [step.arguments for step in plan(desired, observed()).steps if step.verb == "vlans"]
    assert steps == [
        {"vlans": {1: 0}, "add": False, "bridge": False},
        {"vlans": {5: 6}, "add": True, "bridge": False},
    ]


def test_the_same_state_needs_no_step() -> None:
    assert difference(state(), state()) == []


def steps(there: State, wanted_: State) -> list[Step]:
    return sorted(difference(there, wanted_), key=lambda step: step.rank)


def changed(name: str, **changes: object) -> State:
    now = state()
    return dataclasses.replace(now, links={**now.links, name: dataclasses.replace(now.links[name], **changes)})


def test_spanning_tree_is_off_before_its_delay_gets_short() -> None:
    """And on again after it is long; the kernel takes the delay of a message first."""
    on = changed("br9", data={"IFLA_BR_STP_STATE": 1, "IFLA_BR_FORWARD_DELAY": 1500})
    off = changed("br9", data={"IFLA_BR_STP_STATE": 0, "IFLA_BR_FORWARD_DELAY": 0})
    assert [step.arguments["data"] for step in steps(on, off)] == [
        {"IFLA_BR_STP_STATE": 0},
        {"IFLA_BR_FORWARD_DELAY": 0},
    ]
    assert [step.arguments["data"] for step in steps(off, on)] == [on.links["br9"].data]


def test_what_a_default_pvid_moves_is_not_moved_again() -> None:
    """A guest's tap that holds the old default has the new one by the kernel; another port is as it was."""
    pvid, own = {1: 6}, {5: 6, 7: 0}
    links = {
        "br9": Link("br9", 4, "bridge", up=True, data={"IFLA_BR_VLAN_DEFAULT_PVID": 1}, vlans=pvid),
        "vnet0": Link("vnet0", 5, "tun", up=True, master="br9", port_kind="bridge", vlans=pvid),
        "eno9": Link("eno9", 6, up=True, master="br9", port_kind="bridge", vlans=own),
    }
    now = State(links)
    then = goal(wanted(name="br9", vlan={"default_pvid": 10}), observed(now))
    assert (then.links["vnet0"].vlans, then.links["br9"].vlans, then.links["eno9"].vlans) == ({10: 6}, {10: 6}, own)
    assert [step.verb for step in steps(now, then)] == ["data"] and [step.verb for step in steps(then, now)] == ["data"]
    ports = [{"name": "eno9", "vlans": {"pvid": 1}}]
    told = [step for step in steps(then, goal(wanted(name="br9", ports=ports), observed(then))) if step.verb == "vlans"]
    assert [(step.subject, step.arguments["add"], set(step.arguments["vlans"])) for step in told] == [
        ("eno9", False, {5, 7}),
        ("eno9", True, {1}),
    ]


PLACES = {
    "another prefix": (
        ["2001:db8::1/64"],
        ["2001:db8::1/48"],
        ["-2001:db8::1/64", "+2001:db8::1/48", "+2001:db8::1/48"],
    ),
    "another one": (["2001:db8::1/64"], ["2001:db8::2/64"], ["+2001:db8::2/64", "-2001:db8::1/64"]),
    "another prefix of IPv4": (["10.0.0.1/24"], ["10.0.0.1/16"], ["+10.0.0.1/16", "-10.0.0.1/24"]),
}


@pytest.mark.parametrize("what", PLACES)
def test_an_ipv6_address_is_one_whatever_its_prefix(what: str) -> None:
    before, after, order = PLACES[what]
    now, then = (changed("br9", addresses=tuple(map(Address, cidrs))) for cidrs in (before, after))
    told = [(step.arguments["add"], step.arguments["address"].cidr) for step in steps(now, then)]
    assert [("+" if add else "-") + cidr for add, cidr in told] == order


def test_what_was_leased_is_set_from_now_on() -> None:
    lease = dataclasses.replace(Address("10.0.0.1/24"), flags=0, valid=600)
    now = changed("br9", addresses=(lease,))
    then = goal(wanted(name="br9", addresses=["10.0.0.1/24"]), observed(now))
    (step,) = steps(now, then)
    assert step.arguments["address"].permanent and step.arguments["add"]
    (step,) = steps(then, now)
    assert step.arguments["address"] == lease and step.arguments["add"]


def test_what_stands_on_a_link_that_goes_into_a_bond_keeps_its_routes() -> None:
    there = state()
    vlan = Link(
        "eno2.5", 9, "vlan", up=True, parent="eno2", addresses=(Address("10.5.0.1/24"), Address("2001:db8:5::1/64"))
    )
    route = Route("10.55.0.0/16", (Hop("eno2.5", "10.5.0.9"),))
    now = State({**there.links, "eno2.5": vlan}, (*there.routes, route))
    then = goal(wanted(name="br0", ports=[{"name": "bond0", "type": "bond", "ports": ["eno2"]}]), observed(now))
    told = [step for step in steps(now, then) if step.subject == "eno2.5"]
    assert [step.verb for step in told] == ["address", "route", "address"] and not any(step.action for step in told)
    assert told[1].arguments["route"] == route and told[0].rank > next(
        s.rank for s in steps(now, then) if s.arguments.get("up")
    )


BORN = {
    "a VLAN on a NIC that grows": ({"name": "eno2.7", "type": "vlan", "parent": "eno2", "id": 7}, 1500),
    "a VLAN on what stays": ({"name": "eno9.7", "type": "vlan", "parent": "eno9", "id": 7}, 1500),
    "a vxlan": ({"name": "x", "type": "vxlan", "parent": "eno2", "id": 7}, 1450),
}


@pytest.mark.parametrize("what", BORN)
def test_a_link_is_born_as_small_as_what_it_stands_on(what: str) -> None:
    port, size = BORN[what]
    desired = wanted(name="br0", ports=[{"name": "eno2", "mtu": 9000}, port])
    told = plan(desired, observed()).steps
    (made,) = (step for step in told if step.verb == "make" and step.subject == port["name"])
    assert made.arguments["link"].mtu == size
    order = [step.subject for step in told if "mtu" in step.arguments and step.subject != "br0"]
    assert order == (["eno2"] if port["name"] == "eno9.7" else ["eno2", port["name"]])


def test_a_bridges_size_is_said_once_its_ports_are_there() -> None:
    told = plan(wanted(name="br0", mtu=1400, ports=[{"name": "eno2", "mtu": 1500}]), observed()).steps
    assert [step.arguments["mtu"] for step in told if step.subject == "br0" and "mtu" in step.arguments] == [1400]
    assert not next(step for step in told if step.verb == "make").arguments["link"].mtu


def test_both_ends_of_a_veth_in_one_call() -> None:
    ends = [{"name": "br0", "ports": [{"name": "v0", "type": "veth", "peer": "v1"}]}, {"name": "br1", "ports": ["v1"]}]
    told = plan(wanted(bridges=ends), observed()).steps
    assert [step.subject for step in told if step.verb == "make"] == ["br0", "br1", "v0"]
    assert [step.arguments.get("master") or step.arguments.get("up") for step in told if step.subject == "v1"] == [
        "br1",
        True,
    ]


def test_a_veth_goes_with_its_other_end() -> None:
    there = state()
    ends = [
        Link("v0", 9, "veth", parent="v1", master="br9", alias="virtnet.kvm", port_kind="bridge"),
        Link("v1", 10, "veth", parent="v0"),
    ]
    now = State({**there.links, **{one.name: one for one in ends}}, there.routes)
    then = goal(wanted(name="br9", ports=["eno9"]), observed(now))
    assert [(step.subject, step.verb) for step in steps(now, then)] == [("v0", "remove")]
