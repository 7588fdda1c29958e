# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user reads."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.virtnet.kvm.plugins.module_utils._core.plan import Item, Plan, Step
from ansible_collections.virtnet.kvm.plugins.module_utils._core.text import as_yaml
from ansible_collections.virtnet.kvm.plugins.module_utils._network.model import Form, Network
from ansible_collections.virtnet.kvm.plugins.module_utils._network.options import definition
from ansible_collections.virtnet.kvm.plugins.module_utils._network.result import described, result
from hypothesis import given
from networks import definitions


@given(definitions())
def test_yaml_is_yaml(options: dict) -> None:
    assert yaml.safe_load(as_yaml(options)) == options


@pytest.mark.parametrize(
    "word",
    ["yes", "On", "null", "1.5", "a: b", "- x", "#", "10.0.0.1/24", "fd00::1", "", "12:30:45", "0x10", "1e3", "~"],
)
def test_words_come_back_as_words(word: str) -> None:
    assert yaml.safe_load(as_yaml({"word": word, "list": [word]})) == {"word": word, "list": [word]}


def test_drift_is_shown() -> None:
    live, config = (Form(definition({"mode": "nat", "mtu": mtu}), "") for mtu in (1400, 1500))
    assert described(Network("n", "", live, config, True)) == {
        "state": "active", "autostart": True, "mode": "nat", "mtu": 1500, "live": {"mtu": 1400}}  # fmt: skip
    assert described(None) is None


def test_actions_stand_in_the_order_in_which_they_are_done() -> None:
    form = Form(definition({}), "")
    network = Network("n", "", form, form, True)
    steps = (Step(50, "n", "start", "restart"), Step(20, "n", "define", "define"), Step(40, "n", "stop", ""))
    facts = {"restart_required": False, "guests": ["g"]}
    told = result(Plan((Item("n", network, network, steps, facts), Item("m", None, None, (), facts))), None)
    assert told["changed"] and [one["changed"] for one in told["networks"]] == [True, False]
    assert told["networks"][0]["actions"] == ["define", "restart"] and len(told["diff"]) == 1
