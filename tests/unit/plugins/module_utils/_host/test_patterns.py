# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each pattern means for the modules, what a declaration can't be, and what is left over of an earlier one."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._host import patterns
from ansible_collections.virtnet.kvm.plugins.module_utils._host.patterns import (
    bridge,
    declaration,
    leftovers,
    libvirt_network,
    merged,
    record,
)

LAN = {"name": "lan", "pattern": "bridged", "bridge": "br0", "nic": "eno1"}
LAB = {
    "name": "lab",
    "pattern": "nat",
    "address": "10.10.0.1/24",
    "address6": "fd00::1/64",
    "domain": "lab.example",
    "dev": "eno1",
}
DMZ = {"name": "dmz", "pattern": "routed", "address": "203.0.113.1/28", "dev": "eno1", "dhcp": False}
SEALED = {
    "name": "sealed",
    "pattern": "isolated",
    "address": "10.66.0.1/24",
    "host_access": False,
    "isolate_guests": True,
}
EDGE = {"name": "edge", "pattern": "custom_nat", "bridge": "br-edge", "address": "192.168.50.1/24", "mtu": 1400}
LEASE = {
    "name": "lease",
    "pattern": "custom_routed",
    "address": "198.51.100.1/29",
    "linux_bridge": {"stp": {"enabled": True}},
}
ALL = [LAN, LAB, DMZ, SEALED, EDGE, LEASE]


def one(said: dict):
    return declaration([said]).networks[0]


@pytest.mark.parametrize(("said", "wanted"), [
    (LAN, {"name": "br0", "ports": ["eno1"], "inherit": True}),
    (EDGE, {"name": "br-edge", "addresses": ["192.168.50.1/24"], "mtu": 1400}),
    (LEASE, {"name": "vn-lease", "addresses": ["198.51.100.1/29"], "stp": {"enabled": True}}),
])  # fmt: skip
def test_bridge(said: dict, wanted: dict) -> None:
    assert bridge(one(said)) == wanted


def test_an_mtu_that_is_said_no_more_goes_back() -> None:
    plain = {name: value for name, value in EDGE.items() if name != "mtu"}
    assert bridge(one(plain), {"declared": {"networks": [EDGE]}})["mtu"] == 1500
    assert "mtu" not in bridge(one(plain), {"declared": {"networks": [plain]}})
    assert bridge(one(EDGE), {"declared": {"networks": [{**EDGE, "mtu": 9000}]}})["mtu"] == 1400


RANGE = {"ranges": [{"start": "10.10.0.2", "end": "10.10.0.254"}], "hosts": []}


@pytest.mark.parametrize(("said", "wanted"), [
    (LAN, {"name": "lan", "bridge": "br0", "mode": "bridge"}),
    (LAB, {"name": "lab", "bridge": "vn-lab", "mode": "nat", "forward": {"dev": "eno1", "nat": {"ipv6": True}},
           "domain": {"name": "lab.example"},
           "subnets": [{"address": "10.10.0.1/24", "dhcp": RANGE}, {"address": "fd00::1/64"}]}),
    (DMZ, {"name": "dmz", "bridge": "vn-dmz", "mode": "route", "forward": {"dev": "eno1"}, "subnets": [{"address": "203.0.113.1/28"}]}),
    (EDGE, {"name": "edge", "bridge": "br-edge", "mode": "bridge"}),
    ({"name": "void", "pattern": "isolated", "restart": "never", "autostart": False, "libvirt_network": {"title": "t"}},
     {"name": "void", "bridge": "vn-void", "mode": "isolated", "restart": "never", "autostart": False, "title": "t"}),
])  # fmt: skip
def test_libvirt_network(said: dict, wanted: dict) -> None:
    assert libvirt_network(one(said)) == wanted


def test_isolated_guests_are_kept_apart_by_libvirt() -> None:
    assert libvirt_network(one(SEALED))["isolate_ports"] is True


def test_the_way_out_over_a_bridged_nic_is_its_bridge() -> None:
    found = declaration([LAN, DMZ]).networks
    assert libvirt_network(found[1])["forward"] == {"dev": "br0"}


