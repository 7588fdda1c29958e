# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode leaves every byte as it was, and says what the real run then does, for every kind of step."""

from __future__ import annotations

import copy

import pytest
from host import Host

NET = {"name": "net", "mode": "nat", "address": "10.60.0.1/24", "dhcp": True}
HOSTS = [{"mac": "52:54:00:00:00:01", "ip": "10.60.0.5"}]
LONG = {"name": "net", "mode": "nat", "subnets": [{"address": "10.60.0.1/24", "dhcp": {
    "ranges": [{"start": "10.60.0.2", "end": "10.60.0.254"}], "hosts": HOSTS}}]}  # fmt: skip

# what: (before, then, actions)
CASES = {
    "define and start": (None, NET, ["define", "autostart", "start"]),
    "define only": (None, {**NET, "state": "inactive"}, ["define"]),
    "define without start": (None, {**NET, "state": "present"}, ["define", "autostart"]),
    "nothing": (NET, NET, []),
    "absent": (None, {"name": "net", "state": "absent"}, []),
    "autostart off": (NET, {**NET, "autostart": False}, ["no autostart"]),
    "update": (NET, LONG, ["define", "update ip-dhcp-host add"]),
    "restart": (NET, {**NET, "mtu": 1400}, ["define", "restart"]),
    "store only": (NET, {**NET, "mtu": 1400, "restart": "never"}, ["define"]),
    "change of a stopped one": ({**NET, "state": "inactive"}, {**NET, "mtu": 1400, "state": "inactive"}, ["define"]),
    "start": ({**NET, "state": "inactive"}, {"name": "net", "autostart": False}, ["start"]),
    "stop": (NET, {"name": "net", "state": "inactive"}, ["stop"]),
    "remove a running one": (NET, {"name": "net", "state": "absent"}, ["stop", "undefine"]),
    "remove an inactive one": ({**NET, "state": "inactive"}, {"name": "net", "state": "absent"}, ["undefine"]),
    "another mode": (NET, {"name": "net", "mode": "bridge", "bridge": "br-own"}, ["define", "restart"]),
    "by XML": (NET, {"name": "net", "xml": "<network><name>net</name></network>"}, ["define", "restart"]),
}


def without_libvirts_choice(result: dict) -> dict:
    """libvirt alone chooses these when a network is new; the diff says them too."""
    result = copy.deepcopy(result)
    for network in result["networks"]:
        for name in ("uuid", "mac_address", "bridge"):
            if network["before"] is None and network["after"]:
                network["after"].pop(name, None)
    for diff in result["diff"]:
        if not diff["before"]:
            lines = diff["after"].splitlines()
            diff["after"] = [line for line in lines if not line.startswith(("uuid", "mac_address", "bridge"))]
    return result


@pytest.mark.parametrize("case", CASES)
def test_check_mode(host: Host, case: str) -> None:
    host.run("ip link add br-own type bridge")
    before, then, actions = CASES[case]
    if before:
        host.network(**before)
    state = host.state()
    predicted = host.module(check=True, **then)
    assert host.state() == state
    result = host.module(**then)
    if case == "another mode" or case == "by XML":
        predicted, result = (without_chosen(one) for one in (predicted, result))
    assert without_libvirts_choice(result) == without_libvirts_choice(predicted)
    assert result["networks"][0]["actions"] == actions
    assert result["changed"] is bool(actions) and bool(result["diff"]) is bool(actions)


def without_chosen(result: dict) -> dict:
    """A network that gets a bridge of its own only now gets what libvirt chooses."""
    result = copy.deepcopy(result)
    for network in result["networks"]:
        for name in ("mac_address", "bridge"):
            network["after"].pop(name, None)
    for diff in result["diff"]:
        diff["after"] = [line for line in diff["after"].splitlines() if not line.startswith(("mac_address", "bridge"))]
    return result


def test_check_mode_of_a_removal_on_disk(host: Host) -> None:
    """What community.libvirt gets wrong: an inactive network stays where it is."""
    host.network(**NET, state="inactive")
    path = "/etc/libvirt/qemu/networks/net.xml"
    before = host.run(["cat", path])
    assert host.module(name="net", state="absent", check=True)["changed"]
    assert host.run(["cat", path]) == before
    assert host.module(name="net", state="absent")["changed"]
    assert "No such file" in host.run(["cat", path], check=False)
