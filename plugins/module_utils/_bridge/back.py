# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting back what was there before a change, from a snapshot of it."""

from __future__ import annotations

import dataclasses

from .._core.errors import NotTaken
from .apply import apply
from .driver import connect
from .model import Back, Desired
from .observe import observe
from .plan import plan


def restore(snapshot: Back) -> None:
    """Raises NotTaken, or what the kernel said, where it is not as before."""
    desired = Desired((), back=snapshot)
    crashed = dataclasses.replace(desired, back=dataclasses.replace(snapshot, retell=True))
    with connect() as driver:
        apply(driver, plan(crashed, observe(driver, crashed)))
        left = plan(desired, observe(driver, desired))
    if left.changed:
        raise NotTaken("; ".join(step.action or step.verb for step in left.steps))
