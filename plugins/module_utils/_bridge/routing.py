# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and routes of a link as they will be: moved with it, set, and taken off. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing

from .._core.table import Options
from .._kernel.values import IFA_F_NOPREFIXROUTE, RTPROT_KERNEL, RTPROT_STATIC, Address, Hop, Link, Route
from .model import Observed, State, Want
from .options import ABSENT, DEFAULT_METRIC6, MAIN_TABLE, links_in

RTPROT_UNSPEC, RTPROT_BOOT, RTPROT_RA = 0, 3, 9  # linux/rtnetlink.h
# What an administrator's tools say; all others are a daemon's (a lease's, a routing protocol's), and come and go.
SET = (RTPROT_UNSPEC, RTPROT_BOOT, RTPROT_STATIC)
GATEWAYS, ANY = ("gateway4", "gateway6"), ("0.0.0.0/0", "::/0")


def with_links(state: State, *links: Link) -> State:
    """The very same state where they are as they were: what it has looked up is not looked up again."""
    changed = {link.name: link for link in links if state.links.get(link.name) != link}
    return dataclasses.replace(state, links={**state.links, **changed}) if changed else state


def without_links(state: State, *names: str) -> State:
    return dataclasses.replace(
        state,
        links={name: link for name, link in state.links.items() if name not in names},
        routes=routes_changed(state, lambda route: None if route.over(*names) else route),
    )


def without_addresses(state: State, *names: str) -> State:
    """The links without addresses of their own, and without routes over them; of several ways the others are left."""

    def bare(link: Link) -> Link:
        return dataclasses.replace(link, addresses=tuple(one for one in link.addresses if one.link_local))

    def left(route: Route) -> Route | None:
        hops = tuple(hop for hop in route.hops if hop.dev not in names)
        return dataclasses.replace(route, hops=hops) if hops else None

    state = with_links(state, *(bare(state.links[name]) for name in names))
    return dataclasses.replace(state, routes=routes_changed(state, left))


def routes_changed(state: State, change: typing.Callable[[Route], Route | None]) -> tuple[Route, ...] | None:
    if state.routes is None:
        return None
    return tuple(new for new in map(change, state.routes) if new is not None)


def heir_of(want: Want, observed: Observed) -> str | None:
    """The port whose addresses the bridge takes over: the first that has some, while it is not in the bridge yet."""
    if not want.inherit:
        return None
    for port in want.ports or ():
        for name in links_in(port) if port.get("state") != ABSENT else ():
            link = observed.state.links.get(name)
            if link and any(not one.link_local for one in link.addresses):
                return str(name)
    return None


def hears_routers(state: State, link: str) -> bool:
    """Whether it has a route that a router told of: some daemons listen unless they are told not to."""
    return any(route.protocol == RTPROT_RA for route in state.routes_over(link))


def move(state: State, source: str, target: str) -> State:
    """Everything that makes the one link reachable, to the other one."""
    one, other = state.links[source], state.links[target]
    moved = tuple(address for address in one.addresses if not address.link_local)
    there = {address.cidr for address in other.addresses}
    renewed = tuple(_renewed(address, source, target) for address in moved if address.cidr not in there)
    state = with_links(
        state,
        dataclasses.replace(one, addresses=tuple(address for address in one.addresses if address.link_local)),
        dataclasses.replace(other, addresses=(*other.addresses, *renewed), mtu=other.mtu or one.mtu),
    )
    moving = routes_changed(state, lambda route: _rerouted(route, source, target))
    return dataclasses.replace(state, routes=moving)


def _renewed(address: Address, source: str, target: str) -> Address:
    """With a label of its new link, and with the kernel's own route to its net."""
    address = dataclasses.replace(address, flags=address.flags & ~IFA_F_NOPREFIXROUTE)
    if address.label and address.label.startswith(source):
        return dataclasses.replace(address, label=(target + address.label[len(source) :])[:15])
    return address


def _rerouted(route: Route, source: str, target: str) -> Route | None:
    if route.protocol == RTPROT_KERNEL and route.over(source):
        return None
    hops = tuple(dataclasses.replace(hop, dev=target) if hop.dev == source else hop for hop in route.hops)
    return dataclasses.replace(route, hops=hops)


def as_kept(state: State, link: str) -> State:
    """Its routes as they will be after a boot: `onlink` where no address reaches the router, and only there. An address is kept
    without its peer, which reached the router until now."""
    nets = [ipaddress.ip_network(one.prefix) for one in state.links[link].addresses]

    def plain(route: Route) -> Route:
        if not (route.over(link) and is_set(route) and len(route.hops) == 1):
            return route
        router = ipaddress.ip_address(route.hops[0].via or "fe80::")
        reached = router.is_link_local or any(router in net for net in nets)
        return dataclasses.replace(route, hops=(dataclasses.replace(route.hops[0], onlink=not reached),))

    return dataclasses.replace(state, routes=routes_changed(state, plain))


