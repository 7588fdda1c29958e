# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of this domain as the flow wants them."""

from __future__ import annotations

import contextlib
import typing

from .._core.flow import Guard, Params
from .._core.plan import Plan
from .._libvirt import driver as libvirt_driver
from .apply import apply
from .desired import desired
from .model import Desired, Observed
from .observe import observe
from .plan import plan
from .result import result

__all__ = ["apply", "connect", "desired", "guard", "observe", "plan", "restore", "result"]


def connect(params: Params, dry: bool) -> contextlib.AbstractContextManager[typing.Any]:
    """libvirt, for as long as the task lasts."""
    del dry
    return libvirt_driver.connect(params["uri"])


def guard(desired: Desired, observed: Observed, plan: Plan) -> Guard:
    """Nothing here can cut the connection off: a guest's interface is not the host's own."""
    del desired, observed, plan
    return contextlib.nullcontext({})


def restore(done: Plan) -> Desired:
    """To want the guests back that this plan has changed."""
    return Desired(back=done.before)
