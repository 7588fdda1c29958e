# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests' interfaces and their ports, as read off a libvirt 9.0."""

from __future__ import annotations

from ansible_collections.virtnet.kvm.plugins.module_utils._libvirt import domains
from lxml import etree

DOMAIN = """<domain><name>g</name><uuid>u-1</uuid><devices>
  <interface type='network'><mac address='52:54:00:00:00:01'/>
    <source network='n' portgroup='pg' portid='p-1' bridge='virbr0'/><port isolated='yes'/>
    <bandwidth><inbound average='9'/></bandwidth><target dev='vnet0'/><model type='virtio'/></interface>
  <interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/><target dev='vnet1'/></interface>
  <interface type='user'><mac address='52:54:00:00:00:03'/></interface>
</devices></domain>"""


def test_interfaces() -> None:
    one, two = domains.interfaces(DOMAIN)
    assert (one.guest, one.mac, one.device, one.network) == ("g", "52:54:00:00:00:01", "vnet0", "n")
    assert (one.bridge, one.portgroup, one.port) == ("virbr0", "pg", "p-1")
    assert (two.network, two.bridge, two.port) == (None, "br0", None)


def test_a_forgotten_port_is_made_again() -> None:
    port = etree.fromstring(domains.port_xml(domains.interfaces(DOMAIN)[0]))
    assert port.findtext("uuid") == "p-1" and port.findtext("owner/name") == "g" and port.findtext("group") == "pg"
    assert port.find("mac").get("address") == "52:54:00:00:00:01" and port.find("bandwidth/inbound") is not None
    assert port.find("port").get("isolated") == "yes"
    assert dict(port.find("plug").attrib) == {"type": "network", "bridge": "virbr0"}


def test_a_port_follows_its_network() -> None:
    text = "<networkport><uuid>p</uuid><plug type='network' bridge='virbr0'/></networkport>"
    assert domains.port_uuid(text) == "p"
    for mode, bridge, kind in (("nat", "virbr5", "network"), ("bridge", "br0", "bridge")):
        plug = etree.fromstring(domains.plugged_into(text, mode, bridge)).find("plug")
        assert dict(plug.attrib) == {"type": kind, "bridge": bridge}
    direct = "<networkport><plug type='direct' dev='eth0'/></networkport>"
    assert "direct" in domains.plugged_into(direct, "vepa", "")
