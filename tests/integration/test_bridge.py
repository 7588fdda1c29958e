# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of a bridge and its ports: set, unchanged on the second run, changed, and back. Seen by ip(8) and bridge(8)."""

from __future__ import annotations

import json

import pytest
from bridge_host import BridgeHost

# what: (first, then, where `ip -j -d link` shows it, what it shows of first, and of then)
OPTIONS = {
    "stp": ({"stp": {"enabled": True}}, {"stp": {"enabled": False}}, "stp_state", 1, 0),
    "stp priority": ({"stp": {"priority": 4096}}, {"stp": {"priority": 32768}}, "priority", 4096, 32768),
    "forward delay": ({"stp": {"forward_delay": 4}}, {"stp": {"forward_delay": 15}}, "forward_delay", 400, 1500),
    "hello time": ({"stp": {"hello_time": 1}}, {"stp": {"hello_time": 2}}, "hello_time", 100, 200),
    "max age": ({"stp": {"max_age": 10.5}}, {"stp": {"max_age": 20}}, "max_age", 1050, 2000),
    "ageing time": ({"ageing_time": 60}, {"ageing_time": 300}, "ageing_time", 6000, 30000),
    "snooping": ({"multicast": {"snooping": False}}, {"multicast": {"snooping": True}}, "mcast_snooping", 0, 1),
    "querier": ({"multicast": {"querier": True}}, {"multicast": {"querier": False}}, "mcast_querier", 1, 0),
    "mcast router": ({"multicast": {"router": 2}}, {"multicast": {"router": 1}}, "mcast_router", 2, 1),
    "ifaddr": ({"multicast": {"query_use_ifaddr": True}}, {"multicast": {"query_use_ifaddr": False}}, "mcast_query_use_ifaddr", 1, 0),
    "mcast stats": ({"multicast": {"stats": True}}, {"multicast": {"stats": False}}, "mcast_stats_enabled", 1, 0),
    "hash max": ({"multicast": {"hash_max": 512}}, {"multicast": {"hash_max": 1024}}, "mcast_hash_max", 512, 1024),
    "igmp": ({"multicast": {"igmp_version": 3}}, {"multicast": {"igmp_version": 2}}, "mcast_igmp_version", 3, 2),
    "mld": ({"multicast": {"mld_version": 2}}, {"multicast": {"mld_version": 1}}, "mcast_mld_version", 2, 1),
    "last member count": ({"multicast": {"last_member_count": 5}}, {"multicast": {"last_member_count": 2}}, "mcast_last_member_cnt", 5, 2),
    "startup count": ({"multicast": {"startup_query_count": 5}}, {"multicast": {"startup_query_count": 2}}, "mcast_startup_query_cnt", 5, 2),
    "last member": ({"multicast": {"last_member_interval": 3}}, {"multicast": {"last_member_interval": 1}}, "mcast_last_member_intvl", 300, 100),
    "membership": ({"multicast": {"membership_interval": 100}}, {"multicast": {"membership_interval": 260}}, "mcast_membership_intvl", 10000, 26000),
    "querier interval": ({"multicast": {"querier_interval": 100}}, {"multicast": {"querier_interval": 255}}, "mcast_querier_intvl", 10000, 25500),
    "query interval": ({"multicast": {"query_interval": 60}}, {"multicast": {"query_interval": 125}}, "mcast_query_intvl", 6000, 12500),
    "query response": ({"multicast": {"query_response_interval": 5}}, {"multicast": {"query_response_interval": 10}}, "mcast_query_response_intvl", 500, 1000),
    "group mask": ({"group_fwd_mask": 0x4000}, {"group_fwd_mask": 0}, "group_fwd_mask", "0x4000", "0"),
}  # fmt: skip
FLAGS = {
    "isolated": (True, False), "hairpin": (True, False), "guard": (True, False), "root_block": (True, False),
    "learning": (False, True), "flood": (False, True), "mcast_flood": (False, True), "bcast_flood": (False, True),
    "mcast_to_unicast": (True, False), "neigh_suppress": (True, False), "fastleave": (True, False),
    "vlan_tunnel": (True, False), "mcast_router": (2, 1), "cost": (77, 2), "priority": (8, 32),
}  # fmt: skip
SHOWN = {"mcast_router": "multicast_router", "mcast_to_unicast": "mcast_to_unicast"}


