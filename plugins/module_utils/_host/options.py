# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declaration as a table: a row an option of a network, and which pattern takes it."""

from __future__ import annotations

import re
import typing
import zlib

from .._core import kinds
from .._core.errors import InputError
from .._core.kinds import LINK_NAME_LENGTH
from .._core.table import Field, Kind, Options, normal
from .model import BRIDGED, CUSTOM, CUSTOM_NAT, ISOLATED, NAT, PATTERNS, ROUTED, Forward, Network, Plug


def _name(value: typing.Any) -> str:
    """The name of a network, which is a file's, a unit's and a libvirt network's as well."""
    text = str(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}", text):
        raise ValueError("take letters, digits, dash, dot and underscore, at most 61, a letter or digit first")
    return text


def _ports(value: typing.Any) -> str:
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", str(value).strip())
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last <= 65535:
        raise ValueError("take a port from 1 to 65535, or a range such as 8000-8010")
    return f"{first}-{last}" if last > first else str(first)


def _source(value: typing.Any) -> str:
    text = str(value)
    return str(kinds.parse_cidr(text if "/" in text else f"{text}/{128 if ':' in text else 32}").network)


def _mapping(value: typing.Any) -> Options:
    if not isinstance(value, dict):
        raise ValueError("take a dictionary of options")
    return dict(value)


_MORE = Kind("dict", _mapping)
_MAC = Field("mac", kinds.UNICAST_MAC)
_HOST = (
    _MAC,
    Field("ip", kinds.ADDRESS, required=True),
    Field("name", kinds.TEXT),
)
_FORWARD = (
    Field("protocol", kinds.choice("tcp", "udp")),
    Field("port", Kind("str", _ports), required=True),
    Field("to", kinds.TEXT, required=True),
    Field("sources", Kind("str", _source), many=True),
    Field("address", kinds.ADDRESS),
)
NETWORK = (
    Field("name", Kind("str", _name), required=True),
    Field("pattern", kinds.choice(*PATTERNS), required=True),
    Field("bridge", kinds.LINK_NAME),
    Field("nic", kinds.LINK_NAME),
    Field("dev", kinds.LINK_NAME),
    Field("address", kinds.CIDR),
    Field("address6", kinds.CIDR),
    Field("dhcp", kinds.BOOLEAN),
    Field("hosts", fields=_HOST, many=True, key=("name", "mac")),
    Field("domain", kinds.TEXT),
    Field("mtu", kinds.integer(68, 65521)),
    Field("forwards", fields=_FORWARD, many=True, ordered=True),
    Field("host_access", kinds.BOOLEAN),
    Field("isolate_guests", kinds.BOOLEAN),
    Field("autostart", kinds.BOOLEAN),
    Field("restart", kinds.choice("never", "if_unused", "always")),
    Field("linux_bridge", _MORE),
    Field("libvirt_network", _MORE),
)
_ALL = ("name", "pattern", "bridge", "mtu", "autostart", "restart", "libvirt_network")
_SUBNET = ("address", "address6", "dhcp", "hosts", "domain")
TAKES = {
    BRIDGED: (*_ALL, "nic", "linux_bridge"),
    ROUTED: (*_ALL, *_SUBNET, "dev"),
    NAT: (*_ALL, *_SUBNET, "dev", "forwards"),
    ISOLATED: (*_ALL, *_SUBNET, "host_access", "isolate_guests"),
    **{pattern: (*_ALL, *_SUBNET, "linux_bridge") for pattern in CUSTOM},
    CUSTOM_NAT: (*_ALL, *_SUBNET, "linux_bridge", "dev", "forwards"),
}
NEEDS = {BRIDGED: ("nic",), ROUTED: ("address", "address6"), NAT: ("address",)}
NEEDS.update({pattern: ("address", "address6") for pattern in CUSTOM})
_WHY = {
    "forwards": "only networks with address translation have ports of the host to forward (nat, custom_nat)",
    "nic": "only a bridged network hangs on a NIC; say dev for the way out of a routed or nat one",
    "host_access": "only an isolated network is kept from its host",
    "isolate_guests": "only an isolated network keeps its guests apart; elsewhere say it under libvirt_network",
}


def network(said: typing.Mapping[str, typing.Any], at: int) -> Network:
    """One item of host_networks; raises InputError with everything that is wrong with it, a line each."""
    name, pattern = said.get("name"), said.get("pattern")
    where = f"network {name}" if name else f"host_networks[{at}]"
    if not name or pattern not in PATTERNS:
        wrong = "name is missing" if not name else f"pattern: {pattern!r}: take one of {', '.join(PATTERNS)}"
        raise InputError(f"{where}: {wrong}")
    errors = [_stranger(option, pattern) for option in said if option not in TAKES[pattern]]
    half = list(_half_said(said))
    if half:
        raise InputError("\n".join(f"{where}: {one}" for one in (*errors, *half)))
    try:
        options = normal([row for row in NETWORK if row.name in TAKES[pattern]], said)
    except InputError as error:
        raise InputError("\n".join(f"{where}: {one}" for one in (*errors, error))) from error
    needed = NEEDS.get(pattern, ())
    if needed and not any(option in options for option in needed):
        errors.append(f"{' or '.join(needed)} is missing: a {pattern} network needs it")
    forwards = []
    for number, one in enumerate(options.pop("forwards", [])):
        try:
            forwards.append(_forward(one, options.get("hosts", [])))
        except InputError as error:
            errors.append(f"forwards[{number}]: {error}")
    if errors:
        raise InputError("\n".join(f"{where}: {error}" for error in errors))
    bridge = options.pop("bridge", None) or bridge_of(options["name"])
    return Network(options.pop("name"), options.pop("pattern"), bridge, options, tuple(forwards))


