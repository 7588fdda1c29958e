# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's only NIC into a bridge, on hosts of every backend: kept for the next boot, and all given back.

Each test gives back what it took; `kept` looks, and fails where it did not.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import drills
import pytest
from kept_host import KeptHost, raised
from test_takeover import Pings
from virtlab.boot import BACKENDS
from virtlab.lab import Lab
from virtlab.system import wait_for

pytestmark = pytest.mark.long


@pytest.fixture(scope="module", params=BACKENDS)
def lab_of(request: pytest.FixtureRequest, release: str) -> Iterator[Lab]:
    with raised("be", request.param, release) as lab:
        yield lab


def test_take_over_and_back(kept: KeptHost) -> None:
    before, dns, text = kept.everything(), kept.dns(kept.nic), kept.text(kept.backend.foreign)
    told = kept.take_over(check=True)
    assert kept.everything() == before
    with Pings(kept.lab, *(one.split("/")[0] for one in sorted(kept.own))) as pings:
        done = kept.take_over()
    assert max(pings.lost) <= 2, pings.lost
    assert told["bridges"][0]["actions"] == done["bridges"][0]["actions"]
    assert told["backups"] == done["backups"] == [kept.backend.backup]
    assert kept.text(kept.backend.backup) == text
    assert kept.addresses("br0") == kept.own and not kept.addresses(kept.nic)
    assert "default via 192.0.2.1 dev br0" in kept.routes() and kept.nic not in kept.routes()
    assert kept.dns("br0") == dns and "router.lan.example" in kept.run("getent hosts router.lan.example")
    seen = kept.run(kept.backend.view)
    assert all(line in seen.splitlines() for line in kept.backend.bridged.splitlines()), seen
    again = kept.take_over()
    assert not again["changed"] and again["backups"] == [], again
    info = kept.module("linux_bridge_info", name="br0")["bridges"][0]
    assert info["backend"] == kept.backend.persist
    assert not kept.ask(name="br0", persist="auto", **info["definition"])["changed"]
    with Pings(kept.lab, *(one.split("/")[0] for one in sorted(kept.own))) as pings:
        gone = kept.give_back()
    print(f"{kept.machine.backend}: lost {pings.lost} on the way back")
    assert gone["changed"] and gone["backups"] == []
    assert not kept.give_back()["changed"]


def test_a_reboot_in_between(kept: KeptHost) -> None:
    kept.take_over(
        stp={"enabled": True, "forward_delay": 4},
        routes=[{"to": "10.60.0.0/16", "via": "192.0.2.9"}],
        gateway4="192.0.2.1",
        gateway6="2001:db8:1::1",
    )
    kept.come_to_rest()  # spanning tree listens first
    before, dns = kept.everything(), kept.dns("br0")
    kept.booted()
    kept.settled_like(before)
    assert kept.dns("br0") == dns and kept.link("br0")["linkinfo"]["info_data"]["forward_delay"] == 400
    assert not kept.take_over()["changed"], kept.take_over(check=True)
    assert kept.take_over(routes=[], gateway4="192.0.2.1", gateway6="2001:db8:1::1")["changed"]
    assert "10.60.0.0/16" not in kept.routes()
    kept.give_back()


def test_without_inherit_it_runs_as_it_will_after_a_boot(kept: KeptHost) -> None:
    with Pings(kept.lab, *(one.split("/")[0] for one in sorted(kept.own))) as pings:
        done = kept.take_over(inherit=False, addresses=sorted(kept.own), gateway4="192.0.2.1", gateway6="2001:db8:1::1")
    assert done["changed"] and max(pings.lost) <= 2, pings.lost
    assert kept.addresses("br0") == kept.own and not kept.addresses(kept.nic)
    more = ["203.0.113.77/24", "2001:db8:77::77/64"]
    kept.take_over(inherit=False, addresses=more, gateway4="203.0.113.1", gateway6="2001:db8:77::1")
    assert kept.addresses("br0") == set(more) and not kept.addresses(kept.nic)
    kept.give_back()
    assert kept.addresses(kept.nic) >= kept.own
    kept.booted()


