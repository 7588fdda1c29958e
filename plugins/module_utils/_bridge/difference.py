# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The difference between two states, in steps and their order; the same function leads forward and back. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from .._core.plan import Step
from .._core.table import differing
from .._kernel.values import IFA_F_NOPREFIXROUTE, RTPROT_KERNEL, Address, Link, Route, words
from .._persist import backends
from .goal import default_vlans, with_default_pvid
from .model import State
from .options import DEFAULT_PVID, FORWARD_DELAY, STP_STATE, USUAL_MTU, VXLAN_LINK, same, unusual, vxlan_headers
from .routing import key, slot

# Each rank with its reason.
RELEASE = 10  # a port that leaves is free for another master
MAKE = 20  # bridges before bonds before what may stand on either
STP_OFF = 29  # with spanning tree the kernel takes no forward delay below 2 s (br_set_forward_delay)
SHRINK = 30  # a bridge gets smaller before its ports: it never takes what they can't send
OPTIONS = 31
GROW = 32  # ports get larger before their bridge does
GROW_UPPER = 33  # and after what they stand on
DOWN_A_MOMENT = 38  # bonding takes a link only while it is down
JOIN_BOND = 39
JOIN = 40
PORT = 50  # flags and VLANs are those of a place in a bridge
VLANS_OFF = 51
VLANS_ON = 52
UP = 55  # a route needs its link up
SETTLE = 56  # a bridge's MTU and MAC follow its ports, so ours are said once they are there
SETTLE_UPPER = 57  # what stands on a bridge gets larger after it
SETTLE_LAST = 58  # a bridge that follows its ports has their size by now
ADDRESS = 60  # new before old: the host is never without an address
ADDRESS_AWAY = (
    61  # an IPv6 address is one whatever its prefix (inet6_rtm_newaddr): off with the old prefix, on with the new one
)
ADDRESS_BACK = 62
ROUTE_DIRECT = 63  # a router may be reached by a route of its own
ROUTE = 64
ROUTE_OFF = 65
ADDRESS_OFF = 66
ADDRESS_PLAIN = 67
DOWN = 70
REMOVE = 80
FILE = 90  # the kernel first: the daemon adopts what it finds
TELL = 91
AGAIN = 100


def difference(now: State, then: State) -> list[Step]:
    """The steps from the one state to the other."""
    steps: list[Step] = []
    known = {address.ip for link in now.links.values() for address in link.addresses}
    now = _with_default_vlans(now, then)
    for name in sorted({*now.links, *then.links}):
        before, after = now.links.get(name), then.links.get(name)
        if before is after or before == after:
            continue
        if before is None and after is not None:
            steps += _make(after, now, then, known)
        elif after is None and before is not None:
            steps += _remove(before, now, then)
        elif before is not None and after is not None:
            steps += _change(before, after, then, known)
    files = _files(now, then)
    steps += [*_routes(now, then), *_lost_while_down(steps, now, then)]
    return [*steps, *files, *(_again(steps) if files else [])]


def _again(steps: list[Step]) -> list[Step]:
    """What a daemon undoes that acts on what it sees before it knows of its new files, or knows nothing of at all."""
    joining = {step.subject for step in steps if step.arguments.get("master")}
    moved = [
        Step(0, step.subject, "rejoin", "", {"master": step.arguments["master"], "bond": step.rank == JOIN_BOND})
        for step in steps
        if "master" in step.arguments and (step.arguments["master"] or step.subject not in joining)
    ]
    added = [step for step in steps if step.rank in (ROUTE_DIRECT, ROUTE)]
    added += [
        dataclasses.replace(step, arguments={**step.arguments, "known": False})
        for step in steps
        if step.verb == "address" and step.arguments["add"] and step.action
    ]
    return [dataclasses.replace(step, rank=AGAIN + step.rank, action="") for step in (*moved, *added)]


_KIND_RANKS = {"bridge": 0, "bond": 1}


