# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interface's XML in one table: a row an option, with its place in the XML, and whether libvirt changes it live.

Sources: https://libvirt.org/formatdomain.html#network-interfaces, domaincommon.rng, and what libvirt 9.0 and 11.3 do
(virDomainUpdateDeviceFlags): both refuse a change of model, MTU, tap and boot order, and either ignore or refuse one of
the portgroup.
"""

from __future__ import annotations

import re
import typing

from .._core import kinds
from .._core.networkcommon import BANDWIDTH, VIRTUALPORT, VLAN
from .._core.table import Field, Kind, Options, argument_spec, normal
from .._core.xmltable import Codec, Row
from .model import STATES

# Names that libvirt gives to taps itself, and takes off what it stores (virDomainNetDefFormat).
_OWN_TAPS = re.compile(r"(vnet|vif|macvtap|macvlan)\d")


def _parameters(value: typing.Any) -> Options:
    """Names in capitals in the order of the alphabet; each a text, or a list of texts where it is said several times."""
    if not isinstance(value, dict):
        raise ValueError("take a dictionary, such as {IP: 192.0.2.5}")
    found: Options = {}
    for name in sorted(value):
        if not re.fullmatch(r"[A-Za-z0-9_]+", str(name)):
            raise ValueError(f"{name!r} is no name of a parameter; take letters, digits and underscores")
        texts = value[name] if isinstance(value[name], list) else [value[name]]
        if not texts or None in texts:
            raise ValueError(f"{name}: say a value, or leave it out")
        found[str(name)] = [str(text) for text in texts] if len(texts) > 1 else str(texts[0])
    return found


def _read_parameters(element: typing.Any) -> Options | None:
    found: dict[str, list[str]] = {}
    for one in element.findall("parameter"):
        found.setdefault(one.get("name"), []).append(one.get("value"))
    return dict(found) or None


def _write_parameters(element: typing.Any, value: Options) -> None:
    for old in element.findall("parameter"):
        element.remove(old)
    for name, texts in value.items():
        for text in texts if isinstance(texts, list) else [texts]:
            element.append(element.makeelement("parameter", {"name": name, "value": text}))


def _tap(value: typing.Any) -> str:
    if _OWN_TAPS.match(str(value)):
        raise ValueError("names such as vnet0 and macvtap0 are libvirt's own; take another")
    return str(kinds.LINK_NAME.parse(value))


def _model(value: typing.Any) -> str:
    if not re.fullmatch(r"[A-Za-z0-9\-_]+", str(value)):
        raise ValueError("this is no model; take for example virtio or e1000e")
    return str(value)


_PARAMETERS = Codec(_read_parameters, _write_parameters, children=(("parameter", ("name", "value")),))

# What libvirt changes while the guest runs.
LIVE = frozenset({"network", "bridge", "vlan", "filter", "filter_parameters", "link_state", "bandwidth", "isolated"})
# What an interface gets from its network or portgroup where it says nothing itself.
GIVEN = ("vlan", "virtualport", "bandwidth", "mtu", "isolated")
SOURCE = ("network", "bridge", "portgroup")
_CHOSEN = ("interfaceid", "instanceid")

TABLE: tuple[Row, ...] = (
    Row("network", kinds.TEXT, path="source@network"),
    Row("bridge", kinds.LINK_NAME, path="source@bridge"),
    Row("portgroup", kinds.TEXT, path="source@portgroup"),
    Row("model", Kind("str", _model), path="model@type"),
    VLAN,
    VIRTUALPORT,
    Row("filter", kinds.TEXT, path="filterref@filter"),
    Row("filter_parameters", Kind("dict", _parameters), path="filterref", codec=_PARAMETERS),
    Row("link_state", kinds.choice("up", "down"), default="up", path="link@state"),
    Row("mtu", kinds.integer(0, 65535), default=0, path="mtu@size"),
    BANDWIDTH,
    Row("isolated", kinds.BOOLEAN, default=False, path="port@isolated"),
    Row("target", Kind("str", _tap), path="target@dev"),
    Row("boot_order", kinds.integer(0, 65535), default=0, path="boot@order"),
)
ROWS = {row.name: row for row in TABLE}
MAC = Field("mac", kinds.UNICAST_MAC)

# A network, and a portgroup in it, as far as they say something about interfaces.
NETWORK: tuple[Row, ...] = (
    Row("mode", kinds.TEXT, path="forward@mode"),
    Row("bridge", kinds.LINK_NAME, path="bridge@name"),
    Row("mtu", kinds.integer(0, 65535), default=0, path="mtu@size"),
    Row("isolated", kinds.BOOLEAN, default=False, path="port@isolated"),
    VLAN,
    VIRTUALPORT,
    BANDWIDTH,
    Row(
        "portgroups",
        many=True,
        path="portgroup",
        fields=(
            Row("name", kinds.TEXT, path="@name"),
            Row("default", kinds.BOOLEAN, default=False, path="@default"),
            VLAN,
            VIRTUALPORT,
            BANDWIDTH,
        ),
    ),
)


def said(values: typing.Mapping[str, typing.Any]) -> Options:
    """The options that were said, in normal form; None where the value means that there is to be none.

    Raises InputError naming the option and its value.
    """
    given = {row.name: values[row.name] for row in TABLE if values.get(row.name) is not None}
    found = normal(TABLE, {name: value for name, value in given.items() if value != ""})
    return {name: found.get(name) for name in given}


def held(values: typing.Mapping[str, typing.Any]) -> Options:
    """What an interface holds, in normal form, without the tap's name that libvirt gave."""
    options = normal(TABLE, values, strict=False)
    if _OWN_TAPS.match(options.get("target", "")):
        del options["target"]
    return options


