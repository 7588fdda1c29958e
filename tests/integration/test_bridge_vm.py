# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers lack: VLAN filtering, 8021q, bonding and dummy, in a virtual machine. Seen by ip(8) and bridge(8)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from bridge_host import BridgeHost, difference
from test_ansible import ansible
from virtlab.lab import Lab
from virtlab.system import wait_for

pytestmark = pytest.mark.slow
RELEASE = os.environ.get("VIRTNET_VM_RELEASE", "bookworm")
FILTER = {"vlan": {"filtering": True}}


@pytest.fixture(scope="module")
def machine() -> Iterator[BridgeHost]:
    lab = Lab("test-bridge-vm")
    lab.up(1, RELEASE, "vm")
    host = BridgeHost(lab, lab.machine("h1"))
    host.reset()
    host.install()
    yield host
    host.close()
    if not os.environ.get("VIRTNET_KEEP_LAB"):
        lab.down()


@pytest.fixture
def vm(machine: BridgeHost) -> BridgeHost:
    machine.reset()
    return machine


def vlans(vm: BridgeHost, link: str) -> dict[int, list[str]]:
    """{VLAN: flags} as bridge(8) tells them."""
    found: dict[int, list[str]] = {}
    for one in json.loads(vm.run(f"bridge -j vlan show dev {link}") or "[]"):
        for vlan in one["vlans"]:
            for number in range(vlan["vlan"], vlan.get("vlanEnd", vlan["vlan"]) + 1):
                found[number] = sorted(vlan.get("flags", []))
    return found


ACCESS, OWN = ["Egress Untagged", "PVID"], ["Egress Untagged", "PVID"]


@pytest.mark.parametrize(
    ("first", "then", "where", "shown", "shown_then"),
    [
        ({"filtering": True}, {"filtering": False}, "vlan_filtering", 1, 0),
        ({"protocol": "802.1ad"}, {"protocol": "802.1Q"}, "vlan_protocol", "802.1ad", "802.1Q"),
        ({"default_pvid": 77}, {"default_pvid": 1}, "vlan_default_pvid", 77, 1),
        ({"stats": True}, {"stats": False}, "vlan_stats_enabled", 1, 0),
    ],
)
def test_vlan_option(vm: BridgeHost, first: dict, then: dict, where: str, shown: object, shown_then: object) -> None:
    for options, wanted in ((first, shown), (then, shown_then), (first, shown)):
        vm.settled(name="br0", vlan=options)
        assert vm.link("br0")["linkinfo"]["info_data"][where] == wanted


def test_trunk_to_access_and_back(vm: BridgeHost) -> None:
    vm.veth("p0")
    trunk = {"name": "p0", "vlans": {"tagged": [10, "20-29", 4094]}}
    access = {"name": "p0", "vlans": {"pvid": 10, "untagged": [10]}}
    for port, wanted in (
        (trunk, {10: [], **{vid: [] for vid in range(20, 30)}, 4094: []}),
        (access, {10: ACCESS}),
        (trunk, {10: [], **{vid: [] for vid in range(20, 30)}, 4094: []}),
        ({"name": "p0", "vlans": {"pvid": 20, "tagged": ["19-21"]}}, {19: [], 20: ["PVID"], 21: []}),
        ({"name": "p0", "vlans": {"pvid": 21, "untagged": [19], "tagged": [20, 21]}}, {19: ["Egress Untagged"], 20: [], 21: ["PVID"]}),
        ({"name": "p0", "vlans": {}}, {}),
    ):  # fmt: skip
        vm.settled(name="br0", ports=[port], **FILTER)
        assert vlans(vm, "p0") == wanted
    vm.settled(name="br0", ports=[], **FILTER)
    vm.settled(name="br0", ports=["p0"], **FILTER)
    assert vlans(vm, "p0") == {1: ACCESS}


def test_the_bridges_own_vlans(vm: BridgeHost) -> None:
    for own, wanted in (
        ({"untagged": [5], "pvid": 5, "tagged": [6, 7]}, {5: OWN, 6: [], 7: []}),
        ({"tagged": ["6-9"]}, {6: [], 7: [], 8: [], 9: []}),
    ):
        vm.settled(name="br0", vlan={"filtering": True, "self": own})
        assert vlans(vm, "br0") == wanted


def test_guests_vlans_stay_while_other_ports_change(vm: BridgeHost) -> None:
    vm.veth("p0")
    vm.run("ip link add br0 type bridge vlan_filtering 1 && ip tuntap add guest0 mode tap && ip link set guest0 master br0 up"
           " && bridge vlan add dev guest0 vid 30 pvid untagged && bridge link set dev guest0 isolated on")  # fmt: skip
    before = vlans(vm, "guest0")
    vm.settled(name="br0", ports=[{"name": "p0", "vlans": {"tagged": ["30-33"]}}], stp={"enabled": True}, **FILTER)
    vm.settled(name="br0", ports=[], mtu=1400, **FILTER)
    assert vlans(vm, "guest0") == before
    assert vm.link("guest0")["linkinfo"]["info_slave_data"]["isolated"] and vm.ports("br0") == {"guest0"}


