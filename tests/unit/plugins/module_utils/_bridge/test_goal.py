# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What will be: the one merge. After each goal, planning again finds nothing."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.difference import difference
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.goal import goal, with_default_pvid
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.plan import plan
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.result import view
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.routing import with_links, without_links
from ansible_collections.virtnet.kvm.plugins.module_utils._kernel.values import Address, Hop, Link, Route

from tests.bridges import MAC, boot, observed, state, wanted

CASES = {
    "new": {"name": "br0"},
    "take over": {"name": "br0", "ports": ["eno1"], "inherit": True},
    "addresses and routes": {"name": "br0", "addresses": ["10.1.0.1/24"], "routes": [{"to": "10.9.0.0/16", "via": "10.1.0.9"}], "gateway4": "10.1.0.2"},
    "another port": {"name": "br9", "ports": ["eno2"]},
    "no ports": {"name": "br9", "ports": []},
    "made ports": {"name": "br0", "ports": [{"name": "eno2.7", "type": "vlan", "parent": "eno2", "id": 7}, {"name": "d0", "type": "dummy"}]},
    "a bond": {"name": "br0", "ports": [{"name": "bond0", "type": "bond", "ports": ["eno2"], "mode": "802.3ad"}]},
    "vlans": {"name": "br9", "vlan": {"filtering": True, "self": {"pvid": 5}}, "ports": [{"name": "eno9", "vlans": {"tagged": ["2-4"]}}]},
    "moved": {"bridges": [{"name": "br0", "ports": ["eno9"]}, {"name": "br9", "ports": []}]},
    "absent": {"name": "br8", "state": "absent"},
    "mtu": {"name": "br9", "mtu": 1400},
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_planning_again_finds_nothing(what: str) -> None:
    desired = wanted(**CASES[what])
    then = goal(desired, observed())
    assert not difference(then, goal(desired, observed(then)))
    # and the way back leads back
    back = difference(then, state())
    assert bool(back) is bool(difference(state(), then))


def test_all_that_makes_the_nic_reachable_arrives_on_the_bridge() -> None:
    then = goal(wanted(**CASES["take over"]), observed())
    bridge, nic = then.links["br0"], then.links["eno1"]
    assert {one.cidr for one in bridge.addresses} == {"192.0.2.10/24", "2001:db8::10/64", "192.0.2.77/24"}
    assert [one.cidr for one in nic.addresses] == ["fe80::5054:ff:fe00:1/64"]
    assert (bridge.mac, bridge.mtu, nic.master) == (MAC, 1450, "br0")
    assert bridge.addresses[0].label == "br0"
    assert not any(route.over("eno1") for route in then.routes) and sum(route.over("br0") for route in then.routes) == 4
    home = goal(wanted(name="br0", state="absent"), observed(then))
    assert "br0" not in home.links and {one.cidr for one in home.links["eno1"].addresses} == {
        one.cidr for one in state().links["eno1"].addresses
    }
    assert sum(route.over("eno1") for route in home.routes) == 4


BARE = {
    "kept": (boot(), {"ports": ["eno1"]}, ["fe80::5054:ff:fe00:1/64"], 0),
    "kept, in a bond": (
        boot(),
        {"ports": [{"name": "bond0", "type": "bond", "ports": ["eno1"]}]},
        ["fe80::5054:ff:fe00:1/64"],
        0,
    ),
    "not kept": (None, {"ports": ["eno1"]}, [one.cidr for one in state().links["eno1"].addresses], 4),
    "a VLAN's parent": (
        boot(),
        {"ports": [{"name": "eno1.7", "type": "vlan", "parent": "eno1", "id": 7}]},
        [one.cidr for one in state().links["eno1"].addresses],
        4,
    ),
}


@pytest.mark.parametrize("what", BARE)
def test_a_port_runs_as_it_will_after_a_boot(what: str) -> None:
    kept, params, addresses, routes = BARE[what]
    then = goal(wanted(name="br0", **params), observed(boot=kept))
    assert [one.cidr for one in then.links["eno1"].addresses] == addresses
    assert sum(route.over("eno1") for route in then.routes) == routes
    assert not [one for one in then.links["br0"].addresses if not one.link_local]
    assert sum(route.over("eno2") for route in then.routes) == 1


@pytest.mark.parametrize(
    "size, of_port, then",
    [(1500, 1500, 1400), (1400, 1500, 1400), (1500, 1400, 1500), (1450, 1500, 1450)],
    ids=["it shrinks with a port", "it is small enough", "it grows when a port leaves", "somebody chose it"],
)
def test_a_bridge_whose_mtu_nobody_said_follows_its_ports(size: int, of_port: int, then: int) -> None:
    now = state()
    links = {name: dataclasses.replace(now.links[name], mtu=of_port) for name in ("eno9", "eno2")}
    links["eno2"] = dataclasses.replace(links["eno2"], mtu=1500 if then == 1500 else 1400)
    links["br9"] = dataclasses.replace(now.links["br9"], mtu=size)
    before = observed(dataclasses.replace(now, links={**now.links, **links}))
    ports = ["eno2"] if then == 1500 else ["eno9", "eno2"]
    assert goal(wanted(name="br9", ports=ports), before).links["br9"].mtu == then


def test_of_a_route_with_two_ways_the_other_stays() -> None:
    there = state()
    both = dataclasses.replace(there.routes[0], hops=(Hop("eno1", "192.0.2.1"), Hop("eno2", "10.2.0.1")))
    then = goal(wanted(name="br0", ports=["eno1"]), observed(dataclasses.replace(there, routes=(both,)), boot=boot()))
    assert [route.hops for route in then.routes] == [(Hop("eno2", "10.2.0.1"),)]


def test_a_guests_tap_stays_unless_it_is_named() -> None:
    assert goal(wanted(name="br9", ports=[]), observed()).links["vnet0"].master == "br9"
    assert (
        goal(wanted(name="br9", ports=[{"name": "vnet0", "state": "absent"}]), observed()).links["vnet0"].master is None
    )


def test_exact_addresses_leave_leases_alone() -> None:
    there = state()
    links = {**there.links, "br9": dataclasses.replace(there.links["br9"], addresses=there.links["eno1"].addresses)}
    then = goal(wanted(name="br9", addresses=["10.0.0.1/8"]), observed(dataclasses.replace(there, links=links)))
    assert {one.cidr for one in then.links["br9"].addresses} == {
        "fe80::5054:ff:fe00:1/64",
        "192.0.2.77/24",
        "10.0.0.1/8",
    }


def test_a_gateway_is_one_route_and_others_stay() -> None:
    then = goal(wanted(name="br0", ports=["eno1"], inherit=True, gateway4="192.0.2.2"), observed())
    assert [route.hops[0].via for route in then.routes if route.to == "0.0.0.0/0" and not route.metric] == ["192.0.2.2"]
    then = goal(wanted(name="br0", routes=[]), observed(then))
    assert sorted(route.to for route in then.routes if route.over("br0")) == ["0.0.0.0/0", "0.0.0.0/0", "::/0"]


def test_what_is_kept_has_a_mac_of_its_own() -> None:
    kept = observed(boot=boot())
    assert goal(wanted(name="br0", ports=["eno2"]), kept).links["br0"].mac == state().links["eno2"].mac
    mac = goal(wanted(name="br0"), kept).links["br0"].mac
    assert mac and mac.startswith("02:") and mac == goal(wanted(name="br0"), kept).links["br0"].mac
    assert mac != goal(wanted(name="br1"), kept).links["br1"].mac
    assert goal(wanted(name="br0"), observed()).links["br0"].mac is None


def test_a_route_takes_the_place_of_another_links() -> None:
    """One to a destination with a metric; others of the same destination stay."""
    said = {"addresses": ["10.0.0.1/24"], "gateway4": "10.0.0.2"}
    then = goal(wanted(name="br9", **said), observed())
    defaults = [(route.hops[0].dev, route.metric) for route in then.routes if route.to == "0.0.0.0/0"]
    assert sorted(defaults) == [("br9", 0), ("eno1", 100)]


def test_what_the_options_cannot_say_of_a_route_stays() -> None:
    several = Route("10.8.0.0/16", (Hop("br9", "10.0.0.8"), Hop("br9", "10.0.0.9")))
    onlink = Route("0.0.0.0/0", (Hop("br9", "172.31.1.1", onlink=True),))
    by_six = Route("10.7.0.0/16", (Hop("br9", "fe80::9"),))
    now = dataclasses.replace(state(), routes=(several, onlink, by_six))
    then = goal(wanted(name="br9", gateway4="172.31.1.1", routes=[]), observed(now))
    assert set(then.routes) == {several, onlink, by_six} and not view(now, "br9", None)["routes"]
    assert not plan(wanted(name="br9", gateway4="172.31.1.1", routes=[]), observed(now)).changed


def test_spanning_tree_has_its_shortest_delay() -> None:
    there = state()
    bridge = dataclasses.replace(there.links["br9"], data={"IFLA_BR_FORWARD_DELAY": 0})
    now = dataclasses.replace(there, links={**there.links, "br9": bridge})
    data = goal(wanted(name="br9", stp={"enabled": True}), observed(now)).links["br9"].data
    assert data == {"IFLA_BR_STP_STATE": 1, "IFLA_BR_FORWARD_DELAY": 200}


def test_a_bonds_ports_are_exact() -> None:
    there = state()
    bond = Link("bond0", 30, "bond", up=True, master="br9", port_kind="bridge", alias="virtnet.kvm")
    members = [Link(name, at, up=True, master="bond0", port_kind="bond") for at, name in ((31, "a"), (32, "b"))]
    now = observed(with_links(there, bond, *members))
    one = {"name": "bond0", "type": "bond"}
    then = goal(wanted(name="br9", ports=[{**one, "ports": ["b"]}]), now)
    assert (then.links["a"].master, then.links["b"].master) == (None, "bond0")
    assert goal(wanted(name="br9", ports=[one]), now).links["a"].master == "bond0"


REPVID = [
    ({1: 6}, 1, 10, {10: 6}),
    ({1: 6, 10: 0}, 1, 10, {1: 6, 10: 0}),
    ({1: 4, 5: 6}, 1, 10, {1: 4, 5: 6}),
    ({1: 6, 5: 0}, 1, 0, {5: 0}),
    ({5: 6}, 0, 10, {5: 4, 10: 6}),
    ({}, 1, 10, {}),
]


@pytest.mark.parametrize(("vlans", "old", "new", "then"), REPVID)
def test_a_default_pvid_follows_the_kernels_rule(vlans: dict, old: int, new: int, then: dict) -> None:
    there = state()
    bridge = dataclasses.replace(there.links["br9"], data={"IFLA_BR_VLAN_DEFAULT_PVID": old})
    tap = dataclasses.replace(there.links["vnet0"], vlans=vlans)
    assert with_default_pvid(with_links(there, bridge, tap), "br9", new).links["vnet0"].vlans == then


def test_addresses_go_home_to_a_link_of_the_host() -> None:
    """Not to a container's end of a veth pair."""
    there = state()
    own = dataclasses.replace(there.links["br9"], mac="52:54:00:00:00:77", addresses=(Address("10.0.0.1/24"),))
    veth = Link("veth0", 2, "veth", mac="52:54:00:00:00:77", up=True, master="br9", port_kind="bridge")
    now = with_links(there, own, veth)
    then = goal(wanted(name="br9", state="absent"), observed(now))
    assert not then.links["veth0"].addresses and then.links["eno9"].addresses == own.addresses
    left = without_links(now, "eno9")
    assert goal(wanted(name="br9", state="absent"), observed(left)).links["veth0"].addresses == own.addresses
    team = dataclasses.replace(veth, name="team0", kind="team")
    assert (
        goal(wanted(name="br9", state="absent"), observed(with_links(left, team))).links["team0"].addresses
        == own.addresses
    )
    other = with_links(left, dataclasses.replace(veth, mac="52:54:00:00:00:78"))
    assert not goal(wanted(name="br9", state="absent"), observed(other)).links["veth0"].addresses


def test_a_link_local_address_is_the_links_own_unless_a_person_made_it_up() -> None:
    cidrs = {
        "fe80::1/64": False,
        "fe80::5054:ff:fe00:1/64": True,
        "fe80::a:b:c:d/64": True,
        "fe80::53/10": False,
        "2001:db8::1/64": False,
    }
    assert {cidr: Address(cidr).link_local for cidr in cidrs} == cidrs