def _make(link: Link, now: State, then: State, known: set[str]) -> list[Step]:
    if _is_made_by_other(link, then):
        return _change(Link(link.name, kind=link.kind, parent=link.parent, port_kind=link.port_kind), link, then, known)
    size = _size_at_birth(link, now, then)
    born = dataclasses.replace(link, mtu=size, master=None, alias=None, addresses=(), port={}, vlans={})
    rank = MAKE + _KIND_RANKS.get(link.kind, 2) + 3 * min(2, _made_below(link, then))
    said = dataclasses.replace(born, data=unusual(link.kind, link.data))
    made = Step(rank, link.name, "make", f"create {link.kind} {link.name}", {"link": said})
    return [made, *_change(dataclasses.replace(born, vlans=None), link, then, known)]


def _is_made_by_other(link: Link, then: State) -> bool:
    """A veth is made with its other end."""
    other = then.links.get(link.parent or "") if link.kind == "veth" else None
    return other is not None and (not link.alias, link.name) > (not other.alias, other.name)


def _under(link: Link, state: State) -> Link | None:
    """What a VLAN or a vxlan stands on."""
    return state.links.get(link.parent or link.data.get(VXLAN_LINK) or "") if link.kind != "veth" else None


def _made_below(link: Link, then: State) -> int:
    under = _under(link, then)
    return 1 + _made_below(under, then) if under and under.index == 0 else 0


def _size_at_birth(link: Link, now: State, then: State) -> int:
    """What it stands on may get larger only later. A bridge's size is the kernel's until it is said to one that is there
    (br_change_mtu)."""
    if link.kind == "bridge":
        return 0
    under = _under(link, then)
    if under is None:
        return link.mtu
    there = now.links.get(under.name)
    size = there.mtu if there else _size_at_birth(under, now, then) or USUAL_MTU
    return min(link.mtu, size - (vxlan_headers(link.data) if link.kind == "vxlan" else 0))


def _remove(link: Link, now: State, then: State) -> list[Step]:
    if link.kind == "veth" and link.parent in now.links and link.parent not in then.links and link.parent < link.name:
        return []  # it goes with its other end
    return [Step(REMOVE, link.name, "remove", f"remove {link.kind} {link.name}")]


def _change(before: Link, after: Link, then: State, known: set[str]) -> list[Step]:
    return [
        *_master_steps(before, after, then),
        *_option_steps(before, after),
        *_size_steps(before, after, then),
        *_port_steps(before, after),
        *_vlan_steps(before, after, then),
        *_address_steps(before, after, known),
    ]


def _master_steps(before: Link, after: Link, then: State) -> list[Step]:
    name, steps = after.name, []
    if before.master != after.master:
        if before.master:
            steps.append(Step(RELEASE, name, "set", f"release {name} from {before.master}", {"master": None}))
        if after.master:
            bond = then.links[after.master].kind == "bond"
            if bond and before.up:
                steps.append(Step(DOWN_A_MOMENT, name, "set", "", {"up": False}))
            joined = {"master": after.master, **({"alias": after.alias} if after.alias != before.alias else {})}
            step = Step(JOIN_BOND if bond else JOIN, name, "set", f"add {name} to {after.master}", joined)
            steps.append(step)
            if bond:
                return [*steps, Step(UP, name, "set", "", {"up": True})]
    if before.up != after.up or (before.port_kind == "bond" and before.master != after.master):
        up = after.up  # bonding closes a link that it lets go of
        steps.append(Step(UP if up else DOWN, name, "set", f"{name} {'up' if up else 'down'}", {"up": up}))
    return steps


def _option_steps(before: Link, after: Link) -> list[Step]:
    changed = {name: value for name, value in after.data.items() if not same(name, before.data.get(name), value)}
    goes_off = FORWARD_DELAY in changed and not changed.get(STP_STATE, True)
    first = {STP_STATE: changed.pop(STP_STATE)} if goes_off else {}
    return [
        Step(rank, after.name, "data", f"set {words(data)}", {"kind": after.kind, "data": data})
        for rank, data in ((STP_OFF, first), (OPTIONS, changed))
        if data
    ]


