# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, each with the option, its value and the way out. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from .._core.errors import InputError
from .._core.table import Options
from .._kernel.values import IFA_F_NOPREFIXROUTE, Link
from . import boot
from .model import Desired, Observed, State, Want
from .options import ABSENT, MADE, MAIN_TABLE, MARK, VXLAN_LINK, from_kernel, links_in
from .routing import ANY, GATEWAYS, heir_of, is_default, is_gateway, is_set, routes_said


def before(desired: Desired, observed: Observed) -> None:
    """What can be told from what is there."""
    state = observed.state
    if observed.boot is None:
        boot.refuse_without(desired)
    for want in desired.wants:
        there = state.links.get(want.name)
        if there and there.kind != "bridge":
            _refuse(
                want, f"name: {want.name} is there already, and is a {there.kind or 'physical'} link; take another name"
            )
        if want.state == ABSENT:
            _refuse_cut(want, observed)
            continue
        for port in want.ports or ():
            _refuse_port(want, port, desired, observed)
        _refuse_incapable(want, observed)
        _refuse_lost_gateway(want, observed)


def _refuse(want: Want, why: str) -> None:
    raise InputError(f"bridge {want.name}: {why}")


def _refuse_cut(want: Want, observed: Observed) -> None:
    guests = observed.guests_on(want.name)
    if guests:
        raise InputError(
            f"bridge {want.name}: refusing to remove it, since running guests are on it: {', '.join(guests)}."
            " Shut them down, or move them, first",
            guests=guests,
        )


def _refuse_port(want: Want, port: Options, desired: Desired, observed: Observed) -> None:
    for name in links_in(port):
        link = observed.state.links.get(name)
        if link is None or port.get("state") == ABSENT:
            continue
        if link.loopback:
            _refuse(want, f"port {name}: the loopback link can't be in a bridge")
        if link.kind == "bridge":
            _refuse(want, f"port {name}: a bridge can't be in a bridge; join them with a port of type veth")
        if name in observed.wireless:
            _refuse(
                want,
                f"port {name}: a wireless NIC in station mode can't be in a bridge: its access point takes frames of"
                " its own MAC only. Route the guests' network instead (libvirt_network, mode route), or translate its"
                " addresses (mode nat)",
            )
        allowed = (None, want.name, port["name"])
        if link.master not in allowed and not _given_up(name, str(link.master), desired, observed):
            kind = observed.state.links[str(link.master)].kind
            _refuse(
                want,
                f"port {name}: it is in the {kind} {link.master}; take it out there first,"
                " or describe both in one list of `bridges`",
            )
    there = observed.state.links.get(port["name"])
    if there and port.get("state") != ABSENT:
        _refuse_other(want, port, there)


_AT_BIRTH = ("parent", "peer", "id", "protocol", "dstport", "local", "remote")


def _refuse_other(want: Want, port: Options, there: Link) -> None:
    """What a link is made of can't be changed afterwards."""
    name, made = port["name"], port.get("type", "existing")
    if made == "existing":
        return
    if there.kind != made:
        _refuse(want, f"port {name}: type: it is there already, and no {made}")
    rows = {
        **from_kernel(MADE[made], there.data),
        "peer": there.parent,
        "parent": there.parent or there.data.get(VXLAN_LINK),
    }
    for word in _AT_BIRTH:
        if word == "peer" and there.parent is None:
            continue  # it is in a container
        if word in port and port[word] != rows.get(word):
            _refuse(
                want,
                f"port {name}: {word}: {port[word]}: it is there already, with {rows.get(word) or 'none'}, and that can't be"
                " changed; remove it first (state: absent), or take another name",
            )


def _given_up(name: str, master: str, desired: Desired, observed: Observed) -> bool:
    """Whether this very call describes the other bridge without this port, or lets go of the bond that has it."""
    above = observed.state.links[master]
    if above.alias == MARK and above.master:
        name, master = master, above.master
    for want in desired.wants:
        if want.name == master:
            listed = {port["name"] for port in want.ports or () if port.get("state") != ABSENT}
            return want.state == ABSENT or (want.ports is not None and want.purge_ports and name not in listed)
    return False


