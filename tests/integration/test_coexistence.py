# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared networks beside firewalld, ufw and Docker, and after restarts of nftables and libvirt: packets pass as
before, and what those manage is as they left it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest
from bridge_host import difference
from declared_host import OUTSIDE, DeclaredHost, recap

pytestmark = pytest.mark.slow
NETWORKS = [
    {"name": "lan", "pattern": "bridged", "bridge": "br0", "nic": "host0"},
    {
        "name": "lab",
        "pattern": "nat",
        "address": "10.10.0.1/24",
        "forwards": [{"port": 2222, "to": "10.10.0.5:22"}],
    },
    {"name": "sealed", "pattern": "isolated", "address": "10.66.0.1/24", "host_access": False},
    {
        "name": "edge",
        "pattern": "custom_nat",
        "bridge": "br-edge",
        "address": "192.168.50.1/24",
        "forwards": [{"port": 8080, "to": "192.168.50.9:80"}],
    },
]
# What each of them keeps, and what undoes whatever a test did with it.
FIREWALLD, UFW = "/etc/firewalld", "/etc/ufw /etc/default/ufw"
KEPT = "find {} -type f -exec sha256sum {{}} + | sort -k2"
KEEP = f"tar -C / -cf /root/firewalls.tar {FIREWALLD} {UFW} 2> /dev/null"
BACK = """
systemctl --quiet is-active firewalld && systemctl stop firewalld
ufw --force disable > /dev/null
systemctl disable --quiet --now nftables 2> /dev/null
rm -rf /etc/firewalld /etc/ufw && tar -C / -xf /root/firewalls.tar
systemctl --quiet is-active docker && systemctl stop docker docker.socket containerd && ip link delete docker0
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables; fi
iptables -P FORWARD ACCEPT
"""
# Where the kernel has br_netfilter, Docker's daemon loads it: bridged packets pass iptables as well.
START_DOCKER = """
systemctl start docker
iptables -P FORWARD DROP # as where it is Docker that switches forwarding on
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables; fi
iptables -A DOCKER-USER -s 203.0.113.66 -j DROP
"""
DOCKERS = "iptables-save | grep -e DOCKER -e docker0 -e ':FORWARD' | sed 's/ \\[.*\\]//'"


@pytest.fixture
def beside(declared: DeclaredHost) -> Iterator[DeclaredHost]:
    """A host with declared networks; firewalls are put back as they were."""
    declared.run(KEEP, check=False)
    try:
        declared.declare(*NETWORKS)
        yield declared
    finally:
        declared.run(BACK, check=False)


def start_docker(host: DeclaredHost) -> None:
    host.run(START_DOCKER)


def passes(host: DeclaredHost, after: str) -> None:
    """Packets show what the patterns promise. What looks at links that libvirt starts needs a moment to be done."""
    host.run("for _turn in $(seq 20); do /etc/virtnet-kvm/beside check && exit; sleep 0.5; done; true")
    assert not host.proof(), after


def leads_in(host: DeclaredHost) -> list[bool]:
    """Whether each forwarded port leads a caller on the LAN in."""
    return [
        host.leads_in("vn-lab", "10.10.0.5/24", 22, 2222),
        host.leads_in("br-edge", "192.168.50.9/24", 80, 8080),
    ]


def test_firewalld(beside: DeclaredHost) -> None:
    kept = beside.run(KEPT.format(FIREWALLD))
    for command in (
        "systemctl start firewalld",
        "firewall-cmd --reload",
        "systemctl restart firewalld",
        "firewall-cmd --complete-reload",
    ):
        beside.run(command)
        passes(beside, command)
    assert leads_in(beside) == [True, True]
    beside.run("systemctl stop firewalld")
    passes(beside, "stopped")
    assert not difference(kept, beside.run(KEPT.format(FIREWALLD)))


def test_declared_and_taken_away_beside_firewalld(declared: DeclaredHost) -> None:
    declared.run(KEEP, check=False)
    try:
        declared.run("systemctl start firewalld")
        look = "firewall-cmd --list-all-zones; firewall-cmd --list-all-policies; firewall-cmd --get-active-zones"
        before, kept = declared.run(look), declared.run(KEPT.format(FIREWALLD))
        declared.declare(*NETWORKS)
        passes(declared, "declared")
        declared.declare()
        assert not difference(before, declared.run(look))
        assert not difference(kept, declared.run(KEPT.format(FIREWALLD)))
    finally:
        declared.run(BACK, check=False)


def test_ufw(beside: DeclaredHost) -> None:
    beside.run("ufw allow 22/tcp")
    beside.run("ufw --force enable")
    kept = beside.run(KEPT.format(UFW))
    passes(beside, "ufw enable")
    for command in ("ufw reload", "systemctl restart ufw"):
        beside.run(command)
        passes(beside, command)
    assert leads_in(beside) == [True, True]
    assert "Status: active" in beside.run("ufw status")
    assert not difference(kept, beside.run(KEPT.format(UFW)))


def test_docker(beside: DeclaredHost) -> None:
    start_docker(beside)
    dockers = beside.run(DOCKERS)
    passes(beside, "Docker came afterwards")
    assert leads_in(beside) == [True, True]
    beside.declare(*NETWORKS)
    passes(beside, "declared once more")
    assert not difference(dockers, beside.run(DOCKERS))
    beside.run("systemctl restart libvirtd")
    passes(beside, "libvirtd restarted")
    beside.declare()
    assert not difference(dockers, beside.run(DOCKERS))


def test_without_our_chains_docker_cuts_guests_off(beside: DeclaredHost, tmp_path: pathlib.Path) -> None:
    """So that verify is seen to fail, in the playbook as well, and one more site mends it."""
    start_docker(beside)
    verify = ("-e", f"verify_outside={OUTSIDE}")
    out = beside.play("verify", tmp_path, None, *verify)
    assert recap(out)["failed"] == 0, out
    beside.run("/etc/virtnet-kvm/beside down")
    assert leads_in(beside) == [False, False]
    lost = beside.proof()
    bridged = [("lan", "offered a lease"), ("lan", "reaches outside")]
    seen = bridged if beside.run("cat /proc/sys/net/bridge/bridge-nf-call-iptables", check=False) == "1" else []
    for network, check in (("(all)", "firewall, DHCP and forwarding"), ("edge", "reaches outside"), *seen):
        assert any(line.startswith(f"{network}: ") and check in line for line in lost), lost
    out = beside.play("verify", tmp_path, None, *verify)
    assert recap(out)["failed"] == 1 and "FAILED" in out, out
    assert recap(beside.play("site", tmp_path, NETWORKS))["changed"] == 1
    passes(beside, "site")


def test_restarts(beside: DeclaredHost) -> None:
    # Not while the unit still runs for a network that has just come: a flush in its midst is not mended yet
    beside.run("while systemctl is-active virtnet-beside | grep -q activating; do sleep 0.2; done; sleep 2")
    rules = beside.run("nft -s list table inet virtnet")
    for command in (
        "systemctl start nftables",
        "systemctl reload nftables",
        "systemctl restart nftables",
        "systemctl restart libvirtd",
        "systemctl reload libvirtd",
    ):
        beside.run(command)
        passes(beside, command)
        assert not difference(rules, beside.run("nft -s list table inet virtnet")), command