def merge(there: typing.Mapping[str, typing.Any], wanted: typing.Mapping[str, typing.Any]) -> Options:
    """What it will hold: what is said, and what is there otherwise. A filter takes its parameters along when it goes,
    a move the portgroup of the network that is left."""
    goal = {**there, **wanted}
    goal["virtualport"] = _with_ids(there.get("virtualport"), goal.get("virtualport"))
    if goal.get("network") and "network" in wanted and there.get("network") != wanted["network"]:
        goal["portgroup"] = wanted.get("portgroup")
    for kind, other in (("network", "bridge"), ("bridge", "network")):
        if wanted.get(kind):
            goal[other] = None
    if not goal.get("network"):
        goal["portgroup"] = None
    if not goal.get("filter"):
        goal["filter_parameters"] = None
    return {row.name: goal[row.name] for row in TABLE if goal.get(row.name) is not None}


def _with_ids(there: Options | None, wanted: Options | None) -> Options | None:
    """libvirt makes up what tells a virtual port from others, where nothing is said."""
    if not there or not wanted or there.get("type") != wanted.get("type"):
        return wanted
    chosen = {name: value for name, value in there.get("parameters", {}).items() if name in _CHOSEN}
    parameters = {**chosen, **wanted.get("parameters", {})}
    return {**wanted, "parameters": parameters} if parameters else wanted


def without_ids(port: Options | None) -> Options | None:
    """A virtual port without what libvirt makes up."""
    if not port:
        return port
    kept = {name: value for name, value in port.get("parameters", {}).items() if name not in _CHOSEN}
    return {
        **{name: value for name, value in port.items() if name != "parameters"},
        **({"parameters": kept} if kept else {}),
    }


def spec() -> Options:
    """The argument spec of libvirt_domain_interface: one interface, or a list of the same."""
    one: Options = {
        "guest": {"type": "str"},
        "state": {"type": "str", "choices": list(STATES)},
        **argument_spec((MAC, *TABLE)),
        "replug": {"type": "bool"},
    }
    batch = {"type": "list", "elements": "dict", "options": one}
    return {**one, "interfaces": batch, "uri": {"type": "str", "default": "qemu:///system"}}
