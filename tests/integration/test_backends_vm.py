# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers lack, kept for the next boot by each backend: VLAN filtering, 8021q, bonding and dummy; in virtual machines."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator

import drills
import pytest
from kept_host import KeptHost, plain, raised
from virtlab.boot import BACKENDS
from virtlab.lab import Lab
from virtlab.system import wait_for

pytestmark = pytest.mark.slow
RELEASE = os.environ.get("VIRTNET_VM_RELEASE", "bookworm")
DRILLS = int(os.environ.get("VIRTNET_DRILLS", "1"))

TRUNK = {"name": "NIC", "vlans": {"pvid": 1, "untagged": [1], "tagged": ["30-32", 40]}}
OVER_NIC = {
    "name": "br0", "inherit": True, "stp": {"enabled": True, "priority": 4096, "forward_delay": 4},
    "routes": [{"to": "10.60.0.0/16", "via": "192.0.2.9"}], "gateway4": "192.0.2.1", "gateway6": "2001:db8:1::1",
    "ageing_time": 200,
}  # fmt: skip
FILTERING = {"ports": [{**TRUNK, "cost": 40}], "vlan": {"filtering": True}}
BOND = {"name": "bond0", "type": "bond", "ports": ["nic1"], "mode": "active-backup", "miimon": 100, "cost": 41}
OVER_BOND = {"name": "br1", "ports": [BOND], "addresses": ["10.61.0.1/24", "2001:db8:61::1/64"]}
VLAN = {"name": "NIC.7", "type": "vlan", "parent": "NIC", "id": 7}
FLAGS = {"isolated": True, "learning": False, "mcast_flood": False, "guard": True}
DUMMY = {"name": "dum0", "type": "dummy"}
# netplan can't say a port's VLANs or flags; NetworkManager some of the flags
ITS_OWN: dict[str, tuple[dict, dict]] = {
    "networkd": (FILTERING, FLAGS), "ifupdown": (FILTERING, FLAGS), "networkmanager": (FILTERING, {"hairpin": True, "cost": 7}),
    "netplan": ({"ports": ["NIC"]}, {"cost": 7}),  # for networkd it would lose the VLAN of a port with a cost
    "netplan-nm": ({"ports": [{"name": "NIC", "cost": 40}]}, {"cost": 7}),
}  # fmt: skip
MORE = (
    "bridge -d link | sed 's/^[0-9]*: //; s/ state [a-z]*//; s/ mcast_n_groups [0-9]*//; s/@[^ :]*//' | grep -v virbr | sort;"
    " ip -j -d link | python3 -c 'import json, sys\n"
    "for one in json.load(sys.stdin):\n"
    '    data = one.get("linkinfo", {}).get("info_data", {})\n'
    '    print(one["ifname"], one["mtu"], [data.get(word) for word in ("id", "mode", "miimon", "vlan_filtering", "vlan_default_pvid",'
    ' "stp_state", "priority", "forward_delay", "ageing_time")])\' | sort'
)


@pytest.fixture(scope="module", params=BACKENDS)
def lab_of(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with raised("bv", request.param, RELEASE, "vm") as lab:
        yield lab


def bridges(kept: KeptHost) -> list[dict]:
    """Over the NIC, over a bond, and over a VLAN and a dummy; all that this backend can say."""
    over_nic, flags = ITS_OWN[kept.machine.backend]
    dummy = [] if kept.backend.persist == "netplan" else [{**DUMMY, **flags}]  # not in the netplan of bookworm
    over_vlan = {"name": "br2", "ports": [VLAN, *dummy], "addresses": ["10.62.0.1/24"]}
    return kept.named([{**OVER_NIC, **over_nic}, OVER_BOND, over_vlan])


def looked(kept: KeptHost) -> str:
    """All but the MAC addresses that the kernel and udev choose for made links where nobody says them; once spanning tree has
    found its topology, for until then it ages addresses sooner."""
    wait_for(
        "the topology",
        lambda: "topology_change 1" not in kept.run("ip -d link show br0"),
        60 * kept.machine.GUEST_PATIENCE,
        1,
    )
    seen = plain("\n".join([kept.everything(), kept.run(MORE), *vlans(kept)]))
    return re.sub(r"(?m)^((bond0|nic1|dum0) \S+) \S+", r"\1", seen)


def vlans(kept: KeptHost) -> list[str]:
    """Those of filtering bridges and their ports. Elsewhere they mean nothing, and under NetworkManager 1.52 the ports have their
    VLAN 1 after a boot only."""
    links = json.loads(kept.run("ip -j -d link"))
    filtering = {
        link["ifname"] for link in links if link.get("linkinfo", {}).get("info_data", {}).get("vlan_filtering")
    }
    judged = filtering | {link["ifname"] for link in links if link.get("master") in filtering}
    found = json.loads(kept.run("bridge -j vlan show") or "[]")
    return sorted(f"{one['ifname']} {sorted(one['vlans'], key=str)}" for one in found if one["ifname"] in judged)


def test_all_is_there_after_a_reboot(kept: KeptHost) -> None:
    wanted = bridges(kept)
    told = kept.ask(check=True, bridges=wanted, persist="auto")
    done = kept.ask(bridges=wanted, persist="auto")
    assert not done.get("failed"), done["msg"]
    assert [one["actions"] for one in told["bridges"]] == [one["actions"] for one in done["bridges"]]
    assert done["backups"] == [kept.backend.backup]
    kept.come_to_rest()
    assert kept.ports("br1") == {"bond0"} and kept.ports("bond0") == {"nic1"} and kept.link("br1")["operstate"] == "UP"
    before, dns = looked(kept), kept.dns("br0")
    again = kept.ask(bridges=wanted, persist="auto")
    assert not again["changed"], again["bridges"]
    kept.booted()
    kept.settled_like(before, lambda: looked(kept), 30)
    assert kept.dns("br0") == dns
    again = kept.ask(bridges=wanted, persist="auto")
    assert not again.get("failed") and not again["changed"], again
    gone = kept.ask(bridges=[{"name": name, "state": "absent"} for name in ("br0", "br1", "br2")], persist="auto")
    assert not gone.get("failed"), gone["msg"]
    kept.run(f"ip route delete 10.60.0.0/16 dev {kept.nic} 2>/dev/null; true")  # what the bridge had, the port has


@pytest.mark.parametrize("drill", range(DRILLS))
@pytest.mark.parametrize("how", sorted(drills.EVERY))
def test_nobody_is_locked_out(kept: KeptHost, how: str, drill: int) -> None:
    if how == "wrong VLAN" and kept.backend.persist == "netplan":
        ports = [{"name": kept.nic, "vlans": {"tagged": [99]}}]
        assert "netplan can't keep it" in kept.refused(name="br0", ports=ports, inherit=True, persist="auto")
        return
    kept.drill(how, confirm_timeout=25)
