# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of value: what it takes, in which one spelling, and what it refuses."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core import kinds
from ansible_collections.virtnet.kvm.plugins.module_utils._core.table import Kind

TAKEN = [
    (kinds.BOOLEAN, "yes", True), (kinds.BOOLEAN, False, False), (kinds.ON_OFF, "off", False),
    (kinds.ADDRESS, " FD00:0::1 ", "fd00::1"), (kinds.ADDRESS, "10.0.0.1", "10.0.0.1"),
    (kinds.CIDR, "10.0.0.1/255.255.255.0", "10.0.0.1/24"), (kinds.CIDR, "fd00:0::1/64", "fd00::1/64"),
    (kinds.MAC, "52-54-00-AA-BB-CC", "52:54:00:aa:bb:cc"), (kinds.MAC, "0:1:2:3:4:5", "00:01:02:03:04:05"),
    (kinds.UNICAST_MAC, "52:54:00:00:00:01", "52:54:00:00:00:01"),
    (kinds.LINK_NAME, "br-a.7", "br-a.7"), (kinds.LINK_NAME, "a" * 15, "a" * 15),
    (kinds.DURATION, "3600", "1h"), (kinds.DURATION, "60m", "1h"), (kinds.DURATION, "90s", "90s"),
    (kinds.DURATION, "5400", "90m"), (kinds.DURATION, "0", "infinite"), (kinds.DURATION, "0h", "infinite"),
    (kinds.UUID, "C7A5FDBD-EDAF-9455-926A-D65C16DB1809", "c7a5fdbd-edaf-9455-926a-d65c16db1809"),
    (kinds.integer(0, 255), "0x0b", 11), (kinds.integer(0, 9), 9, 9), (kinds.choice("a", "b"), "b", "b"),
    (kinds.TEXT, "a\nb", "a\nb"), (kinds.TEXT, 7, "7"),
]  # fmt: skip

REFUSED = [
    (kinds.BOOLEAN, "maybe", "yes or no"), (kinds.ADDRESS, "10.0.0.256", "no IP address"),
    (kinds.ADDRESS, "010.0.0.1", "octal"), (kinds.ADDRESS, "10.0.0.01", "octal"),
    (kinds.CIDR, "10.0.0.1", "10.0.0.1/24"), (kinds.CIDR, "fd00::1", "fd00::1/64"), (kinds.CIDR, "10.0.0.1/40", "40"),
    (kinds.MAC, "52:54:00", "no MAC"), (kinds.UNICAST_MAC, "01:00:5e:00:00:01", "multicast"),
    (kinds.LINK_NAME, "a" * 16, "15"), (kinds.LINK_NAME, "a/b", "slash"), (kinds.LINK_NAME, "virbr%d", "percent"),
    (kinds.LINK_NAME, ".", "no link name"), (kinds.DURATION, "soon", "12h"), (kinds.UUID, "x", "UUID"),
    (kinds.integer(0, 9), 10, "0 to 9"), (kinds.integer(0, 9), "x", "0 to 9"), (kinds.choice("a", "b"), "c", "a, b"),
    (kinds.TEXT, "a\x00b", "control"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "normal"), TAKEN)
def test_taken(kind: Kind, value: object, normal: object) -> None:
    assert kind.parse(value) == normal
    assert kind.parse(normal) == normal
    assert kind.parse(kind.render(normal)) == normal


@pytest.mark.parametrize(("kind", "value", "words"), REFUSED)
def test_refused(kind: Kind, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kind.parse(value)


@pytest.mark.parametrize(("duration", "seconds"), [("infinite", 0), ("90s", 90), ("2m", 120), ("3h", 10800)])
def test_seconds_of(duration: str, seconds: int) -> None:
    assert kinds.seconds_of(duration) == seconds
