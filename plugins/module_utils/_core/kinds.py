# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of values that more than one domain knows: each in one spelling."""

from __future__ import annotations

import ipaddress
import re
import typing
import uuid

from .table import Kind

Address = typing.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Interface = typing.Union[ipaddress.IPv4Interface, ipaddress.IPv6Interface]

_MAC = re.compile(r"[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}")
_WORDS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # https://www.w3.org/TR/xml/#charsets
_DURATION = re.compile(r"(\d+)\s*([smh]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}

# IFNAMSIZ of linux/if.h, less the closing zero.
LINK_NAME_LENGTH = 15


def _boolean(value: typing.Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word not in _WORDS:
        raise ValueError("take yes or no")
    return _WORDS[word]


def _text(value: typing.Any) -> str:
    text = str(value)
    if _NOT_IN_XML.search(text):
        raise ValueError("control characters and halves of characters can't be kept in XML")
    return text


def parse_address(value: typing.Any) -> Address:
    """An IP address. A leading zero is refused: the C library would read the number as octal (inet_aton(3))."""
    text = str(value).strip()
    if "." in text and re.search(r"(^|\.)0[0-9]", text):
        raise ValueError("a leading zero would be read as octal; leave it out")
    if "%" in text:
        raise ValueError("say it without its scope; the link is known")
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("this is no IP address") from None


def parse_cidr(value: typing.Any) -> Interface:
    """An address with its prefix, such as 192.0.2.1/24; a netmask behind the slash is understood too."""
    address, slash, prefix = str(value).strip().partition("/")
    if not slash:
        raise ValueError(f"the prefix is missing; say for example {address}/{64 if ':' in address else 24}")
    parse_address(address)
    try:
        return ipaddress.ip_interface(f"{address}/{prefix}")
    except ValueError:
        raise ValueError(f"{prefix!r} is no prefix for {address}") from None


def _mac(value: typing.Any) -> str:
    text = str(value).strip().lower().replace("-", ":")
    if not _MAC.fullmatch(text):
        raise ValueError("this is no MAC address; it looks like 52:54:00:12:34:56")
    return ":".join(part.zfill(2) for part in text.split(":"))


def _unicast_mac(value: typing.Any) -> str:
    mac = _mac(value)
    if int(mac[:2], 16) & 1:
        raise ValueError("this is a multicast MAC address (its first byte is odd); an interface needs a unicast one")
    return mac


def _link_name(value: typing.Any) -> str:
    """A link's name as the kernel takes it (dev_valid_name in net/core/dev.c)."""
    text = str(value)
    if len(text) > LINK_NAME_LENGTH:
        raise ValueError(f"{len(text)} characters; a link's name has at most {LINK_NAME_LENGTH}")
    if not re.fullmatch(r"[^\s/:%]+", text) or text in (".", ".."):
        raise ValueError("this is no link name; leave out white space, slash, colon and percent")
    return text


def _duration(value: typing.Any) -> str:
    """Seconds, or a number with s, m or h; or the word infinite. Normal: the largest unit that is exact."""
    text = str(value).strip().lower()
    if text in ("infinite", "0"):
        return "infinite"
    match = _DURATION.fullmatch(text)
    if not match:
        raise ValueError("this is no duration; say for example 300s, 30m, 12h or infinite")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds == 0:
        return "infinite"
    unit = "h" if seconds % 3600 == 0 else "m" if seconds % 60 == 0 else "s"
    return f"{seconds // _UNITS[unit]}{unit}"


def _uuid(value: typing.Any) -> str:
    try:
        return str(uuid.UUID(str(value).strip()))
    except ValueError:
        raise ValueError("this is no UUID") from None


def integer(low: int, high: int) -> Kind:
    """A whole number within bounds; hexadecimal (0x...) is understood."""

    def parse(value: typing.Any) -> int:
        try:
            number = int(str(value).strip(), 0) if str(value).strip().lower().startswith("0x") else int(str(value))
        except ValueError:
            raise ValueError(f"take a whole number from {low} to {high}") from None
        if not low <= number <= high:
            raise ValueError(f"take a whole number from {low} to {high}")
        return number

    return Kind("int", parse)


def choice(*words: str) -> Kind:
    """One of these words."""

    def parse(value: typing.Any) -> str:
        if str(value) not in words:
            raise ValueError(f"take one of {', '.join(words)}")
        return str(value)

    return Kind("str", parse, choices=words)


TEXT = Kind("str", _text)
BOOLEAN = Kind("bool", _boolean, lambda value: "yes" if value else "no")
ON_OFF = Kind("bool", _boolean, lambda value: "on" if value else "off")
ADDRESS = Kind("str", lambda value: str(parse_address(value)))
CIDR = Kind("str", lambda value: str(parse_cidr(value)))
MAC = Kind("str", _mac)
UNICAST_MAC = Kind("str", _unicast_mac)
LINK_NAME = Kind("str", _link_name)
DURATION = Kind("str", _duration)
UUID = Kind("str", _uuid)


def seconds_of(duration: str) -> int:
    """A normal duration in seconds; infinite is 0."""
    return 0 if duration == "infinite" else int(duration[:-1]) * _UNITS[duration[-1]]