@pytest.mark.parametrize(("networks", "words"), [
    ([LAN, {**LAN, "name": "two"}], ["bridge", "'br0'", "eno1", "already"]),
    ([LAB, {**DMZ, "name": "lab"}], ["name", "'lab'"]),
    ([LAB, {**DMZ, "address": "10.10.0.129/25"}], ["10.10.0.128/25", "10.10.0.0/24 of lab"]),
    ([{**LAB, "hosts": [{"ip": "10.11.0.5", "name": "w"}]}], ["10.11.0.5 is not in 10.10.0.0/24 or fd00::/64"]),
    ([{**LAB, "forwards": [{"port": 1, "to": "10.11.0.5"}]}], ["forwards: to: 10.11.0.5 is not in"]),
    ([{**LAB, "forwards": [{"port": 1, "to": "10.10.0.5"}]}, {**EDGE, "forwards": [{"port": "1-9", "to": "192.168.50.9"}]}],
     ["network edge", "tcp port 1", "already by lab"]),
    ([{"name": "x", "pattern": "y"}, {"name": "z", "pattern": "bridged"}], ["network x", "network z"]),
])  # fmt: skip
def test_refused_together(networks: list[dict], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        declaration(networks)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    ("before", "said", "removed", "names"),
    [
        ([LAB], [LAN], {}, ["lab", "lan"]),
        ([LAB, LAN], [], {"networks": ["lab"]}, ["lan"]),
        ([LAB, LAN], [LAB], {"networks": ["lab"]}, ["lan"]),
        ([], [LAB, LAN], {"networks": ["lab"]}, ["lan"]),
    ],
)
def test_what_is_removed_counts_as_not_said(before: list, said: list, removed: dict, names: list[str]) -> None:
    found = merged({"declared": {"networks": before, "guests": []}}, {"networks": said, "guests": []}, removed)
    assert [network["name"] for network in found["networks"]] == names


def test_what_can_be_meant_of_a_wrong_declaration_is_looked_at_as_well() -> None:
    found, errors = patterns.understood([{"name": "x", "pattern": "y"}, LAN], [{"guest": "g"}])
    assert [one.name for one in found.networks] == ["lan"] and len(errors) == 2


def test_the_same_port_on_two_addresses_or_protocols_is_no_clash() -> None:
    to = {"to": "10.10.0.5:1"}
    forwards = [
        {"port": 1, "address": "192.0.2.1", **to},
        {"port": 1, "address": "192.0.2.2", **to},
        {"port": 1, "protocol": "udp", **to},
    ]
    assert len(one({**LAB, "forwards": forwards}).forwards) == 3


def test_nothing_is_left_over_of_the_same() -> None:
    first = record(declaration(ALL))
    assert leftovers(first, record(declaration(ALL), before=first)) == {"networks": [], "bridges": [], "interfaces": []}


def absent(*names: str) -> list[dict]:
    return [{"name": name, "state": "absent"} for name in names]


@pytest.mark.parametrize(("before", "after", "networks", "bridges"), [
    (ALL, [], ("dmz", "edge", "lab", "lan", "lease", "sealed"), ("br-edge", "br0", "vn-lease")),
    ([LAN], [LAB], ("lan",), ("br0",)),
    ([LAB], [{**SEALED, "name": "lab"}], (), ()),
    ([EDGE], [{**LEASE, "name": "edge", "bridge": "br-edge"}], (), ()),
    ([EDGE], [{**LAB, "name": "edge", "bridge": "br-edge"}], ("edge",), ("br-edge",)),
    ([LAB], [{**EDGE, "name": "lab", "bridge": "vn-lab"}], ("lab",), ()),
    ([LAN], [{**EDGE, "name": "lan", "bridge": "br0"}], ("lan",), ("br0",)),
    ([EDGE], [{**LAN, "name": "edge", "bridge": "br-edge"}], ("edge",), ("br-edge",)),
    ([LAN], [{**LAN, "nic": "eno2"}], ("lan",), ("br0",)),
])  # fmt: skip
def test_leftovers(before: list, after: list, networks: tuple, bridges: tuple) -> None:
    first = record(declaration(before))
    found = leftovers(first, record(declaration(after), before=first))
    assert found["networks"] == absent(*networks) and found["bridges"] == absent(*bridges)


def test_what_was_there_before_is_not_ours_to_take_away() -> None:
    there = {"networks": {"lab"}, "bridges": {"br0"}}
    first = record(declaration([LAN, LAB, EDGE]), there)
    later = record(
        declaration([LAN, LAB, EDGE]), {"networks": {"lab", "lan", "edge"}, "bridges": {"br0", "br-edge"}}, first
    )
    assert first == later
    assert leftovers(later, record(declaration([]))) == {
        "networks": absent("edge", "lan"), "bridges": absent("br-edge"), "interfaces": [],
    }  # fmt: skip


