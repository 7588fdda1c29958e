# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the kernel's links, addresses and routes: a dump each, however many there are."""

from __future__ import annotations

import dataclasses
import pathlib
import socket
import struct
import typing
from collections.abc import Mapping

from . import attributes
from .netlink import HEADER, Netlink, Request, decoded, messages
from .values import (
    BY_INDEX,
    IFA_F_NOPREFIXROUTE,
    IFA_F_PERMANENT,
    NO_MAC,
    RTPROT_KERNEL,
    Address,
    Attributes,
    Hop,
    Link,
    Route,
)

_GETLINK, _GETADDR, _GETROUTE = 18, 22, 26
_EXT_MASK_VLANS, _EXT_MASK_NO_STATS = 0x2, 0x8  # RTEXT_FILTER_BRVLAN, _SKIP_STATS
_UP, _LOOPBACK, _RUNNING = 0x1, 0x8, 0x40
_CACHED = 0x200  # RTM_F_CLONED
_ONLINK, _LOCAL_TABLE = 4, 255
_STATION = 2  # NL80211_IFTYPE_STATION
_UNICAST_LIKE = (1, 6, 7, 8, 9)  # unicast, blackhole, unreachable, prohibit, throw
_LASTING_FLAGS = (
    IFA_F_PERMANENT | 0x02 | 0x100 | 0x200 | 0x400 | 0x04 | 0x10
)  # not: tentative, secondary, deprecated, ...
_EXTRA = ("RTA_PREFSRC", "RTA_METRICS", "RTA_PREF", "RTA_SRC", "RTA_FLOW", "RTA_ENCAP_TYPE", "RTA_ENCAP")
# What comes before a message's attributes: the fields of it that are read (linux/rtnetlink.h, linux/if_addr.h)
_IFINFOMSG = struct.Struct("=4xiI4x")  # index, flags
_IFADDRMSG = struct.Struct("=xBBBI")  # prefixlen, flags, scope, index
_RTMSG = struct.Struct("=4xBBxBI")  # table, protocol, type, flags
_LINK = {
    "IFLA_IFNAME",
    "IFLA_ADDRESS",
    "IFLA_MTU",
    "IFLA_MASTER",
    "IFLA_LINK",
    "IFLA_LINK_NETNSID",
    "IFLA_IFALIAS",
    "IFLA_LINKINFO",
}
_ADDRESS = {"IFA_ADDRESS", "IFA_LOCAL", "IFA_BROADCAST", "IFA_LABEL", "IFA_FLAGS", "IFA_CACHEINFO"}
_INFO = {"IFLA_INFO_KIND", "IFLA_INFO_DATA", "IFLA_INFO_SLAVE_KIND", "IFLA_INFO_SLAVE_DATA"}
_KNOWN_DATA = ("bridge", "vlan", "bond", "vxlan")


def links(netlink: Netlink, wanted: frozenset[str]) -> dict[str, Link]:
    """Every link by its name, with its addresses, and with these attributes of its kind and of its place in a bridge."""
    kind = messages("ifinfmsg", "ifinfmsg")
    message = kind()
    message["attrs"] = [("IFLA_EXT_MASK", _EXT_MASK_NO_STATS)]
    layouts = _Layouts(kind, wanted)
    answers = [_Told(answer, layouts) for answer in netlink.dump(Request("reading links", message, _GETLINK))]
    names = {told.index: told.link["IFLA_IFNAME"] for told in answers}
    found = _addresses(netlink)
    return {names[told.index]: _link(told, names, tuple(found.get(told.index, ()))) for told in answers}


def _split(answer: bytes, head: struct.Struct) -> tuple[tuple[typing.Any, ...], attributes.Place]:
    """The fields of an answer, and the place of its attributes."""
    return head.unpack_from(answer, HEADER.size), (HEADER.size + head.size, len(answer))


class _Layouts:
    """How to read a link, what it is (IFLA_LINKINFO), and the wanted attributes of its kind and of a port of a bridge."""

    def __init__(self, kind: typing.Any, wanted: frozenset[str]) -> None:
        info = kind.ifinfo
        self.link = attributes.layout(kind, _LINK)
        self.info = attributes.layout(info, _INFO)
        self.data = {name: attributes.layout(info.data_map[name], wanted) for name in _KNOWN_DATA}
        self.port = attributes.layout(info.bridge_slave_data, wanted)


