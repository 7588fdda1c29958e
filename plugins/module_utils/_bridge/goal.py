# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What will be: what is there, and what is wanted, merged into one state. Pure.

The one merge feeds the plan, its check, the boot configuration, and (against what was there before) the way back.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import ipaddress
import typing

from .._core.errors import InputError
from .._core.table import Options
from .._kernel.values import Address, Hop, Link, Route
from .._persist.model import Boot
from .model import Desired, Observed, State, Want
from .options import (
    ABSENT,
    BOOT,
    BRIDGE,
    DEFAULT_METRIC6,
    MADE,
    MAIN_TABLE,
    MARK,
    PORT_FLAGS,
    PVID,
    UNTAGGED,
    flags_of,
    links_in,
    to_kernel,
)

BY_DAEMON = (9, 16)  # RTPROT_RA and RTPROT_DHCP: routes that come and go with a lease
GATEWAYS, ANY = ("gateway4", "gateway6"), ("0.0.0.0/0", "::/0")


def goal(desired: Desired, observed: Observed) -> State:
    """The state that the whole call leads to. Boot files are not in it yet."""
    state = observed.state
    for want in desired.wants:
        state = _absent(want, state) if want.state == ABSENT else _present(want, state, observed)
    return state


def _with(state: State, *links: Link) -> State:
    return dataclasses.replace(state, links={**state.links, **{link.name: link for link in links}})


def _without(state: State, *names: str) -> State:
    return dataclasses.replace(
        state,
        links={name: link for name, link in state.links.items() if name not in names},
        routes=_routes(state, lambda route: None if any(route.over(name) for name in names) else route),
    )


def _routes(state: State, change: typing.Callable[[Route], Route | None]) -> tuple[Route, ...] | None:
    if state.routes is None:
        return None
    return tuple(new for new in map(change, state.routes) if new is not None)


# Present


def _present(want: Want, state: State, observed: Observed) -> State:
    there = state.links.get(want.name)
    bridge = _bridge(want, there or Link(want.name, kind="bridge", mtu=0))
    state = _with(state, bridge)
    for port in want.ports or ():
        state = _port(want, port, state)
    if want.ports is not None and want.purge_ports:
        state = _purge(want, state)
    state = _mtu(want, state)
    source = heir_of(want, observed)
    if source:
        state = _move(state, source, want.name)
        if "mac_address" not in want.options:
            state = _with(state, dataclasses.replace(state.links[want.name], mac=observed.state.links[source].mac))
    if observed.boot:
        state = _pinned(want, state, observed.boot.seed)
    return _routed(want, _addressed(want, state))


def _pinned(want: Want, state: State, seed: str) -> State:
    """What is kept for the next boot has a MAC address of its own: that of its first port, or one of this host and name."""
    bridge = state.links[want.name]
    if bridge.mac:
        return state
    macs = [link.mac for port in want.ports or () if (link := state.links[port["name"]]).mac and link.alias != MARK]
    digest = hashlib.sha256(f"{seed} {want.name}".encode()).hexdigest()
    made = "02:" + ":".join(digest[at : at + 2] for at in range(0, 10, 2))
    return _with(state, dataclasses.replace(bridge, mac=macs[0] if macs else made))


def _bridge(want: Want, link: Link) -> Link:
    options = want.options
    vlans = link.vlans
    own = options.get("vlan", {}).get("self")
    if own is not None:
        vlans = flags_of(own)
    return dataclasses.replace(
        link,
        up=options.get("up", True),
        mac=options.get("mac_address", link.mac),
        mtu=options.get("mtu", link.mtu),
        data={**link.data, **to_kernel(BRIDGE, options)},
        vlans=vlans,
    )


