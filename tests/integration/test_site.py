# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Declared networks, there and back: what a host is afterwards, compared as a whole with what it was before."""

from __future__ import annotations

import pathlib

import pytest
from bridge_host import difference
from declared_host import DeclaredHost, recap
from test_ansible import ansible

SIX = [
    {"name": "lan", "pattern": "bridged", "bridge": "br0", "nic": "host0"},
    {
        "name": "lab",
        "pattern": "nat",
        "address": "10.10.0.1/24",
        "hosts": [{"mac": "52:54:00:00:10:05", "ip": "10.10.0.5", "name": "web"}],
        "forwards": [{"port": 2222, "to": "web:22"}],
    },
    {"name": "dmz", "pattern": "routed", "address": "203.0.113.1/28", "address6": "fd00:113::1/64"},
    {
        "name": "sealed",
        "pattern": "isolated",
        "address": "10.66.0.1/24",
        "host_access": False,
        "isolate_guests": True,
    },
    {"name": "lease", "pattern": "custom_routed", "bridge": "br-lease", "address": "198.51.100.1/29"},
    {
        "name": "edge",
        "pattern": "custom_nat",
        "bridge": "br-edge",
        "address": "192.168.50.1/24",
        "forwards": [{"protocol": "udp", "port": 5353, "to": "192.168.50.9:53"}],
    },
]
ONE = {"name": "net", "address": "10.77.0.1/24"}
PORT = {"forwards": [{"port": 2222, "to": "10.77.0.9:22"}]}
EACH = {
    "bridged": {"name": "net", "pattern": "bridged", "nic": "host0"},
    "routed": {**ONE, "pattern": "routed"},
    "nat": {**ONE, "pattern": "nat", **PORT},
    "isolated": {**ONE, "pattern": "isolated", "host_access": False},
    "custom_routed": {**ONE, "pattern": "custom_routed"},
    "custom_nat": {**ONE, "pattern": "custom_nat", **PORT},
}
NO_GUARD = ("-e", "host_confirm_timeout=0")


def unchanged(out: str) -> None:
    """Nothing failed, and nothing was to be done."""
    found = recap(out)
    assert (found["failed"], found["unreachable"], found["changed"]) == (0, 0, 0), out


def changed(out: str) -> None:
    """Nothing failed, and something was done."""
    found = recap(out)
    assert (found["failed"], found["unreachable"]) == (0, 0) and found["changed"] > 0, out


@pytest.mark.long
def test_there_and_back(declared: DeclaredHost, tmp_path: pathlib.Path) -> None:
    before = declared.settled_whole()
    changed(declared.play("site", tmp_path, SIX, "--check", "--diff"))
    assert not declared.becomes(before)
    changed(declared.play("site", tmp_path, SIX))
    after = declared.settled_whole()
    assert declared.active() == {one["name"] for one in SIX}
    unchanged(declared.play("site", tmp_path, SIX))
    unchanged(declared.play("site", tmp_path, SIX, "--check"))
    assert not declared.becomes(after)
    assert not declared.proof()
    changed(declared.play("teardown", tmp_path, None, "--check"))
    assert not declared.becomes(after)
    changed(declared.play("teardown", tmp_path))
    assert not declared.becomes(before)
    unchanged(declared.play("teardown", tmp_path))


OWN = """
virsh -q net-define /dev/stdin << EOX
<network><name>own</name><forward mode='nat'/><bridge name='virbr-own'/><ip address='10.33.0.1' prefix='24'>
<dhcp><range start='10.33.0.2' end='10.33.0.99'/></dhcp></ip></network>
EOX
virsh -q net-start own; virsh -q net-autostart own
virsh -q net-define /dev/stdin << EOX
<network><name>stopped</name><bridge name='virbr-stop'/></network>
EOX
ip link add br-own type bridge; ip address add 10.34.0.1/24 dev br-own; ip link set br-own up
ip route add 10.35.0.0/24 via 10.34.0.9 table 35
nft -f - << EOX
table inet own {
    chain forward { type filter hook forward priority 5; ip saddr 203.0.113.99 counter drop; }
}
EOX
for tool in iptables ip6tables; do
    $tool -N OWN; $tool -A OWN -p tcp --dport 23 -j DROP; $tool -I INPUT -j OWN; $tool -A INPUT -p tcp --dport 79 -j DROP
    $tool -A FORWARD -p tcp --dport 25 -j REJECT
done
iptables -t nat -A POSTROUTING -s 10.34.0.0/24 -o host0 -j MASQUERADE
"""
# What of it can be told apart from the declared networks' own while these are there.
LOOK = (
    "virsh -q net-dumpxml own; virsh -q net-dumpxml stopped; virsh -q net-list --all | grep -e ' own ' -e ' stopped ';"
    " ip address show br-own | grep inet | sed 's/ tentative//'; ip route show table 35; nft -s list table inet own;"
    " for tool in iptables ip6tables; do $tool-save | grep -e OWN -e 'dport 79' -e 'dport 25' -e ' 10[.]34[.]' -e virbr-own; done"
)


