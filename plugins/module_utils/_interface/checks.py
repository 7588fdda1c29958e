# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, each with the option, its value and the way out. Pure.

Only what changes is looked at: what is there already is never refused.
"""

from __future__ import annotations

import collections.abc
import typing

from .._core.errors import InputError
from .._core.table import Options
from . import goal
from .goal import Part
from .model import ABSENT, Observed, Want


def unknown_guest(want: Want, observed: Observed) -> typing.NoReturn:
    """No guest of that name or UUID."""
    raise InputError(f"guest {want.guest}: there is no such guest{_instead(observed.guest_names)}")


def refuse(parts: collections.abc.Sequence[Part], observed: Observed) -> None:
    """Everything that can be told before anything is changed; raises InputError."""
    for part in parts:
        if part.want.state == ABSENT:
            continue
        _refuse_source(part, observed)
        _refuse_filter(part, observed)
        if part.names & {"vlan", "network", "bridge", "virtualport"}:
            _refuse_vlan(part, observed)
    _refuse_macs(parts, observed)


def _refuse(part: Part, why: str) -> typing.NoReturn:
    raise InputError(f"guest {part.guest.name}: {why}")


def _instead(names: collections.abc.Collection[str] | None) -> str:
    return f"; there are {', '.join(sorted(names))}" if names else "; there is none at all" if names is not None else ""


def _refuse_source(part: Part, observed: Observed) -> None:
    moves = part.names & {"network", "bridge"}
    there = next((one.before for one in (part.config, part.live) if one and one.before), None)
    if moves and there and there.kind not in ("network", "bridge"):
        _refuse(
            part,
            f"mac {there.mac}: it is an interface of type {there.kind}, which can't be moved;"
            " remove it (state: absent), then plug a new one",
        )
    if moves and part.goal.get("bridge"):
        _refuse_bridge(part, observed)
    name = part.goal.get("network")
    if not name or not (moves or "portgroup" in part.names):
        return
    network = observed.networks.get(name)
    if network is None:
        _refuse(part, f"network: {name!r} does not exist{_instead(observed.network_names)}")
    if part.live and not network.active and {"network", "bridge"} & set(part.live.names):
        _refuse(
            part,
            f"network: {name!r} is not running, and the guest is; start it first (libvirt_network: name: {name},"
            " state: active)",
        )
    group = part.goal.get("portgroup")
    if group and group not in network.given:
        _refuse(
            part, f"portgroup: {group!r} is none of network {name}{_instead([one for one in network.given if one])}"
        )


def _refuse_bridge(part: Part, observed: Observed) -> None:
    """An Open vSwitch bridge is no Linux bridge, and is told by the interface's virtualport."""
    name, bridges = part.goal["bridge"], observed.bridges
    if bridges is not None and name not in bridges and not part.goal.get("virtualport"):
        _refuse(part, f"bridge: {name!r} is no bridge of this host{_instead(bridges)}; make it first (linux_bridge)")


def _refuse_filter(part: Part, observed: Observed) -> None:
    name = part.goal.get("filter")
    if "filter_parameters" in part.want.options and part.want.options["filter_parameters"] and not name:
        _refuse(part, "filter_parameters: it has no filter; say filter as well")
    if name and "filter" in part.names and observed.filters is not None and name not in observed.filters:
        _refuse(part, f"filter: {name!r} is no network filter of libvirt's{_instead(observed.filters)}")


def _refuse_vlan(part: Part, observed: Observed) -> None:
    """With VLANs that its connection can't have, a guest would not start any more."""
    network = observed.networks.get(part.goal.get("network", ""))
    gifts = goal.given(part.goal, observed.networks)
    port: Options = part.goal.get("virtualport") or gifts.get("virtualport") or {}
    if "vlan" not in part.goal or port.get("type") == "openvswitch":
        return
    if network and network.makes_bridge:
        _refuse(
            part,
            f"vlan: network {network.name} has a bridge of libvirt's own, on which libvirt sets no VLANs; take one of"
            " mode bridge, or a bridge",
        )
    bridge = part.goal.get("bridge") or (network and network.bridge)
    if bridge and not observed.bridge_vlans:
        _refuse(
            part,
            "vlan: this libvirt sets VLANs on Open vSwitch only (virtualport); on a plain Linux bridge libvirt 11.0 and"
            " newer do. Set them on the bridge instead (linux_bridge)",
        )
    if bridge and observed.bridges and observed.bridges.get(bridge) is False:
        _refuse(
            part,
            f"vlan: bridge {bridge} does not filter VLANs, so it would keep nothing apart; make it do so first"
            f" (linux_bridge: name: {bridge}, vlan: {{filtering: true}})",
        )


def _refuse_macs(parts: collections.abc.Sequence[Part], observed: Observed) -> None:
    labels = goal.twice(list(parts))
    if labels:
        raise InputError(
            f"interfaces: {labels[0]} is meant by more than one item; say mac in each, or take one item off"
        )
    _refuse_unclear(parts)
    freed = {(part.mac, part.guest.name) for part in parts if part.want.state == ABSENT}
    owners = {mac: name for mac, name in observed.owners.items() if (mac, name) not in freed}
    for part in parts:
        if not part.mac or part.there or part.want.state == ABSENT:
            continue
        owner = owners.get(part.mac)
        if owner is not None and owner != part.guest.name:
            _refuse(part, f"mac: {part.mac} is that of an interface of guest {owner} already; take another one")
        owners[part.mac] = part.guest.name


def _refuse_unclear(parts: collections.abc.Sequence[Part]) -> None:
    """An interface that is meant by its network has to be the only one on it afterwards as well."""
    present = [part for part in parts if part.want.state != ABSENT]
    for part in present:
        source = part.want.source
        if part.want.mac or source is None:
            continue
        kind, name = source
        others = [
            one
            for one in present
            if one is not part and one.guest.name == part.guest.name and one.goal.get(kind) == name
        ]
        if others:
            _refuse(part, f"{kind} {name}: more than one item puts an interface on it; say mac in each of them")
