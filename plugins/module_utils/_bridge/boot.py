# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept for the next boot: the goal, said in the words of the daemon in charge. Pure."""

from __future__ import annotations

import dataclasses

from .._core.errors import InputError
from .._core.table import Options
from .._kernel.values import Link
from .._persist import backends
from .._persist.model import Boot, Kept
from .goal import boot_options
from .model import Desired, Observed, State, Want
from .options import ABSENT, BOOT, MADE, MARK, USUAL_MTU
from .result import port_view, view
from .routing import GATEWAYS


def kept(desired: Desired, observed: Observed, then: State) -> State:
    """The goal with the boot files that lead to it."""
    if observed.boot is None:
        return then
    backend = backends.renderers()[observed.boot.backend]
    bridges: dict[str, Kept | None] = {}
    for want in desired.wants:
        if want.state != ABSENT:
            _refuse_unkept(want, backend.UNKEPT, observed.boot)
        bridges[want.name] = bridge = None if want.state == ABSENT else _kept(want, observed, then)
        why = backend.refused(bridge) if bridge else None
        if why:
            raise InputError(f"bridge {want.name}: {observed.boot.backend} can't keep it for the next boot: {why}")
    return dataclasses.replace(then, files=backends.replaced(observed.boot, bridges))


def _kept(want: Want, observed: Observed, then: State) -> Kept:
    boot = observed.boot
    if boot is None:
        raise TypeError("no boot configuration is kept")
    gateways = {name: want.options[name] for name in GATEWAYS if name in want.options}
    options = {**(view(then, want.name, None, said(want, observed)) or {}), **gateways}
    routers = {hop.via for route in then.routes_over(want.name) for hop in route.hops if hop.onlink and hop.via}
    # in an order that is the same before they are made; a VLAN comes after what it is on
    links = sorted(then.ports(want.name), key=lambda link: (link.parent is not None, link.name))
    ports = [_port(link, want, then, boot) for link in links if not link.guests]
    return Kept(want.name, options, tuple(ports), frozenset(routers))


def _port(link: Link, want: Want, then: State, boot: Boot) -> Options:
    """A port as it is kept. MTU and MAC address of a link that is made are the kernel's to choose, unless they were said."""
    port = port_view(link, then)
    said_here = next((one for one in want.ports or () if one["name"] == link.name), {})
    port.update({"cost": said_here["cost"]} if "cost" in said_here else {})  # also where it is the kernel's own
    if link.alias != MARK:
        return {**port, "mtu": link.mtu, "kind": link.kind}
    port.pop("mtu", None)
    kept_already = backends.renderers()[boot.backend].sizes(boot.files, link.name)
    from_bridge = {"mtu": want.options["mtu"]} if want.options.get("mtu", USUAL_MTU) != USUAL_MTU else {}
    wanted = {**kept_already, **from_bridge, **said_here}
    return {**port, **{name: wanted[name] for name in ("mtu", "mac_address") if name in wanted}}


def said(want: Want, observed: Observed) -> Options:
    """The options that only the boot configuration holds."""
    return boot_options(want, observed, observed.boot) if observed.boot else {}


def _refuse_unkept(want: Want, unkept: frozenset[str], boot: Boot) -> None:
    """Never a silent loss: what this backend can't keep is refused by name."""
    words = [f"{name}.{inner}" for name, value in want.options.items() if isinstance(value, dict) for inner in value]
    words += [name for name, value in want.options.items() if value not in (None, {}, [])] + [
        f"ports.{name}" for port in want.ports or () for name in port
    ]
    words += [f"ports.type {port['type']}" for port in want.ports or () if port.get("type") in MADE]
    for word in words:
        if word in unkept:
            raise InputError(
                f"bridge {want.name}: {word}: {boot.backend} can't keep it for the next boot; leave it out, or say"
                " persist: none"
            )
        if word in boot.lacking and want.options.get(word, True) != boot.options.get(want.name, {}).get(word):
            raise InputError(f"bridge {want.name}: {word}: {boot.backend} can't keep it: {boot.lacking[word]}")


def refuse_without(desired: Desired) -> None:
    """What needs a daemon can't be had without one."""
    for want in desired.wants:
        for row in BOOT:
            if want.options.get(row.name):
                raise InputError(
                    f"bridge {want.name}: {row.name}: with persist: none there is no daemon that would act on it;"
                    " say persist: auto, or a backend"
                )
