# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that libvirt can't make live, under running guests: as much as the policy allows, and whole."""

from __future__ import annotations

import time

import pytest
from host import Host

NET = {"name": "net", "mode": "nat", "address": "10.40.0.1/24", "dhcp": True}
APART = {**NET, "isolate_ports": True}
MAC = "52:54:00:00:00:01"

CHANGES = {
    "mtu": {"mtu": 1400},
    "mac": {"mac_address": "52:54:00:11:22:33"},
    "forwarders": {"dns": {"forwarders": [{"address": "192.0.2.1"}]}},
    "dnsmasq options": {"dnsmasq_options": ["log-queries"]},
    "mode": {"mode": "isolated"},
    "bridge": {"bridge": "virbr42"},
    "isolation": {"isolate_ports": True},
}


def outage(host: Host, address: str, act) -> float:
    """The longest time without an answer, in seconds, while something is done."""
    with host.pinger(address) as pinger:
        act()
        time.sleep(1)
        deadline = time.monotonic() + 15
        while host.run(["ping", "-c1", "-W1", address], check=False).count("1 received") == 0:
            assert time.monotonic() < deadline, "the guest did not come back"
        time.sleep(0.5)
    return pinger.longest_gap


def isolated(host: Host, tap: str) -> bool:
    return host.run(f"cat /sys/class/net/{tap}/brport/isolated") == "1"


def by_hand(host: Host) -> None:
    tap = host.tap("g1")
    host.run(f"virsh -q net-destroy net; virsh -q net-start net; ip link set {tap} master virbr0")


