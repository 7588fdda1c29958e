# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest's interfaces: plugged, changed, moved, unplugged, live and stored, looked at from the host and from inside."""

from __future__ import annotations

import json
import typing

import pytest
from host import Host
from lxml import etree
from virtlab import guest as lab_guest

MODULE = "libvirt_domain_interface"
NETWORKS = [
    {
        "name": "na",
        "mode": "nat",
        "address": "10.70.0.1/24",
        "dhcp": True,
        "portgroups": [{"name": "p"}, {"name": "q"}],
    },
    {"name": "nb", "mode": "isolated", "address": "10.71.0.1/24", "dhcp": True, "isolate_ports": True},
]
MAC = "52:54:00:70:00:0{}".format
# A q35 machine hot-plugs into spare root ports only.
SPARE = "<controller type='pci' index='0' model='pcie-root'/>" + "<controller type='pci' model='pcie-root-port'/>" * 9


def interface(host: Host, check: bool = False, **params: typing.Any) -> dict:
    """One interface's result; fails with the module's own message."""
    answer = host.module(MODULE, check=check, **params)
    assert not answer.get("failed"), answer["msg"]
    return answer["interfaces"][0]


def refused(host: Host, **params: typing.Any) -> str:
    answer = host.module(MODULE, **params)
    assert answer.get("failed"), answer
    return answer["msg"]


def make(host: Host, name: str, *interfaces: str, boot_order: bool = False) -> None:
    """A stopped guest; with a boot order on its NIC libvirt adds no <os><boot>."""
    text = "".join(interfaces) or lab_guest.interface("na", MAC(1), None)
    if boot_order:
        text = text.replace("</interface>", "<boot order='3'/></interface>", 1)
    xml = lab_guest.DOMAIN.format(name=name, folder=lab_guest.GUEST_FOLDER, interfaces=text + SPARE)
    host.virsh("define", "/dev/stdin", stdin=xml)


def start(host: Host, name: str, wait: bool = True) -> str:
    host.virsh("start", name)
    return lab_guest.wait_for_lease(host.machine, name) if wait else ""


def domain(host: Host, name: str, live: bool = False) -> str:
    return host.virsh("dumpxml", *([] if live else ["--inactive"]), name)


def elements(host: Host, name: str, live: bool = False) -> dict[str, typing.Any]:
    root = etree.fromstring(domain(host, name, live))
    return {one.find("mac").get("address"): one for one in root.iterfind("devices/interface")}


def everything(host: Host) -> list[str]:
    """Every guest, as it is stored and as it runs."""
    names = sorted(host.virsh("list", "--all", "--name").split())
    return [domain(host, name, live) for name in names for live in (False, True)]


def rows(host: Host, name: str, *flags: str) -> list[list[str]]:
    return [line.split() for line in host.virsh("domiflist", name, *flags).splitlines()]


@pytest.fixture
def nets(host: Host) -> Host:
    host.module(networks=NETWORKS)
    host.run("ip link add br-plain type bridge && ip link set br-plain up")
    return host


def foretold(host: Host, **params: typing.Any) -> dict:
    """Check mode leaves all as it is and says what the real run then does; a second real run does nothing."""
    before = everything(host)
    predicted = host.module(MODULE, check=True, **params)
    assert everything(host) == before
    result = host.module(MODULE, **params)
    assert not result.get("failed"), result["msg"]
    assert without_new_macs(predicted, predicted) == without_new_macs(result, predicted)
    again = host.module(MODULE, **params)
    assert not again["changed"], again
    assert again["interfaces"][0]["pending"] == result["interfaces"][0]["pending"]
    return result["interfaces"][0]


def without_new_macs(result: dict, predicted: dict) -> list[dict]:
    """What libvirt picks, check mode can't know."""
    found = json.loads(json.dumps(result["interfaces"]))
    for one, foretold in zip(found, predicted["interfaces"]):
        if foretold["mac"] is None:
            one["mac"] = None
            (one["after"] or {}).pop("mac", None)
    return found


# Plugging


