# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running guest's interfaces, and the network ports that libvirt keeps of them."""

from __future__ import annotations

import dataclasses
import typing

from .._core.lxml import etree

_PLUG = ("bandwidth", "vlan", "virtualport", "port")


@dataclasses.dataclass(frozen=True)
class Interface:
    """An interface of a running guest, as libvirt sees it. `network` is None for a plain bridge's."""

    guest: str
    guest_uuid: str
    mac: str
    device: str | None
    network: str | None
    bridge: str | None
    portgroup: str | None
    port: str | None
    isolated: bool = False  # from other ports that are
    details: tuple[str, ...] = ()  # bandwidth, vlan, virtualport and port, which go into its port


def interfaces(domain_xml: str) -> list[Interface]:
    """The interfaces on networks and bridges in a live domain's XML."""
    root = etree.fromstring(domain_xml)
    found = []
    for element in root.iterfind("devices/interface"):
        source = element.find("source")
        if source is None or element.get("type") not in ("network", "bridge", "direct"):
            continue
        target = element.find("target")
        found.append(
            Interface(
                guest=root.findtext("name") or "",
                guest_uuid=root.findtext("uuid") or "",
                mac=element.find("mac").get("address"),
                device=None if target is None else target.get("dev"),
                network=source.get("network"),
                bridge=source.get("bridge"),
                portgroup=source.get("portgroup"),
                port=source.get("portid"),
                isolated=any(port.get("isolated") == "yes" for port in element.findall("port")),
                details=tuple(
                    etree.tostring(child, encoding="unicode", with_tail=False)
                    for child in element
                    if child.tag in _PLUG
                ),
            )
        )
    return found


def port_uuid(port_xml: str) -> str:
    """The port's own UUID."""
    return typing.cast(str, etree.fromstring(port_xml).findtext("uuid"))


def owner(port_xml: str) -> tuple[str, str]:
    """(guest, MAC address) of a port."""
    root = etree.fromstring(port_xml)
    mac = root.find("mac")
    return root.findtext("owner/name") or "", "" if mac is None else mac.get("address")


def port_xml(interface: Interface) -> str:
    """The network port that an interface should have, for one whose port libvirt forgot (networkport.rng)."""
    root = etree.Element("networkport")
    etree.SubElement(root, "uuid").text = interface.port
    owner = etree.SubElement(root, "owner")
    etree.SubElement(owner, "name").text = interface.guest
    etree.SubElement(owner, "uuid").text = interface.guest_uuid
    if interface.portgroup:
        etree.SubElement(root, "group").text = interface.portgroup
    etree.SubElement(root, "mac", address=interface.mac)
    for text in interface.details:
        root.append(etree.fromstring(text))
    etree.SubElement(root, "plug", type="network", bridge=interface.bridge or "")
    return str(etree.tostring(root, encoding="unicode"))


def plugged_into(port: str, mode: str, bridge: str) -> str:
    """The same port, plugged into the bridge that its network has now."""
    root = etree.fromstring(port)
    plug = root.find("plug")
    if plug is not None and plug.get("type") in ("network", "bridge"):
        plug.set("type", "bridge" if mode == "bridge" else "network")
        plug.set("bridge", bridge)
    return str(etree.tostring(root, encoding="unicode"))