def _size_steps(before: Link, after: Link, then: State) -> list[Step]:
    name, steps = after.name, []
    if after.mtu and before.mtu != after.mtu:
        action = "" if not before.mtu else f"mtu {after.mtu} of {name}"
        steps.append(Step(_size_rank(before, after, then), name, "set", action, {"mtu": after.mtu}))
    if after.mac and before.mac != after.mac:
        steps.append(Step(SETTLE, name, "set", f"mac of {name}", {"mac": after.mac}))
    return steps


def _size_rank(before: Link, after: Link, then: State) -> int:
    grows = after.mtu > before.mtu
    if after.kind == "bridge":
        return SETTLE if grows else SHRINK
    if not grows:
        return GROW - 1
    under = _under(after, then)
    return GROW if under is None else SETTLE_UPPER if under.kind == "bridge" else GROW_UPPER


def _port_steps(before: Link, after: Link) -> list[Step]:
    if after.port_kind != "bridge":
        return []
    there = before.port if before.master == after.master else {}
    changed = {name: value for name, value in after.port.items() if there.get(name) != value}
    return (
        [Step(PORT, after.name, "port", f"set {words(changed)} of port {after.name}", {"port": changed})]
        if changed
        else []
    )


def _with_default_vlans(now: State, then: State) -> State:
    """With the VLANs that the kernel gives to bridges and ports when a default PVID changes."""
    for name, link in now.links.items():
        pvid = then.links[name].data.get(DEFAULT_PVID) if name in then.links else None
        if link.kind == "bridge" and pvid is not None:
            now = with_default_pvid(now, name, pvid)
    return now


def _vlan_steps(before: Link, after: Link, then: State) -> list[Step]:
    """What is in excess goes first; the kernel holds one PVID, and a new one takes the old one's place."""
    above = then.links.get(after.master or "")
    if after.vlans is None or not (after.kind == "bridge" or (above and above.kind == "bridge")):
        return []
    fresh = before.vlans is None or before.master != after.master
    there = default_vlans(above or after) if fresh else before.vlans or {}
    off = {vid: 0 for vid in there if vid not in after.vlans}
    on = {vid: flags for vid, flags in after.vlans.items() if there.get(vid) != flags}
    of_bridge, name, steps = after.kind == "bridge", after.name, []
    if off:
        steps.append(
            Step(VLANS_OFF, name, "vlans", f"remove VLANs of {name}", {"vlans": off, "add": False, "bridge": of_bridge})
        )
    if on:
        steps.append(
            Step(VLANS_ON, name, "vlans", f"set VLANs of {name}", {"vlans": on, "add": True, "bridge": of_bridge})
        )
    return steps


def _address_steps(before: Link, after: Link, known: set[str]) -> list[Step]:
    """What was leased, and is said now, is said once more."""
    name, steps = after.name, []
    there = {_place(address): address for address in before.addresses}
    wanted = {_place(address): address for address in after.addresses}
    leaving = [address for place, address in there.items() if place not in wanted and not address.link_local]
    for place, address in wanted.items():
        if place not in there or there[place].permanent != address.permanent:
            rank = ADDRESS_BACK if _is_with_other_prefix(address, leaving) else ADDRESS
            steps += _added(name, address, rank, f"add {address.cidr} to {name}", address.ip in known)
    for address in leaving:
        told = {"address": address, "add": False, "known": True}
        rank = ADDRESS_AWAY if _is_with_other_prefix(address, wanted.values()) else ADDRESS_OFF
        steps.append(Step(rank, name, "address", f"remove {address.cidr} from {name}", told))
    return steps


def _added(name: str, address: Address, rank: int, action: str, known: bool) -> list[Step]:
    """An address that the host had, maybe on another link, is its own, so nobody is asked for duplicates (RFC 4862, 5.4): it
    would not answer meanwhile. Said once more without that word, it looks as before."""
    told = {"address": address, "add": True, "known": known}
    steps = [Step(rank, name, "address", action, told)]
    if known and ":" in address.cidr:
        steps.append(Step(ADDRESS_PLAIN, name, "address", "", {**told, "known": False}))
    return steps