def test_stopped_guest(nets: Host) -> None:
    make(nets, "g1")
    result = foretold(nets, guest="g1", network="nb", mac=MAC(2), link_state="down", portgroup="")
    assert result["actions"] == ["plug"] and result["before"] is None
    assert result["after"] == {"mac": MAC(2), "network": "nb", "model": "virtio", "link_state": "down"}
    assert rows(nets, "g1", "--inactive")[1][2:] == ["nb", "virtio", MAC(2)]
    result = foretold(nets, guest="g1", network="nb", state="absent")
    assert result["actions"] == ["unplug"] and result["mac"] == MAC(2) and result["after"] is None
    assert list(elements(nets, "g1")) == [MAC(1)]
    result = foretold(nets, guest=nets.virsh("domuuid", "g1"), bridge="br-plain", model="e1000e")
    assert result["guest"] == "g1" and result["actions"] == ["plug"] and result["mac"] in elements(nets, "g1")
    assert not nets.module(MODULE, guest="g1", mac=MAC(9), state="absent")["changed"]


def test_running_guest(nets: Host) -> None:
    make(nets, "g1")
    start(nets, "g1")
    result = foretold(nets, guest="g1", network="nb")
    mac = result["mac"]
    assert result["actions"] == ["plug"] and not result["restart_required"]
    live, stored = elements(nets, "g1", live=True)[mac], elements(nets, "g1")[mac]
    assert live.find("address").attrib == stored.find("address").attrib  # the guest's name for it stays
    tap = next(row[0] for row in rows(nets, "g1") if row[4] == mac)
    assert nets.master(tap) == nets.info("nb")[0]["bridge"]
    nic = nets.speak("g1", f"grep -l {mac} /sys/class/net/*/address").split("/")[4]
    nets.speak("g1", f"ip link set {nic} up; udhcpc -i {nic} -n -q -t 20 -T 1 -s /udhcpc.sh")
    address = nets.speak("g1", f"cat /run/lease-{nic}")
    assert address.startswith("10.71.0.")
    nets.run(f"ping -c 2 -W 5 {address}")
    assert "2 packets received" in nets.speak("g1", f"ping -c 2 -I {nic} 10.71.0.1")
    result = foretold(nets, guest="g1", network="nb", state="absent")
    assert result["actions"] == ["unplug"]
    assert nic not in nets.speak("g1", "ls /sys/class/net").split()
    assert mac not in elements(nets, "g1", live=True) and mac not in elements(nets, "g1")
    assert tap not in nets.run("ip -br link") and not nets.info("nb")[0]["guests"]


def test_transient_guest(nets: Host) -> None:
    text = lab_guest.DOMAIN.format(name="g1", folder=lab_guest.GUEST_FOLDER, interfaces=SPARE)
    nets.virsh("create", "/dev/stdin", stdin=text)
    result = foretold(nets, guest="g1", network="na", link_state="down")
    assert result["actions"] == ["plug"]
    result = foretold(nets, guest="g1", network="na", link_state="up", isolated=True)
    assert result["actions"] == ["update isolated, link_state"]
    assert nets.virsh("dominfo", "g1").split("Persistent:")[1].split()[0] == "no"
    assert not result["restart_required"]


# Options

FILTER = {"filter": "allow-arp", "filter_parameters": {"IP": "10.70.0.7"}}
# (option's values: set, changed, taken off; whether it changes live)
OPTIONS: list[tuple[dict, dict, dict, bool]] = [
    ({"link_state": "down"}, {"link_state": "up"}, {}, True),
    ({"isolated": True}, {"isolated": False}, {}, True),
    (FILTER, {"filter_parameters": {"IP": ["10.70.0.8", "10.70.0.9"]}}, {"filter": ""}, True),
    ({"mtu": 1400}, {"mtu": 1300}, {"mtu": 0}, False),
    ({"model": "e1000e"}, {"model": "e1000"}, {"model": "virtio"}, False),
    ({"portgroup": "p"}, {"portgroup": "q"}, {"portgroup": ""}, False),
    ({"target": "tap-one"}, {"target": "tap-two"}, {"target": ""}, False),
    ({"boot_order": 1}, {"boot_order": 2}, {"boot_order": 0}, False),
]
OVS = {"type": "openvswitch", "parameters": {"interfaceid": "c7a5fdbd-edaf-9455-926a-d65c16db1809"}}
STORED_ONLY = [
    (
        {"bandwidth": {"inbound": {"average": 1000, "peak": 2000, "burst": 64}, "outbound": {"average": 128}}},
        {"bandwidth": {"inbound": {"average": 500}}},
        {"bandwidth": {}},
        False,
    ),
    (
        {"virtualport": OVS, "vlan": {"tags": [{"id": 42}]}},
        {"vlan": {"tags": [{"id": 42, "native_mode": "untagged"}, {"id": 43}]}},
        {"vlan": {}, "virtualport": {}},
        False,
    ),
]


