# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network XML to options and back, with nothing lost."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._network import xml
from ansible_collections.virtnet.kvm.plugins.module_utils._network.desired import desired
from ansible_collections.virtnet.kvm.plugins.module_utils._network.options import TABLE, definition
from hypothesis import given
from lxml import etree
from networks import definitions

SAME = [
    ("<forward/>", "<forward mode='nat'/>"),
    ("<forward mode='none'/>", ""),
    ("<forward mode='nat' dev='eth0'/>", "<forward mode='nat' dev='eth0'><interface dev='eth0'/></forward>"),
    ("<forward mode='nat'><nat><port start='1024' end='65535'/></nat></forward>", "<forward mode='nat'/>"),
    ("<ip address='10.0.0.1' netmask='255.255.255.0'/>", "<ip family='ipv4' address='10.0.0.1' prefix='24'/>"),
    ("<ip address='10.0.0.1'/>", "<ip address='10.0.0.1' prefix='8'/>"),
    ("<ip address='172.20.0.1'/>", "<ip address='172.20.0.1' prefix='16'/>"),
    ("<ip address='192.168.7.1'/>", "<ip address='192.168.7.1' prefix='24'/>"),
    ("<ip family='ipv6' address='fd00::1'/>", "<ip family='ipv6' address='FD00:0::1' prefix='64'/>"),
    ("<bridge stp='on' delay='0' macTableManager='kernel'/>", ""),
    ("<ip address='10.0.0.1' prefix='8'><dhcp/></ip>", "<ip address='10.0.0.1' prefix='8'/>"),
    ("<vlan><tag id='2'/><tag id='1'/></vlan>", "<vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan>"),
    ("<port isolated='no'/><dns enable='yes'/><mtu size='0'/>", ""),
    ("<forward mode='hostdev'><address type='pci' domain='0' bus='3' slot='0' function='1'/></forward>",
     "<forward mode='hostdev' managed='no'><address type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x1'/></forward>"),
    ("<metadata><a:b xmlns:a='urn:a'>\n  <a:c/>\n</a:b></metadata>", "<metadata><a:b xmlns:a='urn:a'><a:c/></a:b></metadata>"),
    ("<forward mode='hostdev'><pf dev='eth3'/><address type='pci' domain='0' bus='3' slot='0' function='1'/></forward>",
     "<forward mode='hostdev'><pf dev='eth3'/></forward>"),
    ("<route address='10.9.0.0' netmask='255.255.0.0' gateway='10.0.0.2' metric='1'/>",
     "<route family='ipv4' address='10.9.0.0' prefix='16' gateway='10.0.0.2'/>"),
]  # fmt: skip

OTHER = [
    ("<portgroup name='a' trustGuestRxFilters='no'/>", "<portgroup name='a'/>"),
    ("<vlan trunk='yes'><tag id='1'/></vlan>", "<vlan><tag id='1'/></vlan>"),
    (
        "<dns><forwarder addr='10.0.0.1'/><forwarder addr='10.0.0.2'/></dns>",
        "<dns><forwarder addr='10.0.0.2'/><forwarder addr='10.0.0.1'/></dns>",
    ),
    ("<future x='1'/>", ""),
    ("<bridge future='1'/>", ""),
    ("<ip address='10.0.0.1' prefix='24'><future/></ip>", "<ip address='10.0.0.1' prefix='24'/>"),
]


def read(body: str) -> xml.Definition:
    return xml.read(f"<network><name>n</name>{body}</network>").definition


@pytest.mark.parametrize(("one", "two"), SAME)
def test_same_meaning(one: str, two: str) -> None:
    assert read(one) == read(two)


@pytest.mark.parametrize(("one", "two"), OTHER)
def test_other_meaning(one: str, two: str) -> None:
    assert read(one) != read(two)


@given(definitions())
def test_options_to_xml_to_options(options: dict) -> None:
    wanted = desired({"name": "n", **options}).wants[0].source
    text = xml.write("n", wanted, ours=True)
    back = xml.read(text, strict=True)
    assert back.definition == wanted and back.ours
    assert xml.write("n", back.definition, ours=True) == text


@given(definitions())
def test_normal_form_twice_is_once(options: dict) -> None:
    once = desired({"name": "n", **options}).wants[0].source
    assert definition(once.options) == once


def test_what_no_row_knows_is_kept_with_its_place() -> None:
    found = read("<ip address='10.0.0.1' prefix='24' odd='1'><dhcp><new a='1'/></dhcp></ip><x/>").extras
    assert found == ("network <x></x>", "network/ip @odd=1", 'network/ip/dhcp <new a="1"></new>')


def test_the_users_own_xml_is_kept_to_the_letter() -> None:
    text = "<network><name>n</name><future a='1'/><metadata><o:x xmlns:o='urn:o'/></metadata></network>"
    wanted = xml.read(text).definition
    wanted = type(wanted)({**wanted.options, "uuid": "c7a5fdbd-edaf-9455-926a-d65c16db1809"}, wanted.extras)
    amended = etree.fromstring(xml.amend(text, "n", wanted, ours=True))
    assert amended.find("future").get("a") == "1" and amended.findtext("uuid").startswith("c7a5")
    assert [child.tag for child in amended.find("metadata")] == [xml.MARK, "{urn:o}x"]


def test_items_for_updates() -> None:
    rows = {row.name: row for row in TABLE}
    assert xml.item(rows["portgroups"], {"name": "a", "default": True}) == '<portgroup name="a" default="yes"/>'


def test_order_of_addresses_is_that_of_the_document() -> None:
    text = (
        "<network><ip address='10.2.0.1' prefix='24'/><ip family='ipv6' address='FD00::1' prefix='64'/>"
        "<ip address='10.1.0.1' netmask='255.255.255.0'/></network>"
    )
    assert xml.read_addresses(text) == ["10.2.0.1/24", "fd00::1/64", "10.1.0.1/24"]


@pytest.mark.parametrize("text", [
    "<network>", "", "<a/>", "<!DOCTYPE network><network/>", "<!DOCTYPE n [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><network>&a;</network>",
    "<network><ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.3'>"
    "<lease expiry='1' unit='years'/></range></dhcp></ip></network>",
])  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(InputError, match="xml: "):
        xml.read(text, strict=True)


def test_entities_are_not_read(tmp_path) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(InputError) as caught:
        xml.read(f"<!DOCTYPE n [<!ENTITY a SYSTEM '{tmp_path}/secret'>]><network><name>&a;</name></network>")
    assert "secret" not in str(caught.value).replace(str(tmp_path), "")


def test_metadata_needs_namespaces() -> None:
    with pytest.raises(InputError, match="no namespace"):
        xml.fragments("<a/>")


def test_text_of_metadata_is_kept_to_the_letter() -> None:
    said = '<a:note xmlns:a="u">Hello <a:b>big</a:b> world,\n<a:c> x </a:c></a:note>'
    assert xml.fragments(said)["u"] == said
