# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a task's parameters to what is wanted. No I/O; every error of form is found here, all before anything changes."""

from __future__ import annotations

import collections
import typing

from .._core import kinds
from .._core.errors import InputError
from .._core.subnets import whole_subnet
from .._core.table import Options
from . import xml
from .model import ABSENT, ACTIVE, IF_UNUSED, PRESENT, Definition, Desired, Want
from .options import METADATA, SHORT_FORM, TABLE, definition

Params = typing.Mapping[str, typing.Any]

_TYPED = tuple(field.name for field in (*TABLE, *SHORT_FORM, METADATA))
_INHERITED = {"state": ACTIVE, "restart": IF_UNUSED, "force": False, "autostart": None}


def desired(params: Params) -> Desired:
    """Everything one task wants; raises InputError."""
    if params.get("networks") is None:
        if params.get("purge"):
            raise InputError("purge: true needs the list `networks`, which says what is to stay")
        return Desired((_want(params, {}),))
    given = [name for name in ("name", "xml", *_TYPED) if params.get(name) is not None]
    if given:
        raise InputError(f"networks and {given[0]} exclude each other: say {given[0]} inside an item of networks")
    wants = tuple(_want(item, params) for item in params["networks"])
    names = collections.Counter(want.name for want in wants)
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        raise InputError(
            f"networks: {', '.join(twice)} stands there more than once; a network is described by one item"
        )
    return Desired(wants, bool(params.get("purge")), bool(params.get("force")))


def _want(params: Params, above: Params) -> Want:
    """One network; what it does not say itself the task may say for all."""
    common: Options = {}
    for option, default in _INHERITED.items():
        own, shared = params.get(option), above.get(option)
        common[option] = own if own is not None else shared if shared is not None else default
    name = params.get("name") or (xml.name_of(params["xml"]) if params.get("xml") else None)
    if not name:
        raise InputError("name is missing: say which network is meant")
    try:
        kinds.TEXT.parse(name)
    except ValueError as error:
        raise InputError(f"network {name!r}: name: {error}") from error
    try:
        source, text = _source(name, params)
    except InputError as error:
        raise InputError(f"network {name}: {error}") from error
    if common["autostart"] is None and common["state"] in (ACTIVE, PRESENT):
        common["autostart"] = True
    if source and common["state"] == ABSENT:
        source = text = None  # what goes is not described
    return Want(name=name, source=source, source_xml=text, **common)


def _source(name: str, params: Params) -> tuple[Definition | None, str | None]:
    typed = {option: params[option] for option in _TYPED if params.get(option) is not None}
    if params.get("xml") is not None:
        if typed:
            raise InputError(f"xml and {next(iter(typed))} exclude each other: say all in xml or all in options")
        return _from_xml(name, params["xml"]), params["xml"]
    return (_from_options(typed), None) if typed else (None, None)


def _from_xml(name: str, text: str) -> Definition:
    form = xml.read(text, strict=True)
    inside = xml.name_of(text)
    if inside is not None and inside != name:
        raise InputError(f"xml names the network {inside!r}, the option name says {name!r}; make them agree")
    return form.definition


def _from_options(typed: Options) -> Definition:
    options = {name: value for name, value in typed.items() if name not in ("address", "dhcp")}
    address, dhcp = typed.get("address"), typed.get("dhcp")
    if address is not None and "subnets" in typed:
        raise InputError("address and subnets exclude each other: address is the short form of one subnet")
    if dhcp is not None and address is None:
        raise InputError("dhcp needs address; in the long form it is said inside an item of subnets")
    if address is not None:
        subnet = {"address": definition({"subnets": [{"address": address}]}).subnets[0]["address"]}
        options["subnets"] = [{**subnet, "dhcp": {"ranges": whole_subnet(subnet["address"])}} if dhcp else subnet]
    if "metadata" in options:
        options["metadata"] = xml.join(xml.fragments(options["metadata"]))
    return definition(options)
