# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's links as values, for tests of the pure half."""

from __future__ import annotations

import dataclasses

from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.desired import desired
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.model import Desired, Observed, State
from ansible_collections.virtnet.kvm.plugins.module_utils._kernel.values import Address, Hop, Link, Route
from ansible_collections.virtnet.kvm.plugins.module_utils._persist.model import Boot, File

MAC = "52:54:00:00:00:01"
FOREIGN = "/etc/systemd/network/10-eno1.network"


def state(**more: Link) -> State:
    """A host with one NIC that has all the addresses, a second one, and a guest's tap in a bridge."""
    own = (
        Address("192.0.2.10/24", broadcast="192.0.2.255", label="eno1"),
        Address("2001:db8::10/64"),
        Address("fe80::5054:ff:fe00:1/64", scope=253),
        Address("192.0.2.77/24", flags=0),
    )
    links = [
        Link("lo", 1, loopback=True, addresses=(Address("127.0.0.1/8", scope=254),)),
        Link("eno1", 2, mac=MAC, mtu=1450, up=True, addresses=own),
        Link("eno2", 3, mac="52:54:00:00:00:02", up=True),
        Link("br9", 4, "bridge", mac="52:54:00:00:00:09", up=True, vlans={}),
        Link("vnet0", 5, "tun", up=True, master="br9", port_kind="bridge", vlans={}),
        Link("eno9", 6, mac="52:54:00:00:00:99", up=True, master="br9", port_kind="bridge", vlans={}),
    ]
    routes = (
        Route("0.0.0.0/0", (Hop("eno1", "192.0.2.1"),)),
        Route("::/0", (Hop("eno1", "2001:db8::1"),), metric=1024),
        Route("10.44.0.0/16", (Hop("eno1", "192.0.2.9"),), table=44),
        Route("10.45.0.0/16", (Hop("eno2", "192.0.2.9"),)),
        Route("0.0.0.0/0", (Hop("eno1", "192.0.2.1"),), metric=100, protocol=16),
    )
    return State({**{link.name: link for link in links}, **more}, routes)


def boot(**files: str) -> Boot:
    text = "[Match]\nName=eno1\n[Network]\nDHCP=ipv4\nDNS=192.0.2.1\n"
    there = {FOREIGN: File(text), **{f"/etc/systemd/network/{name}": File(text) for name, text in files.items()}}
    return Boot(
        "networkd", {"eno1": {"dhcp4": True, "dns": {"servers": ["192.0.2.1"]}}}, {"eno1": FOREIGN}, there, seed="s"
    )


def observed(there: State | None = None, **more: object) -> Observed:
    there = there or state()
    if more.get("boot"):
        there = dataclasses.replace(there, files=more["boot"].files)
    return Observed(there, guests={"vnet0": "web"}, **more)


def wanted(**params: object) -> Desired:
    return desired({"persist": "none", **params})