@pytest.mark.parametrize("what", OPTIONS)
def test_option(bridges: BridgeHost, what: str) -> None:
    first, then, where, shown, shown_then = OPTIONS[what]
    for options, wanted in ((first, shown), (then, shown_then), (first, shown)):
        bridges.settled(name="br0", **options)
        found = bridges.link("br0")["linkinfo"]["info_data"][where]
        if str(wanted).startswith("0"):
            found, wanted = int(str(found), 16), int(str(wanted), 16)
        assert found == wanted


@pytest.mark.parametrize("flag", FLAGS)
def test_port_flag(bridges: BridgeHost, flag: str) -> None:
    bridges.veth("p0")
    for value in (*FLAGS[flag], FLAGS[flag][0]):
        bridges.settled(name="br0", ports=[{"name": "p0", flag: value}])
        assert int(bridges.link("p0")["linkinfo"]["info_slave_data"][SHOWN.get(flag, flag)]) == int(value)


def test_addresses_and_routes(bridges: BridgeHost) -> None:
    wanted = {"addresses": ["10.20.0.1/24", "10.20.1.1/24", "2001:db8:20::1/64"]}
    bridges.settled(name="br0", **wanted)
    assert bridges.addresses("br0") == set(wanted["addresses"])
    bridges.settled(name="br0", addresses=["10.20.0.1/24", "2001:DB8:20:0::2/64"])
    assert bridges.addresses("br0") == {"10.20.0.1/24", "2001:db8:20::2/64"}
    routes = [
        {"to": "10.30.0.0/16", "via": "10.20.0.9"},
        {"to": "10.31.0.0/16", "via": "10.20.0.9", "metric": 7, "table": 77},
        {"to": "10.32.0.0/16"},
        {"to": "2001:db8:30::/48", "via": "2001:db8:20::9"},
    ]
    bridges.settled(name="br0", routes=routes)
    shown = bridges.routes()
    for words in ("10.30.0.0/16 via 10.20.0.9 dev br0", "10.31.0.0/16 via 10.20.0.9 dev br0 table 77", "10.32.0.0/16 dev br0",
                  "2001:db8:30::/48 via 2001:db8:20::9 dev br0"):  # fmt: skip
        assert words in shown, shown
    bridges.settled(name="br0", routes=[{**routes[0], "via": "10.20.0.8"}])
    assert "10.30.0.0/16 via 10.20.0.8 dev br0" in bridges.routes() and "10.31" not in bridges.routes()
    bridges.settled(name="br0", routes=[], addresses=[])
    assert "br0" not in bridges.routes() and bridges.addresses("br0") == set()
    assert "default via 192.0.2.1 dev host0" in bridges.routes()


def test_ports_are_exact(bridges: BridgeHost) -> None:
    bridges.veth("p0", "p1", "p2")
    bridges.settled(name="br0", ports=["p0", "p1"])
    assert bridges.ports("br0") == {"p0", "p1"}
    bridges.settled(name="br0", ports=["p1", "p2"])
    assert bridges.ports("br0") == {"p1", "p2"}
    bridges.settled(name="br0", ports=["p0"], purge_ports=False)
    assert bridges.ports("br0") == {"p0", "p1", "p2"}
    bridges.settled(name="br0", mtu=1400)
    assert bridges.ports("br0") == {"p0", "p1", "p2"}
    bridges.settled(name="br0", ports=[{"name": "p0", "state": "absent"}], purge_ports=False)
    assert bridges.ports("br0") == {"p1", "p2"}
    bridges.settled(name="br0", ports=[])
    assert bridges.ports("br0") == set() and {"p0", "p1", "p2"} <= bridges.links()


