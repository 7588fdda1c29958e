# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States, autostart, batches, purging, roll-back, and what others made."""

from __future__ import annotations

import pytest
from host import Host
from lxml import etree

NET = {"name": "net", "mode": "nat", "address": "10.50.0.1/24"}
STATES = ("absent", "inactive", "present", "active")


def facts(host: Host, name: str = "net") -> tuple[bool, bool, bool]:
    """(defined, running, autostarting)"""
    if name not in host.names():
        return (False, False, False)
    lines = dict(line.split(":", 1) for line in host.virsh("net-info", name).splitlines())
    return tuple(lines[word].strip() == "yes" for word in ("Persistent", "Active", "Autostart"))


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_every_state_from_every_other(host: Host, before: str, after: str) -> None:
    host.network(**NET, state=before)
    was = facts(host)
    host.network(**NET, state=after)
    defined, running, autostart = facts(host)
    assert defined is (after != "absent")
    assert running is (after == "active" or (after == "present" and was[1]))
    assert autostart is (after in ("active", "present") or (after == "inactive" and was[2]))
    assert not host.network(**NET, state=after)["changed"]


def test_without_a_definition_only_the_state_is_managed(host: Host) -> None:
    host.network(**NET, dhcp=True)
    xml = host.xml("net", inactive=True)
    for options in ({"state": "inactive"}, {"state": "active"}, {"state": "active", "autostart": False}):
        assert host.network(name="net", **options)["changed"]
        assert not host.network(name="net", **options)["changed"]
        assert host.xml("net", inactive=True) == xml
    assert facts(host) == (True, True, False)
    assert "does not exist" in host.refused(name="other", state="active")


def test_what_only_libvirt_chooses_is_kept(host: Host) -> None:
    host.network(name="first", mode="nat", address="10.51.0.1/24")
    host.network(**NET)
    before = etree.fromstring(host.xml("net"))
    host.network(**NET, mtu=1400, restart="always")
    after = etree.fromstring(host.xml("net"))
    for path in ("uuid/text()", "bridge/@name", "mac/@address"):
        assert before.xpath(path) == after.xpath(path)


def test_transient_becomes_persistent(host: Host) -> None:
    xml = "<network><name>net</name><forward mode='nat'/><ip address='10.50.0.1' prefix='24'/></network>"
    for state, running in (("active", True), ("present", True), ("inactive", False)):
        host.clean()
        host.create(xml)
        uuid = host.virsh("net-uuid", "net")
        predicted = host.network(check=True, **NET, state=state)
        assert host.network(**NET, state=state) == predicted
        assert facts(host)[:2] == (True, running) and host.virsh("net-uuid", "net") == uuid
        assert not host.network(**NET, state=state)["changed"]
        assert not host.info("net")[0]["managed"]  # somebody else made it
    host.clean()
    host.create(xml)
    host.network(name="net", state="absent")
    assert not host.names()


def test_a_network_in_use_is_not_removed(host: Host) -> None:
    host.network(**NET, dhcp=True)
    host.guest("g1", "net")
    before = host.state()
    for state in ("absent", "inactive"):
        message = host.refused(name="net", state=state)
        assert "g1" in message and "force" in message
        assert host.state() == before
    result = host.network(name="net", state="inactive", force=True)
    assert result["actions"] == ["stop"] and result["guests"] == ["g1"]
    result = host.network(name="net", state="active")
    assert result["guests"] == ["g1"] and host.master(host.tap("g1")) == "virbr0"
    result = host.network(name="net", state="absent", force=True)
    assert result["guests"] == ["g1"] and result["after"] is None and not host.names()


BATCH = [
    {"name": "a", "mode": "nat", "address": "10.52.0.1/24", "dhcp": True},
    {"name": "b", "mode": "isolated", "address": "10.53.0.1/24"},
    {"name": "c", "mode": "route", "address": "10.54.0.1/24", "state": "inactive"},
]


def test_batch(host: Host) -> None:
    predicted = host.module(networks=BATCH, check=True)
    result = host.module(networks=BATCH)
    assert [one["name"] for one in result["networks"]] == ["a", "b", "c"] and result["changed"]
    assert [one["actions"] for one in result["networks"]] == [one["actions"] for one in predicted["networks"]]
    assert host.active() == {"a", "b"} and host.names() == {"a", "b", "c"}
    assert not host.module(networks=BATCH)["changed"]
    result = host.module(networks=[BATCH[0], {**BATCH[1], "mtu": 1400}, {**BATCH[2], "state": "absent"}])
    assert [one["changed"] for one in result["networks"]] == [False, True, True]
    assert host.names() == {"a", "b"} and len(result["diff"]) == 2