def test_a_default_pvid_moves_ports_as_check_mode_said_and_comes_back(vm: BridgeHost) -> None:
    vm.veth("p0", "p1")
    vm.run("ip link add br0 type bridge vlan_filtering 1 && ip link set br0 up && ip tuntap add guest0 mode tap"
           " && for link in guest0 p0 p1; do ip link set $link master br0 up; done && bridge vlan add dev p1 vid 7 pvid untagged")  # fmt: skip
    links = ("br0", "p0", "p1", "guest0")

    def look() -> dict[str, dict[int, list[str]]]:
        return {link: vlans(vm, link) for link in links}

    there = look()
    for pvid, own, of_p1 in (
        (5, {5: ACCESS}, {1: ["Egress Untagged"], 7: ACCESS}),
        (0, {}, {1: ["Egress Untagged"], 7: ACCESS}),
        (9, {9: ACCESS}, {1: ["Egress Untagged"], 7: ["Egress Untagged"], 9: ACCESS}),
        (1, {1: ACCESS}, {1: ["Egress Untagged"], 7: ["Egress Untagged"], 9: ACCESS}),
    ):
        change = {"name": "br0", "vlan": {"filtering": True, "default_pvid": pvid}}
        steps, _answer = vm.put_back_at_each_step(look, **change)
        assert steps > 1
        assert not vm.ask(**change)["changed"]
        assert vlans(vm, "guest0") == vlans(vm, "p0") == vlans(vm, "br0") == own
        if pvid:
            assert vlans(vm, "p1") == of_p1
    assert {**look(), "p1": None} == {**there, "p1": None}
    assert vm.ports("br0") == {"guest0", "p0", "p1"}


def test_a_default_pvid_with_ports_that_are_said(vm: BridgeHost) -> None:
    vm.veth("p0", "p1")
    vm.settled(name="br0", ports=["p0", "p1"], **FILTER)
    vlan = {"filtering": True, "default_pvid": 5}
    vm.settled(name="br0", vlan=vlan, ports=["p0", {"name": "p1", "vlans": {"pvid": 1, "tagged": [30]}}])
    assert (vlans(vm, "p0"), vlans(vm, "p1")) == ({5: ACCESS}, {1: ACCESS, 30: []})


def test_what_stands_on_a_nic_in_a_bond_keeps_its_routes(vm: BridgeHost) -> None:
    vm.run("ip link add nic1.7 link nic1 type vlan id 7 && ip link set nic1 up && ip link set nic1.7 up && ip address add 10.7.0.1/24 dev nic1.7"
           " && ip address add 2001:db8:7::1/64 dev nic1.7 nodad && ip route add 10.77.0.0/16 via 10.7.0.9"
           " && ip route add 2001:db8:77::/48 via 2001:db8:7::9")  # fmt: skip
    bond = {"name": "bond0", "type": "bond", "ports": ["nic1"], "mode": "active-backup", "miimon": 100}
    steps, _answer = vm.put_back_at_each_step(name="br0", ports=[bond])
    assert steps > 5
    assert {"10.7.0.1/24", "2001:db8:7::1/64"} == vm.addresses("nic1.7")
    kept = ("10.77.0.0/16 via 10.7.0.9 dev nic1.7", "2001:db8:77::/48 via 2001:db8:7::9 dev nic1.7")
    assert all(words in vm.routes() for words in kept), vm.routes()
    vm.put_back_at_each_step(name="br0", ports=[])  # and out of the bond again
    assert all(words in vm.routes() for words in kept), vm.routes()
    assert {"10.7.0.1/24", "2001:db8:7::1/64"} == vm.addresses("nic1.7") and "bond0" not in vm.links()


def test_a_vlan_on_a_nic_that_gets_larger(vm: BridgeHost) -> None:
    ports = [{"name": "nic1", "mtu": 4000}, {"name": "nic1.7", "type": "vlan", "parent": "nic1", "id": 7, "mtu": 4000}]
    vm.settled(bridges=[{"name": "br0", "ports": ports[:1]}, {"name": "br1", "ports": ports[1:]}])
    assert [vm.link(name)["mtu"] for name in ("nic1", "nic1.7", "br1")] == [4000, 4000, 4000]
    upper = {"name": "br1.9", "type": "vlan", "parent": "br2", "id": 9}
    vm.settled(bridges=[{"name": "br2", "mtu": 4000}, {"name": "br3", "ports": [upper]}])
    assert [vm.link(name)["mtu"] for name in ("br2", "br1.9", "br3")] == [4000, 4000, 4000]
    vm.run("ip link add up.8 link br0 type vlan id 8 && ip link set up.8 up")
    assert vm.link("up.8")["mtu"] == 4000
    steps, _answer = vm.put_back_at_each_step(lambda: vm.link("up.8")["mtu"], name="br0", mtu=1400)
    assert steps > 2 and vm.link("up.8")["mtu"] == 1400