def test_mtu_of_bridge_and_ports(bridges: BridgeHost) -> None:
    bridges.veth("p0", "p1")
    bridges.settled(name="br0", ports=["p0", {"name": "p1", "mtu": 9000}], mtu=4000)
    assert [bridges.link(name)["mtu"] for name in ("br0", "p0", "p1")] == [4000, 4000, 9000]
    bridges.settled(name="br0", ports=["p0", {"name": "p1", "mtu": 1500}], mtu=1500)
    assert [bridges.link(name)["mtu"] for name in ("br0", "p0", "p1")] == [1500, 1500, 1500]


def test_a_bridge_whose_mtu_nobody_said_follows_its_ports(bridges: BridgeHost) -> None:
    bridges.veth("p0", "p1")
    bridges.run("ip link set p0 mtu 1400")
    for ports, mtu in (
        ([], 1500),
        (["p0"], 1400),
        (["p0", "p1"], 1400),
        (["p1"], 1500),
        ([], 1500),
        (["p0", "p1"], 1400),
    ):
        assert bridges.settled(name="br0", ports=ports)["after"]["mtu"] == bridges.link("br0")["mtu"] == mtu
    bridges.run("ip link set p1 mtu 1300")
    assert bridges.link("br0")["mtu"] == 1300  # the kernel still does it: nothing is pinned
    bridges.settled(name="br0", ports=["p1"], mtu=1450)
    bridges.run("ip link set p0 mtu 1300")
    assert bridges.settled(name="br0", ports=["p0", "p1"])["after"]["mtu"] == bridges.link("br0")["mtu"] == 1300


def test_mac_up_and_down(bridges: BridgeHost) -> None:
    bridges.settled(name="br0", mac_address="52:54:00:AA-00-01".replace("-", ":"))
    assert bridges.link("br0")["address"] == "52:54:00:aa:00:01"
    bridges.settled(name="br0", up=False)
    assert "UP" not in bridges.link("br0")["flags"]
    bridges.settled(name="br0")
    assert "UP" in bridges.link("br0")["flags"]


def test_made_ports_go_with_their_place(bridges: BridgeHost) -> None:
    ports = [
        {"name": "v0", "type": "veth", "peer": "v1", "isolated": True},
        {"name": "vx0", "type": "vxlan", "id": 42, "remote": "192.0.2.99", "dstport": 4789, "parent": "p0"},
    ]
    bridges.veth("p0")
    bridges.run("ip link set p0 mtu 1550")  # a vxlan's headers take 50 of it
    bridges.settled(name="br0", ports=ports)
    assert bridges.ports("br0") == {"v0", "vx0"} and bridges.link("vx0")["mtu"] == 1500
    made = bridges.link("vx0")["linkinfo"]["info_data"]
    assert (made["id"], made["remote"], made["port"], made["link"]) == (42, "192.0.2.99", 4789, "p0")
    bridges.settled(name="br0", ports=ports[:1])
    assert "vx0" not in bridges.links()
    bridges.settled(name="br0", state="absent")
    assert not {"br0", "v0", "v1"} & bridges.links()


def test_a_port_moves_between_bridges_of_one_call(bridges: BridgeHost) -> None:
    bridges.veth("p0", "p1")
    both = [{"name": "br0", "ports": ["p0"]}, {"name": "br1", "ports": ["p1"]}]
    bridges.settled(bridges=both)
    bridges.settled(bridges=[{"name": "br0", "ports": ["p1"]}, {"name": "br1", "ports": ["p0"]}])
    assert (bridges.ports("br0"), bridges.ports("br1")) == ({"p1"}, {"p0"})
    assert "take it out there first" in bridges.refused(name="br0", ports=["p1", "p0"])
    bridges.settled(bridges=[{"name": "br0", "state": "absent"}, {"name": "br1", "ports": ["p0", "p1"]}])
    assert bridges.ports("br1") == {"p0", "p1"}


