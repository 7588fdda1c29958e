# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input for a bridge: one clear error that names the option, the value and the way out; nothing changed."""

from __future__ import annotations

import pytest
from bridge_host import BridgeHost

# what: (options, words that the message has)
CASES = {
    "no name": ({}, ["name is missing"]),
    "long name": ({"name": "a-very-long-name"}, ["16 characters", "15"]),
    "slash": ({"name": "a/b"}, ["no link name"]),
    "name of a NIC": ({"name": "host0"}, ["host0", "there already", "another name"]),
    "no such port": ({"name": "br0", "ports": ["eno9"]}, ["eno9", "no such link", "type"]),
    "unknown option of a port": ({"name": "br0", "ports": [{"name": "p0", "isolate": True}]}, ["ports[0].isolate", "isolated"]),
    "port without a name": ({"name": "br0", "ports": [{"isolated": True}]}, ["ports[0].name"]),
    "port of a wrong kind": ({"name": "br0", "ports": [7]}, ["ports[0]", "7"]),
    "a port twice": ({"name": "br0", "ports": ["p0", "p0"]}, ["p0", "twice"]),
    "a port in two": ({"bridges": [{"name": "br0", "ports": ["p0"]}, {"name": "br1", "ports": ["p0"]}]}, ["p0", "br0", "one master"]),
    "itself": ({"name": "br0", "ports": ["br0"]}, ["can't be a port of its own"]),
    "loopback": ({"name": "br0", "ports": ["lo"]}, ["loopback"]),
    "a bridge in a bridge": ({"name": "br0", "ports": ["br8"]}, ["br8", "veth"]),
    "port of another bridge": ({"name": "br0", "ports": ["p8"]}, ["p8", "br8", "take it out there first"]),
    "address without a prefix": ({"name": "br0", "addresses": ["10.20.0.1"]}, ["addresses", "10.20.0.1/24"]),
    "address of another link": ({"name": "br0", "addresses": ["192.0.2.12/24"]}, ["192.0.2.12/24", "host0", "inherit"]),
    "gateway that nothing reaches": ({"name": "br0", "addresses": ["10.20.0.1/24"], "gateway4": "10.21.0.1"}, ["gateway4", "10.21.0.1", "10.20.0.1/24"]),
    "route that nothing reaches": ({"name": "br0", "routes": [{"to": "10.30.0.0/16", "via": "10.20.0.9"}]}, ["10.30.0.0/16", "10.20.0.9", "none"]),
    "default route by its word": ({"name": "br0", "routes": [{"to": "default", "via": "10.20.0.9"}]}, ["0.0.0.0/0"]),
    "gateway of the wrong family": ({"name": "br0", "addresses": ["10.20.0.1/24"], "gateway6": "2001:db8::1"}, ["gateway6"]),
    "MTU too small": ({"name": "br0", "mtu": 10}, ["mtu", "10", "68"]),
    "multicast MAC": ({"name": "br0", "mac_address": "01:00:5e:00:00:01"}, ["multicast"]),
    "forward delay": ({"name": "br0", "stp": {"forward_delay": 31}}, ["forward_delay", "31", "30"]),
    "VLAN backwards": ({"name": "br0", "ports": [{"name": "p0", "vlans": {"tagged": ["40-30"]}}]}, ["40-30", "lower one first"]),
    "VLAN too high": ({"name": "br0", "vlan": {"self": {"tagged": [4095]}}}, ["4095", "4094"]),
    "VLAN filtering": ({"name": "br0", "vlan": {"filtering": True}}, ["vlan", "kernel"]),
    "port VLANs": ({"name": "br0", "ports": [{"name": "p0", "vlans": {"pvid": 10}}]}, ["vlan", "kernel"]),
    "no 8021q": ({"name": "br0", "ports": [{"name": "p0.7", "type": "vlan", "parent": "p0", "id": 7}]}, ["p0.7", "vlan", "kernel"]),
    "no dummy": ({"name": "br0", "ports": [{"name": "d0", "type": "dummy"}]}, ["d0", "dummy", "kernel"]),
    "no bonding": ({"name": "br0", "ports": [{"name": "bond0", "type": "bond", "ports": ["p0"]}]}, ["bond0", "kernel"]),
    "vlan without an id": ({"name": "br0", "ports": [{"name": "x", "type": "vlan", "parent": "p0"}]}, ["ports[0].id"]),
    "veth without a peer": ({"name": "br0", "ports": [{"name": "x", "type": "veth"}]}, ["ports[0].peer"]),
    "option of another type": ({"name": "br0", "ports": [{"name": "x", "type": "dummy", "id": 5}]}, ["ports[0].id", "dummy"]),
    "another kind is there": ({"name": "br0", "ports": [{"name": "p0", "type": "vxlan", "id": 5}]}, ["p0", "there already", "vxlan"]),
    "both forms": ({"name": "br0", "bridges": [{"name": "br1"}]}, ["bridges", "name", "exclude"]),
    "two of one name": ({"bridges": [{"name": "br0"}, {"name": "br0"}]}, ["br0", "more than once"]),
    "DHCP without a daemon": ({"name": "br0", "dhcp4": True}, ["dhcp4", "persist"]),
    "DNS without a daemon": ({"name": "br0", "dns": {"servers": ["192.0.2.1"]}}, ["dns", "persist"]),
    "what networkd can't keep": ({"name": "br0", "persist": "networkd", "multicast": {"hash_max": 512}}, ["multicast.hash_max", "networkd", "persist: none"]),
    "a type networkd can't keep": ({"name": "br0", "persist": "networkd", "ports": [{"name": "x", "type": "veth", "peer": "y"}]}, ["veth", "networkd"]),
    "timeout": ({"name": "br0", "confirm_timeout": -1}, ["confirm_timeout", "-1"]),
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_refused(bridges: BridgeHost, what: str) -> None:
    options, words = CASES[what]
    bridges.veth("p0", "p8")
    bridges.run("ip link add br8 type bridge && ip link set p8 master br8")
    before = bridges.snapshot()
    told = [bridges.ask(check=check, **options) for check in (True, False)]
    assert told[0].get("msg") == told[1].get("msg")
    assert told[1].get("failed"), told
    for word in words:
        assert word in told[1]["msg"], told[1]["msg"]
    assert "\n" not in told[1]["msg"]
    assert bridges.snapshot() == before


def test_networkd_stopped(bridges: BridgeHost) -> None:
    bridges.run("systemctl stop systemd-networkd.socket systemd-networkd")
    try:
        for persist in ("auto", "networkd"):
            assert "persist: none" in bridges.refused(name="br0", persist=persist)
    finally:
        bridges.run("systemctl start systemd-networkd.socket systemd-networkd")


def test_pyroute2_missing(bridges: BridgeHost) -> None:
    bridges.run("mv /usr/lib/python3/dist-packages/pyroute2 /root/")
    bridges.close()
    try:
        assert "python3-pyroute2" in bridges.refused(name="br0")
    finally:
        bridges.run("mv /root/pyroute2 /usr/lib/python3/dist-packages/")
        bridges.close()


def test_as_nobody(bridges: BridgeHost) -> None:
    """The kernel's refusal, in one line."""
    out = bridges.run(
        "cd / && cp -r /opt/virtnet-test /tmp/as-nobody && chmod -R a+rX /tmp/as-nobody && echo '"
        '{"module": "linux_bridge", "params": {"name": "br0", "persist": "none"}, "check": false}'
        "' | PYTHONPATH=/tmp/as-nobody setpriv --reuid nobody --clear-groups python3 /tmp/as-nobody/runner.py; rm -rf /tmp/as-nobody"
    )
    assert '"failed": true' in out and "Operation not permitted" in out and "raceback" not in out, out
