# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan: what is to be done, in order, with what it makes of each subject. Values only; nothing in here acts."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Step:
    """One thing to do. Lower ranks go first, over all subjects; `action` is the word the user reads ("" for none)."""

    rank: int
    subject: str
    verb: str
    action: str
    arguments: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Item:
    """One subject's part of a plan: its steps, what it was, and what it will be."""

    subject: str
    before: typing.Any
    after: typing.Any
    steps: tuple[Step, ...] = ()
    facts: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)

    @property
    def actions(self) -> list[str]:
        """The words that the user reads, in the order in which things are done."""
        return [step.action for step in sorted(self.steps, key=lambda step: step.rank) if step.action]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What one call will do."""

    items: tuple[Item, ...]
    before: typing.Any = None  # all that was there, where a domain needs it whole to put it back

    @property
    def steps(self) -> list[Step]:
        """Every step in the order in which it has to be done."""
        return sorted((step for item in self.items for step in item.steps), key=lambda step: step.rank)

    @property
    def changed(self) -> bool:
        return any(item.steps for item in self.items)