def test_options_of_a_stopped_guest(nets: Host) -> None:
    make(nets, "g1", boot_order=True)
    for values in [*OPTIONS, *STORED_ONLY]:
        for options in values[:3]:
            if options:
                result = foretold(nets, guest="g1", mac=MAC(1), **options)
                assert result["changed"] and not result["restart_required"]
                said = {name: value for name, value in options.items() if value and value not in ("up", "virtio")}
                assert said.items() <= {**result["after"], **{k: said[k] for k in said if k == "vlan"}}.items()
    assert interface(nets, guest="g1", mac=MAC(1))["before"] == {"mac": MAC(1), "network": "na", "model": "virtio"}
    for changed in (True, False):  # libvirt makes up an id for it, and keeps that
        assert interface(nets, guest="g1", mac=MAC(1), virtualport={"type": "openvswitch"})["changed"] is changed


def test_options_of_a_running_guest(nets: Host) -> None:
    """What libvirt changes live is live at once; the rest waits for the next start, and the result says so."""
    make(nets, "g1", boot_order=True)
    start(nets, "g1", wait=False)
    for first, second, off, changes_live in OPTIONS:
        for options in (first, second, off):
            if not options:
                continue
            result = foretold(nets, guest="g1", mac=MAC(1), **options)
            assert result["changed"]
            back = options is off and "boot_order" not in off
            assert result["restart_required"] is (not changes_live and not back), options
            assert ("live" in result["after"]) is result["restart_required"] or "boot_order" in off
    assert "live" in interface(nets, guest="g1", mac=MAC(1))["before"]  # the boot order it was started with


def test_what_the_options_mean_on_the_host(nets: Host) -> None:
    make(nets, "g1")
    start(nets, "g1")
    tap = nets.tap("g1")

    def shown(command: str) -> str:
        return nets.run(command)

    interface(nets, guest="g1", network="na", link_state="down")
    assert nets.speak("g1", "cat /sys/class/net/eth0/carrier") == "0"
    interface(nets, guest="g1", network="na", link_state="up", isolated=True)
    assert nets.speak("g1", "cat /sys/class/net/eth0/carrier") == "1"
    assert json.loads(shown(f"bridge -d -j link show dev {tap}"))[0]["isolated"]
    interface(nets, guest="g1", network="na", filter="clean-traffic", filter_parameters={"IP": "10.70.0.200"})
    nets.speak("g1", "ip addr add 10.70.0.99/24 dev eth0")
    assert "0 packets received" in nets.speak("g1", "ping -c 1 -W 1 -I 10.70.0.99 10.70.0.1")
    interface(nets, guest="g1", network="na", filter="")
    assert "1 packets received" in nets.speak("g1", "ping -c 1 -W 5 -I 10.70.0.99 10.70.0.1")


# Moving and plugging in anew


def test_moved_with_its_link_kept(nets: Host) -> None:
    """The tap and the guest's NIC stay; only the bridge is another one."""
    make(nets, "g1")
    start(nets, "g1")
    tap = nets.tap("g1")
    index = nets.run(f"cat /sys/class/net/{tap}/ifindex"), nets.speak("g1", "cat /sys/class/net/eth0/ifindex")
    bridges = {name: nets.info(name)[0]["bridge"] for name in ("na", "nb")}
    for source, bridge in (("nb", bridges["nb"]), ("na", bridges["na"]), (None, "br-plain"), ("nb", bridges["nb"])):
        result = foretold(nets, guest="g1", mac=MAC(1), **({"network": source} if source else {"bridge": bridge}))
        assert not result["restart_required"] and nets.master(tap) == bridge
        assert "isolated" not in elements(nets, "g1", live=True)[MAC(1)].attrib
        isolated = json.loads(nets.run(f"bridge -d -j link show dev {tap}"))[0]["isolated"]
        assert isolated is (source == "nb")  # what one network gives does not stick to the interface
    assert index == (nets.run(f"cat /sys/class/net/{tap}/ifindex"), nets.speak("g1", "cat /sys/class/net/eth0/ifindex"))
    nets.speak("g1", "udhcpc -i eth0 -n -q -t 20 -T 1 -s /udhcpc.sh")
    assert nets.speak("g1", "cat /run/lease-eth0").startswith("10.71.0.")
    assert [len(nets.info(name)[0]["guests"]) for name in ("na", "nb")] == [0, 1]


