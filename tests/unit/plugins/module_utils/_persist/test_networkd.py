# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""networkd's files: whole golden texts, and reading them."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._persist import backends, networkd
from ansible_collections.virtnet.kvm.plugins.module_utils._persist.model import Boot, File, Files, Kept, owner

KEPT = Kept(
    "br0",
    {
        "up": True, "mtu": 1450, "mac_address": "52:54:00:00:00:01", "stp": {"enabled": True, "forward_delay": 4}, "ageing_time": 60,
        "vlan": {"filtering": True, "self": {"tagged": ["30-32"]}}, "multicast": {"snooping": False}, "group_fwd_mask": 8,
        "addresses": ["192.0.2.10/24"], "gateway4": "192.0.2.1", "dhcp6": True, "accept_ra": True,
        "dns": {"servers": ["192.0.2.1"], "search": ["a.example", "b.example"]},
        "routes": [{"to": "10.0.0.0/8", "via": "192.0.2.9", "table": 7, "metric": 3}, {"to": "10.1.0.0/16"}],
    },
    (
        {"name": "eno1", "mtu": 1450, "isolated": True, "guard": True, "root_block": False, "mcast_router": 2, "cost": 7,
         "vlans": {"pvid": 10, "untagged": [10], "tagged": ["20-29"]}},
        {"name": "bond0", "type": "bond", "ports": ["eno2"], "mode": "802.3ad", "miimon": 100, "lacp_rate": "fast"},
        {"name": "eno3.7", "type": "vlan", "parent": "eno3", "id": 7},
        {"name": "vx", "type": "vxlan", "id": 9, "remote": "192.0.2.5", "dstport": 4789},
    ),
)  # fmt: skip

GOLDEN = {
    "br0.netdev": """
[NetDev]
Name=br0
Kind=bridge
MACAddress=52:54:00:00:00:01

[Bridge]
STP=true
ForwardDelaySec=4
VLANFiltering=true
MulticastSnooping=false
AgeingTimeSec=60
GroupForwardMask=8
""",
    "br0.network": """
[Match]
Name=br0

[Link]
MTUBytes=1450

[Network]
ConfigureWithoutCarrier=true
DHCP=ipv6
IPv6AcceptRA=true
Address=192.0.2.10/24
Gateway=192.0.2.1
DNS=192.0.2.1
Domains=a.example b.example

[Route]
Destination=10.0.0.0/8
Gateway=192.0.2.9
Metric=3
Table=7

[Route]
Destination=10.1.0.0/16
Scope=link

[BridgeVLAN]
VLAN=30-32
""",
    "eno1.network": """
[Match]
Name=eno1

[Link]
MTUBytes=1450

[Network]
Bridge=br0
LinkLocalAddressing=no

[Bridge]
Isolated=true
Cost=7
UseBPDU=false
AllowPortToBeRoot=true
MulticastRouter=permanent

[BridgeVLAN]
PVID=10
VLAN=20-29
VLAN=10
EgressUntagged=10
""",
    "bond0.netdev": """
[NetDev]
Name=bond0
Kind=bond

[Bond]
Mode=802.3ad
MIIMonitorSec=100ms
LACPTransmitRate=fast
""",
    "eno2.network": """
[Match]
Name=eno2

[Network]
Bond=bond0
""",
    "eno3.7.netdev": """
[NetDev]
Name=eno3.7
Kind=vlan

[VLAN]
Id=7
""",
    "vx.netdev": """
[NetDev]
Name=vx
Kind=vxlan

[VXLAN]
VNI=9
Remote=192.0.2.5
DestinationPort=4789
Independent=true
""",
}
MARK = "# Made by virtnet.kvm for bridge br0; changes are overwritten.\n"


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    assert networkd.rendered(KEPT)[f"{networkd.FOLDER}/{networkd.PREFIX}{name}"].text == MARK + GOLDEN[name]


def replaced(files: Files, kept: Kept | None, **in_charge: str) -> Files:
    return backends.replaced(Boot("networkd", {}, in_charge, files), {"br0": kept})


FOREIGN = File("[Match]\nName=eno1\n[Network]\nDHCP=yes\n", 0o640)


def test_a_foreign_file_for_the_same_link_is_kept_beside_and_comes_back() -> None:
    there = {
        f"{networkd.FOLDER}/10-eno1.network": FOREIGN,
        f"{networkd.FOLDER}/20-any.network": File("[Match]\nName=en*\n"),
    }
    with_bridge = replaced(there, KEPT)
    assert with_bridge[f"{networkd.FOLDER}/10-eno1.network.virtnet-backup"] == FOREIGN
    assert (
        f"{networkd.FOLDER}/10-eno1.network" not in with_bridge and f"{networkd.FOLDER}/20-any.network" in with_bridge
    )
    assert replaced(with_bridge, KEPT) == with_bridge
    assert replaced(with_bridge, None) == there


def test_a_vlans_parent_is_told_in_its_own_file_or_beside_a_foreign_one() -> None:
    own = replaced({}, KEPT)
    assert "VLAN=eno3.7" in own[f"{networkd.FOLDER}/05-virtnet-eno3.network"].text
    again = replaced(own, KEPT, eno3=f"{networkd.FOLDER}/05-virtnet-eno3.network")
    assert again == own
    foreign = replaced({}, KEPT, eno3="/usr/lib/systemd/network/80-x.network")
    assert "VLAN=eno3.7" in foreign[f"{networkd.FOLDER}/80-x.network.d/virtnet-br0.conf"].text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[Network]\nDHCP=yes\nIPv6AcceptRA=no\n", {"dhcp4": True, "dhcp6": True}),
        (
            "[Network]\nDHCP=ipv4\nDNS=1.1.1.1 8.8.8.8\nDomains=x\n",
            {"dhcp4": True, "dns": {"servers": ["1.1.1.1", "8.8.8.8"], "search": ["x"]}},
        ),
        ("[Match]\nDHCP=yes\n# DHCP=yes\n[Network]\nDHCP=no\n", {}),
        ("[Network]\nIPv6AcceptRA=yes", {"accept_ra": True}),
    ],
)
def test_reading(text: str, told: dict) -> None:
    assert networkd.read(text) == told


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"stp": {"priority": 0}}, "stp.priority: 0"),
        ({"stp": {"priority": 4096}}, None),
        ({"vlan": {"filtering": True, "self": {"tagged": ["10"]}}}, "vlan.self: without VLAN 1"),
    ],
)
def test_refused(options: dict, why: str | None) -> None:
    told = networkd.refused(Kept("br0", options, ()))
    assert (told or "").startswith(why or "") and bool(told) == bool(why)


def test_whose_links() -> None:
    assert networkd.matches("[Match]\nName=eno1 eno2\n") == ["eno1", "eno2"]
    assert networkd.matches("[Match]\nName=en*\n") == networkd.matches("[Match]\nMACAddress=x\n") == []
    assert owner("# Made by virtnet.kvm for bridge br7; changes are overwritten.\n") == "br7"
    assert owner("[Match]\n") is None
    files = networkd.rendered(
        Kept("br0", {}, ({"name": "d0", "type": "dummy", "mtu": 1400, "mac_address": "52:54:00:00:00:07"},))
    )
    assert networkd.sizes(files, "d0") == {"mtu": 1400, "mac_address": "52:54:00:00:00:07"}
    assert networkd.sizes(files, "d1") == {}
