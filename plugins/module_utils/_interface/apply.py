# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry a plan out, step by step, through libvirt."""

from __future__ import annotations

import contextlib
import time
import typing
from collections.abc import Mapping

from .._core.errors import SystemFailure
from .._core.plan import Plan
from .._libvirt.driver import Driver
from . import xml
from .model import Interface

UNPLUG_SECONDS = 20

Arguments = Mapping[str, typing.Any]


def apply(driver: Driver, plan: Plan) -> None:
    """Every step in its order; raises SystemFailure at the first that fails."""
    for step in plan.steps:
        VERBS[step.verb](driver, step.arguments)


def _store(driver: Driver, arguments: Arguments) -> None:
    driver.define_domain(arguments["guest"], arguments["xml"])


def _with(_driver: Driver, _arguments: Arguments) -> None:
    """Stored together with another interface of the same guest."""


def _unplug(driver: Driver, arguments: Arguments) -> None:
    """Asks the guest to let go, and waits until it has."""
    guest, mac = arguments["guest"], arguments["mac"]
    deadline = time.monotonic() + UNPLUG_SECONDS
    live = _running(driver, guest, mac)
    if live:
        driver.unplug_interface(guest, live.xml)
    while live:
        if time.monotonic() > deadline:
            raise SystemFailure(
                f"guest {guest}: it does not let go of the interface {mac}: it was asked to unplug it, and has not in"
                f" {UNPLUG_SECONDS} seconds. Is it still booting, paused, or without a driver for hot-plugging? It may"
                " yet do it later. Shut it down, and run again"
            )
        time.sleep(0.1)
        live = _running(driver, guest, mac)
        if live:
            with contextlib.suppress(SystemFailure):  # asked once more: one that is booting may have missed it
                driver.unplug_interface(guest, live.xml)


def _running(driver: Driver, guest: str, mac: str) -> Interface | None:
    text = driver.domain_xml(guest, inactive=False) if driver.is_running(guest) else None
    return xml.side(text).by_mac(mac) if text else None


def _update(driver: Driver, arguments: Arguments) -> None:
    guest = arguments["guest"]
    try:
        driver.update_interface(guest, arguments["xml"])
    except SystemFailure:
        # libvirt 11.3 has then lost the interface's port on its network; saying what is there makes it a new one
        live = _running(driver, guest, arguments["mac"])
        with contextlib.suppress(SystemFailure):
            driver.update_interface(guest, live.xml if live else "")
        raise


def _plug(driver: Driver, arguments: Arguments) -> None:
    guest, text = arguments["guest"], arguments["xml"]
    if arguments["stored"]:
        stored = driver.domain_xml(guest, inactive=True) or ""
        mac = arguments["mac"]
        found = xml.side(stored).by_mac(mac) if mac else xml.fresh(stored, arguments["known"], arguments["source"])
        if found is None:
            raise SystemFailure(f"guest {guest}: the interface that was stored just now is not there any more")
        text = found.xml
    driver.plug_interface(guest, xml.placed(text, driver.domain_xml(guest, inactive=False) or ""))


VERBS: dict[str, typing.Callable[[Driver, Arguments], None]] = {
    "store": _store,
    "with": _with,
    "unplug": _unplug,
    "update": _update,
    "plug": _plug,
}