def test_info_fed_back_changes_nothing(bridges: BridgeHost) -> None:
    bridges.veth("p0", "p1")
    bridges.settled(
        name="br0", ports=[{"name": "p0", "isolated": True, "cost": 50}, {"name": "p1", "mtu": 2000}],
        addresses=["10.20.0.1/24", "2001:db8:20::1/64"], routes=[{"to": "10.30.0.0/16", "via": "10.20.0.9"}],
        stp={"enabled": True, "priority": 8192}, multicast={"snooping": False}, group_fwd_mask=8,
    )  # fmt: skip
    for found in bridges.module("linux_bridge_info")["bridges"]:
        assert not bridges.ask(name=found["name"], **found["definition"])["changed"]
    assert [one["name"] for one in bridges.module("linux_bridge_info", name="br0")["bridges"]] == ["br0"]
    assert bridges.module("linux_bridge_info", name="none")["bridges"] == []


@pytest.mark.long
@pytest.mark.parametrize("persist", ["none", "networkd"])
def test_what_fails_in_the_middle_is_put_back(bridges: BridgeHost, persist: str) -> None:
    """Before each rank of steps in turn, the take-over of the host's own NIC included."""
    bridges.veth("p0", "p1")
    bridges.settled(name="br0", ports=["p0"], addresses=["10.20.0.1/24"], stp={"enabled": True}, persist=persist)
    other = {
        "name": "br0",
        "ports": ["p1"],
        "mtu": 1400,
        "addresses": ["10.20.0.2/24"],
        "routes": [{"to": "10.30.0.0/16", "via": "10.20.0.9"}],
    }
    change = {"bridges": [other, {"name": "br9", "ports": ["host0"], "inherit": True}], "persist": persist}
    steps, _answer = bridges.put_back_at_each_step(**change)
    assert steps > 8


BASE = "ip link add br0 type bridge && ip link set br0 up && ip address add 10.20.0.1/24 dev br0 && "
SIX = "ip address add 2001:db8:20::1/64 dev br0 nodad && "
# What the kernel changes beside what is asked: how it was, the change, what of it shall show and what not.
BESIDE = {
    "the default route of another link": (
        "", {"addresses": ["10.20.0.1/24"], "gateway4": "10.20.0.2"}, "default via 10.20.0.2 dev br0", "default via 192.0.2.1 dev host0"
    ),
    "routes of a link that goes down": (BASE + "ip route add 10.30.0.0/16 via 10.20.0.9", {"up": False}, "br0", "10.30.0.0/16"),
    "a route by a router of IPv6": (BASE + SIX + "ip route add 10.30.0.0/16 via inet6 2001:db8:20::9 dev br0", {"up": False}, "br0", "10.30.0.0/16"),
    "a route of two ways": (
        BASE + "ip route add 10.30.0.0/16 nexthop via 10.20.0.8 nexthop via 10.20.0.9", {"up": False}, "br0", "10.30.0.0/16"
    ),
    "routes by an address that goes": (
        BASE + "ip route add 10.30.0.0/16 via 10.20.0.9", {"addresses": ["10.21.0.1/24"]}, "inet 10.21.0.1/24", "10.20.0.1"
    ),
    "spanning tree's delay": (BASE + "ip link set br0 type bridge forward_delay 0", {"stp": {"enabled": True}}, "forward_delay 200", "forward_delay 0"),
    "another prefix": (
        BASE + "ip address add 2001:db8:20::1/64 dev br0 nodad", {"addresses": ["10.20.0.1/24", "2001:db8:20::1/48"]},
        "inet6 2001:db8:20::1/48 scope global", "2001:db8:20::1/64"
    ),
    "a lease": (
        BASE + "ip address add 10.20.0.7/24 dev br0 valid_lft 6000 preferred_lft 6000", {"addresses": ["10.20.0.1/24", "10.20.0.7/24"]},
        "inet 10.20.0.7/24 scope global secondary br0", "dynamic"
    ),
    "a lease of IPv6": (
        BASE + "ip address add 2001:db8:20::7/64 dev br0 valid_lft 6000 preferred_lft 6000 nodad", {"addresses": ["2001:db8:20::7/64"]},
        "inet6 2001:db8:20::7/64 scope global", "dynamic"
    ),
    "the far end of a veth": (
        BASE + "ip link add br1 type bridge && ip link add v0 type veth peer name v1 && ip link set v0 alias virtnet.kvm master br0 up"
        " && ip link set v1 master br1 up", {"ports": []}, "br1", "v1"
    ),
    "a router that a route of its own reaches": (
        "", {"addresses": ["10.20.0.5/32"], "gateway4": "172.31.1.1", "routes": [{"to": "172.31.1.1/32"}]},
        "default via 172.31.1.1 dev br0", "default via 192.0.2.1"
    ),
    "a router that only the new prefix reaches": (
        BASE + "ip address add 2001:db8:9::2/128 dev br0 nodad", {"addresses": ["10.20.0.1/24", "2001:db8:9::2/64"], "gateway6": "2001:db8:9::1"},
        "inet6 2001:db8:9::2/64 scope global", "default via 2001:db8:1::1"
    ),
    "a lease with another prefix": (
        BASE + "ip address add 2001:db8:9::5/128 dev br0 valid_lft 6000 preferred_lft 6000 nodad", {"addresses": ["2001:db8:9::5/64"]},
        "inet6 2001:db8:9::5/64 scope global", "2001:db8:9::5/128"
    ),
    "a route that the options can't say": (
        BASE + SIX + "ip route add 10.30.0.0/16 via inet6 2001:db8:20::9 dev br0", {"routes": [], "stp": {"priority": 4096}},
        "10.30.0.0/16 via inet6 2001:db8:20::9", "priority 32768 vlan"
    ),
    "a link-local address that somebody made up": (BASE + "true", {"addresses": ["fe80::1/64"]}, "br0", "10.20.0.1/24"),
}  # fmt: skip


