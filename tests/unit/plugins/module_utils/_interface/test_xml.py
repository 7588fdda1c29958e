# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domain XML to interfaces and back."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._interface import xml
from interfaces import MAC, NETWORKS, domain, interface, live
from lxml import etree

FOREIGN = "<driver name='vhost' queues='4'/><coalesce><rx/></coalesce>"


def one(text: str) -> xml.Interface:
    return xml.interface(etree.fromstring(text))


def test_what_runs_reads_as_it_is_stored() -> None:
    for network in ("na", "nbr"):
        stored, runs = one(interface(network=network)), one(live(interface(network=network)))
        assert stored.options == runs.options == {"network": network, "model": "virtio"}
        assert stored.kind == runs.kind == "network" and stored.mac == MAC(1)
    assert one(live(interface(bridge="br0"))).options == {"bridge": "br0", "model": "virtio"}
    assert one("<interface type='user'><mac address='52:54:00:AA:00:01'/></interface>").mac == "52:54:00:aa:00:01"


def test_cleaned_is_what_is_stored() -> None:
    for text in (interface(target="tap0", more=FOREIGN), interface(bridge="br0"), interface(network="nbr")):
        assert one(xml.cleaned(live(text))).xml == one(text).xml


def test_what_no_option_knows_stays() -> None:
    text = interface(more=FOREIGN, mtu=1400, filter="f")
    there = one(text).options
    other = xml.amended(text, there, {"bridge": "br0", "model": "virtio", "link_state": "down"})
    assert one(other).options == {"bridge": "br0", "model": "virtio", "link_state": "down"}
    assert 'queues="4"' in other and "<coalesce>" in other and "mtu" not in other and "filterref" not in other
    assert one(xml.amended(other, one(other).options, there)).options == there


def test_a_domain_keeps_all_else_to_the_letter() -> None:
    text = domain(interface(), interface(MAC(2)))
    assert xml.domain(text, {}, []).strip() == text.strip()
    changed = xml.domain(text, {MAC(1): None, MAC(2): interface(MAC(2), "nb")}, [interface(None, "nbr")])
    side = xml.side(changed)
    assert [face.options["network"] for face in side.interfaces] == ["nb", "nbr"]
    assert etree.fromstring(changed).find("devices")[-1].tag == "disk"
    assert [face.mac for face in xml.side(xml.domain(domain(), {}, [interface()])).interfaces] == [MAC(1)]


def test_the_one_whose_mac_libvirt_picked() -> None:
    text = domain(interface(MAC(1), "na"), interface(MAC(2), "nb"), interface(MAC(3), "na"))
    assert xml.fresh(text, {MAC(1)}, ("network", "na")).mac == MAC(3)
    assert xml.fresh(text, {MAC(1), MAC(3)}, ("network", "na")) is None


PCI = "<address type='pci' domain='0x0000' bus='0x0{}' slot='0x00' function='0x0'/>".format
BUSES = "<controller type='pci' index='0'/><controller type='pci' index='4'/>"


@pytest.mark.parametrize(
    ("bus", "others", "stays"),
    [(4, BUSES, True), (5, BUSES, False), (4, BUSES + interface(MAC(2), more=PCI(4)), False), (4, "", False)],
)
def test_the_place_on_the_bus_is_kept_where_it_is_free(bus: int, others: str, stays: bool) -> None:
    assert ("<address" in xml.placed(interface(more=PCI(bus)), domain(others))) is stays


def test_what_a_network_gives() -> None:
    limits = {"bandwidth": {"inbound": {"average": 9}}}
    assert NETWORKS["na"].given == {None: {}, "p": limits, "q": {}} and NETWORKS["na"].mode == "nat"
    assert NETWORKS["nb"].given == {None: {"isolated": True}} and NETWORKS["nb"].mode == "isolated"
    assert NETWORKS["nbr"].bridged and not NETWORKS["tap"].bridged and not NETWORKS["na"].bridge
    assert not xml.network("n", "<network><forward mode='bridge' dev='eth0'/></network>", True).bridged  # macvtap
    whole = xml.network("n", "<network><bandwidth><inbound average='9'/></bandwidth></network>", True)
    assert whole.given == {None: {}}  # it limits the bridge, and no guest
    default = xml.network(
        "n", "<network><portgroup name='d' default='yes'><vlan><tag id='3'/></vlan></portgroup></network>", True
    )
    assert default.given[None] == default.given["d"] == {"vlan": {"tags": [{"id": 3}]}}


def test_boot_orders() -> None:
    with pytest.raises(InputError, match="excludes boot orders"):
        xml.check_orders("g", domain(interface(boot_order=1), boot="<boot dev='hd'/>"))
    with pytest.raises(
        InputError, match=f"1 is that of interface {MAC(1)} already; take another one for interface {MAC(2)}"
    ):
        xml.check_orders("g", domain(interface(boot_order=1), interface(MAC(2), boot_order=1)))
    xml.check_orders("g", domain(interface(boot_order=1), interface(MAC(2), boot_order=2)))
