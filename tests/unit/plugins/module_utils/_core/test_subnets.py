# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCP ranges of a whole subnet."""

from __future__ import annotations

import ipaddress

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core.subnets import whole_subnet
from hypothesis import given
from hypothesis import strategies as st

SPANS = [
    ("10.0.0.1/24", [("10.0.0.2", "10.0.0.254")]),
    ("10.0.0.254/24", [("10.0.0.1", "10.0.0.253")]),
    ("10.0.0.100/24", [("10.0.0.1", "10.0.0.99"), ("10.0.0.101", "10.0.0.254")]),
    ("10.0.0.1/30", [("10.0.0.2", "10.0.0.2")]),
    ("10.0.0.0/31", [("10.0.0.1", "10.0.0.1")]),
    ("10.0.0.1/8", [("10.0.0.2", "10.0.255.254")]),
    ("fd00::1/64", [("fd00::2", "fd00::fffe")]),
]


@pytest.mark.parametrize(("address", "spans"), SPANS)
def test_whole_subnet(address: str, spans: list[tuple[str, str]]) -> None:
    assert [(span["start"], span["end"]) for span in whole_subnet(address)] == spans


@given(st.ip_addresses(v=4), st.integers(8, 31))
def test_whole_subnet_never_has_the_hosts_own_address(ip: ipaddress.IPv4Address, prefix: int) -> None:
    interface = ipaddress.ip_interface(f"{ip}/{prefix}")
    for span in whole_subnet(str(interface)):
        start, end = (ipaddress.ip_address(span[name]) for name in ("start", "end"))
        assert start <= end and start in interface.network and end in interface.network
        assert not start <= interface.ip <= end and int(end) - int(start) < 65535
