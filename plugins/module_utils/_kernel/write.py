# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing the kernel's links, addresses and routes: each function makes one message; a batch sends many."""

from __future__ import annotations

import ipaddress
import socket
import typing

from .netlink import AlreadyGone, AlreadyThere, Request, messages
from .values import BY_INDEX, FOREVER, IFA_F_NODAD, Address, Attributes, Hop, Link, Route, words

_NEWLINK, _DELLINK, _SETLINK, _NEWADDR, _DELADDR, _NEWROUTE, _DELROUTE = 16, 17, 19, 20, 21, 24, 25
_CREATE, _EXCL, _REPLACE, _APPEND = 0x400, 0x200, 0x100, 0x800
_UP = 1
_MASTER, _SELF = 1, 2  # BRIDGE_FLAGS_
_VETH_PEER = "VETH_INFO_PEER"

Indices = typing.Mapping[str, int]


def make_link(link: Link, indices: Indices) -> Request:
    """A new link with all that can be said at its birth."""
    attrs: list[tuple[str, typing.Any]] = [("IFLA_IFNAME", link.name)]
    if link.mac:
        attrs.append(("IFLA_ADDRESS", link.mac))
    if link.mtu:
        attrs.append(("IFLA_MTU", link.mtu))
    if link.parent and link.kind != "veth":
        attrs.append(("IFLA_LINK", indices[link.parent]))
    info: list[tuple[str, typing.Any]] = [("IFLA_INFO_KIND", link.kind)]
    data = _data(link.data, indices)
    if link.parent and link.kind == "veth":
        data.append((_VETH_PEER, {"attrs": [("IFLA_IFNAME", link.parent)]}))
    if data:
        info.append(("IFLA_INFO_DATA", {"attrs": data}))
    attrs.append(("IFLA_LINKINFO", {"attrs": info}))
    return _link(f"making {link.kind} {link.name}", attrs, _NEWLINK, _CREATE | _EXCL, up=link.up or None)


def remove_link(name: str, indices: Indices) -> Request:
    return _link(f"removing {name}", [], _DELLINK, index=indices[name])


def set_link(name: str, indices: Indices, what: str, **changes: typing.Any) -> Request:
    """Some of `up`, `mtu`, `mac`, `alias`, `master` (None: no master) of a link."""
    attrs: list[tuple[str, typing.Any]] = []
    if "mtu" in changes:
        attrs.append(("IFLA_MTU", changes["mtu"]))
    if "mac" in changes:
        attrs.append(("IFLA_ADDRESS", changes["mac"]))
    if "alias" in changes:
        attrs.append(("IFLA_IFALIAS", changes["alias"]))
    if "master" in changes:
        attrs.append(("IFLA_MASTER", indices[changes["master"]] if changes["master"] else 0))
    return _link(f"{what} of {name}", attrs, _NEWLINK, index=indices[name], up=changes.get("up"))


def set_data(name: str, kind: str, data: Attributes, indices: Indices) -> Request:
    """Options of the link's own kind, such as a bridge's."""
    info = [("IFLA_INFO_KIND", kind), ("IFLA_INFO_DATA", {"attrs": _data(data, indices)})]
    attrs = [("IFLA_LINKINFO", {"attrs": info})]
    return _link(f"setting {words(data)} of {kind} {name}", attrs, _NEWLINK, index=indices[name])


def set_port(name: str, port: Attributes, indices: Indices) -> Request:
    """A bridge port's flags."""
    info = [("IFLA_INFO_SLAVE_KIND", "bridge"), ("IFLA_INFO_SLAVE_DATA", {"attrs": sorted(port.items())})]
    attrs = [("IFLA_LINKINFO", {"attrs": info})]
    return _link(f"setting {words(port)} of port {name}", attrs, _NEWLINK, index=indices[name])


def set_vlans(name: str, vlans: typing.Mapping[int, int], of_bridge: bool, add: bool, indices: Indices) -> Request:
    """Add or remove a port's VLANs, or (of_bridge) the bridge's own."""
    spec: list[tuple[str, typing.Any]] = [("IFLA_BRIDGE_FLAGS", _SELF if of_bridge else _MASTER)]
    spec += [("IFLA_BRIDGE_VLAN_INFO", {"vid": vid, "flags": flags}) for vid, flags in sorted(vlans.items())]
    verb = "adding" if add else "removing"
    what = f"{verb} VLAN {', '.join(map(str, sorted(vlans)))} of {name}"
    kind = _SETLINK if add else _DELLINK
    return _link(what, [("IFLA_AF_SPEC", {"attrs": spec})], kind, index=indices[name], family=socket.AF_BRIDGE)