def test_policies_under_a_running_guest(host: Host, record_property) -> None:
    host.network(**NET)
    address = host.guest("g1", "net", mac=MAC)
    tap = host.tap("g1")
    live = host.xml("net")

    for policy in ("never", "if_unused"):
        predicted = host.network(check=True, **NET, mtu=1400, restart=policy)
        result = host.network(**NET, mtu=1400, restart=policy)
        assert result == predicted
        assert result["restart_required"] and result["guests"] == ["g1"]
        assert result["actions"] == (["define"] if policy == "never" else [])
        assert result["after"]["live"] == {"mtu": None}
        assert host.xml("net") == live and "1400" in host.xml("net", inactive=True)
        assert not host.network(**NET, mtu=1400, restart=policy)["changed"]
    host.network(**NET, restart="never")

    gaps = {}
    for name, change in CHANGES.items():
        options = {**NET, **change, "restart": "always"}
        predicted = host.network(check=True, **options)
        results = []
        gaps[name] = outage(
            host, address, lambda options=options, results=results: results.append(host.network(**options))
        )
        assert results[0]["actions"] == predicted["actions"] == ["define", "restart", f"plug g1 {MAC}"]
        assert results[0]["guests"] == ["g1"] and not results[0]["restart_required"]
        assert host.tap("g1") == tap and host.master(tap) == results[0]["after"]["bridge"]
        assert host.info("net")[0]["guests"] == [{"guest": "g1", "mac": MAC, "interface": tap, "portgroup": None}]
        assert "connections='1'" in host.xml("net")
        assert isolated(host, tap) is (name == "isolation")
        assert not host.network(**options)["changed"]
        host.network(**NET, bridge="virbr0", restart="always")
        assert host.master(tap) == "virbr0" and not isolated(host, tap)
    hand = outage(host, address, lambda: by_hand(host))
    record_property("outage", {name: round(gap, 2) for name, gap in gaps.items()})
    print(
        f"\noutage with restart: always { ({name: round(gap, 2) for name, gap in gaps.items()}) } s, by hand {hand:.2f} s"
    )
    assert sorted(gaps.values())[len(gaps) // 2] < hand
    # by hand libvirt had lost count; the next run finds the guest and has it counted again
    assert "connections" not in host.xml("net")
    host.network(**NET, mtu=1300, bridge="virbr0", restart="always")
    assert "connections='1'" in host.xml("net")
    host.virsh("destroy", "g1")
    assert "connections" not in host.xml("net")


def test_another_address_moves_guests_along(host: Host) -> None:
    host.network(**NET)
    host.guest("g1", "net")
    result = host.network(**{**NET, "address": "10.41.0.1/24"}, restart="always")
    assert result["guests"] == ["g1"]
    host.speak("g1", "killall udhcpc; udhcpc -i eth0 -q -n -s /udhcpc.sh > /dev/null 2>&1")
    assert "10.41.0." in host.speak("g1", "cat /run/lease-eth0")
    assert "1 packets received" in host.speak("g1", "ping -c1 198.18.0.10")


@pytest.mark.parametrize("policy", ["if_unused", "always"])
def test_unused_networks_are_restarted(host: Host, policy: str) -> None:
    host.network(**NET)
    result = host.network(**NET, mtu=1400, restart=policy)
    assert result["actions"] == ["define", "restart"] and not result["restart_required"]
    assert "mtu 1400" in host.run("ip link show virbr0")


def test_a_stranger_in_the_bridge_counts_as_a_user(host: Host) -> None:
    host.network(**NET)
    host.run("ip link add vethx type veth peer name vethy; ip link set vethx master virbr0 up")
    try:
        result = host.network(**NET, mtu=1400)
        assert result["restart_required"] and result["guests"] == ["port vethx"]
        assert host.network(**NET, mtu=1400, restart="always")["guests"] == ["port vethx"]
        assert host.master("vethx") == "virbr0"
        # also where another bridge is stored for the next start
        moved = {**NET, "mtu": 1400, "bridge": "virbr42"}
        assert host.network(**moved, restart="never")["restart_required"]
        result = host.network(**moved)
        assert result["restart_required"] and result["guests"] == ["port vethx"]
        assert "port vethx" in host.refused(name="net", state="absent")
    finally:
        host.run("ip link delete vethx")


def test_guests_cut_off_by_somebody_are_plugged_back_in(host: Host) -> None:
    """virsh net-destroy and net-start leave a guest's tap without a bridge; the next run finds it, and keeps it from others."""
    host.network(**APART)
    address = host.guest("g1", "net", mac=MAC)
    host.run("virsh -q net-destroy net")
    result = host.network(**APART)
    assert result["actions"] == ["start", f"plug g1 {MAC}"] and result["guests"] == ["g1"]
    assert "1 received" in host.run(["ping", "-c1", "-W2", address]) and isolated(host, host.tap("g1"))
    host.run("virsh -q net-destroy net; virsh -q net-start net")
    assert host.master(host.tap("g1")) is None
    predicted = host.network(check=True, **APART)
    result = host.network(**APART)
    assert result == predicted and result["actions"] == [f"plug g1 {MAC}"]
    assert "1 received" in host.run(["ping", "-c1", "-W2", address]) and isolated(host, host.tap("g1"))
    assert "connections='1'" in host.xml("net")
    assert not host.network(**APART)["changed"]


def test_nat_to_isolated_to_bridge_and_back(host: Host) -> None:
    host.run("ip link add br-own type bridge && ip link set br-own up")
    host.network(**NET)
    host.guest("g1", "net")
    tap = host.tap("g1")
    isolated = {"name": "net", "mode": "isolated", "address": "10.40.0.1/24", "dhcp": True}
    bridge = {"name": "net", "mode": "bridge", "bridge": "br-own"}
    for options in (isolated, bridge, NET, bridge, isolated, NET):
        result = host.network(**options, restart="always")
        assert "restart" in result["actions"] and result["guests"] == ["g1"]
        assert host.master(tap) == result["after"]["bridge"]
        assert not host.network(**options, restart="always")["changed"]
    assert "1 packets received" in host.speak("g1", "ping -c1 10.40.0.1")
