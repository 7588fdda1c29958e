# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netplan's YAML: whole golden texts, reading them, and other people's."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._persist import backends, netplan
from ansible_collections.virtnet.kvm.plugins.module_utils._persist.model import Boot, File, Files, Kept
from boots import KEPT, MADE, MARK, NAMED, replaced, there_and_back

OURS = netplan.path_of("br0")
BY_NM = {"eno1": "/run/NetworkManager/system-connections/netplan-eno1.nmconnection"}
SMALL = Kept(
    "br0",
    {
        "addresses": ["192.0.2.10/24"], "gateway4": "192.0.2.1", "accept_ra": True,
        "stp": {"priority": 4096, "hello_time": 1.0, "max_age": 10},
    },
    ({"name": "eno1", "priority": 8},),
)  # fmt: skip
GOLDEN = """\
network:
  version: 2
  ethernets:
    eno1:
      renderer: networkd
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: []
      mtu: 1450
    eno2:
      renderer: networkd
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: []
    eno3: {}
  bonds:
    bond0:
      interfaces:
      - eno2
      parameters:
        mode: 802.3ad
        mii-monitor-interval: 100
        lacp-rate: fast
      renderer: networkd
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: []
  vlans:
    eno3.7:
      id: 7
      link: eno3
      renderer: networkd
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: []
  tunnels:
    vx:
      mode: vxlan
      id: 9
      remote: 192.0.2.5
      port: 4789
      renderer: networkd
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: []
  dummy-devices:
    d0:
      renderer: networkd
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: []
      mtu: 1400
      macaddress: '52:54:00:00:00:07'
  virtual-ethernets:
    v0:
      peer: v1
      renderer: networkd
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: []
    v1:
      peer: v0
      renderer: networkd
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: []
  bridges:
    br0:
      renderer: networkd
      interfaces:
      - eno1
      - bond0
      - eno3.7
      - vx
      - d0
      - v0
      mtu: 1450
      macaddress: '52:54:00:00:00:01'
      dhcp4: false
      dhcp6: false
      accept-ra: false
      parameters:
        stp: true
        forward-delay: 4
        ageing-time: 60
        path-cost:
          eno1: 7
      addresses:
      - 192.0.2.10/24
      - 2001:db8::a/64
      routes:
      - to: 0.0.0.0/0
        via: 192.0.2.1
      - to: ::/0
        via: fe80::1
      - to: 10.0.0.0/8
        via: 203.0.113.9
        metric: 3
        table: 7
        on-link: true
      - to: 10.1.0.0/16
        scope: link
      nameservers:
        addresses:
        - 192.0.2.1
        - 2001:db8::1
        search:
        - a.example
        - b.example
"""
GOLDEN_NM = """\
network:
  version: 2
  ethernets:
    eno1:
      renderer: NetworkManager
      networkmanager:
        uuid: 822f31c6-cfb2-5148-b035-75fbce71cc91
        name: virtnet-eno1
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: []
  bridges:
    br0:
      renderer: NetworkManager
      networkmanager:
        uuid: 7de4da61-3c84-59fb-a77f-e0b02dff35e1
        name: virtnet-br0
        passthrough:
          ipv4.route-metric: '0'
          ipv6.route-metric: '256'
          ipv6.addr-gen-mode: '0'
          connection.autoconnect-slaves: '1'
      interfaces:
      - eno1
      dhcp4: false
      dhcp6: true
      accept-ra: true
      parameters:
        stp: false
        priority: 4096
        hello-time: 1
        max-age: 10
        port-priority:
          eno1: 8
      addresses:
      - 192.0.2.10/24
      routes:
      - to: 0.0.0.0/0
        via: 192.0.2.1
        metric: 0
"""


@pytest.mark.parametrize(("kept", "in_charge", "golden"), [(KEPT, {}, GOLDEN), (SMALL, BY_NM, GOLDEN_NM)])
def test_golden(kept: Kept, in_charge: dict, golden: str) -> None:
    files = netplan.render(kept, {}, in_charge)
    assert files == {OURS: File(MARK + golden, 0o600)}
    assert netplan.broken(OURS, files[OURS].text) is None


@pytest.mark.parametrize(
    ("renderers", "in_charge", "told"),
    [
        ((), {}, False),
        (("NetworkManager",), {}, True),
        (("NetworkManager", "networkd"), {}, False),
        (("NetworkManager",), {"eno1": "/run/systemd/network/10-netplan-eno1.network"}, False),
        (("networkd",), BY_NM, True),
        (("NetworkManager",), {"eno1": "/etc/systemd/network/x.network"}, True),
    ],
)
def test_the_renderer(renderers: tuple, in_charge: dict, told: bool) -> None:
    files = {f"/etc/netplan/{n}.yaml": File(f"network: {{renderer: {one}}}") for n, one in enumerate(renderers)}
    assert netplan.by_networkmanager(files, in_charge) is told


