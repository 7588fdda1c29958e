# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps run by rank over all subjects, and in the order of writing within a rank."""

from __future__ import annotations

from ansible_collections.virtnet.kvm.plugins.module_utils._core.plan import Item, Plan, Step


def test_order() -> None:
    one = Item("a", None, None, (Step(20, "a", "x", ""), Step(10, "a", "y", "")))
    two = Item("b", None, None, (Step(10, "b", "z", ""),))
    assert [(step.subject, step.verb) for step in Plan((one, two)).steps] == [("a", "y"), ("b", "z"), ("a", "x")]


def test_changed() -> None:
    assert not Plan((Item("a", 1, 1),)).changed
    assert Plan((Item("a", 1, 1), Item("b", 1, 2, (Step(0, "b", "x", ""),)))).changed