def _is_with_other_prefix(address: Address, others: Iterable[Address]) -> bool:
    return ":" in address.cidr and any(one.ip == address.ip for one in others)


def _place(address: Address) -> tuple[object, ...]:
    return (address.cidr, address.peer)


def _routes(now: State, then: State) -> list[Step]:
    """A route in the place of another one is one step; what goes for good is taken off after the new ones are there."""
    there, wanted = ({key(route): route for route in state.routes or ()} for state in (now, then))
    taken = {slot(route) for route in wanted.values()}
    steps = []
    for place, route in wanted.items():
        link = next((hop.dev for hop in route.hops if hop.dev), "")
        if place not in there and not _is_implied(route, now.links.get(link)):
            added = {"route": route, "add": True}
            steps.append(Step(_route_rank(route), link, "route", f"route {route.to} over {link}", added))
    for place, route in there.items():
        link = next((hop.dev for hop in route.hops if hop.dev), "")
        gone = link not in then.links  # its routes go with it
        if place not in wanted and slot(route) not in taken and not gone and not _is_implied(route, then.links[link]):
            steps.append(
                Step(ROUTE_OFF, link, "route", f"no route {route.to} over {link}", {"route": route, "add": False})
            )
    return steps


def _is_implied(route: Route, link: Link | None) -> bool:
    """Whether the kernel has such a route with an address anyway. NetworkManager makes one in the kernel's place, as soon as it
    comes to know of the address."""
    if link is None or route.protocol != RTPROT_KERNEL:
        return False
    return any(one.prefix == route.to and not one.flags & IFA_F_NOPREFIXROUTE for one in link.addresses)


def _route_rank(route: Route) -> int:
    return ROUTE if any(hop.via for hop in route.hops) else ROUTE_DIRECT


def _lost_while_down(steps: list[Step], now: State, then: State) -> list[Step]:
    """A VLAN goes down with the link that it stands on, and comes up without its routes and its IPv6 addresses (fib_disable_ip,
    addrconf_ifdown)."""
    down = {step.subject for step in steps if is_down_meanwhile(step, now)}
    above = sorted(then.standing_on(down) & set(now.links))
    again: list[Step] = []
    for name in above:
        for address in then.links[name].addresses:
            if ":" in address.cidr and not address.link_local:
                again += _added(name, address, ADDRESS, "", True)
        for route in then.routes_over(name):
            again.append(Step(_route_rank(route), name, "route", "", {"route": route, "add": True}))
    return again


def is_down_meanwhile(step: Step, now: State) -> bool:
    """Whether its link is down for a moment, to go into a bond, or because bonding closes what it lets go of."""
    return step.rank == DOWN_A_MOMENT or (step.rank == RELEASE and now.links[step.subject].port_kind == "bond")


def _files(now: State, then: State) -> list[Step]:
    """What is new comes first: where the disk is full, nothing is gone yet."""
    names = sorted(differing(now.files, then.files), key=lambda path: path not in then.files)
    steps = []
    for path in names:
        file = then.files.get(path)
        verb = "write" if file else "delete"
        steps.append(Step(FILE, path, "file", f"{verb} {path}", {"file": file}))
    for backend in dict.fromkeys(map(backends.of, names)):
        steps.append(tell(backend, [path for path in names if backends.of(path) == backend], now, then))
    return steps


def tell(backend: str, paths: list[str], now: State, then: State) -> Step:
    there = {(path, file.text) for state in (now, then) for path in paths if (file := state.files.get(path))}
    links = {link for path, text in there for link in backends.links(path, text)}
    made = {link for path in paths if (file := then.files.get(path)) for link in backends.devices(path, file.text)}
    told = {"backend": backend, "paths": tuple(paths), "links": tuple(sorted(links)), "devices": tuple(sorted(made))}
    return Step(TELL, paths[0], "tell", "", told)