def test_a_batch_may_hand_an_address_from_one_network_to_another(host: Host) -> None:
    host.module(networks=BATCH[:2])
    swapped = [{**BATCH[0], "address": BATCH[1]["address"]}, {**BATCH[1], "address": BATCH[0]["address"]}]
    assert host.module(networks=swapped)["changed"]
    assert not host.module(networks=swapped)["changed"]
    host.module(networks=[{"name": "a", "state": "absent"}, {**BATCH[1], "address": BATCH[1]["address"]}])
    assert host.names() == {"b"}


def test_purge_removes_only_what_is_ours(host: Host) -> None:
    host.define("<network><name>theirs</name></network>")
    host.module(networks=BATCH)
    predicted = host.module(networks=BATCH[:1], purge=True, check=True)
    assert host.names() == {"theirs", "a", "b", "c"}
    result = host.module(networks=BATCH[:1], purge=True)
    assert [(one["name"], one["actions"]) for one in result["networks"]] == [
        ("a", []), ("b", ["stop", "undefine"]), ("c", ["undefine"])]  # fmt: skip
    assert result == predicted and host.names() == {"theirs", "a"}
    assert not host.module(networks=BATCH[:1], purge=True)["changed"]
    assert host.module(networks=[], purge=True)["changed"] and host.names() == {"theirs"}


def test_foreign_metadata_is_kept(host: Host) -> None:
    host.define(
        "<network><name>net</name><metadata><o:x xmlns:o='urn:other'><o:y>1</o:y></o:x></metadata>"
        "<forward mode='nat'/><ip address='10.50.0.1' prefix='24'/></network>"
    )
    host.network(**NET, mtu=1400, metadata="<m:z xmlns:m='urn:mine'/>")
    xml = host.xml("net", inactive=True)
    assert "urn:other" in xml and "urn:mine" in xml
    host.network(**NET)
    assert "urn:other" in host.xml("net", inactive=True)


def test_what_nobody_can_mean_is_refused_but_never_when_it_is_there(host: Host) -> None:
    """libvirt holds it, so it feeds back unchanged."""
    host.define(
        "<network><name>net</name><forward mode='nat'/><portgroup name='p'/><ip address='10.50.0.1' prefix='24'>"
        "<dhcp><host mac='52:54:00:00:00:01' ip='10.60.0.5'/></dhcp></ip></network>"
    )
    definition = host.info("net")[0]["definition"]
    assert not host.network(name="net", state="inactive", **definition)["changed"]
    message = host.refused(name="net", state="inactive", **{**definition, "mtu": 1400})
    assert "10.60.0.5 is outside" in message


# Roll-back


@pytest.mark.parametrize("step", range(1, 11))
def test_a_failing_batch_leaves_everything_as_it_was(host: Host, step: int) -> None:
    """Whichever step fails: every network, its guest's place and its files are as before."""
    host.module(networks=[BATCH[0], {**BATCH[2], "state": "active"}])
    host.virsh("net-update", "a", "add", "dns-host", "<host ip='10.52.0.9'><hostname>drift</hostname></host>", "--live")
    host.run("ip link add vethx type veth peer name vethy; ip link set vethx master virbr0 up")
    before = host.state(status=False)
    try:
        answer = host.module(
            fault={"kind": "error", "step": step}, restart="always",
            networks=[{**BATCH[0], "mtu": 1400}, BATCH[1], {"name": "c", "state": "absent"}],
        )  # fmt: skip
        if step > 9:  # there are nine
            assert not answer.get("failed")
            return
        assert answer.get("failed"), step
        assert "injected" in answer["msg"] and answer["rolled_back"] is True
        assert host.state(status=False) == before
        assert host.master("vethx") == "virbr0"
    finally:
        host.run("ip link delete vethx")


def test_a_network_that_can_not_start_leaves_the_others_as_they_were(host: Host) -> None:
    """The daemon's own refusal, not an injected one: dnsmasq does not know the option."""
    host.module(networks=BATCH[:1])
    before = host.state(status=False)
    message = host.refused(
        networks=[{**BATCH[0], "mtu": 1400}, {**BATCH[1], "dnsmasq_options": ["no-such-option"]}], restart="always"
    )
    assert "no-such-option" in message or "dnsmasq" in message
    assert "What was there before is back" in message
    assert host.state(status=False) == before


@pytest.mark.parametrize("how", ["batch", "purge"])
def test_renamed_with_its_bridge_kept(host: Host, how: str) -> None:
    host.network(**NET, bridge="virbr7")
    new = {**NET, "name": "new", "bridge": "virbr7"}
    gone = [{"name": "net", "state": "absent"}] if how == "batch" else []
    words = {"networks": [*gone, new], "purge": how == "purge"}
    told = host.module(check=True, **words)
    done = host.module(**words)
    assert not done.get("failed"), done["msg"]
    assert [one["actions"] for one in told["networks"]] == [one["actions"] for one in done["networks"]]
    assert host.names() == {"new"} and "virbr7" in host.xml("new")
    assert not host.module(**words)["changed"]
