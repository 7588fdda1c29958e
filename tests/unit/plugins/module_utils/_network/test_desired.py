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


@pytest.mark.parametrize("name", ["lab\x01", "lab\ufffe", "lab\ud800"])
def test_a_name_that_no_xml_can_hold(name: str) -> None:
    with pytest.raises(InputError, match="can't be kept in XML"):
        want(name=name, mode="isolated")


MISSING = {
    "<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2'/></dhcp></ip>": "ranges[0].end is missing",
    "<ip address='10.0.0.1' prefix='24'><dhcp><host mac='52:54:00:00:00:01'/></dhcp></ip>": "hosts[0].ip is missing",
    "<ip family='ipv4'/>": "subnets[0].address is missing",
    "<route address='10.9.0.0' prefix='16'/>": "routes[0].via is missing",
    "<route gateway='10.0.0.9'/>": "routes[0].to is missing",
    "<portgroup default='yes'/>": "portgroups[0].name is missing",
    "<dns><txt value='a'/></dns>": "dns.txts[0].name is missing",
    "<dns><host><hostname>a</hostname></host></dns>": "dns.hosts[0].ip is missing",
    "<dns><host ip='10.0.0.9'/></dns>": "dns.hosts[0].hostnames is missing",
    "<forward mode='nat'><nat><port start='1025'/></nat></forward>": "nat.ports.end is missing",
    "<metadata><a:x xmlns:a='u'/><a:y xmlns:a='u'/></metadata>": "two elements have the namespace u",
    "<metadata>hello</metadata>": "stands in no element",
}  # fmt: skip


@pytest.mark.parametrize("part", MISSING)
def test_half_of_something_in_xml(part: str) -> None:
    with pytest.raises(InputError) as told:
        want(xml=f"<network><name>n</name>{part}</network>")
    assert MISSING[part] in str(told.value)


def test_an_empty_title_is_none() -> None:
    assert want(name="n", mode="isolated", title="", description="").source == want(name="n", mode="isolated").source
