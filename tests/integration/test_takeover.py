# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge takes over the host's only NIC, the one that carries SSH, and gives all of it back."""

from __future__ import annotations

import json
import pathlib
import subprocess
import time

import pytest
from bridge_host import BridgeHost, difference
from test_ansible import ansible
from virtlab import inventory
from virtlab.lab import Lab
from virtlab.system import wait_for

FOUR, SIX = "192.0.2.12", "2001:db8:1::c"


class Pings:
    """The LAN's client pings the host ten times a second, in both families."""

    def __init__(self, lab: Lab, *addresses: str) -> None:
        self.client, self.addresses = lab.machine("client"), addresses or (FOUR, SIX)

    def __enter__(self) -> Pings:
        words = ["ping", "-i", "0.1", "-W", "1", "-w", "60", "-q"]
        self.running = [
            subprocess.Popen(self.client.inside([*words, address]), stdout=subprocess.PIPE, text=True)
            for address in self.addresses
        ]
        time.sleep(0.5)
        return self

    def __exit__(self, *_error) -> None:
        time.sleep(0.5)
        self.lost = []
        for one in self.running:
            subprocess.run(["pkill", "-INT", "-P", str(one.pid)], check=False)
            one.send_signal(2)
            line = next(line for line in one.communicate(timeout=10)[0].splitlines() if "packets transmitted" in line)
            sent, received = int(line.split()[0]), int(line.split()[3])
            assert sent > 5
            self.lost.append(sent - received)


@pytest.mark.parametrize("persist", ["none", "networkd"])
def test_take_over_and_back(lab: Lab, bridges: BridgeHost, persist: str) -> None:
    bridges.run("ip link set host0 mtu 1450")
    # A connection that was there before goes on with segments for 1500 bytes, which the NIC now drops without a word.
    inventory.close_connections(lab.folder)
    # a networkd that is not told (persist: none) takes routes off that are not its own (ManageForeignRoutes=)
    foreign = persist == "networkd" or bridges.release == "bookworm"
    if foreign:
        bridges.run("ip route add 10.44.0.0/16 via 192.0.2.9 dev host0 table 44 proto static")
    before, mac = bridges.snapshot(), bridges.link("host0")["address"]
    words = f"name=br0 ports=host0 inherit=true persist={persist}"
    with Pings(lab) as pings:
        out = ansible(lab, "ansible", "h2", "-m", "virtnet.kvm.linux_bridge", "-a", words)
    assert "CHANGED" in out and '"confirmed": true' in out, out
    assert max(pings.lost) <= 2, pings.lost
    assert bridges.addresses("br0") == {f"{FOUR}/24", f"{SIX}/64"} and not bridges.addresses("host0")
    assert (bridges.link("br0")["address"], bridges.link("br0")["mtu"], bridges.link("host0")["master"]) == (
        mac,
        1450,
        "br0",
    )
    routes = bridges.routes()
    wanted = ["default via 192.0.2.1 dev br0", "default via 2001:db8:1::1 dev br0"]
    wanted += ["10.44.0.0/16 via 192.0.2.9 dev br0 table 44 proto static"] if foreign else []
    for route in wanted:
        assert route in routes, routes
    assert "host0" not in routes
    assert "SUCCESS" in ansible(lab, "ansible", "h2", "-m", "virtnet.kvm.linux_bridge", "-a", words)
    if persist == "networkd":
        states = bridges.run("networkctl list --no-legend")
        assert states.count("configured") == 2, states
        assert "DNS=192.0.2.1" in bridges.run("cat /etc/systemd/network/05-virtnet-br0.network")
    with Pings(lab) as pings:
        out = ansible(
            lab, "ansible", "h2", "-m", "virtnet.kvm.linux_bridge", "-a", f"name=br0 state=absent persist={persist}"
        )
    assert "CHANGED" in out and '"confirmed": true' in out, out
    # back on the NIC, networkd sets its addresses anew, and asks for duplicates of the IPv6 one (up to 2 s)
    assert pings.lost[0] <= 2 and pings.lost[1] <= 25, pings.lost
    assert not difference(before, bridges.snapshot())


