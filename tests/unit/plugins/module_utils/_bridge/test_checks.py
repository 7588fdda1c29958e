# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refused, each with the way out."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.plan import plan
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._kernel.values import Link

from tests.bridges import boot, observed, state, wanted

CASES = {
    "a NIC's name": ({"name": "eno2"}, "physical link"),
    "guests": ({"name": "br9", "state": "absent"}, "web"),
    "loopback": ({"name": "br0", "ports": ["lo"]}, "loopback"),
    "bridge": ({"name": "br0", "ports": ["br9"]}, "veth"),
    "wireless": ({"name": "br0", "ports": ["wlan0"]}, "mode route"),
    "elsewhere": ({"name": "br0", "ports": ["eno9"]}, "bridge br9; take it out"),
    "elsewhere, and kept there": ({"bridges": [{"name": "br0", "ports": ["eno9"]}, {"name": "br9", "stp": {"enabled": True}}]}, "take it out"),
    "no link": ({"name": "br0", "ports": ["eno7"]}, "no such link"),
    "no parent": ({"name": "br0", "ports": [{"name": "x", "type": "vlan", "parent": "eno7", "id": 5}]}, "no link eno7"),
    "no member": ({"name": "br0", "ports": [{"name": "x", "type": "bond", "ports": ["eno7"]}]}, "no link eno7"),
    "no filtering": ({"name": "br0", "vlan": {"filtering": True}}, "can't filter"),
    "no bonding": ({"name": "br0", "ports": [{"name": "b", "type": "bond", "ports": ["eno2"]}]}, "can't make a bond"),
    "address": ({"name": "br0", "addresses": ["192.0.2.10/24"]}, "eno1 already"),
    "gateway": ({"name": "br0", "addresses": ["10.0.0.1/24"], "gateway4": "10.0.1.1"}, "10.0.0.1/24"),
    "another link's net": ({"name": "br9", "routes": [{"to": "192.0.2.0/24"}]}, "eno1 reaches it directly, by its address 192.0.2.10/24; say a metric"),
    "what stands on it": ({"name": "br8", "state": "absent"}, "br8.10 stands on it"),
    "delay": ({"name": "br0", "stp": {"enabled": True, "forward_delay": 1}}, "stp.forward_delay: with spanning tree"),
    "parent": ({"name": "br0", "ports": [{"name": "br8.10", "type": "vlan", "parent": "eno2", "id": 10}]}, "eno2: it is there already, with br8"),
    "number": ({"name": "br0", "ports": [{"name": "br8.10", "type": "vlan", "parent": "br8", "id": 11}]}, "id: 11: it is there already, with 10"),
    "daemon": ({"name": "br0", "accept_ra": True}, "persist: none"),
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_refused(what: str) -> None:
    params, words = CASES[what]
    incapable = {"vlan filtering": "built without", "bond": "no"} if what in ("no filtering", "no bonding") else {}
    more = {"wireless": frozenset({"wlan0"}), "incapable": incapable}
    with pytest.raises(InputError, match=words):
        above = {
            "br8": Link("br8", 21, "bridge"),
            "br8.10": Link("br8.10", 22, "vlan", parent="br8", data={"IFLA_VLAN_ID": 10}),
        }
        plan(wanted(**params), observed(state(wlan0=Link("wlan0", 20), **above), **more))


@pytest.mark.parametrize(
    "params",
    [
        {"name": "br0", "addresses": ["10.0.0.1/24"], "gateway4": "10.0.0.2", "gateway6": "fe80::1"},
        {"name": "br0", "ports": ["eno1"], "inherit": True, "addresses": ["192.0.2.10/24"]},
        {"bridges": [{"name": "br0", "ports": ["eno9"]}, {"name": "br9", "ports": []}]},
    ],
)
def test_not_refused(params: dict) -> None:
    assert plan(wanted(**params), observed()).changed


def test_what_the_backend_cannot_keep_is_named() -> None:
    with pytest.raises(InputError, match=r"multicast\.hash_max: networkd can't keep it"):
        plan(wanted(name="br0", multicast={"hash_max": 512}), observed(boot=boot()))


ROUTES = [{"to": "10.9.0.0/16", "via": "192.0.2.9"}]


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({"routes": ROUTES}, True),
        ({"routes": ROUTES, "gateway6": "fe80::1"}, True),
        ({"routes": ROUTES, "gateway4": "192.0.2.1"}, False),
        ({"routes": [*ROUTES, {"to": "0.0.0.0/0", "via": "192.0.2.1", "metric": 100}]}, False),
        ({}, False),
    ],
)
def test_a_default_route_with_a_metric_is_not_lost(more: dict, refused: bool) -> None:
    there = state()
    default = dataclasses.replace(there.routes[0], metric=100)
    there = dataclasses.replace(there, routes=(default, *there.routes[1:]))
    desired = wanted(name="br0", ports=["eno1"], inherit=True, **more)
    if not refused:
        assert plan(desired, observed(there)).changed
        return
    with pytest.raises(
        InputError, match=r"eno1's default route by 192\.0\.2\.1 has the metric 100.*say gateway4: 192\.0\.2\.1"
    ):
        plan(desired, observed(there))