def test_our_own_read_back() -> None:
    files = netplan.render(KEPT, {}, {})
    assert set(netplan.links(OURS, files[OURS].text)) == {*NAMED, "v1"}
    assert set(netplan.devices(OURS, files[OURS].text)) == {*MADE, "v1"}
    assert netplan.options(files, "br0", "") == {"dns": KEPT.options["dns"]}
    assert netplan.sizes(files, "d0") == {"mtu": 1400, "mac_address": "52:54:00:00:00:07"}
    assert netplan.sizes(files, "vx") == netplan.sizes({"/etc/netplan/a.yaml": File(GOLDEN)}, "d0") == {}


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (("network: {ethernets: {eno1: {dhcp4: yes, dhcp6: no}}}",), {"dhcp4": True}),
        (("network: {ethernets: {eno1: {dhcp4: yes}}}", "network: {ethernets: {eno1: {dhcp4: no}}}"), {}),
        (("network: {ethernets: {id0: {match: {name: eno1}, accept-ra: true}}}",), {"accept_ra": True}),
        (("network: {ethernets: {id0: {match: {macaddress: x}, set-name: eno1, dhcp6: true}}}",), {"dhcp6": True}),
        (
            (
                "network: {ethernets: {eno1: {nameservers: {addresses: [192.0.2.1], search: [a]}}}}",
                "network: {ethernets: {eno1: {nameservers: {addresses: [192.0.2.2]}}}}",
            ),
            {"dns": {"servers": ["192.0.2.1", "192.0.2.2"], "search": ["a"]}},
        ),
        (("network: {ethernets: {any: {match: {name: en*}, dhcp4: true}}}",), {}),
    ],
)
def test_reading(texts: tuple, told: dict) -> None:
    files = {f"/etc/netplan/{n}.yaml": File(text) for n, text in enumerate(texts)}
    assert netplan.options(files, "eno1", "") == told


@pytest.mark.parametrize(
    ("options", "ports", "why"),
    [
        ({}, ({"name": "p0", "kind": "veth"},), None),
        ({"up": False}, (), "up: false"),
        ({"stp": {"forward_delay": 4.5}}, (), "stp.forward_delay: 4.5: it keeps whole seconds"),
        ({"ageing_time": 0.5}, (), "ageing_time: 0.5"),
        ({}, ({"name": "bond9", "kind": "bond"},), "port bond9: it is a bond that another definition makes"),
        ({"stp": {"priority": 0}}, (), "stp.priority: 0"),
        ({}, ({"name": "eno1", "priority": 0},), "port eno1: priority: 0"),
    ],
)
def test_refused(options: dict, ports: tuple, why: str | None) -> None:
    told = netplan.refused(Kept("br0", options, ports))
    assert (told or "").startswith(why or "") and bool(told) == bool(why)


VLAN = {"name": "eno1.7", "type": "vlan", "parent": "eno1", "id": 7}


@pytest.mark.parametrize("word", ["cost", "priority"])
def test_vlans_that_it_would_lose(word: str) -> None:
    over_nic, over_vlan = Kept("br0", {}, ({"name": "eno1", word: 5},)), Kept("br1", {}, (VLAN,))
    for first, then in ((over_nic, over_vlan), (over_vlan, over_nic)):
        files = netplan.render(first, {}, {})
        with pytest.raises(InputError, match=f"^bridge {then.name}: port eno1: {word}: netplan can't keep it"):
            netplan.render(then, files, {})
    assert netplan.render(over_vlan, netplan.render(over_nic, {}, BY_NM), BY_NM)
    assert netplan.render(over_vlan, netplan.render(Kept("br0", {}, ({"name": "eno2", word: 5},)), {}, {}), {})


def test_unkept() -> None:
    assert {"vlan", "multicast", "ports.vlans", "ports.isolated"} <= netplan.UNKEPT
    assert not {"ports.cost", "ports.priority", "stp.priority", "ageing_time"} & netplan.UNKEPT


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", True), ("network: {version: 2}", True), ("network:", True), ("network: {ethernets: }", True),
        ("network: {ethernets: {eno1: }}", True), ("network: [", False), ("- network", False), ("network: [a]", False),
        ("network: {ethernets: [eno1]}", False), ("network: {ethernets: {eno1: dhcp}}", False),
        ("network: {ethernets: {eno1: {match: eno1}}}", False), ("network:\n\tversion: 2\n", False),
    ],
)  # fmt: skip
def test_broken(text: str, whole: bool) -> None:
    assert (netplan.broken("/etc/netplan/a.yaml", text) is None) is whole
    assert netplan.broken("/etc/netplan/a.yaml.virtnet-backup", text) is None
    assert netplan.links("/etc/netplan/a.yaml", text) in ([], ["eno1"])


