# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of options."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core import xmltable
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._core.table import normal
from ansible_collections.virtnet.kvm.plugins.module_utils._interface.options import (
    GIVEN,
    LIVE,
    ROWS,
    SOURCE,
    TABLE,
    held,
    merge,
    said,
    spec,
    without_ids,
)
from lxml import etree

SAMPLES = {
    "network": "n", "portgroup": "p", "model": "e1000e", "vlan": {"trunk": True, "tags": [{"id": 3}, {"id": 4}]},
    "virtualport": {"type": "openvswitch", "parameters": {"profileid": "x"}}, "filter": "f",
    "filter_parameters": {"A": "1", "IP": ["2", "3"]}, "link_state": "down", "mtu": 1400,
    "bandwidth": {"inbound": {"average": 1, "floor": 2}, "outbound": {"burst": 3}}, "isolated": True, "target": "tap0",
    "boot_order": 2,
}  # fmt: skip


def test_every_option_comes_back_from_its_xml_and_is_taken_off_again() -> None:
    element = etree.Element("interface")
    xmltable.write(TABLE, element, SAMPLES)
    assert held(xmltable.read(TABLE, element)) == SAMPLES == normal(TABLE, SAMPLES)
    for name in SAMPLES:
        other = etree.fromstring(etree.tostring(element))
        xmltable.clear(ROWS[name], other)
        left = {key: value for key, value in SAMPLES.items() if key != name}
        assert held(xmltable.read(TABLE, other)) == left
    for name in SAMPLES:
        xmltable.clear(ROWS[name], element)
    assert etree.tostring(element) == b"<interface/>"


def test_every_name_stands_in_the_table_and_in_the_spec() -> None:
    assert {*LIVE, *GIVEN, *SOURCE} <= set(ROWS)
    one = spec()
    assert {*ROWS, "guest", "state", "mac", "replug"} == set(one["interfaces"]["options"])
    assert one["interfaces"]["options"] == {
        name: value for name, value in one.items() if name not in ("interfaces", "uri")
    }


@pytest.mark.parametrize("name", ["vnet0", "vif12", "macvtap3"])
def test_the_taps_that_libvirt_names_are_no_option(name: str) -> None:
    assert held({"target": name, "mtu": "0"}) == {}


ID = {"interfaceid": "c7a5fdbd-edaf-9455-926a-d65c16db1809"}
MERGES = [
    ({"mtu": 1400, "network": "n"}, {"mtu": None}, {"network": "n"}),
    ({"network": "n", "portgroup": "p"}, {"network": "n"}, {"network": "n", "portgroup": "p"}),
    ({"network": "n", "portgroup": "p"}, {"network": "m"}, {"network": "m"}),
    ({"network": "n", "portgroup": "p"}, {"network": "m", "portgroup": "q"}, {"network": "m", "portgroup": "q"}),
    ({"network": "n", "portgroup": "p"}, {"bridge": "b"}, {"bridge": "b"}),
    ({"bridge": "b"}, {"network": "n"}, {"network": "n"}),
    ({"filter": "f", "filter_parameters": {"IP": "1"}}, {"filter": "g"}, {"filter": "g", "filter_parameters": {"IP": "1"}}),
    ({"filter": "f", "filter_parameters": {"IP": "1"}}, {"filter": None}, {}),
    ({"bandwidth": {"inbound": {"average": 1}}}, {"bandwidth": {"outbound": {"average": 1}}},
     {"bandwidth": {"outbound": {"average": 1}}}),
    ({"virtualport": {"type": "openvswitch", "parameters": ID}}, {"virtualport": {"type": "openvswitch"}},
     {"virtualport": {"type": "openvswitch", "parameters": ID}}),
    ({"virtualport": {"type": "openvswitch", "parameters": ID}}, {"virtualport": {"type": "midonet"}},
     {"virtualport": {"type": "midonet"}}),
]  # fmt: skip


@pytest.mark.parametrize(("there", "wanted", "expected"), MERGES)
def test_merging(there: dict, wanted: dict, expected: dict) -> None:
    assert merge(there, wanted) == expected
    assert merge(merge(there, wanted), wanted) == expected


def test_a_trunk_is_settled_and_a_made_up_id_is_left_out() -> None:
    assert said({"vlan": {"tags": [{"id": 2}, {"id": 1}]}}) == {"vlan": {"trunk": True, "tags": [{"id": 1}, {"id": 2}]}}
    assert (
        without_ids({"type": "openvswitch", "parameters": ID}) == {"type": "openvswitch"} and without_ids(None) is None
    )


@pytest.mark.parametrize("value", [[], None, ["1", None]])
def test_a_parameter_without_a_value(value: object) -> None:
    with pytest.raises(InputError, match="IP: say a value"):
        said({"network": "n", "filter": "f", "filter_parameters": {"IP": value}})
