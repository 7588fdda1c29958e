# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done, decided from what is wanted and what is there. Pure.

The difference between two states, in steps; the same function leads forward and back.
"""

from __future__ import annotations

import dataclasses

from .._core.plan import Item, Plan, Step
from .._core.table import differing
from .._kernel.values import Address, Link, words
from .._persist import backends
from .._persist.model import owner
from . import boot, checks
from .goal import default_vlans, goal
from .model import Back, Desired, Observed, State
from .options import same, unusual
from .result import view
from .routing import key, slot

# Each rank with its reason.
RELEASE = 10  # a port that leaves is free for another master
MAKE = 20  # bridges before bonds before what may stand on either
SHRINK = 30  # a bridge gets smaller before its ports: it never takes what they can't send
OPTIONS = 31
GROW = 32  # ports get larger before their bridge does
JOIN = 40
PORT = 50  # flags and VLANs are those of a place in a bridge
VLANS_OFF = 51
VLANS_ON = 52
UP = 55  # a route needs its link up
SETTLE = 56  # a bridge's MTU and MAC follow its ports, so ours are said once they are there
ADDRESS = 60  # new before old: the host is never without an address
ROUTE = 61
ROUTE_OFF = 62
ADDRESS_OFF = 63
ADDRESS_PLAIN = 64
DOWN = 70
REMOVE = 80
FILE = 90  # the kernel first: the daemon adopts what it finds
TELL = 91
AGAIN = 100


def plan(desired: Desired, observed: Observed) -> Plan:
    """Every step of one call; raises InputError where something is refused."""
    now = observed.state
    if desired.back:
        return _back(desired.back, now)
    checks.before(desired, observed)
    then = goal(desired, observed)
    checks.stranded(now, then)
    then = boot.kept(desired, observed, then)
    items = []
    for want in desired.wants:
        before = view(now, want.name, observed.boot)
        after = view(then, want.name, observed.boot, boot.said(want, observed))
        item = Item(want.name, before, after, facts={"guests": observed.guests_on(want.name)})
        items.append(item)
    steps = _followed(difference(now, then), {want.name for want in desired.wants if "mtu" in want.options})
    steps += _pins(steps, now, then) if observed.boot else []
    if steps:
        checks.after(desired, then)
    return Plan(tuple(_dealt(items, steps, now, then)), before=now)


def _followed(steps: list[Step], said: set[str]) -> list[Step]:
    """A bridge whose MTU nobody said has that of its ports by itself, and goes on so: to say what is so pins nothing."""
    return [
        dataclasses.replace(step, rank=SETTLE) if step.rank == SHRINK and step.subject not in said else step
        for step in steps
    ]


def _pins(steps: list[Step], now: State, then: State) -> list[Step]:
    """The kernel chooses a bridge's MAC address anew with each port that comes or goes, until one is set."""
    moving = {step.subject for step in steps if "master" in step.arguments}
    masters = {state.links[name].master for name in moving for state in (now, then) if name in state.links}
    bridges = [then.links[name] for name in sorted(filter(None, masters)) if name in then.links]
    return [
        Step(SETTLE, link.name, "set", "", {"mac": link.mac}) for link in bridges if link.kind == "bridge" and link.mac
    ]


def _dealt(items: list[Item], steps: list[Step], now: State, then: State) -> list[Item]:
    """Each step to the bridge that it is for; what is for none (a parent's file) to the last."""
    dealt: dict[str, list[Step]] = {item.subject: [] for item in items}
    for step in steps:
        owner = next((name for name in (step.subject, *_owners(step, now, then)) if name in dealt), items[-1].subject)
        dealt[owner].append(step)
    return [dataclasses.replace(item, steps=tuple(dealt[item.subject])) for item in items]


def _owners(step: Step, now: State, then: State) -> list[str | None]:
    if step.verb == "file":
        return [owner(file.text) for state in (then, now) if (file := state.files.get(step.subject))]
    return [_master(then, step.subject), _master(now, step.subject)]


def _master(state: State, name: str) -> str | None:
    link = state.links.get(name)
    if not link or not link.master:
        return None
    above = state.links.get(link.master)
    return above.master if above and above.kind == "bond" and above.master else link.master