TWO = """\
# mine
network:
    version: 2
    ethernets:
        eno1: {dhcp4: true}   # the first
        eno9: {dhcp4: true}
    vlans:
        v7: {id: 7, link: eno9}
"""
PATH = "/etc/netplan/50-mine.yaml"


def network(files: Files, path: str = PATH) -> dict:
    return yaml.safe_load(files[path].text)["network"]


def test_somebody_elses_definition_is_taken_out_and_comes_back() -> None:
    there = {PATH: File(TWO, 0o600), "/etc/netplan/60.yaml": File("network: {ethernets: {eno1: {mtu: 1400}}}")}
    files = there_and_back("netplan", there)
    assert files[PATH + ".virtnet-backup"] == there[PATH] and files[PATH].mode == 0o600
    assert network(files) == {
        "version": 2, "ethernets": {"eno9": {"dhcp4": True}}, "vlans": {"v7": {"id": 7, "link": "eno9"}},
    }  # fmt: skip
    assert network(files, "/etc/netplan/60.yaml") == {}


def test_what_is_said_of_the_nic_itself_stays_with_it() -> None:
    """Else it has another name after the next boot."""
    nic = {"match": {"macaddress": "52:54:00:00:00:01"}, "set-name": "eno1", "wakeonlan": True}
    there = {PATH: File(yaml.safe_dump({"network": {"ethernets": {"nic": {**nic, "dhcp4": True}}}}))}
    files = there_and_back("netplan", there)
    ours = network(files, netplan.path_of("br0"))["ethernets"]["eno1"]
    assert {word: ours[word] for word in nic} == nic and ours["dhcp4"] is False


def test_what_somebody_changes_meanwhile_stays() -> None:
    files = replaced("netplan", {PATH: File(TWO)}, KEPT)
    edited = {**files, PATH: File("# later\n" + files[PATH].text.replace("id: 7", "id: 8"))}
    kept = replaced("netplan", edited, KEPT)
    assert network(kept)["vlans"]["v7"]["id"] == 8 and "eno1" not in network(kept)["ethernets"]
    assert replaced("netplan", kept, KEPT) == kept
    back = replaced("netplan", kept, None)
    assert set(back) == {PATH}
    assert network(back)["ethernets"] == {"eno9": {"dhcp4": True}, "eno1": {"dhcp4": True}}
    assert network(back)["vlans"] == {"v7": {"id": 8, "link": "eno9"}}


def test_a_definition_that_is_said_anew_is_taken_out_again() -> None:
    files = replaced("netplan", {PATH: File(TWO)}, KEPT)
    again = {**files, PATH: File(TWO.replace("eno1: {dhcp4: true}", "eno1: {mtu: 1400}"))}
    kept = replaced("netplan", again, KEPT)
    assert "eno1" not in network(kept)["ethernets"]
    assert network(replaced("netplan", kept, None))["ethernets"]["eno1"] == {"mtu": 1400}


def test_what_a_vlan_stands_on_is_named_as_what_it_is() -> None:
    """netplan refuses a link of two types."""
    vlan = {"name": "br0.7", "type": "vlan", "parent": "br0", "id": 7}
    there = replaced("netplan", {}, KEPT)
    above = backends.replaced(Boot("netplan", {}, {}, there), {"br1": Kept("br1", {}, (vlan,))})
    told = network(above, netplan.path_of("br1"))
    assert told["bridges"]["br0"] == {} and "ethernets" not in told
    bond = {"name": "bond0", "type": "bond", "ports": ["eno1"]}
    own = backends.replaced(
        Boot("netplan", {}, {}, {}), {"br1": Kept("br1", {}, ({**vlan, "name": "x", "parent": "bond0"}, bond))}
    )
    told = network(own, netplan.path_of("br1"))
    assert "bond0" not in told["ethernets"] and "bond0" in told["bonds"]


@pytest.mark.parametrize(
    ("options", "method"),
    [
        ({}, "disabled"),
        ({"addresses": ["2001:db8::1/64"]}, "disabled"),
        ({"addresses": ["192.0.2.1/24"]}, None),
        ({"dhcp4": True}, None),
    ],
)
def test_networkmanager_makes_no_address_up(options: dict, method: str | None) -> None:
    """netplan would write method=link-local for a bridge without an IPv4 address."""
    files = netplan.render(Kept("br0", options, ()), {}, BY_NM)
    told = network(files, OURS)["bridges"]["br0"]["networkmanager"]["passthrough"]
    assert told.get("ipv4.method") == method
