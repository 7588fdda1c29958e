# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing a plan: the kernel's steps in batches, one a rank, since each rank stands on the one before."""

from __future__ import annotations

import itertools
import typing

from .._confirm import undo
from .._core.plan import Plan, Step
from .._kernel import links, sysctl, write
from .._kernel.netlink import Request
from .._persist import agent
from .difference import ADDRESS_OFF
from .driver import Driver, Indices
from .options import MARK


def apply(driver: Driver, plan: Plan) -> None:
    """Every step in its order; raises on the first that fails."""
    driver.hold(step.arguments["backend"] for step in plan.steps if step.verb == "tell")
    for rank, group in itertools.groupby(plan.steps, key=lambda step: step.rank):
        steps = list(group)
        with undo.writing(agent.before(step.subject for step in steps if step.verb == "file")):
            _do(driver, rank, steps)
    undo.written()  # also where what failed at its first file is put back, and so has none to write
    driver.release()


def _do(driver: Driver, rank: int, steps: list[Step]) -> None:
    """All steps of one rank."""
    requests = [step for step in steps if step.verb in REQUESTS]
    if rank == ADDRESS_OFF:
        for link in sorted({step.subject for step in requests}):
            sysctl.promote_secondaries(link)
    if requests:
        indices = Indices()
        driver.netlink.batch(REQUESTS[step.verb](step, indices) for step in requests)
    for step in steps:
        if step.verb == "file":
            agent.put(step.subject, step.arguments["file"])
        elif step.verb == "rejoin":
            _rejoin(driver, step.subject, **step.arguments)
        elif step.verb == "tell":
            _tell(driver, **step.arguments)


def _tell(
    driver: Driver, backend: str, paths: tuple[str, ...], links: tuple[str, ...], devices: tuple[str, ...]
) -> None:
    """networkd takes an existing bridge or bond for its own only when the kernel tells of it once more, and waits for
    that with its ports; an alias that is set makes the kernel do so."""
    here = Indices()
    agent.tell(backend, paths, links, devices)
    driver.netlink.batch(write.set_link(name, here, "telling of it", alias=MARK) for name in devices if name in here)
    concerned = [name for name in links if name in here]
    agent.settle(backend, concerned)
    for name in concerned:
        if agent.is_unmanaged(backend, name):
            sysctl.usual_link_local(name)


def _rejoin(driver: Driver, name: str, master: str | None, bond: bool) -> None:
    """Where the daemon has moved a port back, move it once more."""
    if links.master(name) == master:
        return
    here = Indices()
    steps: list[dict[str, typing.Any]] = [{"master": master}]
    for changes in [{"up": False}, *steps, {"up": True}] if bond else steps:
        driver.netlink.batch([write.set_link(name, here, "joining", **changes)])


def _set(step: Step, indices: write.Indices) -> Request:
    return write.set_link(step.subject, indices, _what(step), **step.arguments)


def _what(step: Step) -> str:
    return f"setting {', '.join(step.arguments)}"


def _make(step: Step, indices: write.Indices) -> Request:
    return write.make_link(step.arguments["link"], indices)


def _remove(step: Step, indices: write.Indices) -> Request:
    return write.remove_link(step.subject, indices)


def _data(step: Step, indices: write.Indices) -> Request:
    return write.set_data(step.subject, step.arguments["kind"], step.arguments["data"], indices)


def _port(step: Step, indices: write.Indices) -> Request:
    return write.set_port(step.subject, step.arguments["port"], indices)


def _vlans(step: Step, indices: write.Indices) -> Request:
    arguments = step.arguments
    return write.set_vlans(step.subject, arguments["vlans"], arguments["bridge"], arguments["add"], indices)


def _address(step: Step, indices: write.Indices) -> Request:
    told = step.arguments
    return write.address(step.subject, told["address"], told["add"], indices, told["known"])


def _route(step: Step, indices: write.Indices) -> Request:
    return write.route(step.arguments["route"], step.arguments["add"], indices)


REQUESTS: dict[str, typing.Callable[[Step, write.Indices], Request]] = {
    "set": _set,
    "make": _make,
    "remove": _remove,
    "data": _data,
    "port": _port,
    "vlans": _vlans,
    "address": _address,
    "route": _route,
}
