# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task tells."""

from __future__ import annotations

from ansible_collections.virtnet.kvm.plugins.module_utils._core.plan import Item, Plan, Step
from ansible_collections.virtnet.kvm.plugins.module_utils._host.result import result


def test_result() -> None:
    plan = Plan((
        Item("firewall", None, {"units": ["u"]}, (Step(5, "firewall", "start", "start u"), Step(2, "firewall", "file", "write f"))),
        Item("record", {"files": {}}, {"files": {}}),
    ))  # fmt: skip
    told = result(plan, None)
    assert told["changed"] and [one["changed"] for one in told["services"]] == [True, False]
    assert told["services"][0]["actions"] == ["write f", "start u"]
    assert [one["before_header"] for one in told["diff"]] == ["firewall"] and "units" in told["diff"][0]["after"]
