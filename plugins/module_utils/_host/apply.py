# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing a plan."""

from __future__ import annotations

import contextlib
import typing

from .._core import command, files
from .._core.errors import SystemFailure
from .._core.plan import Plan
from . import units
from .firewall import TABLE
from .plan import FIREWALL


def apply(driver: typing.Any, plan: Plan) -> None:
    """Every step in its order; raises on the first that fails."""
    del driver
    told = False
    for step in plan.steps:
        if step.verb == "tell" and told:
            continue
        told = told or step.verb == "tell"
        _do(step.verb, **step.arguments)


def _do(verb: str, **arguments: typing.Any) -> None:
    VERBS[verb](**arguments)


def _file(path: str, file: typing.Any) -> None:
    if file is None:
        files.delete(path)
        files.prune(path, units.FOLDER, "/var/lib/virtnet-kvm")
    else:
        files.write(path, file.text, file.mode)


def _tell() -> None:
    command.run("systemctl", "daemon-reload")


def _setting(key: str, value: str) -> None:
    command.run("sysctl", "-q", "-w", f"{key}={value}")


def _stop(unit: str) -> None:
    command.run("systemctl", "--quiet", "disable", "--now", unit)
    with contextlib.suppress(SystemFailure):  # it is not known any more, unless it had failed
        command.run("systemctl", "reset-failed", unit)
    if "@" in unit:
        command.run("systemctl", "clean", "--what=state", unit)  # the leases of a network that is gone


def _start(unit: str) -> None:
    # `enable` may find the unit enabled for less than it asks for now
    command.run("systemctl", "--quiet", "reenable", unit)
    command.run("systemctl", "restart", unit)
    if unit == units.FIREWALL_UNIT:  # which has asked for that, too, but did not wait
        command.run("systemctl", "start", units.BESIDE_UNIT)


def _leave(subject: str) -> None:
    if subject == FIREWALL:
        command.run("nft", "delete", "table", "inet", TABLE)
    else:
        command.run(units.BESIDE, "down")


VERBS: dict[str, typing.Callable[..., None]] = {
    "file": _file,
    "tell": _tell,
    "setting": _setting,
    "stop": _stop,
    "start": _start,
    "restart": _start,
    "leave": _leave,
}