@pytest.mark.parametrize("what", BESIDE)
def test_what_the_kernel_changes_beside_comes_back(bridges: BridgeHost, what: str) -> None:
    """Whichever step fails. Then, without a fault, it is as it should be, and is so on the second run."""
    setup, change, shown, not_shown = BESIDE[what]
    bridges.run(setup or "true")
    change = {"name": "br0", **change}
    steps, answer = bridges.put_back_at_each_step(**change)
    assert steps > 1 and answer["changed"], answer
    found = bridges.snapshot()
    assert shown in found and not_shown not in found, found
    assert not bridges.ask(**change)["changed"]
    put_back = bridges.module("linux_bridge_info", name="br0")["bridges"][0]["definition"]
    assert not bridges.ask(name="br0", **put_back)["changed"]


def test_both_ends_of_a_veth_in_one_call(bridges: BridgeHost) -> None:
    ends = [{"name": "br0", "ports": [{"name": "v0", "type": "veth", "peer": "v1"}]}, {"name": "br1", "ports": ["v1"]}]
    bridges.settled(bridges=ends)
    assert (bridges.ports("br0"), bridges.ports("br1")) == ({"v0"}, {"v1"})
    assert {"UP", "LOWER_UP"} <= set(bridges.link("v1")["flags"])


def test_a_veth_into_a_container(bridges: BridgeHost) -> None:
    bridges.run("ip netns add box")
    try:
        wanted = {"name": "br0", "ports": [{"name": "v0", "type": "veth", "peer": "v1"}]}
        bridges.settled(**wanted)
        bridges.run("ip link set v1 netns box && ip netns exec box ip link set v1 up")
        assert not bridges.ask(**wanted)["changed"]
        assert bridges.settled(**wanted, addresses=["10.20.0.1/24"])["actions"] == ["add 10.20.0.1/24 to br0"]
        bridges.settled(name="br0", ports=[])
        assert "v0" not in bridges.links() and "v1" not in bridges.run("ip netns exec box ip link")
    finally:
        bridges.run("ip netns delete box")


