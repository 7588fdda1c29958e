# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes of a message (netlink(7)), decoded where they are wanted. Pure.

pyroute2 makes an object of each attribute of each link, wanted or not, and that is most of the time of a large dump. Which
attributes there are, their numbers and what is in them still comes from its classes.
"""

from __future__ import annotations

import socket
import struct
import typing
from collections.abc import Collection, Mapping

_HEAD = struct.Struct("=HH")  # struct nlattr of linux/netlink.h: length, type
_TYPE = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_IPV4_BYTES = 4

Place = tuple[int, int]  # where it starts and ends
Decode = typing.Callable[[bytes, int, int], typing.Any]
Layout = Mapping[int, tuple[str, Decode]]


def places(data: bytes, start: int, end: int) -> dict[int, Place]:
    """{number of an attribute: the place of its value}, of those from `start` on."""
    found = {}
    unpack = _HEAD.unpack_from
    while start + 4 <= end:
        length, kind = unpack(data, start)
        if length < 4 or start + length > end:
            break
        found[kind & _TYPE] = (start + 4, start + length)
        start += (length + 3) & ~3
    return found


def layout(kind: typing.Any, wanted: Collection[str]) -> Layout:
    """How to read these attributes of one of pyroute2's classes: {number: (name, how to decode it)}. One that this pyroute2
    does not know is not in it."""
    rows = [row if isinstance(row[0], int) else (number, *row) for number, row in enumerate(kind.nla_map)]
    return {row[0]: (row[1], _decode(kind, row[2])) for row in rows if row[1] in wanted}


def read(data: bytes, place: Place | None, wanted: Layout | None) -> dict[str, typing.Any]:
    """The wanted attributes that are there, by their names; none where there is no such place."""
    if place is None or wanted is None:
        return {}
    found = {}
    for number, (first, last) in places(data, *place).items():
        if number in wanted:
            name, decode = wanted[number]
            found[name] = decode(data, first, last)
    return found


def _place(data: bytes, start: int, end: int) -> Place:
    """Of the attributes within an attribute."""
    del data
    return start, end


def text(data: bytes, start: int, end: int) -> str:
    """Up to the zero byte."""
    return data[start:end].split(b"\0", 1)[0].decode(errors="replace")


def _hardware_address(data: bytes, start: int, end: int) -> str:
    return data[start:end].hex(":")


def _ip_address(data: bytes, start: int, end: int) -> str:
    value = data[start:end]
    return socket.inet_ntop(socket.AF_INET if len(value) == _IPV4_BYTES else socket.AF_INET6, value)


_OTHERS: dict[str, Decode] = {
    "asciiz": text,
    "l2addr": _hardware_address,
    "lladdr": _hardware_address,
    "ipaddr": _ip_address,
    "ip4addr": _ip_address,
    "ip6addr": _ip_address,
    "ifinfo": _place,
    "info_data": _place,
    "info_slave_data": _place,
}


def _decode(kind: typing.Any, name: str) -> Decode:
    """How to decode what pyroute2 calls this: the fields of a class of its own, or one of the others. A single field is a value."""
    if name in _OTHERS:
        return _OTHERS[name]
    fields = getattr(kind, name).fields
    names, formats = [field for field, _format in fields], "".join(format_ for _field, format_ in fields)
    unpack = struct.Struct(formats if formats[0] in "<>=" else f"={formats}").unpack_from

    def value(data: bytes, start: int, end: int) -> typing.Any:
        del end
        return unpack(data, start)[0]

    def values(data: bytes, start: int, end: int) -> dict[str, typing.Any]:
        del end
        return dict(zip(names, unpack(data, start)))

    return value if len(names) == 1 else values
