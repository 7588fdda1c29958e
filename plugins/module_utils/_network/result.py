# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user reads: the same in check mode and after the real run."""

from __future__ import annotations

import json
import re
import typing

from .._core.plan import Item, Plan
from .._core.table import Options, differing
from .model import Network, Observed

# What YAML reads as text without quotes; yes, no, on, off and null are other things to it.
_PLAIN = re.compile(
    r"(?!(?:y|n|yes|no|on|off|true|false|null)$)[A-Za-z][\w./-]*|\d+\.[\d.]+\.\d+(/\d+)?", re.IGNORECASE
)


def result(plan: Plan, observed: Observed | None) -> dict[str, typing.Any]:
    """The module's result; `observed` is what is there now, None in check mode."""
    networks = [_network(item, observed) for item in plan.items]
    return {"changed": plan.changed, "networks": networks, "diff": [_diff(one) for one in networks if one["changed"]]}


def _network(item: Item, observed: Observed | None) -> Options:
    after = observed.networks.get(item.subject) if observed else item.after
    return {
        "name": item.subject,
        "changed": bool(item.steps),
        "actions": [step.action for step in sorted(item.steps, key=lambda step: step.rank) if step.action],
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


def _diff(one: Options) -> Options:
    header = f"network {one['name']}"
    return {
        "before_header": header,
        "after_header": header,
        "before": as_yaml(one["before"]),
        "after": as_yaml(one["after"]),
    }


def as_yaml(value: Options | None) -> str:
    """Plain values as YAML that a person can read; managed hosts need not have a YAML library for it."""
    return "".join(f"{line}\n" for line in _lines(value)) if value else ""


def _lines(value: typing.Any) -> list[str]:
    if isinstance(value, dict) and value:
        lines = []
        for name, one in value.items():
            inner = _lines(one)
            nested = isinstance(one, (dict, list)) and one
            lines += [f"{name}:", *(f"  {line}" for line in inner)] if nested else [f"{name}: {inner[0]}"]
        return lines
    if isinstance(value, list) and value:
        return [f"{'- ' if number == 0 else '  '}{line}" for one in value for number, line in enumerate(_lines(one))]
    return [value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)]
