# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One item of a declaration: normal form, and what is refused."""

from __future__ import annotations

import pathlib

import pytest
import yaml
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._host.model import PATTERNS, Forward
from ansible_collections.virtnet.kvm.plugins.module_utils._host.options import NETWORK, TAKES, bridge_of, network, plugs

ROLES = pathlib.Path(__file__).parents[5] / "roles"
NAT = {"name": "lab", "pattern": "nat", "address": "10.10.0.1/24", "hosts": [{"ip": "10.10.0.5", "name": "web"}]}


@pytest.mark.parametrize(("said", "bridge", "options"), [
    ({"name": "lan", "pattern": "bridged", "nic": "eno1"}, "vn-lan", {"nic": "eno1"}),
    ({"name": "lan", "pattern": "bridged", "nic": "eno1", "bridge": "br0"}, "br0", {"nic": "eno1"}),
    (NAT, "vn-lab", {"address": "10.10.0.1/24", "hosts": [{"ip": "10.10.0.5", "name": "web"}]}),
    ({"name": "a", "pattern": "isolated", "host_access": "no", "mtu": "1400"}, "vn-a", {"host_access": False, "mtu": 1400}),
    ({"name": "c", "pattern": "custom_nat", "address": "10.0.0.1/255.255.255.0"}, "vn-c", {"address": "10.0.0.1/24"}),
])  # fmt: skip
def test_normal_form(said: dict, bridge: str, options: dict) -> None:
    found = network(said, 0)
    assert (found.name, found.pattern, found.bridge, found.options) == (said["name"], said["pattern"], bridge, options)


@pytest.mark.parametrize(("forward", "wanted"), [
    ({"port": 2222, "to": "10.10.0.5:22"}, Forward("tcp", (2222, 2222), "10.10.0.5", (22, 22))),
    ({"port": 80, "to": "web"}, Forward("tcp", (80, 80), "10.10.0.5", (80, 80))),
    ({"port": 80, "to": "web:8080"}, Forward("tcp", (80, 80), "10.10.0.5", (8080, 8080))),
    ({"protocol": "udp", "port": "5000-5003", "to": "10.10.0.5", "sources": ["192.0.2.7", "10.0.0.0/8"]},
     Forward("udp", (5000, 5003), "10.10.0.5", (5000, 5003), ("10.0.0.0/8", "192.0.2.7/32"))),
    ({"port": "8000-8001", "to": "web:9000-9001", "address": "192.0.2.1"},
     Forward("tcp", (8000, 8001), "10.10.0.5", (9000, 9001), (), "192.0.2.1")),
    ({"port": 22, "to": "[fd00::5]:2222"}, Forward("tcp", (22, 22), "fd00::5", (2222, 2222))),
    ({"port": 22, "to": "fd00::5"}, Forward("tcp", (22, 22), "fd00::5", (22, 22))),
])  # fmt: skip
def test_forwards(forward: dict, wanted: Forward) -> None:
    assert network({**NAT, "forwards": [forward]}, 0).forwards == (wanted,)


