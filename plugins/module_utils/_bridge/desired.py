# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a task's parameters to what is wanted. No I/O; every error of form is found here, all before anything changes."""

from __future__ import annotations

import collections
import typing

from .._core.errors import InputError
from .model import Desired, Want
from .options import ABSENT, PRESENT, TABLE, links_in, normal_options, normal_port
from .routing import routes_said, slot

Params = typing.Mapping[str, typing.Any]

_ONE = ("name", "ports", "inherit", *(row.name for row in TABLE))
MAX_CONFIRM_SECONDS = 3600


def desired(params: Params) -> Desired:
    """Everything one task wants; raises InputError."""
    timeout = params.get("confirm_timeout") or 0
    if not 0 <= timeout <= MAX_CONFIRM_SECONDS:
        raise InputError(f"confirm_timeout: {timeout}: take 0 (do not guard) to {MAX_CONFIRM_SECONDS} seconds")
    if params.get("bridges") is None:
        wants: tuple[Want, ...] = (_want(params, params),)
    else:
        given = [name for name in _ONE if params.get(name) is not None]
        if given:
            raise InputError(f"bridges and {given[0]} exclude each other: say {given[0]} inside an item of bridges")
        wants = tuple(_want(item, params) for item in params["bridges"])
    _refuse_twice(wants)
    _refuse_rivals(wants)
    return Desired(wants, params.get("persist") or "none", timeout)


def _want(params: Params, above: Params) -> Want:
    name = params.get("name")
    if not name:
        raise InputError("name is missing: say which bridge is meant")
    state = params.get("state") or above.get("state") or PRESENT
    purge = params["purge_ports"] if params.get("purge_ports") is not None else above.get("purge_ports")
    try:
        name = _name(name)
        if state == ABSENT:
            return Want(name, ABSENT)
        ports = params.get("ports")
        return Want(
            name=name,
            state=state,
            options=normal_options(params),
            ports=None if ports is None else tuple(normal_port(one, f"ports[{at}]") for at, one in enumerate(ports)),
            inherit=bool(params.get("inherit")),
            purge_ports=purge is not False,
        )
    except InputError as error:
        raise InputError(f"bridge {name}: {error}") from error


def _name(name: str) -> str:
    return str(normal_port({"name": name}, "bridge")["name"])


def _refuse_rivals(wants: typing.Sequence[Want]) -> None:
    """A host has one route to a destination in a table with a metric."""
    holders: dict[tuple[typing.Any, ...], str] = {}
    for want in wants:
        for word, route in routes_said(want):
            holder = holders.setdefault(slot(route), want.name)
            if holder != want.name:
                raise InputError(
                    f"bridge {want.name}: {word}: {route.hops[0].via or route.to}: {holder} has a route to {route.to} with the same"
                    " metric; give one of the two another metric, as one of `routes`"
                )


def _refuse_twice(wants: typing.Sequence[Want]) -> None:
    names = collections.Counter(want.name for want in wants)
    for name, count in names.items():
        if count > 1:
            raise InputError(f"bridges: {name} stands there more than once; a bridge is described by one item")
    holders: dict[str, str] = {}
    for want in wants:
        for port in want.ports or ():
            for name in links_in(port) if port.get("state") != ABSENT else ():
                if name in holders:
                    where = "twice" if holders[name] == want.name else f"in {holders[name]} as well"
                    raise InputError(f"bridge {want.name}: port {name} stands there {where}; a link has one master")
                if name == want.name:
                    raise InputError(f"bridge {name}: it can't be a port of its own")
                holders[name] = want.name
