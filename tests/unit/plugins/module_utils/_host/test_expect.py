# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each pattern has to show."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._host.expect import checks, guest_address, source_of, table
from ansible_collections.virtnet.kvm.plugins.module_utils._host.model import Forward
from ansible_collections.virtnet.kvm.plugins.module_utils._host.patterns import declaration

LAN = {"name": "lan", "pattern": "bridged", "nic": "eno1"}
LAB = {"name": "lab", "pattern": "nat", "address": "10.10.0.1/24", "forwards": [{"port": 2222, "to": "10.10.0.5:22"}]}
DMZ = {"name": "dmz", "pattern": "routed", "address": "203.0.113.1/28", "dhcp": False}
OPEN = {"name": "open", "pattern": "isolated", "address": "10.66.0.1/24"}
SEALED = {**OPEN, "host_access": False}
OUTSIDE, OWN = "198.51.100.9", ["192.0.2.11"]


@pytest.mark.parametrize(("said", "wanted"), [
    (LAN, [("active", None, True), ("bridge", None, True), ("lease", None, True), ("ping", OUTSIDE, True)]),
    (LAB, [("active", None, True), ("bridge", None, True), ("lease", None, True), ("ping", "10.10.0.1", True), ("ping", OUTSIDE, True),
           ("forward", Forward("tcp", (2222, 2222), "10.10.0.5", (22, 22)), True)]),
    (DMZ, [("active", None, True), ("bridge", None, True), ("ping", "203.0.113.1", True)]),
    (OPEN, [("active", None, True), ("bridge", None, True), ("lease", None, True), ("ping", "10.66.0.1", True),
            ("ping", "192.0.2.11", True), ("ping", OUTSIDE, False)]),
    (SEALED, [("active", None, True), ("bridge", None, True), ("lease", None, True), ("ping", "10.66.0.1", False),
              ("ping", "192.0.2.11", False), ("ping", OUTSIDE, False)]),
])  # fmt: skip
def test_checks(said: dict, wanted: list) -> None:
    found = checks(declaration([said]).networks[0], OUTSIDE, OWN)
    assert [(check.kind, check.target, check.wanted) for check in found] == wanted


def test_without_an_outside_nobody_is_asked_about_it() -> None:
    assert not [check for check in checks(declaration([LAN]).networks[0], None, OWN) if check.kind == "ping"]


@pytest.mark.parametrize(("taken", "address"), [((), "203.0.113.14/28"), (("203.0.113.14",), "203.0.113.13/28")])
def test_guest_address(taken: tuple, address: str) -> None:
    assert guest_address(declaration([DMZ]).networks[0], taken) == address


@pytest.mark.parametrize(("more", "wanted"), [
    ({}, "192.0.2.11"),
    ({"sources": ("192.0.2.0/24",)}, "192.0.2.11"),
    ({"sources": ("10.0.0.0/8",)}, None),
    ({"address": "192.0.2.99"}, "192.0.2.99"),
    ({"to": "fd00::5"}, "fd00::1"),
])  # fmt: skip
def test_source_of(more: dict, wanted: str | None) -> None:
    forward = Forward(**{"protocol": "tcp", "ports": (1, 1), "to": "10.10.0.5", "to_ports": (1, 1), **more})
    assert source_of(forward, ["192.0.2.11", "fd00::1"]) == wanted


def test_table() -> None:
    rows = [
        {"network": "a", "check": "one", "found": "yes", "ok": True, "skipped": False},
        {"network": "long", "check": "other", "found": "no", "ok": False, "skipped": False},
        {"network": "a", "check": "x", "found": "-", "ok": True, "skipped": True},
    ]
    assert table(rows) == ["ok        a     one    yes", "FAILED    long  other  no", "not told  a     x      -"]