class _Told:
    """What an answer tells of a link, by pyroute2's names."""

    def __init__(self, answer: bytes, layouts: _Layouts) -> None:
        (self.index, self.flags), place = _split(answer, _IFINFOMSG)
        self.link = attributes.read(answer, place, layouts.link)
        info = attributes.read(answer, self.link.get("IFLA_LINKINFO"), layouts.info)
        self.kind: str = info.get("IFLA_INFO_KIND", "")
        self.port_kind: str | None = info.get("IFLA_INFO_SLAVE_KIND")
        self.data = attributes.read(answer, info.get("IFLA_INFO_DATA"), layouts.data.get(self.kind))
        port = layouts.port if self.port_kind == "bridge" else None
        self.port = attributes.read(answer, info.get("IFLA_INFO_SLAVE_DATA"), port)


def _link(told: _Told, names: dict[int, str], addresses: tuple[Address, ...]) -> Link:
    mac, parent = told.link.get("IFLA_ADDRESS"), told.link.get("IFLA_LINK", 0)
    elsewhere = "IFLA_LINK_NETNSID" in told.link
    return Link(
        name=names[told.index],
        index=told.index,
        kind=told.kind,
        mac=None if mac == NO_MAC else mac,
        mtu=told.link["IFLA_MTU"],
        up=bool(told.flags & _UP),
        running=bool(told.flags & _RUNNING),
        master=names.get(told.link.get("IFLA_MASTER", 0)),
        parent=None if elsewhere or parent == told.index else names.get(parent),
        loopback=bool(told.flags & _LOOPBACK),
        data=_named(told.data, names),
        port_kind=told.port_kind,
        port=_named(told.port, names),
        alias=told.link.get("IFLA_IFALIAS"),
        addresses=addresses,
    )


def _named(told: dict[str, typing.Any], names: dict[int, str]) -> Attributes:
    """Links by their names."""
    return {name: names.get(value, "") if name in BY_INDEX else value for name, value in told.items()}


def _addresses(netlink: Netlink) -> dict[int, list[Address]]:
    kind = messages("ifaddrmsg", "ifaddrmsg")
    layout = attributes.layout(kind, _ADDRESS)
    found: dict[int, list[Address]] = {}
    for answer in netlink.dump(Request("reading addresses", kind(), _GETADDR)):
        (bits, flags, scope, index), place = _split(answer, _IFADDRMSG)
        told = attributes.read(answer, place, layout)
        found.setdefault(index, []).append(_address(told, bits, flags, scope))
    return found


def _address(told: dict[str, typing.Any], bits: int, flags: int, scope: int) -> Address:
    address, local = told.get("IFA_ADDRESS"), told.get("IFA_LOCAL")
    times = told.get("IFA_CACHEINFO", {})
    return Address(
        cidr=f"{local or address}/{bits}",
        scope=scope,
        peer=address if local and address != local else None,
        broadcast=told.get("IFA_BROADCAST"),
        label=told.get("IFA_LABEL"),
        flags=told.get("IFA_FLAGS", flags) & _LASTING_FLAGS,
        valid=times.get("ifa_valid", 0xFFFFFFFF),
        preferred=times.get("ifa_preferred", 0xFFFFFFFF),
    )


def vlans(netlink: Netlink) -> dict[int, dict[int, int]]:
    """{index of a bridge or port: {VLAN: flags of linux/if_bridge.h}}."""
    message = messages("ifinfmsg", "ifinfmsg")()
    message["family"] = socket.AF_BRIDGE
    message["attrs"] = [("IFLA_EXT_MASK", _EXT_MASK_VLANS)]
    found: dict[int, dict[int, int]] = {}
    for raw in netlink.dump(Request("reading bridge VLANs", message, _GETLINK)):
        answer = decoded(message, raw)
        spec = answer.get_attr("IFLA_AF_SPEC")
        here = spec.get_attrs("IFLA_BRIDGE_VLAN_INFO") if spec else []
        found.setdefault(answer["index"], {}).update({vlan["vid"]: vlan["flags"] for vlan in here})
    return found