def _port(want: Want, port: Options, state: State) -> State:
    """One port, made where it is not there, and plugged in."""
    name = port["name"]
    link = state.links.get(name)
    if port.get("state") == ABSENT:
        return _unplug(state, link) if link and link.master == want.name else state
    if link is None:
        link = _made(port, state)
        if link is None:
            raise InputError(f"bridge {want.name}: port {name}: there is no such link; a `type` would make it")
    joining = link.master != want.name
    vlans = default_vlans(state.links[want.name]) if joining else link.vlans
    vlans = flags_of(port["vlans"]) if "vlans" in port else vlans
    link = dataclasses.replace(
        link,
        up=True,
        master=want.name,
        port_kind="bridge",
        mtu=port.get("mtu", link.mtu),
        mac=port.get("mac_address", link.mac),
        data={**link.data, **to_kernel(MADE.get(port.get("type", ""), ()), port)},
        port={**({} if joining else link.port), **to_kernel(PORT_FLAGS, port)},
        vlans=vlans,
    )
    state = _with(state, link)
    for member in port.get("ports", ()):
        if member not in state.links:
            raise InputError(f"bridge {want.name}: port {name}: ports: there is no link {member}")
        one = state.links[member]
        state = _with(state, dataclasses.replace(one, master=name, up=True, port_kind="bond", port={}, vlans={}))
    return state


def _made(port: Options, state: State) -> Link | None:
    kind = port.get("type", "existing")
    if kind not in MADE:
        return None
    parent = port.get("parent")
    if kind == "veth":
        return Link(port["name"], kind=kind, mtu=0, up=True, parent=port["peer"], alias=MARK)
    if parent and parent not in state.links:
        raise InputError(f"port {port['name']}: parent: there is no link {parent}")
    return Link(port["name"], kind=kind, mtu=0, up=True, parent=parent, alias=MARK)


def default_vlans(bridge: Link) -> dict[int, int]:
    """What the kernel gives a new bridge and each of its new ports: the default PVID, untagged."""
    pvid = bridge.data.get("IFLA_BR_VLAN_DEFAULT_PVID", 1)
    return {pvid: PVID | UNTAGGED} if pvid else {}


def _purge(want: Want, state: State) -> State:
    """Ports are exact, but a running guest's tap stays."""
    named = {port["name"] for port in want.ports or ()}
    for link in state.ports(want.name):
        if link.name not in named and not link.guests:
            state = _unplug(state, link)
    return state


def _unplug(state: State, link: Link) -> State:
    """What this collection made goes with its place; everything else just leaves."""
    if link.alias == MARK:
        members = [dataclasses.replace(one, master=None, port_kind=None) for one in state.ports(link.name)]
        return _without(_with(state, *members), link.name)
    return _with(state, dataclasses.replace(link, master=None, port_kind=None, port={}, vlans={}))


def _mtu(want: Want, state: State) -> State:
    """A bridge carries what its ports carry; a guest's tap has its MTU from its network."""
    wanted = want.options.get("mtu")
    own = {port["name"] for port in want.ports or () if "mtu" in port}
    if wanted is None:
        sizes = [link.mtu for link in state.ports(want.name) if link.mtu]
        bridge = state.links[want.name]
        return state if bridge.mtu else _with(state, dataclasses.replace(bridge, mtu=min(sizes, default=1500)))
    changed = [
        dataclasses.replace(link, mtu=wanted)
        for link in state.ports(want.name)
        if not link.guests and link.name not in own
    ]
    return _with(state, *changed)


# Addresses and routes


def heir_of(want: Want, observed: Observed) -> str | None:
    """The port whose addresses the bridge takes over: the first that has some, while it is not in the bridge yet."""
    if not want.inherit:
        return None
    for port in want.ports or ():
        for name in links_in(port):
            link = observed.state.links.get(name)
            if link and any(not one.link_local for one in link.addresses):
                return str(name)
    return None


def _move(state: State, source: str, target: str) -> State:
    """Everything that makes the one link reachable, to the other one."""
    one, other = state.links[source], state.links[target]
    moved = tuple(address for address in one.addresses if not address.link_local)
    there = {address.cidr for address in other.addresses}
    relabelled = tuple(_relabelled(address, source, target) for address in moved if address.cidr not in there)
    state = _with(
        state,
        dataclasses.replace(one, addresses=tuple(address for address in one.addresses if address.link_local)),
        dataclasses.replace(other, addresses=(*other.addresses, *relabelled), mtu=other.mtu or one.mtu),
    )
    return dataclasses.replace(state, routes=_routes(state, lambda route: _rerouted(route, source, target)))


