# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a task's parameters to what is wanted. No I/O; every error of form is found here, all before anything changes."""

from __future__ import annotations

import typing

from .._core.errors import InputError
from .._core.table import normal
from .model import ABSENT, PRESENT, Desired, Want
from .options import MAC, TABLE, said

Params = typing.Mapping[str, typing.Any]

_ONE = ("guest", "mac", *(row.name for row in TABLE))


def desired(params: Params) -> Desired:
    """Everything one task wants; raises InputError."""
    if params.get("interfaces") is None:
        return Desired((_want(params, {}),))
    given = [name for name in _ONE if params.get(name) is not None]
    if given:
        raise InputError(f"interfaces and {given[0]} exclude each other: say {given[0]} inside an item of interfaces")
    wants = tuple(_want(item, params) for item in params["interfaces"])
    for number, want in enumerate(wants):
        if any(_names_same(want, other) for other in wants[:number]):
            raise InputError(
                f"interfaces: {_label(want)} stands there more than once; an interface is described by one item"
            )
    return Desired(wants)


def _names_same(one: Want, other: Want) -> bool:
    if one.guest != other.guest:
        return False
    if one.mac or other.mac:
        return one.mac == other.mac
    return one.source == other.source


def _label(want: Want) -> str:
    return f"guest {want.guest}, " + (f"mac {want.mac}" if want.mac else " ".join(want.source or ()))


def _want(params: Params, above: Params) -> Want:
    """One interface; what it does not say itself of state and replug the task may say for all."""
    guest = params.get("guest")
    if not guest:
        raise InputError("guest is missing: say whose interface is meant, by the guest's name or UUID")
    state = params.get("state") or above.get("state") or PRESENT
    replug = params["replug"] if params.get("replug") is not None else above.get("replug")
    try:
        mac = normal((MAC,), params).get("mac")
        options = said(params)
        _refuse_forms(params, mac)
    except InputError as error:
        raise InputError(f"guest {guest}: {error}") from error
    if state == ABSENT:
        options = {name: value for name, value in options.items() if name in ("network", "bridge")}
    return Want(guest, state, mac, options, bool(replug))


def _refuse_forms(params: Params, mac: str | None) -> None:
    network, bridge = params.get("network"), params.get("bridge")
    if network and bridge:
        raise InputError("network and bridge exclude each other: an interface is on the one or on the other")
    for name, value in (("network", network), ("bridge", bridge)):
        if value == "":
            raise InputError(f"{name}: '': an interface can't be on none; say link_state: down, or state: absent")
    if not mac and not network and not bridge:
        raise InputError("say which interface is meant: mac, network or bridge")
    if params.get("portgroup") and bridge:
        raise InputError("portgroup and bridge exclude each other: a portgroup is part of a network")
    if params.get("filter") == "" and params.get("filter_parameters"):
        raise InputError("filter_parameters need a filter")
    if params.get("model") == "":
        raise InputError("model: '': an interface has to have one; take for example virtio")