@pytest.mark.parametrize("persist", ["none", "networkd"])
def test_made_ports(vm: BridgeHost, persist: str) -> None:
    ports = [
        {"name": "nic1.7", "type": "vlan", "parent": "nic1", "id": 7},
        {"name": "dum0", "type": "dummy", "isolated": True},
    ]
    vm.settled(name="br0", ports=ports, persist=persist)
    assert vm.ports("br0") == {"nic1.7", "dum0"}
    assert vm.link("nic1.7")["linkinfo"]["info_data"]["id"] == 7 and vm.link("nic1.7")["link"] == "nic1"
    info = vm.module("linux_bridge_info", name="br0")["bridges"][0]
    assert not vm.ask(name="br0", persist=persist, **info["definition"])["changed"]
    vm.settled(name="br0", ports=ports[1:], persist=persist)
    assert "nic1.7" not in vm.links()
    vm.settled(name="br0", state="absent", persist=persist)
    assert not {"br0", "dum0"} & vm.links()
    assert vm.run("ls /etc/systemd/network | grep -c virtnet || true") == "0"


@pytest.mark.parametrize("persist", ["none", "networkd"])
def test_a_port_goes_into_a_bond(vm: BridgeHost, persist: str) -> None:
    vm.settled(name="br0", ports=["nic1"], persist=persist)
    bond = {"name": "bond0", "type": "bond", "ports": ["nic1"], "mode": "active-backup", "miimon": 100}
    vm.settled(name="br0", ports=[bond], persist=persist)
    assert vm.ports("br0") == {"bond0"} and vm.ports("bond0") == {"nic1"}
    data = vm.link("bond0")["linkinfo"]["info_data"]
    assert (data["mode"], data["miimon"]) == ("active-backup", 100)
    vm.settled(name="br0", ports=["nic1"], persist=persist)
    assert vm.ports("br0") == {"nic1"} and "bond0" not in vm.links()


def test_info_fed_back_with_vlans(vm: BridgeHost) -> None:
    vm.veth("p0", "p1")
    vm.settled(
        name="br0", vlan={"filtering": True, "self": {"tagged": [40]}},
        ports=[{"name": "p0", "vlans": {"tagged": ["10-20"]}}, {"name": "p1", "vlans": {"pvid": 10, "untagged": [10]}}],
    )  # fmt: skip
    info = vm.module("linux_bridge_info", name="br0")["bridges"][0]["definition"]
    assert info["ports"][0]["vlans"] == {"tagged": ["10-20"]} and info["vlan"]["self"] == {"tagged": [40]}
    assert not vm.ask(name="br0", **info)["changed"]


def test_a_hundred_with_a_vlan_each(vm: BridgeHost) -> None:
    every = [
        {"name": f"m{n}", "ports": [{"name": f"nic1.{n}", "type": "vlan", "parent": "nic1", "id": n}]}
        for n in range(1, 101)
    ]
    assert vm.ask(bridges=every)["changed"]
    assert not vm.ask(bridges=every)["changed"]
    assert len(json.loads(vm.run("ip -j link show type vlan"))) == 100


def test_wrong_vlan_locks_nobody_out(vm: BridgeHost) -> None:
    before = vm.snapshot()
    play = """
- hosts: h1
  gather_facts: false
  tasks:
    - virtnet.kvm.linux_bridge:
        {name: br0, ports: [{name: nic0, vlans: {tagged: [99]}}], vlan: {filtering: true, default_pvid: 0}, inherit: true, confirm_timeout: 15}
"""
    path = vm.lab.folder / "wrong.yml"
    path.write_text(play)
    out = ansible(vm.lab, "ansible-playbook", str(path))
    assert '"rolled_back": true' in out, out
    wait_for("the way back", lambda: not difference(before, vm.snapshot()), 15, 0.5)


def test_after_a_reboot_all_is_as_before(vm: BridgeHost) -> None:
    vm.settled(
        name="br0", ports=[{"name": "nic0", "vlans": {"pvid": 1, "untagged": [1], "tagged": ["30-32"]}}], inherit=True,
        vlan={"filtering": True}, stp={"enabled": True, "priority": 4096, "forward_delay": 4}, routes=[{"to": "10.60.0.0/16", "via": "192.0.2.9"}],
        gateway4="192.0.2.1", persist="networkd",
    )  # fmt: skip
    more = {
        "name": "br1",
        "ports": [
            {"name": "nic1.7", "type": "vlan", "parent": "nic1", "id": 7},
            {"name": "d0", "type": "dummy", "isolated": True},
        ],
    }
    vm.settled(**more, addresses=["10.61.0.1/24"], persist="networkd")

    def looks() -> tuple:
        found = vm.module("linux_bridge_info")["bridges"]
        return found, vm.routes(), vlans(vm, "nic0"), vlans(vm, "br0")

    before = looks()
    vm.close()
    vm.machine.reboot()
    wait_for("the same bridges", lambda: looks() == before, 60, 1)
    assert not vm.ask(name="br1", persist="networkd", ports=more["ports"])["changed"]
