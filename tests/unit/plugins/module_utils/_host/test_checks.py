# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a declaration can't be: addresses that are nobody's, and forwards that would cut the way to the host."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._host import checks
from ansible_collections.virtnet.kvm.plugins.module_utils._host.patterns import declaration

LAB = {"name": "lab", "pattern": "nat", "address": "10.10.0.1/24", "address6": "fd00::1/64"}
EDGE = {"name": "edge", "pattern": "custom_nat", "bridge": "br-edge", "address": "192.168.50.1/24"}
MAC = "52:54:00:00:00:01"


def host(**said: str) -> dict:
    return {**LAB, "hosts": [said]}


@pytest.mark.parametrize(("said", "words"), [
    ({**LAB, "address": "fd00::1/64"}, ["address: 'fd00::1/64'", "IPv4", "address6"]),
    ({**EDGE, "address6": "10.2.0.1/24"}, ["address6: '10.2.0.1/24'", "IPv6", "by address"]),
    ({**LAB, "address": "10.10.0.0/24"}, ["'10.10.0.0/24'", "the net's own"]),
    ({**LAB, "address": "10.10.0.255/24"}, ["'10.10.0.255/24'", "the net's own"]),
    ({**EDGE, "address6": "fd01::1/80"}, ["address6", "prefix of 64"]),
    (host(ip="10.10.0.5"), ["10.10.0.5 has neither mac nor name"]),
    (host(ip="10.10.0.1", name="x"), ["10.10.0.1 is the host's own"]),
    (host(ip="10.10.0.255", name="x"), ["10.10.0.255 is the address of 10.10.0.0/24 itself"]),
    (host(ip="fd00::5", mac=MAC), ["fd00::5 goes by mac", "IPv6"]),
    ({**host(ip="10.10.0.5", mac=MAC), "dhcp": False}, ["goes by mac", "no DHCP"]),
    ({**LAB, "hosts": [{"ip": "10.10.0.5", "name": "a"}, {"ip": "10.10.0.5", "name": "b"}]}, ["ip 10.10.0.5 stands there 2 times"]),
    ({**LAB, "hosts": [{"ip": "10.10.0.5", "mac": MAC}, {"ip": "10.10.0.6", "mac": MAC}]}, ["mac 52:54:00:00:00:01 stands there 2 times"]),
    ({**LAB, "forwards": [{"port": 1, "to": "10.10.0.0"}]}, ["to: 10.10.0.0 is the address of"]),
    ({**LAB, "forwards": [{"port": 1, "to": "10.10.0.1"}]}, ["to: 10.10.0.1 is the host's own"]),
])  # fmt: skip
def test_addresses(said: dict, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        declaration([said])
    assert all(word in str(error.value) for word in words), str(error.value)


def test_what_a_small_net_can_be() -> None:
    assert declaration([{**LAB, "address": "10.10.0.0/31"}, {**EDGE, "address6": "fd01::1/64"}]).networks


@pytest.mark.parametrize(("forward", "refused"), [
    ({"port": 22}, True),
    ({"port": "1-1024", "to": "10.10.0.5"}, True),
    ({"port": 22, "address": "192.0.2.11"}, True),
    ({"port": 22, "sources": ["192.0.2.0/24"]}, True),
    ({"port": 22, "address": "198.51.100.1"}, False),
    ({"port": 22, "sources": ["203.0.113.0/24"]}, False),
    ({"port": 22, "protocol": "udp"}, False),
    ({"port": 2222}, False),
])  # fmt: skip
def test_the_way_to_the_host_stays(forward: dict, refused: bool) -> None:
    networks = declaration([{**LAB, "forwards": [{"to": "10.10.0.5:22", **forward}]}]).networks
    found = list(checks.locked_out(networks, ("192.0.2.6", "192.0.2.11", 22)))
    assert bool(found) is refused and all("192.0.2.6" in one for one in found)
    assert not list(checks.locked_out(networks, None))


@pytest.mark.parametrize(("subnets", "going", "refused"), [
    ([("eno1", "192.168.0.0/16")], set(), True),
    ([("eno1", "192.168.50.0/25")], set(), True),
    ([("br-edge", "192.168.50.0/24")], set(), False),
    ([("br-old", "192.168.50.0/24")], {"br-old"}, False),
    ([("eno1", "192.0.2.0/24"), ("eno1", "fd00::/8")], set(), False),
])  # fmt: skip
def test_custom_networks_lie_over_nothing_that_the_host_reaches(subnets: list, going: set, refused: bool) -> None:
    assert bool(list(checks.on_links(declaration([EDGE]).networks, subnets, going))) is refused