def routes(netlink: Netlink, links: Mapping[str, Link]) -> tuple[Route, ...]:
    """The routes of every table that somebody made; not those that the kernel makes itself, with an address."""
    names = {link.index: link.name for link in links.values()}
    instead = {
        (link.name, one.prefix): link.index
        for link in links.values()
        for one in link.addresses
        if one.flags & IFA_F_NOPREFIXROUTE and not one.link_local
    }
    found, there = [], set(instead.values())
    kind = messages("rtmsg", "rtmsg")
    dev = attributes.layout(kind, {"RTA_OIF"})
    for version in (socket.AF_INET, socket.AF_INET6):
        message = kind()
        message["family"] = version
        for answer in netlink.dump(Request("reading routes", message, _GETROUTE)):
            if _may_be_made(answer, dev, there):
                route = _route(decoded(message, answer), names)
                if route.protocol != RTPROT_KERNEL or (route.hops[0].dev, route.to) in instead:
                    found.append(route)
    return tuple(_joined(found))


def _may_be_made(answer: bytes, dev: attributes.Layout, instead: set[int]) -> bool:
    """Told apart before they are decoded: most routes are the kernel's own, and only over some links may one be in the place of
    the kernel's."""
    (table, protocol, kind, flags), place = _split(answer, _RTMSG)
    if table == _LOCAL_TABLE or flags & _CACHED or kind not in _UNICAST_LIKE:
        return False
    return protocol != RTPROT_KERNEL or attributes.read(answer, place, dev).get("RTA_OIF") in instead


def _route(answer: typing.Any, names: dict[int, str]) -> Route:
    any_ = "0.0.0.0" if answer["family"] == socket.AF_INET else "::"
    several = answer.get_attr("RTA_MULTIPATH") or []
    hops = [_hop(hop, hop["oif"], hop["hops"] + 1, hop["flags"], names) for hop in several] or [
        _hop(answer, answer.get_attr("RTA_OIF"), 1, answer["flags"], names)
    ]
    cache = answer.get_attr("RTA_CACHEINFO") or {}
    return Route(
        to=f"{answer.get_attr('RTA_DST') or any_}/{answer['dst_len']}",
        hops=tuple(hops),
        table=answer.get_attr("RTA_TABLE") or answer["table"],
        metric=answer.get_attr("RTA_PRIORITY") or 0,
        protocol=answer["proto"],
        scope=answer["scope"],
        type=answer["type"],
        extra=tuple((name, _value(answer.get_attr(name))) for name in _EXTRA if answer.get_attr(name)),
        expires=bool(cache.get("rta_expires")),
    )


def _hop(answer: typing.Any, index: int | None, weight: int, flags: int, names: dict[int, str]) -> Hop:
    via = answer.get_attr("RTA_GATEWAY")
    if via is None and answer.get_attr("RTA_VIA"):
        via = answer.get_attr("RTA_VIA").get("addr")
    return Hop(names.get(index or 0), via, weight, bool(flags & _ONLINK))


def _value(value: typing.Any) -> typing.Any:
    """Nested attributes as nested tuples, which can be compared and sent again."""
    if isinstance(value, dict) and "attrs" in value:
        return {"attrs": [(name, _value(one)) for name, one in value["attrs"]]}
    return value


def _joined(routes_: list[Route]) -> list[Route]:
    """IPv6 tells the hops of one route as routes of their own. Those without a router are such (rt6_qualify_for_ecmp)."""
    found: dict[tuple[typing.Any, ...], Route] = {}
    for route in routes_:
        key = (route.to, route.table, route.metric, route.protocol, route.type, str(route.extra))
        several = route.version == 6 and not route.expires and all(hop.via for hop in route.hops)
        if several and key in found:
            route = dataclasses.replace(route, hops=(*found[key].hops, *route.hops))
        found[key if several else (*key, route.hops)] = route
    return list(found.values())


def wireless_station(name: str) -> bool:
    """Whether a link is a wireless NIC in station mode, the mode of a client of an access point (nl80211)."""
    if not any((pathlib.Path("/sys/class/net") / name / mark).exists() for mark in ("wireless", "phy80211")):
        return False
    from pyroute2.iwutil import IW

    with IW() as iw:
        (answer,) = iw.get_interface_by_ifindex(socket.if_nametoindex(name))
        return bool(answer.get_attr("NL80211_ATTR_IFTYPE") == _STATION)