def test_a_veth_moves_and_its_other_end_stays_as_it_is(bridges: BridgeHost) -> None:
    port = {"name": "v0", "type": "veth", "peer": "v1"}
    bridges.settled(name="br0", ports=[port])
    bridges.run("ip link set v1 up && ip address add 10.7.0.1/24 dev v1")
    bridges.settled(bridges=[{"name": "br0", "ports": []}, {"name": "br1", "ports": [port]}])
    assert (
        bridges.ports("br1") == {"v0"}
        and bridges.addresses("v1") == {"10.7.0.1/24"}
        and "UP" in bridges.link("v1")["flags"]
    )


def test_a_vxlan_on_a_link_that_gets_larger(bridges: BridgeHost) -> None:
    bridges.veth("p0")
    vxlan = {"name": "vx0", "type": "vxlan", "id": 42, "remote": "192.0.2.99", "dstport": 4789, "parent": "p0"}
    bridges.settled(name="br0", ports=[{"name": "p0", "mtu": 4000}, vxlan])
    assert [bridges.link(name)["mtu"] for name in ("p0", "vx0", "br0")] == [4000, 3950, 3950]


def test_what_is_said_of_a_new_bridges_size_holds(bridges: BridgeHost) -> None:
    """Also once its ports are larger."""
    bridges.veth("p0", "p1")
    bridges.settled(name="br0", mtu=1400, ports=[{"name": "p0", "mtu": 1500}])
    assert bridges.link("br0")["mtu"] == 1400
    bridges.settled(name="br1", mtu=1400)
    bridges.run("ip link set p1 master br1")
    assert bridges.link("br1")["mtu"] == 1400


def test_check_mode_touches_nothing(bridges: BridgeHost) -> None:
    bridges.veth("p0")
    before = bridges.snapshot()
    for persist in ("none", "networkd"):
        assert bridges.ask(check=True, persist=persist, name="br0", ports=["host0", "p0"], inherit=True)["changed"]
        assert bridges.snapshot() == before


def test_a_guest_keeps_its_link(bridges: BridgeHost) -> None:
    bridges.veth("p0", "p1")
    bridges.settled(name="br0", ports=["p0"], addresses=["10.20.0.1/24"])
    bridges.define("<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>")
    bridges.virsh("net-start", "lan")
    from virtlab import guest

    guest.start(bridges.machine, "web", [guest.interface("lan", None, None)])
    tap = bridges.tap("web")
    place = bridges.link(tap)["linkinfo"]["info_slave_data"]
    bridges.settled(name="br0", ports=["p1"], addresses=["10.20.0.2/24"], stp={"enabled": True}, mtu=1400)
    found = bridges.settled(name="br0", ports=[{"name": "p1", "isolated": True}])
    assert found["guests"] == ["web"]
    assert bridges.link(tap)["master"] == "br0"
    kept = ("isolated", "hairpin", "learning", "flood", "priority")
    assert {name: bridges.link(tap)["linkinfo"]["info_slave_data"][name] for name in kept} == {
        name: place[name] for name in kept
    }
    refused = bridges.refused(name="br0", state="absent")
    assert "web" in refused and "running guests" in refused
    assert bridges.module("linux_bridge_info", name="br0")["bridges"][0]["guests"] == [
        {"interface": tap, "guest": "web"}
    ]
    bridges.bridge(name="br0", ports=["p1", {"name": tap, "state": "absent"}])
    assert "master" not in bridges.link(tap)
    bridges.virsh("destroy", "web")
    bridges.virsh("undefine", "web")
    bridges.virsh("net-destroy", "lan")
    bridges.virsh("net-undefine", "lan")


def test_five_hundred_in_one_call(bridges: BridgeHost) -> None:
    every = [{"name": f"many{number}"} for number in range(500)]
    assert bridges.ask(bridges=every)["changed"]
    assert not bridges.ask(bridges=every)["changed"]
    assert len(json.loads(bridges.run("ip -j link show type bridge"))) == 500
    # one message to the kernel takes all of them away
    bridges.run(
        "for i in $(seq 0 499); do echo link set many$i group 77; done | ip -batch - && ip link delete group 77"
    )
