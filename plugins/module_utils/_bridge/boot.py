# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept for the next boot: the goal, said in the words of the daemon in charge. Pure."""

from __future__ import annotations

import dataclasses

from .._core.errors import InputError
from .._core.table import Options
from .._kernel.values import Link
from .._persist import networkd
from .._persist.model import Boot, Kept
from .goal import boot_options
from .model import Desired, Observed, State, Want
from .options import ABSENT, BOOT, MADE, MARK
from .result import port_view, view

USUAL_MTU = 1500
_RENDERERS = {"networkd": networkd}


def kept(desired: Desired, observed: Observed, then: State) -> State:
    """The goal with the boot files that lead to it."""
    if observed.boot is None:
        return then
    backend = _RENDERERS[observed.boot.backend]
    files = dict(observed.boot.files)
    for want in desired.wants:
        if want.state != ABSENT:
            _refuse_unkept(want, backend.UNKEPT, observed.boot.backend)
        bridge = None if want.state == ABSENT else _kept(want, observed, then)
        files = backend.replaced(files, want.name, bridge, observed.boot.in_charge)
    return dataclasses.replace(then, files=files)


def _kept(want: Want, observed: Observed, then: State) -> Kept:
    boot = observed.boot
    if boot is None:
        raise TypeError("no boot configuration is kept")
    options = {**(view(then, want.name, None) or {}), **said(want, observed)}
    ports = [_port(link, want, then, boot) for link in then.ports(want.name) if not link.guests]
    return Kept(want.name, options, tuple(ports))


def _port(link: Link, want: Want, then: State, boot: Boot) -> Options:
    """A port as it is kept. MTU and MAC address of a link that is made are the kernel's to choose, unless they were said."""
    port = port_view(link, then)
    said_here = next((one for one in want.ports or () if one["name"] == link.name), {})
    if link.alias != MARK:
        return {**port, "mtu": link.mtu}
    port.pop("mtu", None)
    kept_already = networkd.sizes(boot.files, link.name)
    from_bridge = {"mtu": want.options["mtu"]} if want.options.get("mtu", USUAL_MTU) != USUAL_MTU else {}
    wanted = {**kept_already, **from_bridge, **said_here}
    return {**port, **{name: wanted[name] for name in ("mtu", "mac_address") if name in wanted}}


def said(want: Want, observed: Observed) -> Options:
    """The options that only the boot configuration holds."""
    return boot_options(want, observed, observed.boot) if observed.boot else {}


def _refuse_unkept(want: Want, unkept: frozenset[str], backend: str) -> None:
    """Never a silent loss: what this backend can't keep is refused by name."""
    words = [f"{name}.{inner}" for name, value in want.options.items() if isinstance(value, dict) for inner in value]
    words += list(want.options) + [f"ports.{name}" for port in want.ports or () for name in port]
    words += [f"ports.type {port['type']}" for port in want.ports or () if port.get("type") in MADE]
    for word in words:
        if word in unkept:
            raise InputError(
                f"bridge {want.name}: {word}: {backend} can't keep it for the next boot; leave it out, or say persist: none"
            )


def links_of(text: str) -> list[str]:
    """The links that a boot file is for."""
    return networkd.matches(text) or networkd.netdev_names(text)


def owner_of(text: str) -> str | None:
    """The bridge that a boot file of ours is for."""
    return networkd.owner(text)


def devices_of(text: str) -> list[str]:
    """The links that a boot file makes."""
    return networkd.netdev_names(text)


def refuse_without(desired: Desired) -> None:
    """What needs a daemon can't be had without one."""
    for want in desired.wants:
        for row in BOOT:
            if want.options.get(row.name):
                raise InputError(
                    f"bridge {want.name}: {row.name}: with persist: none there is no daemon that would act on it;"
                    " say persist: auto or networkd"
                )