def _half_said(said: typing.Mapping[str, typing.Any]) -> typing.Iterator[str]:
    """What the table would pass over: an item that is no dictionary, an option in it that nobody knows."""
    for option, rows in (("hosts", _HOST), ("forwards", _FORWARD)):
        items, names = said.get(option), [row.name for row in rows]
        if items is not None and not isinstance(items, list):
            yield f"{option}: {items!r}: take a list of dictionaries"
            continue
        for number, one in enumerate(items or []):
            if not isinstance(one, dict):
                yield f"{option}[{number}]: {one!r}: take a dictionary of {', '.join(names)}"
                continue
            for stranger in sorted(str(name) for name in one if name not in names):
                yield f"{option}[{number}].{stranger}: there is no such option; it takes {', '.join(names)}"
            sources = one.get("sources")
            if sources is not None and (not isinstance(sources, list) or not sources):
                yield f"{option}[{number}].sources: {sources!r}: take a list of nets; leave it out to let everybody in"


def _stranger(option: str, pattern: str) -> str:
    why = _WHY.get(option) or f"it takes {', '.join(sorted(set(TAKES[pattern]) - {'name', 'pattern'}))}"
    return f"{option}: a {pattern} network has no such option: {why}"


def bridge_of(name: str) -> str:
    """The bridge of a network that names none: a name that is the same on every run and every host."""
    plain = f"vn-{name}"
    return plain if len(plain) <= LINK_NAME_LENGTH else f"vn-{name[:3]}{zlib.crc32(name.encode()):08x}"


def _forward(said: Options, hosts: list[Options]) -> Forward:
    """`to` is a guest and a port of it: 10.10.0.5:22, [fd00::5]:22, web:22; without a port the host's own."""
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:]+|[0-9a-fA-F:]*:[0-9a-fA-F:]*))(?::([\d-]+))?", said["to"])
    guest, ports = (match[1] or match[2], match[3]) if match else (said["to"], None)
    named = {host["name"]: host["ip"] for host in hosts if "name" in host}
    try:
        address = named.get(guest) or str(kinds.parse_address(guest))
    except ValueError:
        raise InputError(
            f"to: {said['to']!r}: take a guest's address and port, such as 10.10.0.5:22, or the name of one of `hosts`"
        ) from None
    outer, inner = _span(said["port"]), _span(_checked(ports or said["port"]))
    if inner[1] - inner[0] != outer[1] - outer[0]:
        raise InputError(f"to: {said['to']!r}: {said['port']} and {ports} have to be as many ports")
    for source in said.get("sources", []):
        if (":" in source) != (":" in address):
            raise InputError(f"sources: {source!r} can't reach {address}: take nets of its own IP version")
    if "address" in said:
        _refuse_address(said["address"], address)
    sources = tuple(said.get("sources", []))
    return Forward(said.get("protocol", "tcp"), outer, address, inner, sources, said.get("address"))


def _refuse_address(own: str, guest: str) -> None:
    if (":" in own) != (":" in guest):
        raise InputError(f"address: {own!r} and {guest} are of different IP versions")
    parsed = kinds.parse_address(own)
    if parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast:
        raise InputError(
            f"address: {own!r}: nobody comes in by that; take one of the host's own, or leave it out for all"
        )


def _checked(ports: str) -> str:
    try:
        return _ports(ports)
    except ValueError as error:
        raise InputError(f"to: {ports!r}: {error}") from error


def _span(ports: str) -> tuple[int, int]:
    first, _dash, last = ports.partition("-")
    return int(first), int(last or first)


def plugs(said: typing.Mapping[str, typing.Any], at: int) -> list[Plug]:
    """One item of host_guests: a guest, and its interfaces as libvirt_domain_interface takes them."""
    guest, interfaces = said.get("guest"), said.get("interfaces")
    where = f"guest {guest}" if guest else f"host_guests[{at}]"
    strangers = sorted(set(said) - {"guest", "interfaces"})
    if not guest or not isinstance(interfaces, list) or strangers:
        raise InputError(f"{where}: take guest and interfaces, which is a list{_but(strangers)}")
    found = []
    for number, one in enumerate(interfaces):
        if not isinstance(one, dict) or not one.get("network"):
            raise InputError(f"{where}: interfaces[{number}]: network is missing: say which one it is to be on")
        options = {name: value for name, value in one.items() if name != "network"}
        options.update(normal((_MAC,), one, f"{where}: interfaces[{number}]: "))
        found.append(Plug(str(guest), str(one["network"]), options))
    return found


def _but(strangers: list[str]) -> str:
    return f"; not {', '.join(strangers)}" if strangers else ""
