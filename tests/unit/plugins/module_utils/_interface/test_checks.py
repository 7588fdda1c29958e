# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, with its value and the way out."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._interface.plan import plan
from interfaces import MAC, NETWORKS, guest, interface, live, observed, wanted

STOPPED = guest([interface(), interface(MAC(2), bridge="br0")], name="g")
RUNS = guest([interface(MAC(5))], [live(interface(MAC(5)))], name="h")
ODD = guest(["<interface type='user'><mac address='52:54:00:00:00:07'/></interface>"], name="o")
KNOWN = {
    "bridges": {"br0": True, "br1": False}, "filters": frozenset({"clean-traffic"}), "owners": {MAC(5): "h", MAC(9): "x"},
    "guest_names": frozenset({"g", "h", "o"}), "network_names": frozenset({"na", "nb"}),
}  # fmt: skip
OVS = {"type": "openvswitch"}

CASES = [
    ({"guest": "x", "network": "na"}, "guest x: there is no such guest; there are g, h, o"),
    ({"network": "no"}, "network: 'no' does not exist; there are na, nb"),
    ({"mac": MAC(1), "network": "no"}, "network: 'no' does not exist"),
    ({"bridge": "no"}, "bridge: 'no' is no bridge of this host; there are br0, br1"),
    ({"mac": MAC(1), "portgroup": "no"}, "portgroup: 'no' is none of network na; there are p, q"),
    ({"mac": MAC(1), "filter": "no"}, "filter: 'no' is no network filter of libvirt's; there are clean-traffic"),
    ({"mac": MAC(1), "filter_parameters": {"IP": "1"}}, "it has no filter"),
    ({"mac": MAC(9), "network": "na"}, f"mac: {MAC(9)} is that of an interface of guest x already"),
    ({"guest": "h", "network": "off"}, "network: 'off' is not running, and the guest is; start it first"),
    ({"guest": "o", "mac": MAC(7), "network": "na"}, "an interface of type user, which can't be moved"),
    ({"mac": MAC(1), "vlan": {"tags": [{"id": 1}]}}, "has a bridge of libvirt's own"),
    ({"mac": MAC(2), "vlan": {"tags": [{"id": 1}]}}, "libvirt 11.0 and newer"),
    ({"network": "nbr", "vlan": {"tags": [{"id": 1}]}}, "libvirt 11.0 and newer"),
    ({"interfaces": [{"guest": "g", "mac": MAC(1)}, {"guest": "g", "network": "na"}]}, "meant by more than one item"),
    ({"interfaces": [{"guest": "g", "network": "nb"}, {"guest": "g", "mac": MAC(1), "network": "nb"}]}, "more than one item puts"),
    ({"interfaces": [{"guest": "g", "mac": MAC(3), "network": "na"}, {"guest": "h", "mac": MAC(3), "network": "na"}]}, "guest g already"),
    ({"interfaces": [{"guest": "g", "network": "nb"}, {"guest": "g", "bridge": "no"}]}, "'no' is no bridge"),
]  # fmt: skip

FINE = [
    {"bridge": "ovs0", "virtualport": OVS, "vlan": {"tags": [{"id": 1}]}},
    {"network": "tap", "vlan": {"tags": [{"id": 1}]}},
    {"network": "off"},  # the guest does not run
    {"interfaces": [{"guest": "h", "mac": MAC(5), "state": "absent"}, {"guest": "g", "mac": MAC(5), "network": "na"}]},
    {"guest": "o", "mac": MAC(7), "link_state": "down"},
    {"guest": "o", "mac": MAC(7), "state": "absent"},
]


def there(**more: object):
    networks = {**NETWORKS, "off": dataclasses.replace(NETWORKS["nb"], name="off", active=False)}
    return dataclasses.replace(observed(STOPPED, RUNS, ODD, **{**KNOWN, **more}), networks=networks)


@pytest.mark.parametrize(("params", "message"), CASES)
def test_refused(params: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(wanted(**params), there())


@pytest.mark.parametrize("params", FINE)
def test_not_refused(params: dict) -> None:
    assert plan(wanted(**params), there()).changed


def test_a_new_libvirt_sets_vlans_on_a_bridge() -> None:
    assert plan(wanted(mac=MAC(2), vlan={"tags": [{"id": 1}]}), there(bridge_vlans=True)).changed
    assert plan(wanted(network="nbr", vlan={"tags": [{"id": 1}]}), there(bridge_vlans=True)).changed
    with pytest.raises(InputError, match="bridge br1 does not filter VLANs"):
        plan(wanted(bridge="br1", vlan={"tags": [{"id": 1}]}), there(bridge_vlans=True))


def test_what_is_there_is_not_refused() -> None:
    """Though nobody could make it so again."""
    gone = guest([interface(network="na", filter="gone").replace('network="na"', 'network="gone"')])
    assert not plan(wanted(network="gone", filter="gone"), observed(gone, **KNOWN)).changed
