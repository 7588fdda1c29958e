# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests with interfaces as values, and a libvirt that does a plan to them: for the tests of the pure core."""

from __future__ import annotations

import typing

from ansible_collections.virtnet.kvm.plugins.module_utils._core.plan import Plan
from ansible_collections.virtnet.kvm.plugins.module_utils._interface import xml
from ansible_collections.virtnet.kvm.plugins.module_utils._interface.desired import desired
from ansible_collections.virtnet.kvm.plugins.module_utils._interface.model import Guest, Network, Observed, Side
from ansible_collections.virtnet.kvm.plugins.module_utils._interface.options import merge, said
from hypothesis import strategies as st
from lxml import etree

MAC = "52:54:00:00:00:0{}".format
NETWORK_XML = {
    "na": "<network><forward mode='nat'/><portgroup name='p'><bandwidth><inbound average='9'/></bandwidth></portgroup>"
    "<portgroup name='q'/></network>",
    "nb": "<network><port isolated='yes'/></network>",
    "nbr": "<network><forward mode='bridge'/><bridge name='br0'/></network>",
    "tap": "<network><forward mode='private' dev='eth0'/></network>",
}
NETWORKS: dict[str, Network] = {name: xml.network(name, text, True) for name, text in NETWORK_XML.items()}


def interface(mac: str | None = MAC(1), network: str = "na", more: str = "", **options: typing.Any) -> str:
    """An interface as it is stored."""
    source = {} if "bridge" in options else {"network": network}
    text = xml.new(merge({"model": "virtio"}, said({**source, **options})), mac)
    return text.replace("</interface>", f"{more}</interface>")


def domain(*interfaces: str, boot: str = "") -> str:
    text = (
        f"<domain>\n  <name>g</name>\n  <os>{boot}</os>\n  <devices>\n    {''.join(interfaces)}\n"
        "    <disk><target dev='vda'/></disk>\n  </devices>\n</domain>"
    )
    return etree.tostring(etree.fromstring(text), encoding="unicode")


def live(text: str, tap: str = "vnet0") -> str:
    """How libvirt shows an interface that runs: with its tap, its port, and what its network gives."""
    element = etree.fromstring(text)
    source = element.find("source")
    if source.get("network"):
        source.set("portid", "1-2-3")
        source.set("bridge", "virbr0")
        if source.get("network") == "nbr":
            element.set("type", "bridge")
        gifts = NETWORKS[source.get("network")].given
        given = gifts.get(source.get("portgroup"), gifts[None])
        own = xml.interface(element).options
        xml._amend(element, {}, {name: value for name, value in given.items() if name not in own})
    if element.find("target") is None:
        etree.SubElement(element, "target", dev=tap)
    if element.find("alias") is None:
        etree.SubElement(element, "alias", name="net0")
    return etree.tostring(element, encoding="unicode")


def guest(config: list[str] | None, running: list[str] | None = None, name: str = "g", boot: str = "") -> Guest:
    """None: transient, or stopped."""
    return Guest(
        name,
        f"uuid-{name}",
        None if running is None else xml.side(domain(*running, boot=boot)),
        None if config is None else xml.side(domain(*config, boot=boot)),
    )


def observed(*guests: Guest, **more: typing.Any) -> Observed:
    by_word = {word: one for one in guests for word in (one.name, one.uuid)}
    return Observed(by_word, NETWORKS, **more)


def wanted(**params: typing.Any) -> typing.Any:
    return desired({"guest": "g", **params} if "interfaces" not in params else params)


# A libvirt


def done(plan: Plan, before: Observed) -> Observed:
    """What is there after the plan."""
    guests = {one.name: one for one in before.guests.values()}
    for step in plan.steps:
        name, arguments = step.arguments["guest"], step.arguments
        one = guests[name]
        if step.verb == "store":
            guests[name] = Guest(name, one.uuid, one.live, xml.side(_numbered(arguments["xml"])))
        elif step.verb != "with":
            guests[name] = Guest(name, one.uuid, _ran(one, step.verb, arguments), one.config)
    return observed(*guests.values(), bridge_vlans=before.bridge_vlans)


def _numbered(text: str) -> str:
    root = etree.fromstring(text)
    for number, element in enumerate(root.iterfind("devices/interface")):
        if element.find("mac") is None:
            etree.SubElement(element, "mac", address=f"52:54:00:ff:ff:0{number}")
    return etree.tostring(root, encoding="unicode")


def _ran(one: Guest, verb: str, arguments: typing.Any) -> Side:
    mac, text = arguments["mac"], arguments.get("xml")
    if verb == "unplug":
        assert one.live.by_mac(mac)
        return xml.side(xml.domain(one.live.xml, {mac: None}, []))
    if verb == "update":
        assert one.live.by_mac(mac)
        return xml.side(xml.domain(one.live.xml, {mac: live(text)}, []))
    if arguments["stored"]:
        found = one.config.by_mac(mac) if mac else xml.fresh(one.config.xml, arguments["known"], arguments["source"])
        text = found.xml
    assert mac is None or not one.live.by_mac(mac)
    return xml.side(_numbered(xml.domain(one.live.xml, {}, [live(text)])))


def told(there: Observed) -> list[typing.Any]:
    """What matters of it."""
    return [
        (one.name, side is one.config and side.xml, sorted((face.mac, str(face.options)) for face in side.interfaces))
        for one in sorted(there.guests.values(), key=lambda one: one.name)
        for side in one.sides
    ]


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "network": st.sampled_from(["na", "nb", "nbr", "tap"]),
        "portgroup": st.just(""),
        "model": st.sampled_from(["virtio", "e1000e"]),
        "link_state": st.sampled_from(["up", "down"]),
        "filter": st.sampled_from(["", "clean-traffic", "allow-arp"]),
        "mtu": st.sampled_from([0, 1400]),
        "isolated": st.booleans(),
        "target": st.sampled_from(["", "tap0"]),
        "bandwidth": st.sampled_from([{}, {"inbound": {"average": 9}}, {"outbound": {"average": 5}}]),
    },
)
