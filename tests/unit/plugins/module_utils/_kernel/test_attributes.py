# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes as the kernel lays them out, read by descriptions such as pyroute2's."""

from __future__ import annotations

import struct

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._kernel import attributes

NESTED = 0x8000


class Uint32:
    fields = (("value", "I"),)


class Be16:
    fields = (("value", ">H"),)


class Link:
    """By their places, as most of pyroute2's classes are."""

    uint32, be16 = Uint32, Be16
    nla_map = (
        ("UNSPEC", "none"),
        ("ADDRESS", "l2addr"),
        ("NAME", "asciiz"),
        ("MTU", "uint32"),
        ("INFO", "ifinfo"),
        ("PORT", "be16"),
        ("LOCAL", "ip4addr"),
        ("LOCAL6", "ip6addr"),
    )


class Numbered:
    uint32 = Uint32
    nla_map = ((3, "MTU", "uint32"), (40, "COST", "uint32"))


def attribute(number: int, value: bytes) -> bytes:
    length = len(value) + 4
    return struct.pack("=HH", length, number) + value + bytes(-length % 4)


MAC, NAME = attribute(1, bytes.fromhex("525400000001")), attribute(2, b"eno1\0")
MTU = attribute(3, struct.pack("=I", 1500))


@pytest.mark.parametrize(
    ("data", "wanted", "found"),
    [
        (MAC + NAME + MTU, {"ADDRESS", "NAME", "MTU"}, {"ADDRESS": "52:54:00:00:00:01", "NAME": "eno1", "MTU": 1500}),
        (MAC + NAME + MTU, {"MTU", "OF A LATER KERNEL"}, {"MTU": 1500}),
        (attribute(1, bytes(range(20))), {"ADDRESS"}, {"ADDRESS": bytes(range(20)).hex(":")}),  # InfiniBand
        (attribute(5, b"\x12\xb5"), {"PORT"}, {"PORT": 4789}),
        (attribute(6, bytes([192, 0, 2, 1])), {"LOCAL"}, {"LOCAL": "192.0.2.1"}),
        (attribute(7, bytes.fromhex("20010db8" + "0" * 23 + "1")), {"LOCAL6"}, {"LOCAL6": "2001:db8::1"}),
        (attribute(99, b"unheard of") + MTU, {"MTU"}, {"MTU": 1500}),
        (b"", {"MTU"}, {}),
        (
            MTU + b"\0\0\0\0" + NAME,
            {"MTU", "NAME"},
            {"MTU": 1500},
        ),  # cut off: nothing can be as short as its own length
        (MTU + b"\x09", {"MTU"}, {"MTU": 1500}),
        (MTU + NAME[:-4], {"MTU", "NAME"}, {"MTU": 1500}),
    ],
)
def test_read(data: bytes, wanted: set[str], found: dict) -> None:
    header = b"whatever comes before"
    place = (len(header), len(header) + len(data))
    assert attributes.read(header + data, place, attributes.layout(Link, wanted)) == found


def test_what_is_within() -> None:
    data = NAME + attribute(4 | NESTED, attribute(40, struct.pack("=I", 100)) + MTU) + MTU
    place = attributes.read(data, (0, len(data)), attributes.layout(Link, {"INFO"}))["INFO"]
    assert attributes.read(data, place, attributes.layout(Numbered, {"COST", "MTU"})) == {"COST": 100, "MTU": 1500}


def test_nothing_where_there_is_no_such_place() -> None:
    assert attributes.read(MTU, None, attributes.layout(Link, {"MTU"})) == {}
    assert attributes.read(MTU, (0, len(MTU)), None) == {}