def addressed(want: Want, state: State) -> State:
    """`addresses` is exact for what an administrator set; what a lease or the kernel gave is not asked about. What is leased and
    said is set from now on."""
    wanted = want.options.get("addresses")
    if wanted is None:
        return state
    link = state.links[want.name]
    there = {address.cidr for address in link.addresses if address.permanent}
    own = {Address(cidr).ip for cidr in wanted}

    def stays(one: Address) -> bool:
        if one.link_local:
            return True
        if not one.permanent and ":" in one.cidr:
            return one.ip not in own  # an IPv6 address is one whatever its prefix
        return one.permanent is (one.cidr in wanted)

    kept = tuple(filter(stays, link.addresses))
    new = tuple(_new_address(cidr, want.name) for cidr in wanted if cidr not in there)
    return with_links(state, dataclasses.replace(link, addresses=(*kept, *new)))


def _new_address(cidr: str, link: str) -> Address:
    """As ip-address(8) would: with the net's broadcast address, where it has one."""
    interface = ipaddress.ip_interface(cidr)
    if interface.version == 6:
        return Address(cidr, scope=253 if interface.ip.is_link_local else 0)
    broadcast = str(interface.network.broadcast_address) if interface.network.prefixlen < 31 else None
    return Address(cidr, broadcast=broadcast, label=link)


def routed(want: Want, state: State) -> State:
    said = routes_said(want)
    gateways = [route for word, route in said if word in GATEWAYS]
    if gateways:
        state = _replace_routes(state, want.name, gateways, lambda _route: False)
    if "routes" in want.options:
        wanted = [route for word, route in said if word not in GATEWAYS]

        def goes(route: Route) -> bool:
            return not (is_gateway(route) and (gateways or not any(is_gateway(one) for one in wanted)))

        state = _replace_routes(state, want.name, wanted, goes)
    return state


def _replace_routes(state: State, link: str, wanted: list[Route], goes: typing.Callable[[Route], bool]) -> State:
    """These routes over the link, in the place of those that `goes` finds, and of those that the kernel has in their slots, maybe
    over other links. What the options can't say stays."""
    taken = {slot(route) for route in wanted}
    kept, there = [], {}
    for route in state.routes or ():
        takes_place = slot(route) in taken
        if route.over(link) and is_set(route) and is_sayable(route) and (takes_place or goes(route)):
            there[_said(route)] = route
        elif not takes_place:
            kept.append(route)
    return dataclasses.replace(state, routes=(*kept, *(there.get(_said(route), route) for route in wanted)))


def _said(route: Route) -> tuple[typing.Any, ...]:
    """As far as the options say it: whether the router is reached on the link, whatever the addresses, is left as it is."""
    return (*slot(route), route.hops[0].dev, route.hops[0].via)


def routes_said(want: Want) -> list[tuple[str, Route]]:
    """Each with the option that says it."""
    found = [
        (name, route_of({"to": anywhere, "via": want.options[name]}, want.name))
        for name, anywhere in zip(GATEWAYS, ANY)
        if name in want.options
    ]
    return found + [("routes", route_of(one, want.name)) for one in want.options.get("routes", ())]


def route_of(options: Options, link: str) -> Route:
    """A route over this link; one without a router reaches its net directly (scope link)."""
    six = ":" in options["to"]
    return Route(
        to=options["to"],
        hops=(Hop(link, options.get("via")),),
        table=options.get("table", MAIN_TABLE),
        metric=options.get("metric", DEFAULT_METRIC6 if six else 0),
        scope=0 if six or options.get("via") else 253,
    )


def slot(route: Route) -> tuple[typing.Any, ...]:
    """What the kernel tells routes apart by: there is one to a destination in a table with a metric."""
    return (route.to, route.table, route.metric)


def key(route: Route) -> tuple[typing.Any, ...]:
    return (*slot(route), route.hops)


def is_set(route: Route) -> bool:
    """Whether somebody set it for good; what a daemon makes comes and goes."""
    return route.protocol in SET and not route.expires


def is_sayable(route: Route) -> bool:
    """Whether the options have words for it: not for several ways, nor for a router of the other IP version."""
    return len(route.hops) == 1 and not route.crosses(route.hops[0])


def is_leased(route: Route) -> bool:
    """Whether a default route may be that of a lease: Debian's dhclient-script names no protocol."""
    return route.version == 4 and route.protocol == RTPROT_BOOT and is_gateway(route)


def is_default(route: Route) -> bool:
    return route.to in ANY and route.table == MAIN_TABLE


def is_gateway(route: Route) -> bool:
    plain = DEFAULT_METRIC6 if route.version == 6 else 0
    return is_default(route) and route.metric == plain and len(route.hops) == 1
