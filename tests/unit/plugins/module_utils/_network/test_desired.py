# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters to what is wanted."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._network.desired import desired
from ansible_collections.virtnet.kvm.plugins.module_utils._network.model import Want


def want(**params: object) -> Want:
    return desired(params).wants[0]


def test_short_and_long_form_are_the_same() -> None:
    short = want(name="n", mode="nat", address="10.0.0.9/29", dhcp=True)
    spans = [{"start": "10.0.0.10", "end": "10.0.0.14"}]
    assert (
        short.source
        == want(name="n", mode="nat", subnets=[{"address": "10.0.0.9/29", "dhcp": {"ranges": spans}}]).source
    )


@pytest.mark.parametrize(
    ("state", "autostart"), [("active", True), ("present", True), ("inactive", None), ("absent", None)]
)
def test_autostart_follows_the_state(state: str, autostart: bool | None) -> None:
    assert want(name="n", state=state, mode="isolated").autostart is autostart
    assert want(name="n", state=state, mode="isolated", autostart=False).autostart is False


def test_items_inherit_from_the_task() -> None:
    items = [{"name": "a"}, {"name": "b", "state": "present", "restart": "never", "force": False}]
    one, two = desired({"networks": items, "state": "inactive", "restart": "always", "force": True}).wants
    assert (one.state, one.restart, one.force) == ("inactive", "always", True)
    assert (two.state, two.restart, two.force) == ("present", "never", False)


def test_no_definition_option_leaves_the_definition_alone() -> None:
    assert want(name="n", state="inactive").source is None
    assert want(name="n", mode="isolated").source is not None


def test_what_goes_is_not_described() -> None:
    assert want(name="n", state="absent", mode="isolated").source is None


def test_the_name_may_come_from_the_xml() -> None:
    assert want(xml="<network><name>n</name></network>").name == "n"


BAD = [
    ({}, "name is missing"),
    ({"name": "n", "xml": "<network/>", "mode": "nat"}, "xml and mode exclude"),
    ({"name": "n", "xml": "<network><name>o</name></network>"}, "names the network 'o'"),
    ({"name": "n", "address": "10.0.0.1/24", "subnets": []}, "address and subnets exclude"),
    ({"name": "n", "dhcp": True}, "dhcp needs address"),
    ({"name": "n", "mode": "nat", "address": "10.0.0.1"}, "network n: .*prefix is missing"),
    ({"name": "n", "purge": True}, "needs the list"),
    ({"networks": [], "mode": "nat"}, "networks and mode exclude"),
    ({"networks": [{"name": "n"}, {"name": "n"}]}, "n stands there more than once"),
]


@pytest.mark.parametrize(("params", "words"), BAD)
def test_refused(params: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        desired(params)