def test_a_bridge_that_was_made_for_another_pattern_or_network_is_not_adopted() -> None:
    there = {"networks": {"lab", "edge"}, "bridges": {"vn-lab", "br-edge"}}
    first = record(declaration([LAB, EDGE]))
    later = record(
        declaration([{**EDGE, "name": "lab", "bridge": "vn-lab"}, {**LEASE, "bridge": "br-edge"}]), there, first
    )
    assert [one["adopted"] for one in later["networks"].values()] == [[], []]


def test_an_adopted_network_stays_adopted_when_its_pattern_changes() -> None:
    there = {"networks": {"lab"}, "bridges": {"vn-lab"}}
    first = record(declaration([LAB]), there)
    later = record(declaration([{**EDGE, "name": "lab", "bridge": "br-edge"}]), there, first)
    assert later["networks"]["lab"]["adopted"] == ["network"]
    assert leftovers(later, record(declaration([])))["networks"] == []


def test_an_interface_that_was_there_before_is_not_ours_to_take_away() -> None:
    guests = [{"guest": "g", "interfaces": [{"network": "lab"}, {"network": "lan"}]}]
    plugged = {"interfaces": [{"guest": "g", "network": "lab", "mac": "52:54:00:00:00:01"}]}
    first = record(declaration([LAN, LAB], guests), plugged)
    again = record(
        declaration([LAN, LAB], guests),
        {"interfaces": [*plugged["interfaces"], {"guest": "g", "network": "lan", "mac": "52:54:00:00:00:02"}]},
        first,
    )
    assert again == first
    found = leftovers(again, record(declaration([LAN, LAB])))
    assert found["interfaces"] == [{"guest": "g", "network": "lan", "state": "absent"}]


def test_an_interface_whose_mac_is_said_later_is_the_same() -> None:
    guests = [{"guest": "g", "interfaces": [{"network": "lab"}]}]
    said = [{"guest": "g", "interfaces": [{"network": "lab", "mac": "52:54:00:00:00:01"}]}]
    for before, after in ((guests, said), (said, guests)):
        first = record(declaration([LAB], before))
        assert leftovers(first, record(declaration([LAB], after), before=first))["interfaces"] == []


def test_interfaces_that_are_no_longer_declared() -> None:
    guests = [{"guest": "g", "interfaces": [{"network": "lab"}, {"network": "lan", "mac": "52:54:00:00:00:01"}]}]
    first = record(declaration([LAN, LAB], guests))
    found = leftovers(first, record(declaration([LAN, LAB])))
    assert found["interfaces"] == [
        {"guest": "g", "network": "lab", "state": "absent"},
        {"guest": "g", "network": "lan", "mac": "52:54:00:00:00:01", "state": "absent"},
    ]
    now = record(declaration([LAN, LAB]))
    assert leftovers(first, now, {"guests": {"g"}}) == found
    assert leftovers(first, now, {"guests": {"other"}})["interfaces"] == []  # a guest that is gone has none to unplug
    plug = declaration([LAN, LAB], guests).plugs[1]
    assert patterns.interface(plug) == {"guest": "g", "network": "lan", "mac": "52:54:00:00:00:01"}


def test_merged() -> None:
    before = {"declared": {"networks": [LAN, LAB], "guests": [{"guest": "g"}]}}
    said = {"networks": [{**LAB, "mtu": 1400}], "guests": []}
    assert merged(before, said, {}) == {"networks": [LAN, {**LAB, "mtu": 1400}], "guests": [{"guest": "g"}]}
    nothing: dict = {"networks": [], "guests": []}
    assert merged(before, nothing, {"networks": ["lan"], "guests": ["g"]}) == {"networks": [LAB], "guests": []}
    assert merged({}, said, {"networks": None}) == said
    again = merged(before, {"networks": [LAN], "guests": []}, {})
    assert again["networks"] == [LAN, LAB]  # each in its place, whichever role speaks first


@pytest.mark.parametrize(
    ("said", "four", "six"), [(LAN, False, False), (SEALED, False, False), (LAB, True, True), (EDGE, True, False)]
)
def test_forwarding(said: dict, four: bool, six: bool) -> None:
    found = declaration([said]).networks
    assert (patterns.needs_forwarding(found, 4), patterns.needs_forwarding(found, 6)) == (four, six)