def _refuse_incapable(want: Want, observed: Observed) -> None:
    vlan = want.options.get("vlan", {})
    filters = vlan.get("filtering") or vlan.get("self") or any(port.get("vlans") for port in want.ports or ())
    why = observed.incapable.get("vlan filtering")
    if filters and why is not None:
        _refuse(want, f"vlan: this host's kernel can't filter VLANs on a bridge ({why})")
    for port in want.ports or ():
        kind = port.get("type")
        if kind in observed.incapable:
            _refuse(
                want, f"port {port['name']}: type: this host's kernel can't make a {kind} ({observed.incapable[kind]})"
            )


def _refuse_lost_gateway(want: Want, observed: Observed) -> None:
    """`routes` is exact but for a default route without a metric of its own. NetworkManager gives each NIC's one."""
    heir = heir_of(want, observed)
    if not heir or "routes" not in want.options:
        return
    said = {one["to"] for one in want.options["routes"]} | {
        to for to, name in zip(ANY, GATEWAYS) if name in want.options
    }
    for route in observed.state.routes_over(heir):
        if is_set(route) and is_default(route) and not is_gateway(route) and route.to not in said:
            via, at = route.hops[0].via, f"gateway{route.version}"
            _refuse(
                want,
                f"routes: {heir}'s default route by {via} has the metric {route.metric}, and is not among them; say {at}: {via},"
                " or list it with its metric",
            )


def after(desired: Desired, then: State) -> None:
    """What can be told from what will be."""
    owners: dict[str, str] = {}
    for link in then.links.values():
        for address in link.addresses:
            own = ipaddress.ip_interface(address.cidr).ip
            if not own.is_link_local and not link.loopback:
                owners.setdefault(str(own), link.name)
    for want in desired.wants:
        if want.state == ABSENT:
            continue
        for cidr in want.options.get("addresses", ()):
            owner = owners.get(str(ipaddress.ip_interface(cidr).ip))
            if owner and owner != want.name:
                _refuse(
                    want,
                    f"addresses: {cidr} is on {owner} already; take it off there, or let the bridge take it over"
                    " (inherit: true, with that link as its port)",
                )
        _refuse_gateways(want, then)
    _refuse_direct(desired.wants, then)


_DIRECT_METRICS = {4: 0, 6: 256}  # what the kernel gives to the route to an address's own net (IP6_RT_PRIO_ADDRCONF)


def _refuse_direct(wants: Iterable[Want], then: State) -> None:
    """A route in the place of the one that the kernel has made with another link's address; nobody would put that back."""
    said = [
        (want, word, route)
        for want in wants
        for word, route in routes_said(want)
        if route.table == MAIN_TABLE and route.metric == _DIRECT_METRICS[route.version]
    ]
    direct: dict[str, list[tuple[str, str]]] = {}
    for link in then.links.values() if said else ():
        for one in link.addresses:
            if not one.flags & IFA_F_NOPREFIXROUTE:
                direct.setdefault(one.prefix, []).append((link.name, one.cidr))
    for want, word, route in said:
        for name, cidr in direct.get(route.to, ()):
            if name != want.name:
                _refuse(
                    want, f"{word}: to: {route.to}: {name} reaches it directly, by its address {cidr}; say a metric"
                )


def stranded(now: State, then: State) -> None:
    """What stands on a link that goes would go with it, unseen."""
    for link in then.links.values():
        if link.parent in now.links and link.parent not in then.links and link.kind != "veth":
            raise InputError(f"{link.parent}: {link.name} stands on it, and would go with it; remove that first")


def _refuse_gateways(want: Want, then: State) -> None:
    """A router that no address of the bridge reaches is no router (the kernel would refuse the route half-way)."""
    link = then.links[want.name]
    nets = [ipaddress.ip_interface(one.peer + "/32" if one.peer else one.cidr).network for one in link.addresses]
    said = [(word if word in GATEWAYS else f"{word}: {route.to} via", route) for word, route in routes_said(want)]
    named = [(what, route.hops[0].via) for what, route in said if route.hops[0].via]
    direct = [ipaddress.ip_network(route.to) for _what, route in said if not route.hops[0].via and route.to not in ANY]
    onlink = {hop.via for route in then.routes_over(want.name) for hop in route.hops if hop.onlink}
    for what, text in named:
        router = ipaddress.ip_address(text)
        if (
            text in onlink
            or router.is_link_local
            or any(router in net for net in (*nets, *direct) if net.version == router.version)
        ):
            continue
        if want.options.get("dhcp4") and router.version == 4:
            continue
        told = ", ".join(sorted(one.cidr for one in link.addresses if not one.link_local)) or "none"
        _refuse(want, f"{what}: {text}: no address of the bridge reaches it; its addresses will be: {told}")
