# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module or libvirtd killed before any step: the next run converges, and nothing that was there before is lost."""

from __future__ import annotations

import pytest
from host import Host

A = {"name": "a", "mode": "nat", "address": "10.80.0.1/24", "dhcp": True}
B = {"name": "b", "mode": "isolated", "address": "10.81.0.1/24"}
WANTED = {"networks": [{**A, "mtu": 1400}, B, {"name": "c", "state": "absent"}], "restart": "always"}
STEPS = 9  # stop, undefine c; define a, b; autostart b; stop a; start a, b; plug the guest


def prepare(host: Host) -> str:
    host.module(networks=[A, {"name": "c", "mode": "isolated"}])
    host.define("<network><name>theirs</name><dns><txt name='a' value='b'/></dns></network>")
    return host.guest("g1", "a", mac="52:54:00:00:00:01")


def converged(host: Host, address: str, theirs: str) -> None:
    result = host.module(**WANTED)
    assert not result.get("failed"), result.get("msg")
    assert not host.module(**WANTED)["changed"]
    assert host.active() == {"a", "b"} and host.names() == {"a", "b", "theirs"}
    assert "1400" in host.xml("a") and host.xml("theirs", inactive=True) == theirs
    assert host.master(host.tap("g1")) == "virbr0" and "connections='1'" in host.xml("a")
    assert "1 received" in host.run(["ping", "-c1", "-W2", address])


def test_killed_before_any_step(host: Host) -> None:
    """One guest for all of it: it lives through every single kill."""
    address = prepare(host)
    theirs = host.xml("theirs", inactive=True)
    for step in range(1, STEPS + 1):
        assert host.module(fault={"kind": "kill module", "step": step}, **WANTED) == {"killed": True}, step
        converged(host, address, theirs)
        host.module(networks=[A, {"name": "b", "state": "absent"}, {"name": "c", "mode": "isolated"}], restart="always")
    assert not host.module(fault={"kind": "kill module", "step": STEPS + 1}, **WANTED).get("killed")


@pytest.mark.parametrize("step", [3, 7, 9])
def test_libvirtd_killed_in_the_middle(host: Host, step: int) -> None:
    address = prepare(host)
    theirs = host.xml("theirs", inactive=True)
    answer = host.module(fault={"kind": "kill libvirtd", "step": step}, **WANTED)
    if answer.get("failed"):
        assert answer["rolled_back"] is True, answer["msg"]
        assert host.active() == {"a", "c"} and "1400" not in host.xml("a")
        assert host.master(host.tap("g1")) == "virbr0"
        # libvirtd itself plugs guests in again when it starts, and spanning tree lets nobody talk for four seconds
        host.run(f"for again in 1 2 3 4 5 6 7 8 9 10; do ping -c1 -W1 {address} && exit; sleep 0.5; done; exit 1")
    converged(host, address, theirs)


def test_libvirtd_restarted_changes_nothing(host: Host) -> None:
    host.network(**A)
    address = host.guest("g1", "a")
    host.run("systemctl restart libvirtd")
    assert not host.network(**A)["changed"]
    assert "1 received" in host.run(["ping", "-c1", "-W2", address])
