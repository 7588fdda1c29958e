# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge's table: kernel and back, VLANs, normal form."""

from __future__ import annotations

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge import options
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError


@pytest.mark.parametrize(
    ("said", "ranges"),
    [([], []), ([1], [1]), (["1-3"], ["1-3"]), ([3, 2, 1], ["1-3"]), ([1, "3-4", 4094], [1, "3-4", 4094]), ("7", [7])],
)
def test_vlans_in_normal_form(said: object, ranges: list) -> None:
    assert options.ranges(options.vids(said)) == ranges
    assert options.ranges(options.vids(ranges)) == ranges


@pytest.mark.parametrize("bad", [0, 4095, "3-2", "x", "1-", "-1"])
def test_no_vlan(bad: object) -> None:
    if bad == "1-":
        assert options.vids([bad]) == {1}
        return
    with pytest.raises(ValueError):
        options.vids([bad])


@pytest.mark.parametrize(
    ("said", "flags"),
    [
        ({"pvid": 10}, {10: 6}),
        ({"pvid": 10, "tagged": [10]}, {10: 2}),
        ({"pvid": 10, "untagged": [10, 11], "tagged": ["20-21"]}, {10: 6, 11: 4, 20: 0, 21: 0}),
        ({}, {}),
    ],
)
def test_vlans_to_the_kernel_and_back(said: dict, flags: dict) -> None:
    assert options.flags_of(said) == flags
    assert options.flags_of(options.vlans_of(flags)) == flags


def test_every_attribute_to_the_kernel_and_back() -> None:
    said = {
        "stp": {"enabled": True, "priority": 4096, "forward_delay": 4, "hello_time": 1.5, "max_age": 12},
        "ageing_time": 60, "group_fwd_mask": 8,
        "vlan": {"filtering": True, "protocol": "802.1ad", "default_pvid": 7, "stats": True},
        "multicast": {"snooping": False, "startup_query_interval": 10, "igmp_version": 3},
    }  # fmt: skip
    normal = options.normal_options(said)
    assert options.from_kernel(options.BRIDGE, options.to_kernel(options.BRIDGE, normal)) == normal
    assert options.to_kernel(options.BRIDGE, normal)["IFLA_BR_HELLO_TIME"] == 150
    vxlan = {"id": 7, "local": "2001:db8::1", "remote": "192.0.2.1", "dstport": 4789}
    kernel = options.to_kernel(options.MADE["vxlan"], vxlan)
    assert kernel["IFLA_VXLAN_LOCAL6"] == "2001:db8::1" and kernel["IFLA_VXLAN_GROUP"] == "192.0.2.1"
    assert options.from_kernel(options.MADE["vxlan"], kernel) == vxlan


def test_what_is_usual_is_not_told() -> None:
    usual = options.to_kernel(options.BRIDGE, options._usual_options(options.BRIDGE))
    assert options.from_kernel(options.BRIDGE, usual, all_=False) == {}
    assert options.from_kernel(options.BRIDGE, {**usual, "IFLA_BR_MCAST_STARTUP_QUERY_INTVL": 3124}, all_=False) == {}


@pytest.mark.parametrize(
    ("attribute", "one", "other", "same"),
    [
        ("IFLA_BR_MCAST_QUERY_INTVL", 3124, 3125, True),
        ("IFLA_BR_MCAST_QUERY_INTVL", 3120, 3125, False),
        ("IFLA_BR_STP_STATE", 0, 1, False),
        ("IFLA_BR_STP_STATE", 2, 1, True),
        ("IFLA_BR_AGEING_TIME", None, 300, True),
        ("IFLA_BR_PRIORITY", None, 1, False),
    ],
)
def test_the_kernel_rounds_times(attribute: str, one: object, other: object, same: bool) -> None:
    assert options.same(attribute, one, other) is same


def test_a_bond_is_made_with_what_its_mode_takes() -> None:
    data = options.to_kernel(options.MADE["bond"], {"mode": "active-backup", "lacp_rate": "slow", "miimon": 100})
    assert options.unusual("bond", data) == {"IFLA_BOND_MODE": 1, "IFLA_BOND_MIIMON": 100}


def test_routes_say_no_default() -> None:
    said = [{"to": "2001:db8::/32", "via": "fe80::1", "metric": 1024, "table": 254}, {"to": "10.1.2.3/8", "metric": 5}]
    routes = options.normal_options({"routes": said})["routes"]
    assert routes == [{"to": "10.0.0.0/8", "metric": 5}, {"to": "2001:db8::/32", "via": "fe80::1"}]
    assert options.normal_options({"routes": [{"to": "2001:db8::/32", "metric": 0}]})["routes"] == [
        {"to": "2001:db8::/32"}
    ]


def test_what_is_said_to_be_empty_is_said() -> None:
    said = {"routes": [], "addresses": [], "dns": {"servers": []}, "vlan": {"self": {"tagged": []}}}
    assert options.normal_options(said) == {"routes": [], "addresses": [], "dns": {}, "vlan": {"self": {}}}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"gateway4": "2001:db8::1"}, "gateway4: '2001:db8::1': take an address of IPv4, or say gateway6"),
        ({"gateway6": "fe80::1%eth0"}, "gateway6: .*without its scope"),
        ({"routes": [{"to": "10.0.0.0/8", "via": "fe80::1"}]}, "routes: 10.0.0.0/8 via: fe80::1: .*IPv4 as well"),
    ],
)
def test_bad_routers(said: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        options.normal_options(said)


def test_a_list_of_one_may_be_said_without_its_brackets() -> None:
    port = options.normal_port({"name": "b0", "type": "bond", "ports": "eno2", "vlans": {"tagged": "12, 20-22"}}, "p")
    assert port["ports"] == ["eno2"] and port["vlans"] == {"tagged": [12, "20-22"]}
    assert options.normal_port({"name": "x", "vlans": {"tagged": 20}}, "p")["vlans"] == {"tagged": [20]}


@pytest.mark.parametrize(
    ("port", "words"),
    [
        (5, "say a link's name"),
        ({"isolated": True}, "p.name: missing"),
        ({"name": "x", "type": "vlan", "id": 5}, "p.parent: missing"),
        ({"name": "x", "type": "vlan", "id": 4095, "parent": "y"}, "1 to 4094"),
        ({"name": "x", "type": "dummy", "peer": "y"}, "p.peer: a port of type dummy has none"),
        ({"name": "x", "colour": "red"}, "p.colour"),
        ({"name": "x", "cost": 0}, "p.cost"),
        ({"name": "x", "vlans": [10]}, "p.vlans: .*say a dictionary of pvid"),
    ],
)
def test_bad_ports(port: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        options.normal_port(port, "p")


def test_the_argument_spec_takes_the_designs_words() -> None:
    said = {
        "name": "br0", "ports": ["eno1", {"name": "eno2", "isolated": True}], "inherit": True, "dhcp4": False,
        "dns": {"servers": ["192.0.2.1"], "search": ["example"]}, "routes": [{"to": "10.0.0.0/8", "via": "192.0.2.1"}],
        "vlan": {"filtering": True, "self": {"tagged": [1, "3-4"]}}, "confirm_timeout": 0, "persist": "none",
    }  # fmt: skip
    assert not ArgumentSpecValidator(options.spec()).validate(said).error_messages
    assert (
        not ArgumentSpecValidator(options.spec()).validate({"bridges": [{"name": "br0", "mtu": 1400}]}).error_messages
    )
