# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept for the next boot."""

from __future__ import annotations

import dataclasses

from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.boot import kept, said
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.goal import goal
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.model import Observed
from ansible_collections.virtnet.kvm.plugins.module_utils._kernel.values import Address, Hop
from ansible_collections.virtnet.kvm.plugins.module_utils._persist import ifupdown
from ansible_collections.virtnet.kvm.plugins.module_utils._persist.networkd import PREFIX

from tests.bridges import FOREIGN, boot, observed, wanted

FOLDER = "/etc/systemd/network/"


def files(**params: object) -> dict[str, str]:
    there = observed(boot=boot())
    desired = wanted(**params)
    return {
        path.replace(FOLDER, ""): file.text for path, file in kept(desired, there, goal(desired, there)).files.items()
    }


def test_the_nics_file_is_kept_beside_and_its_dhcp_and_dns_are_the_bridges() -> None:
    found = files(name="br0", ports=["eno1"], inherit=True)
    assert set(found) == {
        f"{PREFIX}br0.netdev",
        f"{PREFIX}br0.network",
        f"{PREFIX}eno1.network",
        "10-eno1.network.virtnet-backup",
    }
    assert "DHCP=ipv4" in found[f"{PREFIX}br0.network"] and "DNS=192.0.2.1" in found[f"{PREFIX}br0.network"]
    assert "192.0.2.77" not in found[f"{PREFIX}br0.network"]  # a lease


def test_a_bridge_that_takes_nothing_over_leaves_the_nics_file_alone() -> None:
    assert set(files(name="br0", ports=["eno2"])) == {
        f"{PREFIX}br0.netdev",
        f"{PREFIX}br0.network",
        f"{PREFIX}eno2.network",
        FOREIGN.replace(FOLDER, ""),
    }


def test_kept_twice_is_kept_once_and_absent_brings_all_back() -> None:
    there, desired = observed(boot=boot()), wanted(name="br0", ports=["eno1"], inherit=True)
    then = kept(desired, there, goal(desired, there))
    again = observed(
        then, boot=dataclasses.replace(boot(), files=then.files, options={"br0": said(desired.wants[0], there)})
    )
    assert kept(desired, again, goal(desired, again)).files == then.files
    gone = wanted(name="br0", state="absent")
    assert kept(gone, again, goal(gone, again)).files == boot().files


def rerouted(there: Observed, **first: object) -> Observed:
    """With another default route."""
    routes = (dataclasses.replace(there.state.routes[0], **first), *there.state.routes[1:])
    return dataclasses.replace(there, state=dataclasses.replace(there.state, routes=routes))


def test_a_router_that_only_a_peer_address_reaches_is_reached_after_a_boot() -> None:
    there = observed(boot=boot())
    nic = dataclasses.replace(there.state.links["eno1"], addresses=(Address("203.0.113.9/32", peer="172.31.1.1"),))
    there = dataclasses.replace(there, state=dataclasses.replace(there.state, links={**there.state.links, "eno1": nic}))
    there = rerouted(there, hops=(Hop("eno1", "172.31.1.1"),))
    desired = wanted(name="br0", ports=["eno1"], inherit=True)
    text = kept(desired, there, goal(desired, there)).files[f"{FOLDER}{PREFIX}br0.network"].text
    assert "[Route]\nGateway=172.31.1.1\nGatewayOnLink=true" in text


def test_the_default_route_of_a_lease_is_not_kept() -> None:
    """dhclient's has no protocol of its own; one that is said is kept all the same."""
    there = rerouted(observed(boot=boot()), protocol=3)
    for more, count in (({}, 0), ({"gateway4": "192.0.2.1"}, 1)):
        desired = wanted(name="br0", ports=["eno1"], inherit=True, **more)
        text = kept(desired, there, goal(desired, there)).files[f"{FOLDER}{PREFIX}br0.network"].text
        assert "DHCP=ipv4" in text and text.count("Gateway=192.0.2.1") == count


def test_a_cost_that_is_said_is_kept_also_where_the_kernel_has_the_same() -> None:
    found = files(name="br0", ports=[{"name": "eno2", "cost": 100}])
    assert "Cost=100" in found[f"{PREFIX}eno2.network"]


def test_mtu_and_mac_of_made_links_only_where_said() -> None:
    port = {"name": "d0", "type": "dummy"}
    assert "MTU" not in files(name="br0", ports=[port])[f"{PREFIX}d0.network"]
    found = files(name="br0", ports=[{**port, "mtu": 1400, "mac_address": "52:54:00:00:00:77"}])
    assert (
        "MTUBytes=1400" in found[f"{PREFIX}d0.network"]
        and "MACAddress=52:54:00:00:00:77" in found[f"{PREFIX}d0.netdev"]
    )
    assert "MTUBytes=9000" in files(name="br0", mtu=9000, ports=[port])[f"{PREFIX}d0.network"]


def test_the_order_of_ports_is_not_that_in_which_they_came() -> None:
    """A file that holds all of a bridge would else differ as soon as its ports are made, and a VLAN needs its parent."""
    ports = [{"name": "b0.7", "type": "vlan", "parent": "eno2", "id": 7}, {"name": "c0", "type": "dummy"}]
    there = observed(boot=dataclasses.replace(boot(), backend="ifupdown", files={}))
    texts = []
    for said_as in (ports, ports[::-1]):
        desired = wanted(name="br0", ports=said_as)
        texts.append(kept(desired, there, goal(desired, there)).files[f"{ifupdown.FOLDER}/virtnet-br0"].text)
    assert texts[0] == texts[1]
    assert texts[0].index("name c0 type dummy") < texts[0].index("link eno2 name b0.7")
