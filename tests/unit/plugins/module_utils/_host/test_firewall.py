# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules as text: what each pattern brings, and what it leaves alone. That they mean it, packets show elsewhere."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._host.firewall import (
    in_libvirts_table,
    iptables,
    own_table,
    stamp_of,
    zones,
)
from ansible_collections.virtnet.kvm.plugins.module_utils._host.patterns import declaration

SEALED = {"name": "s", "pattern": "isolated", "host_access": False}
OPEN = {"name": "o", "pattern": "isolated"}
LAB = {"name": "lab", "pattern": "nat", "address": "10.10.0.1/24", "forwards": [{"port": 2222, "to": "10.10.0.5:22"}]}
EDGE = {"name": "e", "pattern": "custom_nat", "bridge": "br-e", "address": "10.50.0.1/24", "address6": "fd50::1/64", "dev": "eno1",
        "forwards": [{"protocol": "udp", "port": "7-9", "to": "10.50.0.5:17-19", "sources": ["192.0.2.0/24"], "address": "192.0.2.1"}]}  # fmt: skip
LEASE = {"name": "l", "pattern": "custom_routed", "bridge": "br-l", "address": "198.51.100.1/29"}
LAN = {"name": "lan", "pattern": "bridged", "bridge": "br0", "nic": "eno1"}


def made(render, networks: list[dict], *more) -> list[str]:
    return [line.strip() for line in render(declaration(networks).networks, *more).splitlines()]


@pytest.mark.parametrize(("networks", "present", "absent"), [
    ([LAN, OPEN], [], ["jump", "drop", "dnat", "masquerade"]),
    ([SEALED], ['iifname "vn-s" udp dport { 67, 547 } accept', 'iifname "vn-s" drop', 'oifname "vn-s" drop'], ["masquerade"]),
    ([LAB], ["meta nfproto ipv4 fib daddr type local tcp dport 2222 dnat ip to 10.10.0.5:22",
             'iifname "vn-lab" oifname "vn-lab" ct status dnat masquerade'], ["jump", "iifname != "]),
    ([LAB, OPEN], ['iifname != { "vn-o" } meta nfproto ipv4 fib daddr type local tcp dport 2222 dnat ip to 10.10.0.5:22'], []),
    ([LEASE], ['iifname "br-l" jump from-0', "ip saddr != 198.51.100.0/29 drop", "meta nfproto ipv6 drop", "ip daddr 198.51.100.0/29 accept"],
     ["masquerade", "reject"]),
    ([EDGE], ["ct state established,related accept", "ct status dnat ip daddr 10.50.0.5 udp dport 17-19 accept",
              'ct state new oifname != "eno1" reject with icmpx admin-prohibited', "reject with icmpx admin-prohibited",
              'ip saddr 10.50.0.0/24 oifname != "br-e" ip daddr != { 224.0.0.0/4, 255.255.255.255 } masquerade',
              'ip6 saddr fd50::/64 oifname != "br-e" ip6 daddr != ff00::/8 masquerade',
              "meta nfproto ipv4 fib daddr type local ip daddr 192.0.2.1 ip saddr { 192.0.2.0/24 } udp dport 7-9"
              " dnat ip to 10.50.0.5 : udp dport map { 7 : 17, 8 : 18, 9 : 19 }"], []),
])  # fmt: skip
def test_own_table(networks: list[dict], present: list[str], absent: list[str]) -> None:
    lines = made(own_table, networks)
    assert all(line in lines for line in present), "\n".join(lines)
    assert not [
        line
        for line in lines
        for word in absent
        if word in line.replace(";", " ").split() or (" " in word and word in line)
    ]


def test_a_stamp_stands_for_the_rules() -> None:
    one, same, other = (own_table(declaration(networks).networks) for networks in ([LAB], [LAB], [EDGE]))
    assert stamp_of(one) == stamp_of(same) != stamp_of(other) and f"chain {stamp_of(one)} {{" in one


@pytest.mark.parametrize(("networks", "version", "present"), [
    ([LAN], 4, ["-A VIRTNET_END -i br0 -o br0 -j ACCEPT"]),
    ([LAB], 4, ["-A VIRTNET_FWD -d 10.10.0.5 -p tcp -m conntrack --ctstate DNAT -m tcp --dport 22 -j ACCEPT",
                "-A VIRTNET_END -i vn-lab -j ACCEPT", "-A VIRTNET_END -o vn-lab -j ACCEPT"]),
    ([EDGE], 4, ["-A VIRTNET_FWD -d 10.50.0.5 -p udp -m conntrack --ctstate DNAT -m udp --dport 17:19 -j ACCEPT",
                 "-A VIRTNET_IN -i br-e -p udp -m multiport --dports 53,67 -j ACCEPT"]),
    ([EDGE], 6, ["-A VIRTNET_IN -i br-e -p udp -m multiport --dports 53,547 -j ACCEPT"]),
])  # fmt: skip
def test_iptables(networks: list[dict], version: int, present: list[str]) -> None:
    lines = made(iptables, networks, version, "rules-1")
    assert all(line in lines for line in present) and lines[0] == "*filter" and lines[-1] == "COMMIT"
    assert "-A VIRTNET_END -m comment --comment rules-1" in lines
    assert not (version == 6 and any("-d " in line for line in lines))


def test_only_libvirts_own_networks_need_room_in_its_table() -> None:
    lines = made(in_libvirts_table, [LAB, EDGE], 4, "rules-1")
    assert "ct status dnat ip daddr 10.10.0.5 tcp dport 22 accept" in lines and not any(
        "10.50" in line for line in lines
    )
    assert 'return comment "rules-1"' in lines


def test_zones() -> None:
    assert (
        zones(declaration([LAN, LAB, EDGE, LEASE]).networks)
        == "br0 default\nvn-lab -\nbr-e libvirt\nbr-l libvirt-routed\n"
    )


def test_where_a_packet_comes_from_is_looked_at_before_where_it_goes() -> None:
    lines = made(own_table, [LEASE, EDGE])
    jumps = [line for line in lines if " jump " in line]
    assert [line.split()[0] for line in jumps] == ["iifname", "iifname", "oifname", "oifname"]


def test_answers_of_a_forward_pass_whichever_way_they_go() -> None:
    assert (
        "-A VIRTNET_FWD -s 10.10.0.5 -p tcp -m conntrack --ctstate DNAT --ctdir REPLY -m tcp --sport 22 -j ACCEPT"
        in made(iptables, [LAB], 4, "m")
    )
    assert "ct status dnat ct direction reply ip saddr 10.10.0.5 tcp sport 22 accept" in made(
        in_libvirts_table, [LAB], 4, "m"
    )