def _back(back: Back, now: State) -> Plan:
    """Exactly what was there, of the links that were touched; what others did meanwhile stays."""
    links = {name: link for name, link in now.links.items() if name not in back.links}
    links.update({name: _as_before(link) for name, link in back.state.links.items() if name in back.links})
    routes = now.routes
    if routes is not None and back.state.routes is not None:
        others = [route for route in routes if not any(route.over(name) for name in back.links)]
        routes = (*others, *(one for one in back.state.routes if any(one.over(name) for name in back.links)))
    files = {path: file for path, file in now.files.items() if path not in back.paths}
    files.update({path: file for path, file in back.state.files.items() if path in back.paths})
    steps = difference(now, State(links, routes, files))
    # Other than forward, what goes makes room first for what was there.
    steps.sort(key=lambda step: step.verb != "file" or step.arguments["file"] is not None)
    told = {step.arguments["backend"] for step in steps if step.verb == "tell"}
    for backend in sorted(set(map(backends.of, back.paths)) - told) if back.retell else ():
        paths = sorted(path for path in back.paths if backends.of(path) == backend)
        steps.append(_tell(backend, paths, back.state, back.state))
    return Plan((Item("", None, None, tuple(steps)),), before=now)


def _as_before(link: Link) -> Link:
    """Without the address that the kernel makes for each link, in its own time."""
    return dataclasses.replace(link, addresses=tuple(one for one in link.addresses if not one.link_local))


# The difference


def difference(now: State, then: State) -> list[Step]:
    """The steps from the one state to the other."""
    steps: list[Step] = []
    known = {address.cidr for link in now.links.values() for address in link.addresses}
    for name in sorted({*now.links, *then.links}):
        before, after = now.links.get(name), then.links.get(name)
        if before is after or before == after:
            continue
        if before is None and after is not None:
            steps += _make(after, then, known)
        elif after is None and before is not None:
            steps += _remove(before)
        elif before is not None and after is not None:
            steps += _change(before, after, then, known)
    files = _files(now, then)
    steps += _routes(now, then)
    return [*steps, *files, *(_again(steps) if files else [])]


def _again(steps: list[Step]) -> list[Step]:
    """What a daemon undoes that acts on what it sees before it knows of its new files, or knows nothing of at all."""
    joining = {step.subject for step in steps if step.arguments.get("master")}
    moved = [
        Step(0, step.subject, "rejoin", "", {"master": step.arguments["master"], "bond": step.rank == JOIN - 1})
        for step in steps
        if "master" in step.arguments and (step.arguments["master"] or step.subject not in joining)
    ]
    added = [step for step in steps if step.rank == ROUTE]
    added += [
        dataclasses.replace(step, arguments={**step.arguments, "known": False})
        for step in steps
        if step.rank == ADDRESS
    ]
    return [dataclasses.replace(step, rank=AGAIN + step.rank, action="") for step in (*moved, *added)]


_KIND_RANKS = {"bridge": 0, "bond": 1}


def _make(link: Link, then: State, known: set[str]) -> list[Step]:
    stands_on_made = link.parent in then.links and then.links[link.parent].index == 0 and link.kind != "veth"
    rank = MAKE + _KIND_RANKS.get(link.kind, 2) + (3 if stands_on_made else 0)
    born = dataclasses.replace(link, master=None, alias=None, addresses=(), port={}, vlans={})
    said = dataclasses.replace(born, data=unusual(link.kind, link.data))
    steps = [Step(rank, link.name, "make", f"create {link.kind} {link.name}", {"link": said})]
    return steps + _change(dataclasses.replace(born, vlans=None), link, then, known)


def _remove(link: Link) -> list[Step]:
    return [Step(REMOVE, link.name, "remove", f"remove {link.kind} {link.name}")]