def test_what_the_nic_had_is_not_left_on_it(kept: KeptHost) -> None:
    kept.take_over(inherit=False, addresses=["203.0.113.77/24"], gateway4="203.0.113.1")
    assert kept.addresses("br0") == {"203.0.113.77/24"} and not kept.addresses(kept.nic)
    assert "default via 203.0.113.1 dev br0" in kept.routes() and kept.nic not in kept.routes()
    before = kept.everything()
    kept.booted()
    kept.settled_like(before)
    kept.give_back()
    assert kept.addresses(kept.nic) >= kept.own
    kept.booted()


def test_dhcp(kept: KeptHost) -> None:
    text, mode = kept.text(kept.backend.foreign), kept.run(["stat", "-c", "%a", kept.backend.foreign])
    resolv = kept.text("/etc/resolv.conf")
    kept.machine.put(kept.backend.foreign, kept.backend.dhcp, int(mode, 8))
    kept.booted()
    try:
        before, lease = kept.everything(), kept.addresses(kept.nic)
        assert leased(kept, kept.nic)
        done = kept.take_over()
        assert done["bridges"][0]["after"]["dhcp4"] is True, done
        wait_for("a lease on br0", lambda: leased(kept, "br0"), 30)
        assert kept.addresses("br0") == lease and "default via 192.0.2.1 dev br0" in kept.routes()
        assert not kept.take_over()["changed"], kept.take_over(check=True)
        info = kept.module("linux_bridge_info", name="br0")["bridges"][0]
        assert info["definition"]["dhcp4"] is True and len(info["dynamic_addresses"]) == 1, info
        kept.booted()
        wait_for("a lease on br0", lambda: leased(kept, "br0"), 30)
        assert not kept.take_over()["changed"], kept.take_over(check=True)
        kept.give_back()
        wait_for("a lease on the NIC", lambda: leased(kept, kept.nic), 30)
        kept.settled_like(before)
    finally:
        kept.machine.put(kept.backend.foreign, text + "\n", int(mode, 8))
        kept.machine.put("/etc/resolv.conf", resolv + "\n")  # without resolvconf, what a lease has brought stays
        kept.booted()


SECOND = """ip link add x0 type veth peer name x1 && ip link set x1 up && nmcli device set x0 managed yes
nmcli connection add type ethernet ifname x0 con-name x0 ipv4.method disabled ipv6.method link-local && nmcli connection up x0
until ip -6 route | grep -q 'fe80::/64 dev x0'; do sleep 0.1; done"""


def test_a_second_nic_is_left_alone(kept: KeptHost) -> None:
    """NetworkManager makes the routes to link-local addresses itself, one a NIC."""
    if kept.backend.unit != "NetworkManager":
        pytest.skip("the others leave them to the kernel")
    try:
        kept.run(SECOND)
        there = kept.run("ip address show x0")
        kept.take_over()
        assert kept.run("ip address show x0") == there and "fe80::/64 dev x0" in kept.run("ip -6 route")
        kept.give_back()
    finally:
        kept.run("nmcli connection delete x0; ip link delete x0")


def test_netplans_own_view(kept: KeptHost) -> None:
    if kept.machine.backend != "netplan":
        pytest.skip("`netplan status` asks networkd: without it, 0.106 tells nothing")
    kept.take_over()
    seen = json.loads(kept.run("netplan status --all --format json 2>/dev/null").splitlines()[-1])
    assert {link: (seen[link]["backend"], seen[link]["id"]) for link in ("br0", kept.nic)} == {
        link: ("networkd", link) for link in ("br0", kept.nic)
    }
    told = {f"{address}/{more['prefix']}" for one in seen["br0"]["addresses"] for address, more in one.items()}
    assert kept.own <= told and not any(
        "flags" not in more for one in seen[kept.nic].get("addresses", []) for more in one.values()
    )
    kept.give_back()


def leased(kept: KeptHost, link: str) -> bool:
    return any(one.get("dynamic") for one in kept.link(link)["addr_info"] if one["family"] == "inet")


