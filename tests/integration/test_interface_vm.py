# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers lack: limits of a running guest's traffic, and VLANs on a plain Linux bridge, in a virtual machine."""

from __future__ import annotations

import json

import pytest
from host import Host
from test_interface import MAC, elements, foretold, make, refused, start
from virtlab import guest as lab_guest

pytestmark = pytest.mark.slow
LIMIT = {"inbound": {"average": 1000, "peak": 2000, "burst": 64}, "outbound": {"average": 128}}
NET = {"name": "na", "mode": "nat", "address": "10.70.0.1/24"}
GIVES = {
    "name": "nb",
    "mode": "isolated",
    "address": "10.71.0.1/24",
    "mtu": 1400,
    "portgroups": [{"name": "d", "default": True, "bandwidth": {"inbound": {"average": 700}}}],
}


@pytest.fixture(scope="module")
def vm(later_vm: Host) -> Host:
    host = later_vm
    host.module(networks=[NET, GIVES])
    host.run("ip link add br-vlan type bridge vlan_filtering 1 && ip link set br-vlan up")
    host.run("ip link add br-flat type bridge && ip link set br-flat up")
    make(host, "g1", lab_guest.interface("na", MAC(1), None))
    start(host, "g1", wait=False)
    return host


def limits(vm: Host) -> str:
    return vm.run(f"tc class show dev {vm.tap('g1')}; tc filter show dev {vm.tap('g1')} ingress")


def vlans(vm: Host) -> dict[int, bool]:
    """{VLAN: whether it is the native one}"""
    found = json.loads(vm.run(f"bridge -j vlan show dev {vm.tap('g1')}"))[0]["vlans"]
    return {one["vlan"]: "PVID" in one.get("flags", []) for one in found}


def test_limits_are_set_changed_and_taken_off_live(vm: Host) -> None:
    for limit, shown in ((LIMIT, True), ({"inbound": {"average": 500}}, True), ({}, False)):
        result = foretold(vm, guest="g1", mac=MAC(1), bandwidth=limit)
        assert result["actions"] == ["update bandwidth"] and not result["restart_required"]
        assert ("htb" in limits(vm)) is shown


def test_what_a_network_gives_stays_with_it(vm: Host) -> None:
    """Its default portgroup's limit and its MTU are shown in what runs, but are not the interface's own."""
    result = foretold(vm, guest="g1", mac=MAC(1), network="nb")
    assert not result["restart_required"] and "bandwidth" not in result["after"] and "live" not in result["after"]
    assert elements(vm, "g1", live=True)[MAC(1)].find("bandwidth/inbound").get("average") == "700"
    assert not vm.module("libvirt_domain_interface", guest="g1", mac=MAC(1), bandwidth={}, mtu=0)["changed"]
    foretold(vm, guest="g1", mac=MAC(1), network="na")
    assert elements(vm, "g1", live=True)[MAC(1)].find("bandwidth") is None and "htb" not in limits(vm)


def test_vlans(vm: Host) -> None:
    tags = {"tags": [{"id": 42}]}
    trunk = {"tags": [{"id": 42, "native_mode": "untagged"}, {"id": 43}]}
    assert "libvirt's own" in refused(vm, guest="g1", mac=MAC(1), vlan=tags)
    if vm.release == "bookworm":
        assert "libvirt 11.0" in refused(vm, guest="g1", mac=MAC(1), bridge="br-vlan", vlan=tags)
        return
    assert "does not filter" in refused(vm, guest="g1", mac=MAC(1), bridge="br-flat", vlan=tags)
    for vlan, shown in ((tags, {42: True}), (trunk, {42: True, 43: False}), ({}, {1: True})):
        result = foretold(vm, guest="g1", mac=MAC(1), bridge="br-vlan", vlan=vlan)
        assert not result["restart_required"] and vlans(vm) == shown
    foretold(vm, guest="g1", mac=MAC(1), network="na")
