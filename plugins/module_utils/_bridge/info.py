# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bridges are there, in the words that linux_bridge takes."""

from __future__ import annotations

import typing

from .._core.flow import Params
from .._core.table import Options
from .._kernel import read
from .._persist import agent
from . import observe
from .driver import connect
from .model import State
from .options import ATTRIBUTES
from .result import view


def gather(params: Params) -> dict[str, typing.Any]:
    """All bridges, or the one of this name."""
    with connect() as driver:
        links = observe.with_vlans(driver, read.links(driver.netlink, ATTRIBUTES))
        routes = observe.routes(driver, links)
    names = [link.name for link in links.values() if link.kind == "bridge" and params["name"] in (None, link.name)]
    boot = agent.look(names)
    state = State(observe.told(links, boot), routes)
    taps = observe.guests(links)
    bridges = []
    for name in sorted(names):
        guests = sorted(link.name for link in state.ports(name) if link.guests)
        bridges.append({
            "name": name,
            "definition": view(state, name, boot),
            "guests": [_guest(tap, taps.get(tap)) for tap in guests],
            "dynamic_addresses": sorted(one.cidr for one in links[name].addresses if not one.permanent),
            "backend": boot.backend if boot and name in boot.options else None,
        })  # fmt: skip
    return {"bridges": bridges}


def _guest(tap: str, guest: str | None) -> Options:
    return {"interface": tap, "guest": guest}
