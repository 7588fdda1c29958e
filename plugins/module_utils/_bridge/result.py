# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task tells: each bridge before and after, in the options' own words."""

from __future__ import annotations

import typing

from .._core.plan import Plan
from .._core.table import Options
from .._core.text import difference
from .._kernel.values import Link, Route
from .._persist.model import Boot
from .model import Observed, State
from .options import (
    BRIDGE,
    DEFAULT_METRIC6,
    DEFAULT_PVID,
    MADE,
    MAIN_TABLE,
    MARK,
    PORT_FLAGS,
    VXLAN_LINK,
    from_kernel,
    vlans_of,
)
from .routing import is_gateway, is_leased, is_sayable, is_set


def result(plan: Plan, observed: Observed | None) -> dict[str, typing.Any]:
    """The result of a task, the same for a check and a real run but for what only the kernel chooses."""
    bridges, changed = [], plan.changed
    for item in plan.items:
        after = item.after
        if observed is not None and after is not None:
            after = view(observed.state, item.subject, observed.boot)
        bridges.append({
            "name": item.subject,
            "changed": bool(item.steps),
            "actions": item.actions,
            "guests": item.facts.get("guests", []),
            "before": item.before,
            "after": after,
        })  # fmt: skip
    files = [step for step in plan.steps if step.verb == "file" and step.subject.endswith("backup")]
    backups = sorted(
        step.subject for step in files if step.arguments["file"]
    )  # not those that went back to their place
    diff = [difference(one["name"], one["before"], one["after"]) for one in bridges if one["changed"]]
    return {"changed": changed, "bridges": bridges, "backups": backups, "diff": diff}


def view(state: State, name: str, boot: Boot | None, kept: Options | None = None) -> Options | None:
    """A bridge in the options' own words; None where there is none. Fed back, it changes nothing. `kept` are the options that
    only the boot configuration will hold."""
    link = state.links.get(name)
    if link is None or link.kind != "bridge":
        return None
    options = from_kernel(BRIDGE, link.data, all_=False)
    own = vlans_of(link.vlans or {})
    usual = {"pvid": 1, "untagged": [1]} if link.data.get(DEFAULT_PVID, 1) else {}
    if own != usual and link.data.get("IFLA_BR_VLAN_FILTERING") and link.vlans is not None:
        options.setdefault("vlan", {})["self"] = own
    ports = [
        port_view(port, state) for port in sorted(state.ports(name), key=lambda port: port.name) if not port.guests
    ]
    found: Options = {"up": link.up, "mtu": link.mtu, "mac_address": link.mac, **options, "ports": ports}
    found["addresses"] = sorted(one.cidr for one in link.addresses if one.permanent and not one.link_local)
    kept = {**(boot.options.get(name, {}) if boot else {}), **(kept or {})}
    leased = kept.get("dhcp4")
    mine = [route for route in state.routes_over(name) if is_set(route) and not (leased and is_leased(route))]
    mine = list(filter(is_sayable, mine))
    for route in mine:
        if _is_router(route):
            found["gateway6" if route.version == 6 else "gateway4"] = route.hops[0].via
    found["routes"] = [_route(route) for route in mine if not _is_router(route)]
    return {**found, **kept}


def _is_router(route: Route) -> bool:
    return is_gateway(route) and bool(route.hops[0].via)


def port_view(link: Link, state: State) -> Options:
    """A port in the options' own words."""
    port: Options = {"name": link.name, **from_kernel(PORT_FLAGS, link.port, all_=False)}
    if port.get("cost") in (100, 19, 5, 4, 3, 2, 1):
        del port["cost"]  # the kernel's own, by the link's speed (br_if.c)
    bridge = state.links.get(link.master or "")
    if bridge and bridge.data.get("IFLA_BR_VLAN_FILTERING") and link.vlans is not None:
        port["vlans"] = vlans_of(link.vlans)
    if link.alias == MARK and link.kind in MADE:
        port.update(type=link.kind, **from_kernel(MADE[link.kind], link.data, all_=False))
        if link.kind == "vlan":
            port["parent"] = link.parent
        if link.kind == "vxlan" and link.data.get(VXLAN_LINK):
            port["parent"] = link.data[VXLAN_LINK]
        if link.kind == "bond":
            port["ports"] = sorted(one.name for one in state.ports(link.name))
        if link.kind == "veth" and link.parent:
            port["peer"] = link.parent
    if link.mtu and bridge and link.mtu != bridge.mtu:
        port["mtu"] = link.mtu
    return port


def _route(route: Route) -> Options:
    told: Options = {"to": route.to}
    if route.hops[0].via:
        told["via"] = route.hops[0].via
    if route.metric != (DEFAULT_METRIC6 if route.version == 6 else 0):
        told["metric"] = route.metric
    if route.table != MAIN_TABLE:
        told["table"] = route.table
    return told
