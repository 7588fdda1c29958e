# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of this domain as the flow wants them.

What only a change needs is loaded with it: to load it takes as long as to find that there is nothing to do.
"""

from __future__ import annotations

import contextlib
import typing

from .._confirm.store import every
from .._core.flow import Guard, Params
from .._core.plan import Plan, Step
from . import driver as bridge_driver
from .desired import desired
from .difference import FILE, JOIN_BOND, is_down_meanwhile
from .model import Back, Desired, Observed, State
from .observe import observe
from .options import DEFAULT_PVID
from .plan import leads_to, plan
from .result import result
from .routing import slot

__all__ = ["apply", "connect", "desired", "guard", "observe", "plan", "restore", "result"]


def connect(params: Params, dry: bool) -> contextlib.AbstractContextManager[typing.Any]:
    """The kernel, for as long as the task lasts; what a crashed run has left unconfirmed is put back first."""
    del params
    if every():
        from .._confirm.guard import settle
        from . import back

        settle(back.restore, dry)
    return bridge_driver.connect()


def guard(desired: Desired, observed: Observed, plan: Plan) -> Guard:
    """Armed where a step touches the links that carry this very connection, or a route that its answers might take."""
    wanted = restore(plan).back
    if wanted is None or not desired.confirm_timeout:
        return contextlib.nullcontext({})
    if not observed.path & wanted.links and not leads_to(plan, observed.client):
        return contextlib.nullcontext({})
    from .._confirm.guard import armed
    from .._persist import agent

    return armed(wanted, desired.confirm_timeout, "_bridge", agent.before(wanted.paths))


def apply(driver: bridge_driver.Driver, plan: Plan) -> None:
    """Every step in its order; raises on the first that fails."""
    from .apply import apply

    apply(driver, plan)


def restore(done: Plan) -> Desired:
    """To want what was there before this plan, of the links that it changed."""
    links = {step.subject for step in done.steps if step.rank < FILE} | _touched(done.steps, done.before)
    paths = {step.subject for step in done.steps if step.verb == "file"}
    return Desired((), back=Back(done.before, frozenset(links), frozenset(paths)))


def _touched(steps: list[Step], before: State) -> set[str]:
    """The links that the kernel, or a daemon, changes with those that the steps are about."""
    slots = {slot(step.arguments["route"]) for step in steps if step.verb == "route"}  # the place may be another link's
    moved = {step.subject for step in steps if step.verb == "data" and DEFAULT_PVID in step.arguments["data"]}
    removed = {step.subject for step in steps if step.verb == "remove"}
    links = before.standing_on(step.subject for step in steps if _moves_what_stands_on_it(step, before))
    links |= {hop.dev for route in before.routes or () if slot(route) in slots for hop in route.hops if hop.dev}
    for link in before.links.values():
        if link.master in moved or (link.kind == "veth" and link.parent in removed):
            links.add(link.name)
    for step in steps:  # the daemon may act on what its files say now
        links.update(step.arguments["links"] if step.verb == "tell" else ())
    return links


def _moves_what_stands_on_it(step: Step, before: State) -> bool:
    bonded = step.rank == JOIN_BOND or is_down_meanwhile(step, before)
    return bonded or step.arguments.get("up") is False or "mtu" in step.arguments
