# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task tells: each service before and after."""

from __future__ import annotations

import typing

from .._core.plan import Plan
from .._core.text import difference
from .model import Observed


def result(plan: Plan, observed: Observed | None) -> dict[str, typing.Any]:
    """The result of a task, the same for a check and a real run."""
    del observed
    services = [
        {"name": item.subject, "changed": bool(item.steps), "actions": item.actions} for item in plan.items
    ]  # fmt: skip
    diff = [difference(item.subject, item.before, item.after) for item in plan.items if item.steps]
    return {"changed": plan.changed, "services": services, "diff": diff}