def test_what_is_not_declared_is_left_alone(declared: DeclaredHost, tmp_path: pathlib.Path) -> None:
    try:
        declared.run(OWN)
        before, own = declared.settled_whole(), declared.run(LOOK)
        changed(declared.play("site", tmp_path, SIX[1:]))
        assert not difference(own, declared.run(LOOK))
        unchanged(declared.play("site", tmp_path, SIX[1:]))
        changed(declared.play("teardown", tmp_path))
        assert not difference(own, declared.run(LOOK))
        assert not declared.becomes(before)
    finally:
        declared.run("ip route flush table 35", check=False)


def test_what_was_there_under_a_declared_name_is_adopted_and_stays(
    declared: DeclaredHost, tmp_path: pathlib.Path
) -> None:
    declared.define(
        "<network><name>lab</name><forward mode='nat'/><bridge name='vn-lab'/>"
        "<ip address='10.10.0.1' prefix='24'/></network>"
    )
    declared.virsh("net-start", "lab")
    declared.run("ip link add br-edge type bridge; ip address add 192.168.50.1/24 dev br-edge; ip link set br-edge up")
    index = declared.link("br-edge")["ifindex"]
    changed(declared.play("site", tmp_path, SIX[1:]))
    unchanged(declared.play("site", tmp_path, SIX[1:]))
    assert declared.link("br-edge")["ifindex"] == index
    assert not declared.proof()
    changed(declared.play("teardown", tmp_path))
    assert declared.active() == {"lab"} and declared.names() == {"lab"}
    assert "10.10.0.5" in declared.xml("lab")  # it stays as it was declared
    assert declared.link("br-edge")["ifindex"] == index
    assert declared.addresses("br-edge") == {"192.168.50.1/24"}
    assert "br-lease" not in declared.links()
    assert "virtnet" not in declared.run("nft list tables; ls /etc; iptables-save | grep VIRTNET; true")


def every_change(names: list[str]) -> list[str]:
    """A walk that takes each way from one name to another exactly once, and ends where it began."""
    ways = {name: [other for other in names if other != name] for name in names}
    walk, stack = [], [names[0]]
    while stack:
        if ways[stack[-1]]:
            stack.append(ways[stack[-1]].pop())
        else:
            walk.append(stack.pop())
    return walk[::-1]


@pytest.mark.long
def test_every_change_of_pattern_leaves_nothing_behind(declared: DeclaredHost) -> None:
    bare = declared.settled_whole()
    scratch = {}
    for pattern, network in EACH.items():
        declared.declare(network)
        scratch[pattern] = declared.settled_whole()
        declared.declare()
        assert not declared.becomes(bare), pattern
    walk = every_change(list(EACH))
    wrong = {}
    declared.declare(EACH[walk[0]])
    for old, new in zip(walk, walk[1:]):
        declared.declare(EACH[new])
        differs = declared.becomes(scratch[new])
        if differs:
            wrong[f"{old} > {new}"] = differs
            declared.declare()
            assert not declared.becomes(bare), (old, new)
            declared.declare(EACH[new])
    assert len(walk) == 31 and not wrong, "\n".join(f"{change}:\n{lines}" for change, lines in wrong.items())


def test_an_mtu_that_is_said_no_more_goes_back(declared: DeclaredHost) -> None:
    edge = {"name": "edge", "pattern": "custom_nat", "bridge": "br-edge", "address": "192.168.50.1/24"}
    seen = []
    for said in ({**edge, "mtu": 1400}, edge, edge):
        declared.declare(said)
        seen.append(declared.link("br-edge")["mtu"])
    assert seen == [1400, 1500, 1500]


# The script waits for the lock, and is stopped there.
STOPPED = """
(flock 9; exec sleep 5) 9>> /run/virtnet-beside.lock & sleep 0.5
systemctl start --no-block virtnet-beside
until systemctl show -P ActiveState virtnet-beside | grep -qx activating; do sleep 0.1; done
systemctl --quiet stop virtnet-beside 2> /dev/null; kill $!
systemctl show -P ActiveState virtnet-beside
"""