def address(link: str, one: Address, add: bool, indices: Indices, known: bool) -> Request:
    """Add or remove an address. `known`: this host had it all along, so nobody has to be asked for duplicates."""
    message = messages("ifaddrmsg", "ifaddrmsg")()
    interface = ipaddress.ip_interface(one.cidr)
    four = interface.version == 4
    flags = one.flags | (IFA_F_NODAD if known and not four else 0)
    message["family"] = socket.AF_INET if four else socket.AF_INET6
    message["prefixlen"], message["scope"] = interface.network.prefixlen, one.scope
    message["flags"], message["index"] = flags & 0xFF, indices[link]
    attrs: list[tuple[str, typing.Any]] = [("IFA_ADDRESS", one.peer or str(interface.ip))]
    if four or one.peer:
        attrs.append(("IFA_LOCAL", str(interface.ip)))
    if add:
        if one.broadcast:
            attrs.append(("IFA_BROADCAST", one.broadcast))
        if one.label:
            attrs.append(("IFA_LABEL", one.label))
        attrs.append(("IFA_FLAGS", flags))
        if one.valid != FOREVER or one.preferred != FOREVER:
            attrs.append(
                ("IFA_CACHEINFO", {"ifa_valid": one.valid, "ifa_preferred": one.preferred, "cstamp": 0, "tstamp": 0})
            )
    message["attrs"] = attrs
    verb = "adding" if add else "removing"
    what = f"{verb} {one.cidr} {'to' if add else 'from'} {link}"
    if not add:
        return Request(what, message, _DELADDR, fine=AlreadyGone)
    return Request(what, message, _NEWADDR, _CREATE | _REPLACE)


def route(one: Route, add: bool, indices: Indices) -> Request:
    """Put a route in the place of the one to the same destination, in the same table with the same metric; or remove it."""
    message = messages("rtmsg", "rtmsg")()
    net = ipaddress.ip_network(one.to)
    message["family"] = socket.AF_INET if net.version == 4 else socket.AF_INET6
    message["dst_len"], message["proto"], message["scope"] = net.prefixlen, one.protocol, one.scope
    message["type"], message["table"] = one.type, one.table if one.table < 256 else 0
    attrs: list[tuple[str, typing.Any]] = [("RTA_TABLE", one.table)]
    if net.prefixlen:
        attrs.append(("RTA_DST", str(net.network_address)))
    if one.metric:
        attrs.append(("RTA_PRIORITY", one.metric))
    if len(one.hops) > 1:
        attrs.append(("RTA_MULTIPATH", [_hop(one, hop, indices) for hop in one.hops]))
    else:
        hop = one.hops[0]
        message["flags"] = 4 if hop.onlink else 0
        attrs += [("RTA_OIF", indices[hop.dev])] if hop.dev else []
        attrs += _router(one, hop)
    message["attrs"] = attrs + list(one.extra)
    what = f"{'making' if add else 'removing'} the route to {one.to} {_path(one)} in table {one.table}"
    if not add:
        # a link that was down meanwhile, to go into a bond, has lost its routes by itself
        return Request(what, message, _DELROUTE, fine=AlreadyGone)
    # a daemon may have made the very same behind another one that would be replaced (fib_table_insert)
    return Request(what, message, _NEWROUTE, _CREATE | _REPLACE, fine=AlreadyThere)


def _path(one: Route) -> str:
    return " and ".join(f"by {hop.via} over {hop.dev}" if hop.via else f"over {hop.dev}" for hop in one.hops)


def _router(one: Route, hop: Hop) -> list[tuple[str, typing.Any]]:
    """One of the other IP version is said by an attribute of its own (RFC 5549; ip-route(8), `via inet6`)."""
    if not hop.via:
        return []
    if one.crosses(hop):
        return [("RTA_VIA", {"family": socket.AF_INET6 if ":" in hop.via else socket.AF_INET, "addr": hop.via})]
    return [("RTA_GATEWAY", hop.via)]


def _hop(one: Route, hop: Hop, indices: Indices) -> dict[str, typing.Any]:
    return {
        "oif": indices[hop.dev or ""],
        "hops": hop.weight - 1,
        "flags": 4 if hop.onlink else 0,
        "attrs": _router(one, hop),
    }


def _link(
    what: str, attrs: list[tuple[str, typing.Any]], kind: int, flags: int = 0, index: int = 0,
    up: bool | None = None, family: int = 0,
) -> Request:  # fmt: skip
    message = messages("ifinfmsg", "ifinfmsg")()
    message["family"], message["index"], message["attrs"] = family, index, attrs
    if up is not None:
        message["flags"], message["change"] = _UP if up else 0, _UP
    return Request(what, message, kind, flags)


def _data(data: Attributes, indices: Indices) -> list[tuple[str, typing.Any]]:
    return [(name, indices[value] if name in BY_INDEX else value) for name, value in sorted(data.items())]