def test_what_waits_is_plugged_in_anew_where_that_is_allowed(nets: Host) -> None:
    make(nets, "g1")
    start(nets, "g1")
    result = foretold(nets, guest="g1", network="na", mtu=1400, link_state="down", portgroup="p")
    assert result["restart_required"] and result["pending"] == ["mtu", "portgroup"]
    assert result["actions"] == ["update link_state, mtu, portgroup"] and result["after"]["live"] == {
        "mtu": None, "portgroup": None}  # fmt: skip
    result = foretold(nets, guest="g1", network="na", mtu=1400, link_state="up", portgroup="p", replug=True)
    assert result["actions"] == ["update link_state", "replug"] and not result["restart_required"]
    assert "live" not in result["after"]
    tap = nets.tap("g1")
    assert json.loads(nets.run(f"ip -j link show {tap}"))[0]["mtu"] == 1400
    nic = nets.speak("g1", f"grep -l {MAC(1)} /sys/class/net/*/address").split("/")[4]
    assert nets.speak("g1", f"cat /sys/class/net/{nic}/mtu") == "1400"


def test_a_guest_that_does_not_let_go(nets: Host) -> None:
    """A paused guest answers nothing: the task fails in time, and what is stored is as before."""
    make(nets, "g1")
    start(nets, "g1")
    nets.virsh("suspend", "g1")
    before = everything(nets)
    for params in ({"state": "absent"}, {"mtu": 1400, "replug": True}):
        answer = nets.module(MODULE, guest="g1", mac=MAC(1), **params)
        assert answer["failed"] and answer["rolled_back"] and "does not let go" in answer["msg"], answer
        assert everything(nets) == before
    nets.virsh("resume", "g1")  # now it lets go, since it was asked
    nets.run(f"for i in $(seq 100); do virsh -q domiflist g1 | grep -q {MAC(1)} || exit 0; sleep 0.2; done; exit 1")
    assert foretold(nets, guest="g1", mac=MAC(1))["actions"] == ["plug"]


# Drift, batches, faults


def test_drift_is_mended(nets: Host) -> None:
    make(nets, "g1")
    start(nets, "g1")
    nets.virsh("domif-setlink", "g1", MAC(1), "down", "--config")
    found = interface(nets, guest="g1", mac=MAC(1))
    assert not found["changed"] and found["before"]["live"] == {"link_state": None}
    assert foretold(nets, guest="g1", mac=MAC(1), link_state="down")["actions"] == ["update link_state"]
    nets.virsh("detach-interface", "g1", "network", "--mac", MAC(1), "--config")
    assert foretold(nets, guest="g1", mac=MAC(1))["actions"] == ["plug"]
    assert elements(nets, "g1")[MAC(1)].find("link").get("state") == "down"
    nets.virsh("detach-interface", "g1", "network", "--mac", MAC(1), "--live")
    assert foretold(nets, guest="g1", network="na")["actions"] == ["plug"]
    assert MAC(1) in elements(nets, "g1", live=True)


def batch() -> list[dict]:
    return [
        {"guest": "g1", "network": "nb", "isolated": True},
        {"guest": "g1", "mac": MAC(1), "link_state": "down"},
        {"guest": "g2", "mac": MAC(3), "bridge": "br-plain"},
        {"guest": "g2", "network": "na", "state": "absent"},
    ]


def test_batch_and_every_fault_in_it(nets: Host) -> None:
    make(nets, "g1")
    make(nets, "g2", lab_guest.interface("na", MAC(2), None))
    start(nets, "g1", wait=False)
    start(nets, "g2")
    before = everything(nets)
    for step in range(1, 12):
        answer = nets.module(MODULE, interfaces=batch(), fault={"step": step, "kind": "error"})
        if not answer.get("failed"):
            break
        assert answer["rolled_back"], answer
        assert [settled(text) for text in everything(nets)] == [settled(text) for text in before], step
    assert step == 9 and answer["changed"]
    assert not nets.module(MODULE, interfaces=batch())["changed"]
    assert [one["actions"] for one in answer["interfaces"]] == [["plug"], ["update link_state"], ["plug"], ["unplug"]]
    assert [one["guest"] for one in answer["interfaces"]] == ["g1", "g1", "g2", "g2"]
    assert set(elements(nets, "g2", live=True)) == set(elements(nets, "g2")) == {MAC(3)}
    assert len(elements(nets, "g1", live=True)) == len(elements(nets, "g1")) == 2