def test_the_session_of_the_run_survives(lab: Lab, bridges: BridgeHost, tmp_path: pathlib.Path) -> None:
    """One play: before, the change, and after, over the connection that was there all along."""
    play = """
- hosts: h2
  gather_facts: false
  tasks:
    - ansible.builtin.command: ps -o ppid= -p 1
    - virtnet.kvm.linux_bridge: {name: br0, ports: [host0], inherit: true, confirm_timeout: 0, persist: none}
    - ansible.builtin.command: ip -br link show br0
"""
    (tmp_path / "play.yml").write_text(play)
    out = ansible(lab, "ansible-playbook", str(tmp_path / "play.yml"))
    assert "changed=3 " in out and "failed=0" in out, out
    del bridges


def test_someone_elses_file_is_kept_and_named(bridges: BridgeHost) -> None:
    backup = "/etc/systemd/network/10-host0.network.virtnet-backup"
    text = bridges.run("cat /etc/systemd/network/10-host0.network")
    told = bridges.ask(name="br0", ports=["host0"], inherit=True, persist="auto")
    assert told["backups"] == [backup]
    assert bridges.run(f"cat {backup}") == text
    assert bridges.ask(name="br0", ports=["host0"], persist="auto")["backups"] == []
    assert bridges.ask(name="br0", state="absent", persist="auto")["backups"] == []
    assert bridges.run("ls /etc/systemd/network") == "10-host0.network"
    assert bridges.run("cat /etc/systemd/network/10-host0.network") == text


def test_dhcp_is_inherited_and_can_be_said(bridges: BridgeHost) -> None:
    bridges.run(
        "cp /etc/systemd/network/10-host0.network /root/kept.network;"
        " printf '[Match]\\nName=host0\\n[Network]\\nDHCP=ipv4\\nIPv6AcceptRA=no\\n' > /etc/systemd/network/10-host0.network;"
        " networkctl reload; networkctl reconfigure host0"
    )
    try:
        _wait_for_lease(bridges, "host0")
        done = bridges.ask(name="br0", ports=["host0"], inherit=True, persist="auto")
        assert done["bridges"][0]["after"]["dhcp4"] is True, done
        _wait_for_lease(bridges, "br0")
        assert "DHCP=ipv4" in bridges.run("cat /etc/systemd/network/05-virtnet-br0.network")
        assert not bridges.ask(name="br0", ports=["host0"], inherit=True, persist="auto")["changed"]
        info = bridges.module("linux_bridge_info", name="br0")["bridges"][0]
        assert info["backend"] == "networkd" and len(info["dynamic_addresses"]) == 1, info
        assert bridges.bridge(
            name="br0", dhcp4=False, addresses=["192.0.2.12/24"], gateway4="192.0.2.1", persist="auto"
        )["changed"]
        assert "DHCP=no" in bridges.run("cat /etc/systemd/network/05-virtnet-br0.network")
        bridges.bridge(name="br0", state="absent", persist="auto")
    finally:
        bridges.run("rm -f /etc/systemd/network/*; cp /root/kept.network /etc/systemd/network/10-host0.network")


def _wait_for_lease(bridges: BridgeHost, link: str) -> None:
    wait_for(f"a lease on {link}", lambda: any(one.get("dynamic") for one in bridges.link(link)["addr_info"]), 30)


def test_addresses_are_there_after_the_daemon_starts_anew(bridges: BridgeHost) -> None:
    """A link-local one that somebody made up, and one that was leased before, are kept as any other."""
    bridges.run(
        "ip link add br0 type bridge && ip link set br0 up && ip address add 10.20.0.7/24 dev br0 valid_lft 6000 preferred_lft 6000"
    )
    wanted = {"name": "br0", "addresses": ["10.20.0.7/24", "fe80::1/64"], "persist": "networkd"}
    found = bridges.settled(**wanted)
    assert found["after"]["addresses"] == wanted["addresses"]
    bridges.run("ip link delete br0 && systemctl restart systemd-networkd")
    wait_for("the bridge", lambda: {"10.20.0.7", "fe80::1"} <= local(bridges), 20)
    assert "valid_lft forever" in bridges.run("ip address show br0 to 10.20.0.7")
    assert not bridges.ask(**wanted)["changed"]
    bridges.settled(name="br0", addresses=[], persist="networkd")
    assert not {"10.20.0.7", "fe80::1"} & local(bridges)


def local(bridges: BridgeHost) -> set[str]:
    return {
        one["local"]
        for link in json.loads(bridges.run("ip -j address show br0 2>/dev/null || echo []"))
        for one in link["addr_info"]
    }
