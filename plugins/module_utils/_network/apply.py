# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry a plan out, step by step, through libvirt and the kernel."""

from __future__ import annotations

import typing
from collections.abc import Mapping

from .._core.plan import Plan, Step
from .._kernel import links
from .._libvirt import domains
from .._libvirt.driver import Driver
from . import xml
from .model import OWN_BRIDGE

Arguments = Mapping[str, typing.Any]


def apply(driver: Driver, plan: Plan) -> None:
    """Every step in its order; raises SystemFailure at the first that fails."""
    driver.port_flags.update(_flags(plan))
    for step in plan.steps:
        if step.verb == "plug":
            _plug(driver, step)
        else:
            VERBS[step.verb](driver, step.subject, step.arguments)


def _define(driver: Driver, name: str, arguments: Arguments) -> None:
    driver.define(name, arguments["xml"])


def _undefine(driver: Driver, name: str, _arguments: Arguments) -> None:
    driver.undefine(name)


def _autostart(driver: Driver, name: str, arguments: Arguments) -> None:
    driver.autostart(name, arguments["on"])


def _update(driver: Driver, name: str, arguments: Arguments) -> None:
    section = arguments["section"]
    if section in ("metadata", "title", "description"):
        kind = "element" if section == "metadata" else section
        driver.set_metadata(name, kind, arguments["item"], arguments["namespace"])
    else:
        driver.update(name, arguments["command"], section, arguments["index"], arguments["item"])


def _stop(driver: Driver, name: str, _arguments: Arguments) -> None:
    driver.stop(name)


def _start(driver: Driver, name: str, arguments: Arguments) -> None:
    if "xml" in arguments:
        driver.start_as(name, arguments["xml"])
    else:
        driver.start(name)


VERBS: dict[str, typing.Callable[[Driver, str, Arguments], None]] = {
    "define": _define,
    "undefine": _undefine,
    "autostart": _autostart,
    "update": _update,
    "stop": _stop,
    "start": _start,
}


def _flags(plan: Plan) -> dict[str, dict[str, int]]:
    """The guests' port flags, saved before the bridge goes away with them."""
    devices = [step.arguments["guest"].device for step in plan.steps if step.verb == "plug"]
    return {device: links.port_flags(device) for device in devices if device and links.master(device)}


def _plug(driver: Driver, step: Step) -> None:
    """The tap into the bridge, then libvirt's own record of it: the order in which libvirt does it. Its flags are those
    that it had, also before an attempt that failed; whether it is kept from others, the network says."""
    guest, bridge = step.arguments["guest"], step.arguments["bridge"]
    if bridge is None and step.arguments["mode"] in OWN_BRIDGE:
        bridge = xml.read(driver.network_xml(step.subject, inactive=False) or "").definition.bridge  # chosen just now
    if guest.device and bridge and links.master(guest.device) != bridge and not links.is_foreign(bridge):
        flags = dict(driver.port_flags.get(guest.device, {}))
        if step.arguments["isolated"] or links.ISOLATED in flags:
            flags[links.ISOLATED] = int(step.arguments["isolated"])
        links.plug(guest.device, bridge, flags)
    if guest.port_xml:
        driver.reclaim_port(step.subject, domains.plugged_into(guest.port_xml, step.arguments["mode"], bridge or ""))
