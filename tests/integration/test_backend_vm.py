# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards beside libvirt's nftables backend, in a virtual machine: the containers' kernel lacks what that needs.

Seen from the LAN's client; a namespace on the bridge stands for the guest.
"""

from __future__ import annotations

import subprocess

import pytest
from host import Host
from virtlab.system import wait_for

pytestmark = pytest.mark.slow
LAB = {
    "name": "lab",
    "pattern": "nat",
    "address": "10.10.0.1/24",
    "address6": "fd10::1/64",
    "forwards": [{"port": 2222, "to": "10.10.0.5:22"}, {"port": 2223, "to": "[fd10::5]:22"}],
}
GUEST = """
ip netns delete g 2>/dev/null; ip link delete gtap 2>/dev/null
ip netns add g; ip link add gtap type veth peer name eth0 netns g; ip link set gtap master vn-lab up; ip -n g link set eth0 up
ip -n g address add 10.10.0.5/24 dev eth0; ip -n g route add default via 10.10.0.1
ip -n g address add fd10::5/64 dev eth0 nodad; ip -n g route add default via fd10::1
for v in 4 6; do ip netns exec g nc -$v -lk -p 22 > /dev/null 2>&1 & done
"""


@pytest.fixture(scope="module")
def vm(later_vm: Host) -> Host:
    host = later_vm
    host.close()
    host.machine.restore()
    host.run("modprobe bridge")
    host.install()
    host.run(
        "sed -i 's/^#firewall_backend.*/firewall_backend = \"nftables\"/' /etc/libvirt/network.conf && systemctl restart libvirtd"
    )
    plan = host.module("host_plan", networks=[LAB])
    assert not plan.get("failed"), plan
    for module, options in (
        ("host_services", {"networks": [LAB], "record": plan["record"]}),
        ("libvirt_network", {"networks": plan["networks"]}),
    ):
        done = host.module(module, **options)
        assert not done.get("failed") and done["changed"], done
    assert "libvirt_network" in host.run("nft list tables") and "LIBVIRT_FWI" not in host.run("iptables -S")
    return host


def reaches(vm: Host, address: str, port: int) -> bool:
    client = vm.lab.machine("client")
    words = ["nc", "-zw2", address, str(port)]
    return client.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def forwarded(vm: Host) -> bool:
    return reaches(vm, "192.0.2.11", 2222) and reaches(vm, "2001:db8:1::b", 2223)


@pytest.mark.parametrize("event", [
    "true",
    "virsh net-destroy lab; virsh net-start lab",
    "systemctl restart libvirtd",
    "systemctl restart nftables",
    "systemctl reload nftables",
])  # fmt: skip
def test_forwards_live_through(vm: Host, event: str) -> None:
    vm.run(event)
    vm.run(GUEST)
    wait_for(f"the forwards after {event}", lambda: forwarded(vm), 120, 1)
    client = vm.lab.machine("client")
    client.run(["ip", "route", "replace", "10.10.0.0/24", "via", "192.0.2.11"])
    try:
        wait_for("libvirt's shield", lambda: not reaches(vm, "10.10.0.5", 22), 60, 1)
    finally:
        client.run(["ip", "route", "delete", "10.10.0.0/24"])
    wait_for(
        "everything in its place",
        lambda: not vm.module("host_services", check=True, networks=[LAB])["services"][0]["changed"],
        60,
        1,
    )


def test_gone_when_no_longer_declared(vm: Host) -> None:
    networks = [{**LAB, "forwards": []}]
    assert vm.module("host_services", networks=networks)["changed"]
    assert not reaches(vm, "192.0.2.11", 2222) and not reaches(vm, "2001:db8:1::b", 2223)
    assert "10.10.0.5" not in vm.run("nft list ruleset")