def test_a_restart_of_what_makes_room_is_no_failure(declared: DeclaredHost) -> None:
    """Whatever starts it, starts it again while it runs: a unit that has failed would be started once more, as a change."""
    declared.declare(EACH["isolated"])
    assert declared.run(STOPPED) == "inactive"


@pytest.mark.long
def test_the_playbook_changes_patterns_likewise(declared: DeclaredHost, tmp_path: pathlib.Path) -> None:
    wanted = {}
    for pattern in ("bridged", "custom_nat", "nat"):
        declared.declare(EACH[pattern])
        wanted[pattern] = declared.settled_whole()
        declared.declare()
    for pattern in ("nat", "bridged", "custom_nat", "nat"):
        changed(declared.play("site", tmp_path, [EACH[pattern]], *NO_GUARD))
        assert not declared.becomes(wanted[pattern]), pattern


BAD = [
    {"name": "a", "pattern": "magic"},
    {"name": "b", "pattern": "isolated", "address": "10.1.0.1/24", "forwards": [{"port": 1, "to": "10.1.0.5"}]},
    {"name": "c", "pattern": "bridged"},
    {"name": "d", "pattern": "bridged", "nic": "eno77"},
    {"name": "e", "pattern": "nat", "address": "10.2.0.1/24"},
    {"name": "f", "pattern": "routed", "address": "10.2.0.129/25"},
]
WORDS = (
    "network a: pattern: 'magic'",
    "network b: forwards",
    "network c: nic is missing",
    "network d: nic: 'eno77' is no link of this host",
    "network f: 10.2.0.128/25 and 10.2.0.0/24 of e",
    "guest nobody: there is no such guest",
)


def test_what_cannot_be_meant_is_refused_at_once_and_together(declared: DeclaredHost, tmp_path: pathlib.Path) -> None:
    before = declared.settled_whole()
    guests = ("-e", '{"host_guests": [{"guest": "nobody", "interfaces": [{"network": "e"}]}]}')
    out = declared.play("site", tmp_path, BAD, *guests)
    assert recap(out)["failed"] == 1 and recap(out)["changed"] == 0, out
    (line,) = [line for line in out.splitlines() if line.startswith("fatal: ")]
    assert not [words for words in WORDS if words not in line], line
    assert not declared.becomes(before)


ROLES = """
- hosts: h1
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: virtnet.kvm.nat}
      vars: {nat_name: lab, nat_address: 10.10.0.1/24, nat_forwards: [{port: 2222, to: "10.10.0.5:22"}]}
    - ansible.builtin.include_role: {name: virtnet.kvm.isolated}
      vars: {isolated_name: sealed, isolated_address: 10.66.0.1/24, isolated_host_access: false}
"""
ROLE_GONE = """
- hosts: h1
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: virtnet.kvm.nat}
      vars: {nat_name: lab, nat_state: absent}
"""


def test_a_role_a_pattern(declared: DeclaredHost, tmp_path: pathlib.Path) -> None:
    def play(text: str) -> str:
        (tmp_path / "play.yml").write_text(text)
        return ansible(declared.lab, "ansible-playbook", str(tmp_path / "play.yml"))

    sealed = {"name": "sealed", "pattern": "isolated", "address": "10.66.0.1/24", "host_access": False}
    declared.declare(sealed)
    alone = declared.settled_whole()
    declared.declare()
    changed(play(ROLES))
    assert declared.active() == {"lab", "sealed"}
    assert not declared.proof()
    unchanged(play(ROLES))
    changed(play(ROLE_GONE))
    assert declared.active() == {"sealed"}
    assert not declared.proof()
    assert not declared.becomes(alone)
    unchanged(play(ROLE_GONE))


def many(count: int) -> list[dict]:
    """Networks of all patterns in turn; one of them bridged, since the host has one NIC."""
    patterns = ("nat", "isolated", "custom_nat", "routed", "custom_routed")
    others = [
        {"name": f"n{at}", "pattern": patterns[at % len(patterns)], "address": f"10.99.{at}.1/24"}
        for at in range(count - 1)
    ]
    return [EACH["bridged"], *others]


@pytest.mark.long
def test_fifty_networks_are_as_many_tasks_as_one(declared: DeclaredHost, tmp_path: pathlib.Path) -> None:
    tasks = []
    for networks in (many(1), many(50)):
        out = declared.play("site", tmp_path, networks, *NO_GUARD)
        changed(out)
        tasks.append([line for line in out.splitlines() if line.startswith("TASK")])
    assert tasks[0] == tasks[1] and len(declared.active()) == 50
    unchanged(declared.play("site", tmp_path, many(50), *NO_GUARD))
    changed(declared.play("teardown", tmp_path, None, *NO_GUARD))
    assert not declared.names()