def _change(before: Link, after: Link, then: State, known: set[str]) -> list[Step]:
    return [
        *_master_steps(before, after, then),
        *_option_steps(before, after),
        *_size_steps(before, after),
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
            if bond and before.up:  # bonding takes a link only while it is down
                steps.append(Step(JOIN - 2, name, "set", "", {"up": False}))
            joined = {"master": after.master, **({"alias": after.alias} if after.alias != before.alias else {})}
            step = Step(JOIN - 1 if bond else JOIN, name, "set", f"add {name} to {after.master}", joined)
            steps.append(step)
            if bond:
                return [*steps, Step(UP, name, "set", "", {"up": True})]
    if before.up != after.up or (before.port_kind == "bond" and before.master != after.master):
        up = after.up  # bonding closes a link that it lets go of
        steps.append(Step(UP if up else DOWN, name, "set", f"{name} {'up' if up else 'down'}", {"up": up}))
    return steps


def _option_steps(before: Link, after: Link) -> list[Step]:
    changed = {name: value for name, value in after.data.items() if not same(name, before.data.get(name), value)}
    if not changed:
        return []
    return [Step(OPTIONS, after.name, "data", f"set {words(changed)}", {"kind": after.kind, "data": changed})]


def _size_steps(before: Link, after: Link) -> list[Step]:
    name, bridge, steps = after.name, after.kind == "bridge", []
    if after.mtu and before.mtu != after.mtu:
        grows = after.mtu > before.mtu
        rank = SETTLE if bridge and grows else SHRINK if bridge else GROW if grows else GROW - 1
        steps.append(Step(rank, name, "set", f"mtu {after.mtu} of {name}", {"mtu": after.mtu}))
    if after.mac and before.mac != after.mac:
        steps.append(Step(SETTLE, name, "set", f"mac of {name}", {"mac": after.mac}))
    return steps


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
    """An address that the host had on another link is its own, so nobody is asked for duplicates (RFC 4862, 5.4): it
    would not answer meanwhile. Said once more without that word, it looks as before."""
    name, steps = after.name, []
    there = {_place(address): address for address in before.addresses}
    wanted = {_place(address): address for address in after.addresses}
    for place, address in wanted.items():
        if place not in there:
            told = {"address": address, "add": True, "known": address.cidr in known}
            steps.append(Step(ADDRESS, name, "address", f"add {address.cidr} to {name}", told))
            if told["known"] and ":" in address.cidr:
                steps.append(Step(ADDRESS_PLAIN, name, "address", "", {**told, "known": False}))
    for place, address in there.items():
        if place not in wanted and not address.link_local:
            told = {"address": address, "add": False, "known": True}
            steps.append(Step(ADDRESS_OFF, name, "address", f"remove {address.cidr} from {name}", told))
    return steps


def _place(address: Address) -> tuple[object, ...]:
    return (address.cidr, address.peer)


def _routes(now: State, then: State) -> list[Step]:
    """A route in the place of another one is one step; what goes for good is taken off after the new ones are there."""
    there, wanted = ({key(route): route for route in state.routes or ()} for state in (now, then))
    taken = {slot(route) for route in wanted.values()}
    steps = []
    for place, route in wanted.items():
        if place not in there:
            link = next((hop.dev for hop in route.hops if hop.dev), "")
            steps.append(Step(ROUTE, link, "route", f"route {route.to} over {link}", {"route": route, "add": True}))
    for place, route in there.items():
        link = next((hop.dev for hop in route.hops if hop.dev), "")
        gone = link not in then.links  # its routes go with it
        if place not in wanted and slot(route) not in taken and not gone:
            steps.append(
                Step(ROUTE_OFF, link, "route", f"no route {route.to} over {link}", {"route": route, "add": False})
            )
    return steps


def _files(now: State, then: State) -> list[Step]:
    """What is new comes first: where the disk is full, nothing is gone yet."""
    names = sorted(differing(now.files, then.files), key=lambda path: path not in then.files)
    steps = []
    for path in names:
        file = then.files.get(path)
        verb = "write" if file else "delete"
        steps.append(Step(FILE, path, "file", f"{verb} {path}", {"file": file}))
    for backend in dict.fromkeys(map(backends.of, names)):
        steps.append(_tell(backend, [path for path in names if backends.of(path) == backend], now, then))
    return steps


def _tell(backend: str, paths: list[str], now: State, then: State) -> Step:
    there = {(path, file.text) for state in (now, then) for path in paths if (file := state.files.get(path))}
    links = {link for path, text in there for link in backends.links(path, text)}
    made = {link for path in paths if (file := then.files.get(path)) for link in backends.devices(path, file.text)}
    told = {"backend": backend, "paths": tuple(paths), "links": tuple(sorted(links)), "devices": tuple(sorted(made))}
    return Step(TELL, paths[0], "tell", "", told)
