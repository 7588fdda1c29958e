# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user reads: the same in check mode and after the real run."""

from __future__ import annotations

import typing

from .._core.plan import Item, Plan
from .._core.table import Options
from .._core.text import difference
from .model import Observed
from .plan import found_again, view


def result(plan: Plan, observed: Observed | None) -> dict[str, typing.Any]:
    """The module's result; `observed` is what is there now, None in check mode."""
    interfaces = [_interface(item, observed) for item in plan.items]
    diff = [
        difference(f"interface of {item.facts['guest']} {one['mac'] or '(new)'}", one["before"], one["after"])
        for item, one in zip(plan.items, interfaces)
        if one["changed"]
    ]
    return {"changed": plan.changed, "interfaces": interfaces, "diff": diff}


def _interface(item: Item, observed: Observed | None) -> Options:
    mac, after = item.facts["mac"], item.after
    again = found_again(item.facts["want"], observed) if observed else None
    if again and observed:
        guest, mac = again
        after = view(guest, mac, observed)
    return {
        "guest": item.facts["guest"],
        "mac": mac,
        "changed": bool(item.steps),
        "actions": item.actions,
        "restart_required": bool(item.facts["pending"]),
        "pending": item.facts["pending"],
        "before": item.before,
        "after": after,
    }
