# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interface is meant, and what becomes of it."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._interface import goal
from ansible_collections.virtnet.kvm.plugins.module_utils._interface.model import Guest
from interfaces import MAC, NETWORKS, guest, interface, live, observed, wanted

ONE = guest([interface()])
TWO = guest([interface(), interface(MAC(2))])
RUNS = guest([interface()], [live(interface())])
MOVING = guest([interface(network="nb")], [live(interface(network="na"))])  # stored on nb, which waits
LOST = guest([], [live(interface())])

WHICH = [
    (ONE, {"network": "na"}, MAC(1)),
    (ONE, {"network": "nb"}, None),
    (ONE, {"mac": MAC(1)}, MAC(1)),
    (ONE, {"mac": MAC(1), "network": "nb"}, MAC(1)),
    (ONE, {"mac": MAC(2), "network": "na"}, None),
    (TWO, {"mac": MAC(2), "network": "na"}, MAC(2)),
    (MOVING, {"network": "nb"}, MAC(1)),
    (MOVING, {"network": "na"}, None),
    (LOST, {"network": "na"}, MAC(1)),
    (guest(None, [live(interface())]), {"network": "na"}, MAC(1)),
    (guest([interface(bridge="br0")]), {"bridge": "br0"}, MAC(1)),
    (guest([], [live(interface())]), {"bridge": "virbr0"}, None),
]


@pytest.mark.parametrize(("there", "params", "mac"), WHICH)
def test_which_one_is_meant(there: Guest, params: dict, mac: str | None) -> None:
    assert goal.which(wanted(**params).wants[0], there) == mac


def test_one_of_several_has_to_be_told() -> None:
    with pytest.raises(InputError, match=f"2 interfaces on it .{MAC(1)}, {MAC(2)}.; say which one by mac"):
        goal.which(wanted(network="na").wants[0], TWO)
    with pytest.raises(InputError, match="more than one interface of that address"):
        goal.which(wanted(mac=MAC(1)).wants[0], guest([interface(), interface(network="nb")]))
    with pytest.raises(InputError, match="say network or bridge to plug one"):
        goal.part(wanted(mac=MAC(3)).wants[0], ONE, observed(ONE))


# (what is said, what changes live, what waits)
LIVE = [
    ({"link_state": "down"}, ["link_state"], ()),
    ({"network": "nb"}, ["network"], ()),
    ({"network": "nbr"}, ["network"], ()),
    ({"bridge": "br0"}, ["bridge", "network"], ()),
    ({"network": "tap"}, [], ("network",)),
    ({"network": "tap", "link_state": "down"}, ["link_state"], ("network",)),
    ({"portgroup": "q"}, [], ("portgroup",)),
    ({"network": "nb", "portgroup": "x"}, [], ("network", "portgroup")),
    ({"mtu": 1400, "filter": "f"}, ["filter"], ("mtu",)),
    ({"model": "e1000", "target": "t", "boot_order": 1}, [], ("boot_order", "model", "target")),
    ({"bandwidth": {"inbound": {"average": 1}}, "isolated": True}, ["bandwidth", "isolated"], ()),
]


@pytest.mark.parametrize(("params", "names", "pending"), LIVE)
def test_what_libvirt_changes_live(params: dict, names: list[str], pending: tuple[str, ...]) -> None:
    part = goal.part(wanted(mac=MAC(1), **params).wants[0], RUNS, observed(RUNS))
    assert (part.live.names, part.pending) == (names, pending)
    assert part.config.names == sorted([*names, *pending])
    again = goal.part(wanted(mac=MAC(1), replug=True, **params).wants[0], RUNS, observed(RUNS))
    assert again.live.names == sorted([*names, *pending])


def test_what_the_network_gives_is_not_the_interface_s_own() -> None:
    there = guest([interface(network="nb")], [live(interface(network="nb"))])
    assert there.live.interfaces[0].options["isolated"] is True
    assert goal.own(there.live.interfaces[0], there.config.interfaces[0], NETWORKS) == {
        "network": "nb",
        "model": "virtio",
    }
    part = goal.part(wanted(mac=MAC(1), network="na").wants[0], there, observed(there))
    assert "isolated" not in part.live.xml
    for value in (True, False):
        part = goal.part(wanted(mac=MAC(1), isolated=value).wants[0], there, observed(there))
        assert part.live.names == [] and part.config.names == (["isolated"] if value else [])


def test_a_port_that_the_network_gives_has_an_id_of_its_own() -> None:
    port = {"type": "openvswitch", "parameters": {"interfaceid": "c7a5fdbd-edaf-9455-926a-d65c16db1809"}}
    network = {"n": goal.Network("n", True, "bridge", {None: {"virtualport": {"type": "openvswitch"}}})}
    there = guest([interface(network="na")], [interface(network="na", virtualport=port)]).live.interfaces[0]
    assert "virtualport" in goal.own(there, None, network)
    moved = guest(
        [], [interface(network="na", virtualport=port).replace('network="na"', 'network="n"')]
    ).live.interfaces[0]
    assert "virtualport" not in goal.own(moved, None, network)


def test_two_of_one_mac_are_never_taken_for_one() -> None:
    twins = guest([interface(MAC(1), "na"), interface(MAC(1), "nb")])
    with pytest.raises(InputError, match="more than one interface of that address"):
        goal.which(wanted(network="na", link_state="down").wants[0], twins)
