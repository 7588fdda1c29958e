# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The difference between two states, in steps and their order."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.difference import difference
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.domain import restore
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
    "a VLAN that stays small": ({"name": "eno2.7", "type": "vlan", "parent": "eno2", "id": 7, "mtu": 1500}, 1500),
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
    assert order == (
        ["eno2"] if what in ("a VLAN on what stays", "a VLAN that stays small") else ["eno2", port["name"]]
    )


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


def test_what_stands_on_a_link_that_leaves_a_bond_keeps_its_routes() -> None:
    bond = Link("bond0", 8, "bond", up=True, master="br9", port_kind="bridge", alias="virtnet.kvm")
    member = Link("eno2", 3, up=True, master="bond0", port_kind="bond")
    vlan = Link("eno2.5", 9, "vlan", up=True, parent="eno2", addresses=(Address("10.5.0.1/24"),))
    route = Route("10.55.0.0/16", (Hop("eno2.5", "10.5.0.9"),))
    there = state(bond0=bond, eno2=member, **{"eno2.5": vlan})
    now = dataclasses.replace(there, routes=(*there.routes, route))
    done = plan(wanted(name="br9", ports=["eno9"]), observed(now))
    assert [step.arguments["route"] for step in done.steps if step.verb == "route" and step.subject == "eno2.5"] == [
        route
    ]
    assert "eno2.5" in restore(done).back.links


def test_what_stands_on_a_bridge_that_is_made_is_born_with_its_first_size() -> None:
    upper = {"name": "br0.7", "type": "vlan", "parent": "br0", "id": 7}
    told = plan(wanted(bridges=[{"name": "br0", "mtu": 9000}, {"name": "br1", "ports": [upper]}]), observed()).steps
    sizes = [
        (step.subject, step.arguments.get("mtu")) for step in told if "mtu" in step.arguments or step.verb == "make"
    ]
    assert sizes == [("br0", None), ("br1", None), ("br0.7", None), ("br0", 9000), ("br0.7", 9000), ("br1", 9000)]
    assert next(step for step in told if step.verb == "make" and step.subject == "br0.7").arguments["link"].mtu == 1500


def test_a_vxlan_is_made_after_the_vlan_that_it_sends_over() -> None:
    ports = [
        {"name": "vx", "type": "vxlan", "id": 1, "parent": "eno2.7"},
        {"name": "eno2.7", "type": "vlan", "parent": "eno2", "id": 7},
    ]
    told = plan(
        wanted(bridges=[{"name": "br0", "ports": ports[1:]}, {"name": "br1", "ports": ports[:1]}]), observed()
    ).steps
    assert [step.subject for step in told if step.verb == "make"] == ["br0", "br1", "eno2.7", "vx"]


def test_a_veth_is_made_once_whoever_marked_its_ends() -> None:
    ends = [
        Link("v0", 9, "veth", parent="v1", alias="virtnet.kvm"),
        Link("v1", 10, "veth", parent="v0", alias="virtnet.kvm"),
    ]
    then = State({**state().links, **{one.name: one for one in ends}}, state().routes)
    assert [step.subject for step in steps(state(), then) if step.verb == "make"] == ["v0"]


def test_a_router_is_reached_before_it_is_a_router() -> None:
    """By a route of its own, or by an address with another prefix."""
    said = {"addresses": ["10.0.0.5/32"], "gateway4": "172.31.1.1", "routes": [{"to": "172.31.1.1/32"}]}
    told = plan(wanted(name="br9", **said), observed()).steps
    assert [step.arguments["route"].to for step in told if step.verb == "route"] == ["172.31.1.1/32", "0.0.0.0/0"]
    now = changed("br9", addresses=(Address("2001:db8:9::2/128"),))
    then = goal(wanted(name="br9", addresses=["2001:db8:9::2/64"], gateway6="2001:db8:9::1"), observed(now))
    verbs = [(step.verb, step.arguments["add"]) for step in steps(now, then)]
    assert verbs == [("address", False), ("address", True), ("route", True), ("address", True)]


def test_a_lease_with_another_prefix_makes_room() -> None:
    now = changed("br9", addresses=(Address("2001:db8:9::5/128", flags=0),))
    then = goal(wanted(name="br9", addresses=["2001:db8:9::5/64"]), observed(now))
    assert [one.cidr for one in then.links["br9"].addresses] == ["2001:db8:9::5/64"]
    assert [(step.arguments["add"], step.arguments["address"].cidr) for step in steps(now, then)][:2] == [
        (False, "2001:db8:9::5/128"),
        (True, "2001:db8:9::5/64"),
    ]


def test_a_veth_that_moves_leaves_its_other_end_alone() -> None:
    there = state()
    ends = [
        Link("v0", 9, "veth", up=True, parent="v1", master="br9", alias="virtnet.kvm", port_kind="bridge"),
        Link("v1", 10, "veth", up=True, parent="v0", addresses=(Address("10.7.0.1/24"),)),
    ]
    now = State({**there.links, **{one.name: one for one in ends}}, there.routes)
    port = {"name": "v0", "type": "veth", "peer": "v1"}
    then = goal(wanted(bridges=[{"name": "br9", "ports": ["eno9"]}, {"name": "br1", "ports": [port]}]), observed(now))
    assert then.links["v1"] == now.links["v1"] and then.links["v0"].master == "br1"
    far = dataclasses.replace(ends[0], parent=None)  # its other end is in a container
    now = State({**there.links, "v0": far}, there.routes)
    assert not plan(wanted(name="br9", ports=["eno9", port]), observed(now)).changed


def test_the_route_to_an_addresses_net_is_there_whoever_made_it() -> None:
    """The kernel with the address, or a daemon in its place."""
    plain = changed("eno2", addresses=(Address("10.2.0.1/24"),))
    flagged = changed("eno2", addresses=(Address("10.2.0.1/24", flags=0x280),))
    flagged = dataclasses.replace(
        flagged, routes=(*flagged.routes, Route("10.2.0.0/24", (Hop("eno2"),), metric=100, protocol=2))
    )
    assert not steps(plain, flagged) and not steps(flagged, plain)
    assert [step.verb for step in steps(flagged, changed("eno2"))] == ["route", "address"]
    assert [step.verb for step in steps(changed("eno2"), flagged)] == ["address", "route"]
