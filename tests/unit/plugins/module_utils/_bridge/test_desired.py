# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters to what is wanted."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.desired import desired
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError


def test_items_take_the_tasks_state_and_purge() -> None:
    one, two = desired(
        {"state": "absent", "purge_ports": False, "bridges": [{"name": "a"}, {"name": "b", "state": "present"}]}
    ).wants
    assert (one.state, two.state, two.purge_ports) == ("absent", "present", False)


def test_what_is_not_said_is_not_wanted() -> None:
    want = desired({"name": "br0", "ports": None, "mtu": None, "stp": {"enabled": None, "priority": 5}}).wants[0]
    assert want.options == {"stp": {"priority": 5}} and want.ports is None and want.purge_ports
    assert desired({"name": "br0", "ports": []}).wants[0].ports == ()


ROUTES = [{"to": "10.9.0.0/16"}]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "name is missing"),
        ({"name": "x" * 16}, "16 characters"),
        ({"name": "br0", "bridges": []}, "bridges and name exclude"),
        ({"bridges": [{"name": "a"}, {"name": "a"}]}, "more than once"),
        ({"name": "a", "ports": ["x", "x"]}, "twice"),
        ({"name": "a", "ports": ["a"]}, "of its own"),
        ({"bridges": [{"name": "a", "ports": ["x"]}, {"name": "b", "ports": ["x"]}]}, "in a as well"),
        ({"name": "a", "ports": [{"name": "b0", "type": "bond", "ports": ["x"]}, "x"]}, "port x"),
        ({"name": "a", "confirm_timeout": 99999}, "confirm_timeout: 99999"),
        ({"name": "a", "addresses": ["10.0.0.1"]}, "bridge a: addresses"),
        ({"bridges": [{"name": "a", "gateway4": "10.0.0.1"}, {"name": "b", "gateway4": "10.1.0.1"}]}, "gateway4: 10.1.0.1: a has a route to 0.0.0.0/0"),
        ({"bridges": [{"name": "a", "routes": ROUTES}, {"name": "b", "routes": ROUTES}]}, "routes: 10.9.0.0/16: a has"),
    ],
)  # fmt: skip
def test_refused(params: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        desired(params)
