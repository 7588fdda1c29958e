# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one pipeline of every module: params > desired > observed > plan > apply > verify > result.

The only reader of check mode: it returns the plan, which the real run executes as it is.
"""

from __future__ import annotations

import contextlib
import gc
import time
import typing

from ansible.module_utils.basic import AnsibleModule

from .errors import NotTaken, RollbackFailed, SystemFailure, VirtnetError
from .plan import Plan

Params = typing.Mapping[str, typing.Any]
Facts = dict[str, typing.Any]
Guard = contextlib.AbstractContextManager[Facts]

RESTORE_TRIES = 3
RESTORE_PAUSE_SECONDS = 0.5


class Domain(typing.Protocol):
    """What a domain brings: one function a room, with the same signatures in each domain."""

    def connect(self, params: Params, dry: bool) -> contextlib.AbstractContextManager[typing.Any]: ...
    def desired(self, params: Params) -> typing.Any: ...
    def observe(self, driver: typing.Any, desired: typing.Any) -> typing.Any: ...
    def plan(self, desired: typing.Any, observed: typing.Any) -> Plan: ...
    def guard(self, desired: typing.Any, observed: typing.Any, plan: Plan) -> Guard: ...
    def apply(self, driver: typing.Any, plan: Plan) -> None: ...
    def restore(self, plan: Plan) -> typing.Any: ...
    def result(self, plan: Plan, observed: typing.Any) -> dict[str, typing.Any]: ...


def manage(domain: Domain, **arguments: typing.Any) -> None:
    """Run a module that makes things so."""
    gc.disable()  # it ends before garbage in cycles would matter; looking for some takes a third of the time of a large dump
    module = AnsibleModule(supports_check_mode=True, **arguments)
    try:
        result = reconcile(domain, module.params, dry=module.check_mode)
    except VirtnetError as error:
        module.fail_json(msg=str(error), invocation=_invocation(module.params), **error.facts)
    module.exit_json(invocation=_invocation(module.params), **result)


def inform(gather: typing.Callable[[Params], dict[str, typing.Any]], **arguments: typing.Any) -> None:
    """Run a module that only looks."""
    gc.disable()
    module = AnsibleModule(supports_check_mode=True, **arguments)
    try:
        module.exit_json(changed=False, **gather(module.params))
    except VirtnetError as error:
        module.fail_json(msg=str(error), **error.facts)


def reconcile(domain: Domain, params: Params, dry: bool) -> dict[str, typing.Any]:
    """Make it so, or say what would be done; the same plan either way."""
    desired = domain.desired(params)
    with domain.connect(params, dry) as driver:
        observed = domain.observe(driver, desired)
        plan = domain.plan(desired, observed)
        if dry or not plan.changed:
            return domain.result(plan, None)
        with domain.guard(desired, observed, plan) as facts:
            try:
                domain.apply(driver, plan)
                observed = domain.observe(driver, desired)
                _verify(domain.plan(desired, observed))
            except VirtnetError as error:
                _put_back(domain, driver, plan, error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the host is not left half-way
                _put_back(domain, driver, plan, SystemFailure(f"{type(error).__name__}: {error}"))
        return {**domain.result(plan, observed), **facts}


def _invocation(params: Params) -> dict[str, typing.Any]:
    """The options as they were said. Ansible would repeat every silent option of every item of a list."""
    return {"module_args": _said(params)}


def _said(value: typing.Any) -> typing.Any:
    if isinstance(value, dict):
        return {name: _said(one) for name, one in value.items() if one is not None}
    return [_said(one) for one in value] if isinstance(value, list) else value


def _verify(again: Plan) -> None:
    """What was planned is done when planning once more finds nothing."""
    if again.changed:
        left = [
            f"{item.subject}: {', '.join(step.action or step.verb for step in item.steps)}"
            for item in again.items
            if item.steps
        ]
        fields = [f"{item.subject}: {field}" for item in again.items for field in item.facts.get("differing", ())]
        what = f"these did not take: {'; '.join(fields)}" if fields else f"still to do would be {'; '.join(left)}"
        raise NotTaken(f"the changes were made without an error, but {what}")


def _put_back(domain: Domain, driver: typing.Any, plan: Plan, cause: VirtnetError) -> typing.NoReturn:
    """In several tries: a daemon that acts on what it has just seen may come in between (a route that it made itself)."""
    before = domain.restore(plan)
    for tries_left in reversed(range(RESTORE_TRIES)):
        try:
            driver.reconnect()
            _restore(domain, driver, before)
            break
        except VirtnetError as error:
            if not tries_left:
                raise RollbackFailed(
                    f"{cause}. Putting back what was there before failed as well: {error}. Look at the host, then run again",
                    rolled_back=False,
                    **cause.facts,
                ) from error
            time.sleep(RESTORE_PAUSE_SECONDS)
    raise type(cause)(f"{cause}. What was there before is back", rolled_back=True, **cause.facts) from cause


def _restore(domain: Domain, driver: typing.Any, before: typing.Any) -> None:
    domain.apply(driver, domain.plan(before, domain.observe(driver, before)))
    left = domain.plan(before, domain.observe(driver, before))
    if left.changed:
        raise NotTaken(", ".join(f"{step.subject}: {step.action or step.verb}" for step in left.steps))