@pytest.mark.parametrize(("said", "words"), [
    ({}, ["host_networks[3]", "name is missing"]),
    ({"name": "a", "pattern": "natted"}, ["network a", "pattern", "'natted'", "custom_nat"]),
    ({"name": "a/b", "pattern": "isolated"}, ["name", "'a/b'", "letters"]),
    ({"name": "a", "pattern": "bridged"}, ["network a", "nic is missing"]),
    ({"name": "a", "pattern": "nat"}, ["address is missing"]),
    ({"name": "a", "pattern": "routed"}, ["address or address6 is missing"]),
    ({"name": "a", "pattern": "isolated", "forwards": []}, ["forwards", "isolated", "address translation"]),
    ({"name": "a", "pattern": "nat", "address": "10.0.0.1/24", "nic": "eno1"}, ["nic", "say dev"]),
    ({"name": "a", "pattern": "isolated", "colour": "red"}, ["colour", "it takes", "host_access"]),
    ({**NAT, "address": "10.0.0.1"}, ["address", "'10.0.0.1'", "prefix is missing"]),
    ({**NAT, "forwards": [{"port": 0, "to": "web"}]}, ["forwards[0].port", "1 to 65535"]),
    ({**NAT, "forwards": [{"port": 1, "to": "nobody:1"}]}, ["forwards[0]", "'nobody:1'", "name of one of `hosts`"]),
    ({**NAT, "forwards": [{"port": "1-3", "to": "web:1-2"}]}, ["as many ports"]),
    ({**NAT, "forwards": [{"port": 1, "to": "web:70000"}]}, ["'70000'"]),
    ({**NAT, "forwards": [{"port": 1, "to": "web", "sources": ["fd00::/64"]}]}, ["sources", "IP version"]),
    ({**NAT, "forwards": [{"port": 1, "to": "web", "address": "::1"}]}, ["address", "IP versions"]),
    ({**NAT, "forwards": [{"port": 1, "to": "web", "address": "127.0.0.1"}]}, ["address", "'127.0.0.1'", "nobody"]),
    ({**NAT, "forwards": [{"port": 1, "to": "web", "address": "0.0.0.0"}]}, ["address", "'0.0.0.0'", "nobody"]),
    ({**NAT, "forwards": [{"port": 1, "to": "web", "source": ["192.0.2.0/24"]}]}, ["forwards[0].source", "no such option", "sources"]),
    ({**NAT, "forwards": [{"port": 1, "to": "web", "sources": []}]}, ["forwards[0].sources", "[]", "everybody"]),
    ({**NAT, "forwards": [{"port": 1, "to": "web", "sources": "192.0.2.0/24"}]}, ["forwards[0].sources", "list"]),
    ({**NAT, "forwards": {"port": 1, "to": "web"}}, ["forwards", "list of dictionaries"]),
    ({**NAT, "forwards": ["2222:10.10.0.5:22"]}, ["forwards[0]", "'2222:10.10.0.5:22'", "dictionary"]),
    ({**NAT, "hosts": 5}, ["hosts: 5", "list"]),
    ({**NAT, "hosts": [None]}, ["hosts[0]: None", "dictionary"]),
    ({**NAT, "hosts": [{"ip": "10.10.0.5", "hostname": "x"}]}, ["hosts[0].hostname", "name"]),
    ({**NAT, "hosts": [{"mac": "52:54:00:00:00:01"}]}, ["hosts[0].ip is missing"]),
])  # fmt: skip
def test_refused(said: dict, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        network(said, 3)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InputError) as error:
        network({"name": "a", "pattern": "isolated", "forwards": [], "nic": "eno1"}, 0)
    assert str(error.value).count("network a") == 2


@pytest.mark.parametrize(
    ("name", "bridge"), [("lab", "vn-lab"), ("twelve-chars", "vn-twelve-chars"), ("thirteen-char", "vn-thi24ac9ec7")]
)
def test_bridge_of(name: str, bridge: str) -> None:
    assert len(bridge_of(name)) <= 15 and bridge_of(name).startswith(bridge[:6])
    assert bridge_of(name) == bridge or len(name) > 12


@pytest.mark.parametrize(("said", "words"), [
    ({"guest": "g"}, ["guest g", "interfaces"]),
    ({"interfaces": []}, ["host_guests[0]"]),
    ({"guest": "g", "interfaces": [{"mac": "52:54:00:00:00:01"}]}, ["interfaces[0]", "network is missing"]),
    ({"guest": "g", "interfaces": [], "nic": 1}, ["not nic"]),
    ({"guest": "g", "interfaces": [{"network": "lab", "mac": 41135040605}]}, ["interfaces[0]: mac", "41135040605", "no MAC address"]),
])  # fmt: skip
def test_guests_refused(said: dict, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        plugs(said, 0)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_numbers_are_names_as_well() -> None:
    (plug,) = plugs({"guest": 100, "interfaces": [{"network": 10, "mac": "52-54-00-00-00-0A"}]}, 0)
    assert (plug.guest, plug.network, plug.options) == ("100", "10", {"mac": "52:54:00:00:00:0a"})


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_role_has_the_patterns_options(pattern: str) -> None:
    """Each option of the table is a variable of the role, in its arguments, and in what it hands on."""
    spec = yaml.safe_load((ROLES / pattern / "meta/argument_specs.yml").read_text())["argument_specs"]["main"][
        "options"
    ]
    wanted = {f"{pattern}_{option}" for option in TAKES[pattern] if option != "pattern"}
    assert set(spec) == {*wanted, f"{pattern}_state"}
    kinds = {row.name: "list" if row.many else row.kind.ansible for row in NETWORK}
    assert all(spec[f"{pattern}_{option}"]["type"] == kinds[option] for option in TAKES[pattern] if option != "pattern")
    handed = (ROLES / pattern / "vars/main.yml").read_text()
    readme = (ROLES / pattern / "README.md").read_text()
    assert all(f"{pattern}_{option}" in handed for option in TAKES[pattern] if option != "pattern")
    assert all(f"`{name}`" in readme for name in spec)
