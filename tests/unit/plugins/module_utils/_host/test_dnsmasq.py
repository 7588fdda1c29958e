# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsmasq's configuration as text; that dnsmasq takes it, its own --test shows on the hosts."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._host.dnsmasq import config
from ansible_collections.virtnet.kvm.plugins.module_utils._host.patterns import declaration

EDGE = {"name": "e", "pattern": "custom_nat", "bridge": "br-e", "address": "10.50.0.1/24"}


@pytest.mark.parametrize(("more", "present", "absent"), [
    ({}, ["interface=br-e", "dhcp-range=10.50.0.2,10.50.0.254,255.255.255.0", "dhcp-leasefile=/var/lib/virtnet-dnsmasq-e/leases"], ["enable-ra"]),
    ({"dhcp": False}, ["interface=br-e"], ["dhcp-range", "dhcp-authoritative"]),
    ({"address6": "fd50::1/64"}, ["dhcp-range=fd50::,ra-only,64", "enable-ra"], []),
    ({"domain": "e.example"}, ["domain=e.example", "local=/e.example/"], []),
    ({"mtu": 1400}, ["dhcp-option=option:mtu,1400"], []),
    ({"hosts": [{"mac": "52:54:00:00:00:01", "ip": "10.50.0.5", "name": "web"}]},
     ["dhcp-host=52:54:00:00:00:01,10.50.0.5,web", "host-record=web,10.50.0.5"], []),
])  # fmt: skip
def test_config(more: dict, present: list[str], absent: list[str]) -> None:
    text = config(declaration([{**EDGE, **more}]).networks[0])
    assert all(line in text.splitlines() for line in present), text
    assert not any(word in text for word in absent), text
