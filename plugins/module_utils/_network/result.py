# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user reads: the same in check mode and after the real run."""

from __future__ import annotations

import typing

from .._core.plan import Item, Plan
from .._core.table import Options, differing
from .._core.text import difference
from .model import Network, Observed


def result(plan: Plan, observed: Observed | None) -> dict[str, typing.Any]:
    """The module's result; `observed` is what is there now, None in check mode."""
    networks = [_network(item, observed) for item in plan.items]
    diff = [difference(f"network {one['name']}", one["before"], one["after"]) for one in networks if one["changed"]]
    return {"changed": plan.changed, "networks": networks, "diff": diff}


def _network(item: Item, observed: Observed | None) -> Options:
    after = observed.networks.get(item.subject) if observed else item.after
    return {
        "name": item.subject,
        "changed": bool(item.steps),
        "actions": item.actions,
        "restart_required": item.facts["restart_required"],
        "guests": item.facts["guests"],
        "before": described(item.before),
        "after": described(after),
    }


def described(network: Network | None) -> Options | None:
    """A network in the words of the module's options; `live` holds what runs otherwise than it is stored."""
    if network is None:
        return None
    facts: Options = {
        "state": "active" if network.live else "inactive",
        "autostart": network.autostart,
        **network.kept.definition.options,
    }
    if network.kept.definition.extras:
        facts["extras"] = list(network.kept.definition.extras)
    drift = drifting(network)
    if drift:
        facts["live"] = drift
    return facts


def drifting(network: Network) -> Options:
    """The options in which what runs differs from what is stored, with their running values."""
    if not network.live or not network.config:
        return {}
    live, config = network.live.definition, network.config.definition
    drift = {name: live.options.get(name) for name in differing(live.options, config.options)}
    if live.extras != config.extras:
        drift["extras"] = list(live.extras)
    return drift