def _relabelled(address: Address, source: str, target: str) -> Address:
    if address.label and address.label.startswith(source):
        return dataclasses.replace(address, label=(target + address.label[len(source) :])[:15])
    return address


def _rerouted(route: Route, source: str, target: str) -> Route:
    hops = tuple(dataclasses.replace(hop, dev=target) if hop.dev == source else hop for hop in route.hops)
    return dataclasses.replace(route, hops=hops)


def _addressed(want: Want, state: State) -> State:
    """`addresses` is exact for what an administrator set; what a lease or the kernel gave is not asked about."""
    wanted = want.options.get("addresses")
    if wanted is None:
        return state
    link = state.links[want.name]
    there = {address.cidr: address for address in link.addresses}
    kept = tuple(one for one in link.addresses if not one.permanent or one.link_local or one.cidr in wanted)
    new = tuple(_new_address(cidr, want.name) for cidr in wanted if cidr not in there)
    return _with(state, dataclasses.replace(link, addresses=(*kept, *new)))


def _new_address(cidr: str, link: str) -> Address:
    """As ip-address(8) would: with the net's broadcast address, where it has one."""
    interface = ipaddress.ip_interface(cidr)
    if interface.version == 6:
        return Address(cidr, scope=253 if interface.ip.is_link_local else 0)
    broadcast = str(interface.network.broadcast_address) if interface.network.prefixlen < 31 else None
    return Address(cidr, broadcast=broadcast, label=link)


def _routed(want: Want, state: State) -> State:
    options = want.options
    for name, anywhere in zip(GATEWAYS, ANY):
        if name in options:
            own = route_of({"to": anywhere, "via": options[name]}, want.name)
            state = _replace_routes(state, want.name, [own], functools.partial(_same_slot, own))
    if "routes" in options:
        wanted = [route_of(one, want.name) for one in options["routes"]]
        gateways = any(name in options for name in GATEWAYS)

        def goes(route: Route) -> bool:
            return not (is_gateway(route) and (gateways or not any(is_gateway(one) for one in wanted)))

        state = _replace_routes(state, want.name, wanted, goes)
    return state


def _same_slot(one: Route, other: Route) -> bool:
    return slot(one) == slot(other)


def _replace_routes(state: State, link: str, wanted: list[Route], goes: typing.Callable[[Route], bool]) -> State:
    """These routes over the link, in the place of those that `goes` finds."""
    kept, there = [], {}
    for route in state.routes or ():
        if route.over(link) and is_set(route) and goes(route):
            there[key(route)] = route
        else:
            kept.append(route)
    taken = {slot(route) for route in wanted}
    kept = [route for route in kept if slot(route) not in taken or not route.over(link)]
    return dataclasses.replace(state, routes=(*kept, *(there.get(key(route), route) for route in wanted)))


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
    return route.protocol not in BY_DAEMON and not route.expires


def is_gateway(route: Route) -> bool:
    plain = (MAIN_TABLE, DEFAULT_METRIC6 if route.version == 6 else 0)
    return route.to in ANY and (route.table, route.metric) == plain and len(route.hops) == 1


# Absent


def _absent(want: Want, state: State) -> State:
    there = state.links.get(want.name)
    if there is None:
        return state
    heir = _handed_to(want.name, state)
    if heir:
        state = _move(state, want.name, heir)
    for link in state.ports(want.name):
        state = _unplug(state, link)
    return _without(state, want.name)


def _handed_to(bridge: str, state: State) -> str | None:
    """The port that the bridge's addresses came from: the one whose MAC the bridge has, or the first."""
    ports = [link for link in state.ports(bridge) if not link.guests and link.alias != MARK]
    mac = state.links[bridge].mac
    return next((link.name for link in sorted(ports, key=lambda link: (link.mac != mac, link.index))), None)


# What is kept for the next boot


def boot_options(want: Want, observed: Observed, boot: Boot) -> Options:
    """The options that only the boot configuration holds: as said, else as they are, else as the heir had them."""
    heir = heir_of(want, observed)
    there = boot.options.get(want.name) or (boot.options.get(heir) if heir else None) or {}
    merged = {**there, **want.options}
    return {row.name: merged[row.name] for row in BOOT if row.name in merged}