def test_a_bridge_without_ports_is_not_waited_for(kept: KeptHost) -> None:
    """NetworkManager goes on to connect it for as long as it has no carrier."""
    begun = time.monotonic()
    assert kept.ask(name="lone0", persist="auto", addresses=["10.61.0.1/24"])["changed"]
    assert time.monotonic() - begun < 12
    assert not kept.ask(name="lone0", persist="auto", addresses=["10.61.0.1/24"])["changed"]
    assert kept.addresses("lone0") == {"10.61.0.1/24"}
    begun = time.monotonic()
    assert kept.ask(name="lone0", persist="auto", state="absent")["changed"]
    assert time.monotonic() - begun < 12


def test_many_bridges_take_no_longer_each_than_few(kept: KeptHost) -> None:
    """With nothing to do; all files are looked at, once."""
    few, many = ([{"name": f"many{n}"} for n in range(count)] for count in (10, 80))
    assert kept.ask(bridges=many, persist="auto")["changed"]
    took = []
    for bridges in (few, many):
        begun = time.monotonic()
        assert not kept.ask(bridges=bridges, persist="auto")["changed"]
        took.append(time.monotonic() - begun)
    gone = [{"name": bridge["name"], "state": "absent"} for bridge in many]
    assert kept.ask(bridges=gone, persist="auto")["changed"]
    print(f"{kept.machine.backend}: {took[0]:.2f} s for 10, {took[1]:.2f} s for 80")
    assert took[1] < 8 * took[0]


def test_what_a_link_stands_on_may_be_said_later(kept: KeptHost) -> None:
    under = {"name": "under0", "addresses": ["10.61.0.1/24"]}
    link = {"name": "vx1", "type": "vxlan", "id": 5, "parent": "under0", "remote": "10.61.0.9", "dstport": 4789}
    both = [{"name": "over0", "ports": [link]}, under]
    assert kept.ask(bridges=[under])["changed"]
    answer = kept.ask(bridges=both, persist="auto")
    assert answer.get("changed") and not kept.ask(bridges=both, persist="auto")["changed"], answer
    assert kept.addresses("under0") == {"10.61.0.1/24"} and not kept.addresses("over0")  # made up by nobody either
    gone = [{"name": one["name"], "state": "absent"} for one in both]
    assert kept.ask(bridges=gone, persist="auto")["changed"]


# What is bad


def test_a_half_written_file(kept: KeptHost) -> None:
    path, text = kept.backend.half
    kept.machine.put(path, text, 0o600)
    try:
        before = kept.everything()
        said = kept.refused(name="br0", ports=[kept.nic], inherit=True, persist="auto")
        assert path in said and "can't be understood" in said and "\n" not in said, said
        assert kept.everything() == before
    finally:
        kept.run(["rm", path])


@pytest.mark.parametrize("how", ["read_only", "full"])
def test_no_place_for_its_files(kept: KeptHost, how: str) -> None:
    with getattr(kept, how)():
        before = kept.everything()
        answer = kept.ask(name="br0", ports=[kept.nic], inherit=True, persist="auto")
        assert answer.get("failed") and answer["rolled_back"] is True, answer
        assert kept.backend.folder in answer["msg"] and "\n" not in answer["msg"], answer["msg"]
        kept.settled_like(before)


def test_a_daemon_that_does_not_run(kept: KeptHost) -> None:
    name = kept.backend.persist
    with kept.stopped():
        said = kept.refused(name="br0", ports=[kept.nic], inherit=True, persist=name)
        assert said == f"persist: {name}: it does not run here; start it, or say persist: none"


def test_an_option_that_it_can_not_keep(kept: KeptHost) -> None:
    options, word = kept.backend.unkept
    said = kept.refused(**{"name": "br0", "ports": [kept.nic], "inherit": True, "persist": "auto", **options})
    assert said.startswith(f"bridge br0: {word}: {kept.backend.persist} can't keep it"), said


# What a container's kernel can't do is drilled in virtual machines, and with it the rest again.
@pytest.mark.parametrize("drill", range(int(os.environ.get("VIRTNET_DRILLS", "1"))))
@pytest.mark.parametrize("how", sorted(drills.EVERY.keys() - {"wrong VLAN"}))
def test_nobody_is_locked_out(kept: KeptHost, how: str, drill: int) -> None:
    kept.drill(how)
