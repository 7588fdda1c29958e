# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done, decided from what is wanted and what is there: forward, and back. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress

from .._core.plan import Item, Plan, Step
from .._kernel.values import Link
from .._persist import backends
from .._persist.model import owner
from . import boot, checks
from .difference import SETTLE, SETTLE_LAST, SHRINK, difference, tell
from .goal import goal
from .model import Back, Desired, Observed, State
from .result import view


def plan(desired: Desired, observed: Observed) -> Plan:
    """Every step of one call; raises InputError where something is refused."""
    now = observed.state
    if desired.back:
        return _back(desired.back, now)
    checks.before(desired, observed)
    then = goal(desired, observed)
    checks.stranded(now, then)
    then = boot.kept(desired, observed, then)
    steps = _followed(difference(now, then), {want.name for want in desired.wants if "mtu" in want.options})
    steps += _pins(steps, now, then) if observed.boot else []
    items = []
    for want in desired.wants:
        before = view(now, want.name, observed.boot)
        after = view(then, want.name, observed.boot, boot.said(want, observed)) if steps else before
        items.append(Item(want.name, before, after, facts={"guests": observed.guests_on(want.name)}))
    if steps:
        checks.after(desired, then)
    return Plan(tuple(_dealt(items, steps, now, then)), before=now)


def leads_to(done: Plan, client: str | None) -> bool:
    """Whether a new route, or a new address with its net, is one that packets to the client might take."""
    if client is None:
        return False
    added = [step.arguments for step in done.steps if step.verb in ("route", "address") and step.arguments["add"]]
    address = ipaddress.ip_address(client)
    nets = {told["route"].to if "route" in told else told["address"].prefix for told in added}
    return any(address in ipaddress.ip_network(net) for net in nets)


def _followed(steps: list[Step], said: set[str]) -> list[Step]:
    """The size of a bridge that follows its ports is said last: to say what is so pins nothing, and it goes on so."""
    return [
        dataclasses.replace(step, rank=SETTLE_LAST)
        if step.rank in (SHRINK, SETTLE) and "mtu" in step.arguments and step.subject not in said
        else step
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
    links.update(
        {
            name: _as_before(link)
            for name, link in back.state.links.items()
            if name in back.links and not (link.guests and name not in now.links)  # its guest is shut down
        }
    )
    routes = now.routes
    if routes is not None and back.state.routes is not None:
        others = [route for route in routes if not route.over(*back.links)]
        routes = (*others, *(one for one in back.state.routes if one.over(*back.links)))
    files = {path: file for path, file in now.files.items() if path not in back.paths}
    files.update({path: file for path, file in back.state.files.items() if path in back.paths})
    steps = difference(now, State(links, routes, files))
    # Other than forward, what goes makes room first for what was there.
    steps.sort(key=lambda step: step.verb != "file" or step.arguments["file"] is not None)
    told = {step.arguments["backend"] for step in steps if step.verb == "tell"}
    for backend in sorted(set(map(backends.of, back.paths)) - told) if back.retell else ():
        paths = sorted(path for path in back.paths if backends.of(path) == backend)
        steps.append(tell(backend, paths, back.state, back.state))
    return Plan((Item("", None, None, tuple(steps)),), before=now)


def _as_before(link: Link) -> Link:
    """Without the address that the kernel makes for each link, in its own time."""
    return dataclasses.replace(link, addresses=tuple(one for one in link.addresses if not one.link_local))
