# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of this domain as the flow wants them."""

from __future__ import annotations

import contextlib
import typing

from .._confirm.guard import armed, settle
from .._core.flow import Guard, Params
from .._core.plan import Plan
from .._persist import agent
from . import back
from . import driver as bridge_driver
from .apply import apply
from .desired import desired
from .model import Back, Desired, Observed
from .observe import observe
from .plan import FILE, plan
from .result import result

__all__ = ["apply", "connect", "desired", "guard", "observe", "plan", "restore", "result"]


def connect(params: Params, dry: bool) -> contextlib.AbstractContextManager[typing.Any]:
    """The kernel, for as long as the task lasts; what a crashed run has left unconfirmed is put back first."""
    del params
    settle(back.restore, dry)
    return bridge_driver.connect()


def guard(desired: Desired, observed: Observed, plan: Plan) -> Guard:
    """Armed where a step touches the links that carry this very connection."""
    wanted = restore(plan).back
    if wanted is None or not desired.confirm_timeout or not observed.path & wanted.links:
        return contextlib.nullcontext({})
    return armed(wanted, desired.confirm_timeout, "_bridge", agent.before(wanted.paths))


def restore(done: Plan) -> Desired:
    """To want what was there before this plan, of the links that it changed."""
    links = {step.subject for step in done.steps if step.rank < FILE}
    for step in done.steps:  # the daemon may act on what its files say now
        links.update(step.arguments["links"] if step.verb == "tell" else ())
    paths = {step.subject for step in done.steps if step.verb == "file"}
    return Desired((), back=Back(done.before, frozenset(links), frozenset(paths)))
