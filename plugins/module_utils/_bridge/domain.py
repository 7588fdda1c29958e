# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of this domain as the flow wants them."""

from __future__ import annotations

import contextlib
import typing

from .._confirm.guard import armed, settle
from .._core.flow import Guard, Params
from .._core.plan import Plan, Step
from .._persist import agent
from . import back
from . import driver as bridge_driver
from .apply import apply
from .desired import desired
from .difference import FILE, JOIN_BOND, RELEASE
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
    settle(back.restore, dry)
    return bridge_driver.connect()


def guard(desired: Desired, observed: Observed, plan: Plan) -> Guard:
    """Armed where a step touches the links that carry this very connection, or a route that its answers might take."""
    wanted = restore(plan).back
    if wanted is None or not desired.confirm_timeout:
        return contextlib.nullcontext({})
    if not observed.path & wanted.links and not leads_to(plan, observed.client):
        return contextlib.nullcontext({})
    return armed(wanted, desired.confirm_timeout, "_bridge", agent.before(wanted.paths))


def restore(done: Plan) -> Desired:
    """To want what was there before this plan, of the links that it changed."""
    links = {step.subject for step in done.steps if step.rank < FILE}
    for step in done.steps:
        links |= _touched(step, done.before)
    paths = {step.subject for step in done.steps if step.verb == "file"}
    return Desired((), back=Back(done.before, frozenset(links), frozenset(paths)))


def _touched(step: Step, before: State) -> set[str]:
    """The links that the kernel, or a daemon, changes with the one that the step is about."""
    if step.verb == "tell":
        return set(step.arguments["links"])  # the daemon may act on what its files say now
    if step.verb == "route":  # it takes the place of another one, maybe over another link
        return {hop.dev for route in before.routes or () if slot(route) == slot(step.arguments["route"])
                for hop in route.hops if hop.dev}  # fmt: skip
    if step.verb == "data" and DEFAULT_PVID in step.arguments["data"]:
        return {port.name for port in before.ports(step.subject)}
    if step.verb == "remove":
        return {link.name for link in before.links.values() if link.kind == "veth" and link.parent == step.subject}
    bonded = step.rank == JOIN_BOND or (step.rank == RELEASE and before.links[step.subject].port_kind == "bond")
    if bonded or step.arguments.get("up") is False or "mtu" in step.arguments:
        return before.standing_on({step.subject})
    return set()
