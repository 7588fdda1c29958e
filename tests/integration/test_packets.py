# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packets' own test, on networks that are made by hand: what is so is seen so, and what is not so is noticed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from host import Host
from packets import Guest, Network, World, clean
from virtlab.lab import Lab

NETWORKS = """
<network><name>lab</name><forward mode='nat'/><bridge name='virbr1'/>
  <ip address='10.99.1.1' prefix='24'><dhcp><range start='10.99.1.10' end='10.99.1.90'/></dhcp></ip></network>
<network><name>dmz</name><forward mode='route'/><bridge name='virbr2'/>
  <ip address='10.99.2.1' prefix='24'><dhcp><range start='10.99.2.10' end='10.99.2.90'/></dhcp></ip>
  <ip family='ipv6' address='fd99:2::1' prefix='64'/></network>
<network><name>sealed</name><bridge name='virbr3'/><port isolated='yes'/>
  <ip address='10.99.3.1' prefix='24'><dhcp><range start='10.99.3.10' end='10.99.3.90'/></dhcp></ip></network>
"""

NAT = """
            lab.a  lab.b  gw   host  other  client  router  outside
lab.a       .      own    own  own   host   host    host    host
lab.b       own    .      own  own   host   host    host    host
host        gw     gw     .    .     .      .       .       .
other       -      -      .    .     .      .       .       .
client      -      -      .    .     .      .       .       .
router      -      -      .    .     .      .       .       .
outside     -      -      .    .     .      .       .       .
"""
ROUTED = """
            dmz.a  gw   host  other  client  router  outside
dmz.a       .      own  own   own    own     own     own
host        gw     .    .     .      .       .       .
other       own    .    .     .      .       .       .
client      own    .    .     .      .       .       .
outside     own    .    .     .      .       .       .
"""
ISOLATED = """
            sealed.a  sealed.b  lab.a  gw   host  other  client  outside
sealed.a    .         -         -      own  own   -      -       -
sealed.b    -         .         -      own  own   -      -       -
lab.a       -         -         .      .    .     .      .       .
client      -         -         .      .    .     .      .       .
"""


@pytest.fixture(scope="module")
def world(lab: Lab, release: str) -> Iterator[World]:
    host = Host(lab, lab.machine("h1"))
    host.clean()
    for xml in NETWORKS.strip().split("\n<network>"):
        xml = xml if xml.startswith("<network>") else f"<network>{xml}"
        host.create(xml)
    one = World(lab).open()
    lab1, dmz, sealed = (Network.of(host.machine, name) for name in ("lab", "dmz", "sealed"))
    try:
        one.guests(
            Guest("h1.lab.a", lab1, "52:54:00:99:01:01"),
            Guest("h1.lab.b", lab1, "52:54:00:99:01:02", static=["10.99.1.200/24"]),
            Guest("h1.dmz.a", dmz, "52:54:00:99:02:01", v6=True),
            Guest("h1.sealed.a", sealed, "52:54:00:99:03:01"),
            Guest("h1.sealed.b", sealed, "52:54:00:99:03:02", static=["10.99.3.200/24"]),
        )
        one.routes()
        yield one
    finally:
        one.close()
        host.clean()


def test_leases_are_real(world: World) -> None:
    guest = world.places["h1.lab.a"]
    assert guest.lease["serverid"] == "10.99.1.1" and guest.lease["ip"] in guest.addresses
    bridge = world.places["h1"].run("cat /sys/class/net/virbr1/address")
    assert {one["mac"] for one in guest.servers} == {bridge}
    v6 = world.places["h1.dmz.a"].addresses
    assert any(address.startswith("fd99:2:") for address in v6), v6
    assert not world.places["h1.lab.b"].lease


@pytest.mark.parametrize("table", [NAT, ROUTED, ISOLATED], ids=["nat", "routed", "isolated"])
def test_what_is_so_is_seen_so(world: World, table: str) -> None:
    started = time.monotonic()
    world.hold(world.expectations(table, "h1", "h2"))
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("lab.a       .      own    own  own   host", "lab.a       .      own    own  own   own"),
        ("lab.a       .      own", "lab.a       .      -"),
        ("client      -", "client      own"),
    ],
)
def test_what_is_not_so_is_noticed(world: World, right: str, wrong: str) -> None:
    assert right in NAT
    expectations = world.expectations(NAT.replace(right, wrong, 1), "h1", "h2")
    with pytest.raises(
        AssertionError, match=f"expected {wrong.split()[-1]}: h1.lab.a|expected own: client -> h1.lab.a"
    ):
        world.hold(expectations, seconds=2)


def test_a_no_without_a_route_is_none(world: World) -> None:
    world.places["h1.sealed.a"].inside("ip route del default")
    try:
        with pytest.raises(AssertionError, match="no route"):
            world.hold(world.expectations(ISOLATED, "h1", "h2"))
    finally:
        world.places["h1.sealed.a"].use_gateways()


def test_a_no_becomes_a_yes_without_its_rule(world: World) -> None:
    host = world.places["h1"]
    assert not world.seen("client", "h1.lab.a", kind="tcp").reached
    host.run("iptables -I FORWARD -d 10.99.1.0/24 -j ACCEPT; iptables -I FORWARD -s 10.99.1.0/24 -j ACCEPT")
    try:
        outcome = world.seen("client", "h1.lab.a", kind="tcp")
        assert outcome.reached and outcome.seen == "192.0.2.5", outcome
    finally:
        host.run("iptables -D FORWARD -d 10.99.1.0/24 -j ACCEPT; iptables -D FORWARD -s 10.99.1.0/24 -j ACCEPT")


def test_by_which_mac(world: World) -> None:
    outcome = world.seen("h1.lab.a", "h1.lab.b", "10.99.1.200")
    assert outcome.mac == "52:54:00:99:01:01"
    assert world.seen("client", "h1.dmz.a").mac == world.places["h1"].run("cat /sys/class/net/virbr2/address")


def test_nothing_is_left(world: World) -> None:
    """What a killed run leaves is cleaned by the next one, by its names."""
    there = world.places["h2"]
    there.run("ip netns add pkt-left; ip link add pkt-left type veth peer name eth0 netns pkt-left")
    there.run(
        "ip route add 10.99.77.0/24 via 192.0.2.11 proto 77; nsenter --net=/run/netns/pkt-left sleep 99 > /dev/null 2>&1 &"
    )
    clean(there.machine)
    assert "pkt-" not in there.run("ip netns list; ip -br link") and "10.99." not in there.run("ip route")
    assert "sleep 99" not in there.run("ps -A -o args | grep '^slee[p]'; true")
    world.routes()
