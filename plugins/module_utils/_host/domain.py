# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of this domain as the flow wants them."""

from __future__ import annotations

import contextlib
import typing

from .._core.flow import Guard, Params
from .._core.plan import Plan
from .apply import apply
from .desired import desired
from .model import Desired, Observed
from .observe import observe
from .plan import plan
from .result import result

__all__ = ["apply", "connect", "desired", "guard", "observe", "plan", "restore", "result"]


class _Nobody:
    """Files and units need no connection."""

    def reconnect(self) -> None:
        """Nothing that could break."""


def connect(params: Params, dry: bool) -> contextlib.AbstractContextManager[typing.Any]:
    """Nothing to be connected to."""
    del params, dry
    return contextlib.nullcontext(_Nobody())


def guard(desired: Desired, observed: Observed, plan: Plan) -> Guard:
    """Our rules match our bridges only, and host_plan refuses a forward of the connection's own port."""
    del desired, observed, plan
    return contextlib.nullcontext({})


def restore(done: Plan) -> Desired:
    """To want what was there before this plan."""
    return Desired(back=done.before)
