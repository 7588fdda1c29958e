# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge with everything, for the backends' golden texts."""

from __future__ import annotations

from ansible_collections.virtnet.kvm.plugins.module_utils._persist import backends
from ansible_collections.virtnet.kvm.plugins.module_utils._persist.model import Boot, Files, Kept

MARK = "# Made by virtnet.kvm for bridge br0; changes are overwritten.\n"
KEPT = Kept(
    "br0",
    {
        "up": True, "mtu": 1450, "mac_address": "52:54:00:00:00:01", "stp": {"enabled": True, "forward_delay": 4}, "ageing_time": 60,
        "vlan": {"filtering": True, "self": {"tagged": ["30-32"]}}, "group_fwd_mask": 8,
        "multicast": {"snooping": False, "router": 2, "query_interval": 60},
        "addresses": ["192.0.2.10/24", "2001:db8::a/64"], "gateway4": "192.0.2.1", "gateway6": "fe80::1",
        "dns": {"servers": ["192.0.2.1", "2001:db8::1"], "search": ["a.example", "b.example"]},
        "routes": [{"to": "10.0.0.0/8", "via": "203.0.113.9", "table": 7, "metric": 3}, {"to": "10.1.0.0/16"}],
    },
    (
        {"name": "eno1", "mtu": 1450, "hairpin": True, "cost": 7, "vlans": {"pvid": 10, "untagged": [10], "tagged": ["20-29"]}},
        {"name": "bond0", "type": "bond", "ports": ["eno2"], "mode": "802.3ad", "miimon": 100, "lacp_rate": "fast"},
        {"name": "eno3.7", "type": "vlan", "parent": "eno3", "id": 7},
        {"name": "vx", "type": "vxlan", "id": 9, "remote": "192.0.2.5", "dstport": 4789},
        {"name": "d0", "type": "dummy", "mtu": 1400, "mac_address": "52:54:00:00:00:07"},
        {"name": "v0", "type": "veth", "peer": "v1"},
    ),
    frozenset({"203.0.113.9"}),
)  # fmt: skip
MADE = {"br0", "bond0", "eno3.7", "vx", "d0", "v0"}
NAMED = {*MADE, "eno1", "eno2"}


def replaced(backend: str, files: Files, kept: Kept | None, **in_charge: str) -> Files:
    """All files with br0's in place of its former ones."""
    return backends.replaced(Boot(backend, {}, in_charge, files), {"br0": kept})


def there_and_back(backend: str, there: Files) -> Files:
    """The files with the bridge; they stay so, and what was there comes back."""
    with_bridge = replaced(backend, there, KEPT)
    assert replaced(backend, with_bridge, KEPT) == with_bridge
    assert replaced(backend, with_bridge, None) == there
    return with_bridge
