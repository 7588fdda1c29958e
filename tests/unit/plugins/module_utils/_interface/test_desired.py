# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters to what is wanted."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._interface.desired import desired

M = "52:54:00:00:00:01"


def test_what_is_said_is_in_normal_form_and_what_means_none_is_none() -> None:
    params = {"guest": "g", "mac": "52-54-00-00-00-0A", "mtu": 0, "link_state": "up", "bandwidth": {"inbound": None},
              "filter": "", "target": None, "isolated": True}  # fmt: skip
    want = desired(params).wants[0]
    assert want.mac == "52:54:00:00:00:0a" and want.state == "present" and not want.replug
    assert want.options == {"mtu": None, "link_state": None, "bandwidth": None, "filter": None, "isolated": True}


def test_items_inherit_from_the_task() -> None:
    items = [{"guest": "a", "network": "n"}, {"guest": "a", "bridge": "b", "state": "present", "replug": False}]
    one, two = desired({"interfaces": items, "state": "absent", "replug": True}).wants
    assert (one.state, one.replug, two.state, two.replug) == ("absent", True, "present", False)


def test_what_goes_is_only_named() -> None:
    assert desired({"guest": "g", "network": "n", "state": "absent", "mtu": 5}).wants[0].options == {"network": "n"}


BAD = [
    ({"network": "n"}, "guest is missing"),
    ({"guest": "g"}, "mac, network or bridge"),
    ({"guest": "g", "network": "n", "bridge": "b"}, "network and bridge exclude"),
    ({"guest": "g", "bridge": "b", "portgroup": "p"}, "portgroup and bridge exclude"),
    ({"guest": "g", "network": ""}, "can't be on none"),
    ({"guest": "g", "mac": "x"}, "guest g: mac: 'x': this is no MAC address"),
    ({"guest": "g", "mac": "01:00:5e:00:00:01"}, "multicast"),
    ({"guest": "g", "mac": M, "target": "vnet3"}, "target: 'vnet3': names such as vnet0"),
    ({"guest": "g", "mac": M, "target": "a name that is too long"}, "characters"),
    ({"guest": "g", "mac": M, "model": ""}, "has to have one"),
    ({"guest": "g", "mac": M, "model": "vir tio"}, "is no model"),
    ({"guest": "g", "mac": M, "mtu": 70000}, "from 0 to 65535"),
    ({"guest": "g", "mac": M, "filter": "", "filter_parameters": {"IP": "1"}}, "need a filter"),
    ({"guest": "g", "mac": M, "filter_parameters": {"a b": "1"}}, "no name of a parameter"),
    ({"guest": "g", "interfaces": []}, "interfaces and guest exclude"),
    ({"mtu": 1, "interfaces": []}, "interfaces and mtu exclude"),
    ({"interfaces": [{"guest": "g", "network": "n"}] * 2}, "guest g, network n stands there more than once"),
    ({"interfaces": [{"guest": "g", "mac": M}, {"guest": "g", "mac": M, "network": "n"}]}, "more than once"),
]


@pytest.mark.parametrize(("params", "message"), BAD)
def test_errors_of_form(params: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        desired(params)