def test_a_network_whose_name_is_a_number_can_be_removed() -> None:
    before = {"declared": {"networks": [{**LAB, "name": 100}], "guests": []}}
    assert merged(before, {"networks": [{**LAB, "name": 100}], "guests": []}, {"networks": ["100"]})["networks"] == []


M = "52:54:00:00:00:01"


def on(network: str, mac: str | None = M) -> list[dict]:
    return [{"guest": "g", "interfaces": [{"network": network, **({"mac": mac} if mac else {})}]}]


@pytest.mark.parametrize(("before", "after"), [("lab", M), ("lab", None)], ids=["by its MAC", "by its network"])
def test_a_nic_that_moves_to_another_network_is_not_unplugged(before: str, after: str | None) -> None:
    first = record(declaration([LAN, LAB], on(before, after)))
    now = record(declaration([LAN, LAB], on("lan")), before=first)
    there = {"guests": {"g"}, "interfaces": [{"guest": "g", "network": "lab", "bridge": None, "mac": M}]}
    assert leftovers(first, now, there)["interfaces"] == []


@pytest.mark.parametrize("was", [{"network": "default"}, {"bridge": "br7"}])
def test_a_nic_that_the_guest_had_before_goes_back_to_where_it_was(was: dict) -> None:
    there = {
        "networks": {"default"}, "guests": {"g"},
        "interfaces": [{"guest": "g", "network": None, "bridge": None, "mac": M.upper(), **was}],
    }  # fmt: skip
    first = record(declaration([LAB, LAN], on("lab")), there)
    there["interfaces"][0].update(network="lab", bridge=None)
    moved = record(declaration([LAB, LAN], on("lan")), there, first)
    back = leftovers(moved, record(declaration([LAB, LAN])), there)["interfaces"]
    assert back == [{"guest": "g", "mac": M, **was}]
    gone = {**there, "networks": set()}
    assert bool(leftovers(moved, record(declaration([LAB, LAN])), gone)["interfaces"]) is ("bridge" in was)


def test_what_is_said_besides_takes_nothing_away() -> None:
    more = {"forward": {"nat": {"ports": {"start": 5000, "end": 6000}}}, "domain": {"local_only": True}}
    found = libvirt_network(one({**LAB, "libvirt_network": more}))
    assert found["forward"] == {"dev": "eno1", "nat": {"ipv6": True, **more["forward"]["nat"]}}
    assert found["domain"] == {"name": "lab.example", "local_only": True}


def test_names_without_a_lease_are_names_all_the_same() -> None:
    hosts = [{"ip": "10.10.0.5", "name": "web", "mac": M}, {"ip": "fd00::5", "name": "web"}]
    found = libvirt_network(one({**LAB, "hosts": hosts}))
    assert found["dns"] == {"hosts": [{"ip": "fd00::5", "hostnames": ["web"]}]}
    still = libvirt_network(one({**LAB, "dhcp": False, "hosts": [{"ip": "10.10.0.5", "name": "web"}]}))
    assert still["dns"] == {"hosts": [{"ip": "10.10.0.5", "hostnames": ["web"]}]}


@pytest.mark.parametrize(("before", "after", "networks", "bridges"), [
    ([LAB], [LAB], [], []),
    ([LAB], [{**LAB, "name": "other"}], ["other"], []),
    ([LAB], [{**LAB, "name": "other", "address": "10.11.0.1/24", "address6": "fd01::1/64", "bridge": "vn-lab"}], ["other"], []),
    ([EDGE], [{**LAB, "name": "edge", "bridge": "br-edge"}], ["edge"], []),
    ([EDGE], [{**EDGE, "name": "two", "bridge": "br-two"}], ["two"], ["br-two"]),
    ([LAN], [{**LAN, "name": "two", "bridge": "br1"}], ["two"], ["br1"]),
    ([LAB, EDGE], [EDGE], [], []),
])  # fmt: skip
def test_what_comes_into_the_place_of_what_goes_waits_for_it(
    before: list, after: list, networks: list, bridges: list
) -> None:
    first = {**record(declaration(before)), "declared": {"networks": before}}
    found = declaration(after)
    waiting = patterns.waiting(found, first, leftovers(first, record(found, before=first)))
    assert waiting == {"networks": networks, "bridges": bridges}
