# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge in the options' own words; fed back it changes nothing."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.difference import difference
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.goal import goal
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.plan import plan
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.result import result, view

from tests.bridges import observed, wanted

CASES = [
    {"name": "br0", "ports": ["eno1"], "inherit": True},
    {"name": "br9", "stp": {"enabled": True, "priority": 5}, "multicast": {"igmp_version": 3}, "group_fwd_mask": 8},
    {"name": "br9", "vlan": {"filtering": True, "self": {"tagged": ["5-9"]}}, "ports": [{"name": "eno2", "vlans": {"pvid": 5}, "cost": 77}]},
    {"name": "br0", "addresses": ["10.0.0.1/24"], "gateway4": "10.0.0.2", "routes": [{"to": "10.1.0.0/16", "via": "10.0.0.3", "table": 7, "metric": 3}]},
    {"name": "br0", "ports": [{"name": "bond0", "type": "bond", "ports": ["eno2"], "mode": "active-backup"}]},
    {"name": "br0", "ports": [{"name": "eno2.5", "type": "vlan", "parent": "eno2", "id": 5, "mtu": 1400}]},
]  # fmt: skip


@pytest.mark.parametrize("params", CASES)
def test_fed_back_it_changes_nothing(params: dict) -> None:
    then = goal(wanted(**params), observed())
    # the kernel would have chosen an MTU for what is made
    links = {name: dataclasses.replace(link, mtu=link.mtu or 1500) for name, link in then.links.items()}
    then = dataclasses.replace(then, links=links)
    told = view(then, params["name"], None)
    assert told is not None
    told = {name: value for name, value in told.items() if value is not None}
    assert not difference(then, goal(wanted(name=params["name"], **told), observed(then)))


def test_a_check_and_a_real_run_tell_the_same() -> None:
    desired = wanted(name="br9", addresses=["10.0.0.1/24"], ports=["eno2"])
    done = plan(desired, observed())
    real = result(done, observed(goal(desired, observed())))
    assert result(done, None) == real
    assert real["diff"][0]["after"].count("10.0.0.1/24") == 1 and real["bridges"][0]["guests"] == ["web"]


def test_what_is_not_there() -> None:
    assert view(observed().state, "br0", None) is None and view(observed().state, "eno1", None) is None