def settled(text: str) -> list[str]:
    """A domain without the numbers that libvirt deals out anew when an interface is plugged in again."""
    root = etree.fromstring(text)
    for element in root.iterfind("devices/interface"):
        for child in [*element.findall("alias"), *element.findall("target")]:
            element.remove(child)
        element.find("source").attrib.pop("portid", None)
    root.attrib.pop("id", None)
    return sorted(" ".join(etree.tostring(one, encoding="unicode").split()) for one in root.find("devices"))


def test_a_mac_is_handed_over_in_one_batch(nets: Host) -> None:
    make(nets, "g1")
    make(nets, "g2", lab_guest.interface("na", MAC(2), None))
    items = [{"guest": "g2", "mac": MAC(1), "network": "na"}, {"guest": "g1", "mac": MAC(1), "state": "absent"}]
    assert "g1" in refused(nets, **items[0])
    assert nets.module(MODULE, interfaces=items)["changed"]
    assert list(elements(nets, "g1")) == [] and list(elements(nets, "g2")) == [MAC(2), MAC(1)]


def test_a_live_change_that_libvirt_refuses_is_not_stored_either(nets: Host) -> None:
    """The containers' kernel knows no sfq, so libvirt can set no bandwidth here; on other kernels it just works."""
    make(nets, "g1")
    start(nets, "g1", wait=False)
    before = everything(nets)
    limits = {"inbound": {"average": 1000}}
    answer = nets.module(MODULE, guest="g1", network="na", bandwidth=limits, link_state="down")
    if answer.get("failed"):
        assert answer["rolled_back"], answer
        assert [settled(text) for text in everything(nets)] == [settled(text) for text in before]
        assert nets.info("na")[0]["guests"]
    else:
        assert elements(nets, "g1", live=True)[MAC(1)].find("bandwidth") is not None


# Refusals


def test_refusals(nets: Host) -> None:
    two = lab_guest.interface("na", MAC(1), None), lab_guest.interface("na", MAC(2), None)
    make(nets, "g1", *two)
    make(nets, "g2", lab_guest.interface("nb", MAC(3), None))
    start(nets, "g2", wait=False)
    nets.module(name="stopped", mode="isolated", state="inactive")
    before = everything(nets)
    cases: list[tuple[dict, tuple[str, ...]]] = [
        ({"guest": "no", "network": "na"}, ("no", "there is no such guest", "g1, g2")),
        ({"guest": "g1", "network": "na"}, (MAC(1), MAC(2), "say which one by mac")),
        ({"guest": "g1", "network": "no"}, ("'no' does not exist", "na, nb")),
        ({"guest": "g1", "bridge": "no"}, ("'no' is no bridge", "br-plain")),
        ({"guest": "g1", "mac": MAC(1), "portgroup": "no"}, ("'no' is none of network na", "p, q")),
        ({"guest": "g1", "mac": MAC(1), "filter": "no"}, ("'no' is no network filter", "clean-traffic")),
        ({"guest": "g1", "mac": MAC(3), "network": "na"}, (MAC(3), "guest g2")),
        ({"guest": "g1", "mac": MAC(8)}, ("no interface of that address", "say network or bridge")),
        ({"guest": "g2", "mac": MAC(3), "network": "stopped"}, ("not running", "libvirt_network")),
        ({"guest": "g1", "mac": MAC(1), "boot_order": 1}, ("<os><boot", "boot orders")),
        ({"guest": "g1", "mac": MAC(1), "vlan": {"tags": [{"id": 4}]}}, ("vlan", "mode bridge")),
        ({"guest": "g1", "mac": "01:00:5e:00:00:01", "network": "na"}, ("multicast",)),
        ({"guest": "g1"}, ("mac, network or bridge",)),
        ({"network": "na"}, ("guest is missing",)),
        ({"guest": "g1", "mac": MAC(1), "target": "vnet7"}, ("libvirt's own",)),
        ({"guest": "g1", "interfaces": []}, ("exclude each other",)),
        (
            {"interfaces": [{"guest": "g1", "network": "nb"}, {"guest": "g2", "network": "no"}]},
            ("'no' does not exist",),
        ),
        ({"interfaces": [{"guest": "g2", "network": "nb"}, {"guest": "g2", "mac": MAC(3)}]}, ("more than one item",)),
    ]
    for params, words in cases:
        message = refused(nets, **params)
        assert all(word in message for word in words), message
        assert "rolled_back" not in nets.module(MODULE, **params)
    assert everything(nets) == before
