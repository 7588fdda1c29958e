# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline: the plan that check mode shows is the one that runs; what fails is put back, or that is said loudly."""

from __future__ import annotations

import contextlib
import typing

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core import errors, flow
from ansible_collections.virtnet.kvm.plugins.module_utils._core.plan import Item, Plan, Step


class Numbers:
    """A domain of one number: the desired one is reached in steps of one; the driver is a list of what happened."""

    def __init__(self, there: int, fails_at: int | None = None, sticks: bool = False) -> None:
        self.there, self.fails_at, self.sticks = there, fails_at, sticks
        self.gone = False
        self.failure: Exception = errors.SystemFailure("no further")
        self.log: list[str] = []

    @contextlib.contextmanager
    def connect(self, params: flow.Params, dry: bool) -> typing.Iterator[Numbers]:
        yield self

    @contextlib.contextmanager
    def guard(self, desired: int, observed: int, plan: Plan) -> typing.Iterator[flow.Facts]:
        self.guarded = True
        yield {}

    def reconnect(self) -> None:
        if self.gone:
            raise errors.MissingError("daemon gone")
        self.log.append("reconnect")

    def desired(self, params: flow.Params) -> int:
        return params["number"]

    def observe(self, driver: typing.Any, desired: int) -> int:
        return self.there

    def plan(self, desired: int, observed: int) -> Plan:
        way = 1 if desired > observed else -1
        steps = [Step(0, "n", "move", f"move {way}", {"way": way})] * abs(desired - observed)
        return Plan((Item("n", observed, desired, tuple(steps), {"differing": ["number"]}),))

    def apply(self, driver: typing.Any, plan: Plan) -> None:
        for step in plan.steps:
            if self.there + step.arguments["way"] == self.fails_at:
                self.fails_at = None
                raise self.failure
            self.log.append(step.action)
            if not self.sticks:
                self.there += step.arguments["way"]

    def restore(self, plan: Plan) -> int:
        return plan.items[0].before

    def result(self, plan: Plan, observed: int | None) -> dict:
        return {"changed": plan.changed, "after": plan.items[0].after if observed is None else observed}


def test_check_mode_predicts_and_touches_nothing() -> None:
    domain = Numbers(1)
    predicted = flow.reconcile(domain, {"number": 3}, dry=True)
    assert domain.there == 1 and not domain.log
    assert predicted == flow.reconcile(domain, {"number": 3}, dry=False) == {"changed": True, "after": 3}
    assert flow.reconcile(domain, {"number": 3}, dry=False)["changed"] is False


@pytest.mark.parametrize("failure", [errors.SystemFailure("no further"), OSError("no further")])
def test_a_failure_in_the_middle_is_put_back(failure: Exception) -> None:
    """Whatever it is."""
    domain = Numbers(1, fails_at=4)
    domain.failure = failure
    with pytest.raises(errors.SystemFailure, match=r"no further\. What was there before is back") as caught:
        flow.reconcile(domain, {"number": 5}, dry=False)
    assert domain.there == 1 and caught.value.facts["rolled_back"] is True
    assert domain.log == ["move 1", "move 1", "reconnect", "move -1", "move -1"]


def test_a_change_that_does_not_take_is_an_error_that_names_the_field() -> None:
    with pytest.raises(errors.NotTaken, match="n: number"):
        flow.reconcile(Numbers(1, sticks=True), {"number": 2}, dry=False)


def test_a_failed_roll_back_is_its_own_error() -> None:
    domain = Numbers(1, fails_at=4)
    domain.gone = True
    with pytest.raises(errors.RollbackFailed, match=r"no further.*daemon gone") as caught:
        flow.reconcile(domain, {"number": 5}, dry=False)
    assert caught.value.facts["rolled_back"] is False
