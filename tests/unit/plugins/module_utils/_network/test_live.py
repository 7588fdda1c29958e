# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which changes a running network can take, in an order that libvirt accepts.

Each sequence is also played against a model of libvirt's rules (network_conf.c, as measured), and has to lead to the goal.
"""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._network import live, xml
from ansible_collections.virtnet.kvm.plugins.module_utils._network.desired import desired
from ansible_collections.virtnet.kvm.plugins.module_utils._network.options import definition
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from networks import definitions

A, B, C = ({"mac": f"52:54:00:00:00:0{n}", "ip": f"10.0.0.{n}"} for n in (1, 2, 3))


def hosts(*items: dict) -> dict:
    return {"mode": "nat", "subnets": [{"address": "10.0.0.254/24", "dhcp": {"hosts": list(items)}}]}


def dns(**sections: object) -> dict:
    return {"mode": "nat", "dns": sections}


SRV = {"service": "s", "protocol": "tcp", "domain": "d", "target": "t"}

# what: (now, then, the calls in short)
CASES = {
    "nothing": (hosts(A), hosts(A), []),
    "add": (hosts(A), hosts(A, B), ["add"]),
    "delete": (hosts(A, B), hosts(B), ["delete"]),
    "a new address for a MAC": (hosts(A), hosts({**A, "ip": "10.0.0.9"}), ["modify"]),
    "a new MAC for an address": (hosts(A), hosts({**A, "mac": "52:54:00:00:00:09"}), ["modify"]),
    "a name more": (hosts(A), hosts({**A, "name": "a"}), ["modify"]),
    "swap": (hosts(A, B), hosts({**A, "ip": B["ip"]}, {**B, "ip": A["ip"]}), ["delete", "delete", "add", "add"]),
    "one takes the address of one that goes": (hosts(A, B), hosts({**A, "ip": B["ip"]}), ["delete", "delete", "add"]),
    "a name moves": (hosts({**A, "name": "x"}, B), hosts(A, {**B, "name": "x"}), ["delete", "modify", "add"]),
    "DUIDs can't be matched": (hosts({"id": "0:1", "ip": "10.0.0.1"}), hosts({"id": "0:2", "ip": "10.0.0.1"}), None),
    "DNS host": (dns(hosts=[{"ip": "10.0.0.1", "hostnames": ["a"]}]), dns(hosts=[{"ip": "10.0.0.1", "hostnames": ["b"]}]), ["delete", "add"]),
    "a DNS name that stands elsewhere": (
        dns(hosts=[{"ip": "10.0.0.1", "hostnames": ["a"]}]),
        dns(hosts=[{"ip": "10.0.0.1", "hostnames": ["a"]}, {"ip": "fd00::1", "hostnames": ["a"]}]), None),
    "TXT": (dns(txts=[{"name": "a", "value": "1"}]), dns(txts=[{"name": "a", "value": "2"}]), ["delete", "add"]),
    "SRV": (dns(srvs=[{**SRV, "port": 1}]), dns(srvs=[{**SRV, "port": 2}]), ["delete", "add"]),
    "an SRV like another but for its domain": (dns(srvs=[SRV]), dns(srvs=[SRV, {"service": "s", "protocol": "tcp"}]), None),
    "portgroup": ({"portgroups": [{"name": "a"}]}, {"portgroups": [{"name": "a", "default": True}]}, ["modify"]),
    "forwarders need a restart": (dns(), dns(forwarders=[{"address": "10.0.0.1"}]), None),
    "DHCP moves to another subnet": (
        {"mode": "nat", "subnets": [{"address": "10.0.1.1/24"}, {"address": "10.0.2.1/24", "dhcp": {"hosts": [{**A, "ip": "10.0.2.9"}]}}]},
        {"mode": "nat", "subnets": [{"address": "10.0.1.1/24", "dhcp": {"hosts": [{**A, "ip": "10.0.1.9"}]}}, {"address": "10.0.2.1/24"}]},
        ["delete", "add"]),
    "mtu needs a restart": ({}, {"mtu": 1400}, None),
    "mode needs a restart": ({"mode": "nat"}, {"mode": "route"}, None),
    "a new subnet needs a restart": ({}, {"subnets": [{"address": "10.0.0.1/24"}]}, None),
    "bootp needs a restart": (hosts(A), {"mode": "nat", "subnets": [{"address": "10.0.0.254/24", "dhcp": {"hosts": [A], "bootp": {"file": "x"}}}]}, None),
    "a NAT's device": ({"mode": "nat", "forward": {"dev": "a"}}, {"mode": "nat", "forward": {"dev": "b"}}, ["delete", "add"]),
    "a pool grows": ({"mode": "vepa", "forward": {"interfaces": ["a"]}}, {"mode": "vepa", "forward": {"interfaces": ["a", "b"]}}, ["add"]),
    "a pool in another order": ({"mode": "vepa", "forward": {"interfaces": ["a", "b"]}}, {"mode": "vepa", "forward": {"interfaces": ["b", "a"]}}, None),
    "a pool grows at its head": ({"mode": "vepa", "forward": {"interfaces": ["a"]}}, {"mode": "vepa", "forward": {"interfaces": ["b", "a"]}}, None),
}  # fmt: skip


def calls(now: dict, then: dict) -> list[live.Update] | None:
    one, two = definition(now), definition(then)
    return live.updates(one, two, xml.write("n", one, False), metadata_live=True)


@pytest.mark.parametrize("case", CASES)
def test_calls(case: str) -> None:
    now, then, expected = CASES[case]
    found = calls(now, then)
    assert (None if found is None else [call.command for call in found]) == expected
    if found is not None:
        assert play(now, found) == definition(then)


def test_the_index_counts_both_families_as_they_stand() -> None:
    text = "<network><ip family='ipv6' address='fd00::1' prefix='64'/><ip address='10.0.0.254' prefix='24'/></network>"
    one = xml.read(text).definition
    two = definition({"subnets": [{"address": "fd00::1/64"}, {"address": "10.0.0.254/24", "dhcp": {"hosts": [A]}}]})
    assert [call.index for call in live.updates(one, two, text, True)] == [1]


def test_two_records_of_one_name_are_left_to_a_restart() -> None:
    two = [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]
    assert calls(dns(txts=two), dns()) is None


def test_metadata_goes_live_where_libvirt_can() -> None:
    now, then = definition({"metadata": '<a:b xmlns:a="urn:a"></a:b>', "title": "x"}), definition({"description": "y"})
    text = xml.write("n", now, False)
    found = live.updates(now, then, text, metadata_live=True)
    assert [(call.section, call.item, call.namespace) for call in found] == [
        ("title", None, None), ("description", "y", None), ("metadata", None, "urn:a")]  # fmt: skip
    assert live.updates(now, then, text, metadata_live=False) == []
    assert live.matters(now, then, True) and not live.matters(now, then, False)


@given(definitions(), st.data())
def test_any_sequence_leads_to_the_goal(options: dict, data: st.DataObject) -> None:
    """From any network to one that differs in its live parts."""
    now = desired({"name": "n", **options}).wants[0].source.options
    other = desired({"name": "n", **data.draw(definitions())}).wants[0].source.options
    then = {**now, "portgroups": other.get("portgroups", [])}
    records = {name: other.get("dns", {}).get(name, []) for name in ("hosts", "txts", "srvs")}
    then["dns"] = {**now.get("dns", {}), **records}
    found = calls(now, then)
    if found is not None:
        assert play(now, found) == definition(then)
        assert (found == []) == (definition(now) == definition(then))


# A model of libvirt: it refuses what libvirt refuses

_PARENTS = {"portgroup": ".", "dns-host": "dns", "dns-txt": "dns", "dns-srv": "dns", "forward-interface": "forward"}
_KEYS = {
    "portgroup": ["name"],
    "dns-txt": ["name"],
    "dns-srv": ["service", "protocol", "domain", "target"],
    "forward-interface": ["dev"],
}


def play(now: dict, updates: list[live.Update]) -> xml.Definition:
    root = etree.fromstring(xml.write("n", definition(now), False))
    for forward in root.findall("forward"):
        forward.attrib.pop("dev", None)
    for call in updates:
        item = etree.fromstring(call.item)
        parent = root.findall("ip")[call.index] if call.section.startswith("ip-") else root
        parent = ensure(parent, "dhcp" if call.section.startswith("ip-") else _PARENTS[call.section])
        matches = [one for one in parent.findall(item.tag) if matching(call, one, item)]
        assert call.command == "add" or matches, "nothing to delete or modify"
        assert call.command != "add" or not matches, "an add of something taken"
        assert call.command != "delete" or len(matches) == 1, "an ambiguous delete"
        if call.command == "modify":
            parent.replace(matches[0], item)
        elif call.command == "delete":
            parent.remove(matches[0])
        else:
            parent.append(item)
        assert sum(one.get("default") == "yes" for one in root.findall("portgroup")) <= 1
    return xml.read(etree.tostring(root, encoding="unicode")).definition


def ensure(parent, tag: str):
    return parent if tag == "." else parent.find(tag) if parent.find(tag) is not None else etree.SubElement(parent, tag)


def matching(call: live.Update, one, item) -> bool:
    if call.section == "ip-dhcp-host":
        same = [one.get(name) == item.get(name) for name in ("mac", "name", "ip") if item.get(name)]
        return all(same) if call.command == "delete" else any(same)
    if call.section == "ip-dhcp-range":
        return all(one.get(name) == item.get(name) for name in ("start", "end"))
    if call.section == "dns-host":
        names = {name.text for name in one} & {name.text for name in item}
        return one.get("ip") == item.get("ip") or bool(names)
    return all(item.get(name) is None or one.get(name) == item.get(name) for name in _KEYS[call.section])


@pytest.mark.parametrize("child, calls", [("<a:c>1</a:c>", 1), ("<c>1</c>", 0)])
def test_metadata_without_a_namespace_waits_for_the_next_start(child: str, calls: int) -> None:
    """Told live, libvirt would put it into that of the whole, and what runs would differ for ever."""
    now, then = (
        definition({"metadata": xml.join(xml.fragments(f'<a:b xmlns:a="urn:a">{one}</a:b>'))})
        for one in (child, child.replace("1", "2"))
    )
    assert len(live.updates(now, then, "<network/>", metadata_live=True) or []) == calls
    assert live.matters(now, then, metadata_live=True) is bool(calls)
