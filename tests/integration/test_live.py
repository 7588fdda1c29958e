# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live updates under a running guest that pings and is pinged ten times a second: nothing is lost, nothing is left over."""

from __future__ import annotations

import re
import typing

from host import Host
from lxml import etree

MAC = "52:54:00:00:00:0{}".format
SRV = {"service": "ldap", "protocol": "tcp", "domain": "d.example", "target": "x.d.example"}
OTHER = {"start": "10.30.0.110", "end": "10.30.0.155"}
RANGES = ({"start": "10.30.0.100", "end": "10.30.0.150"},)


def network(
    hosts: list[dict] = (), ranges: list[dict] = RANGES, dns: dict | None = None, **options: typing.Any
) -> dict:
    subnets = [
        {"address": "10.30.0.1/24", "dhcp": {"ranges": list(ranges), "hosts": list(hosts)}},
        {"address": "fd30::1/64"},
    ]
    return {"name": "net", "mode": "nat", "subnets": subnets, "dns": dns or {}, **options}


def reserve(number: int, ip: int, **more: str) -> dict:
    return {"mac": MAC(number), "ip": f"10.30.0.{ip}", **more}


def dns_answer(host: Host, name: str, kind: str = "A") -> str:
    return host.run(f"python3 - <<'EOF'\n{QUERY.format(name=name, kind=kind)}\nEOF")


# A DNS question in a dozen lines: the host has no dig.
QUERY = """
import socket, struct
kinds = {{"A": 1, "TXT": 16, "SRV": 33}}
labels = b"".join(bytes([len(x)]) + x.encode() for x in "{name}".split(".")) + bytes(1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.4)
for attempt in range(10):  # a dnsmasq that starts takes a moment to listen
    s.sendto(struct.pack(">HHHHHH", 7, 256, 1, 0, 0, 0) + labels + struct.pack(">HH", kinds["{kind}"], 1), ("10.30.0.1", 53))
    try:
        answer = s.recv(1500)
        break
    except TimeoutError:
        pass
else:
    print(0)  # it asks upstream, where nobody answers
    raise SystemExit
count = struct.unpack(">H", answer[6:8])[0]
rest = answer[12 + len(labels) + 4:]
print(count, ".".join(str(b) for b in rest[12:16]) if "{kind}" == "A" and count else rest[12:] if count else "")
"""

# (what, options, word that stands among the actions)
STEPS: list[tuple[str, dict, str]] = [
    ("add a reservation", network([reserve(1, 11)]), "ip-dhcp-host add"),
    ("add another", network([reserve(1, 11), reserve(2, 12)]), "ip-dhcp-host add"),
    ("swap them", network([reserve(1, 12), reserve(2, 11)]), "ip-dhcp-host delete"),
    ("move one to a free address", network([reserve(1, 13), reserve(2, 11)]), "ip-dhcp-host modify"),
    ("rotate three", network([reserve(1, 11), reserve(2, 14), reserve(3, 13)]), "ip-dhcp-host"),
    ("give one a name", network([reserve(1, 11, name="one"), reserve(2, 14), reserve(3, 13)]), "ip-dhcp-host modify"),
    ("give its name to another", network([reserve(1, 11), reserve(2, 14, name="one"), reserve(3, 13)]), "ip-dhcp-host"),
    ("another MAC for an address", network([reserve(4, 11), reserve(2, 14, name="one")]), "ip-dhcp-host modify"),
    ("a lease time", network([reserve(4, 11, lease_time="3h"), reserve(2, 14)]), "ip-dhcp-host modify"),
    ("remove all", network(), "ip-dhcp-host delete"),
    ("a second range", network(ranges=[*RANGES, {"start": "10.30.0.160", "end": "10.30.0.170"}]), "ip-dhcp-range add"),
    ("replace both ranges", network([reserve(1, 120)], ranges=[OTHER]), "ip-dhcp-range delete"),
    ("the range's lease", network([reserve(1, 120)], ranges=[{**OTHER, "lease_time": "2h"}]), "ip-dhcp-range"),
    ("back to the first range", network(), "ip-dhcp-range add"),
    ("a DNS host", network(dns={"hosts": [{"ip": "10.30.0.11", "hostnames": ["www", "ftp"]}]}), "dns-host add"),
    ("its address swapped", network(dns={"hosts": [
        {"ip": "10.30.0.12", "hostnames": ["www", "ftp"]}, {"ip": "10.30.0.11", "hostnames": ["old"]}]}), "dns-host delete"),
    ("fewer names", network(dns={"hosts": [{"ip": "10.30.0.12", "hostnames": ["www"]}]}), "dns-host"),
    ("a TXT record", network(dns={"txts": [{"name": "a.example", "value": "hello there"}]}), "dns-txt add"),
    ("another value", network(dns={"txts": [{"name": "a.example", "value": "bye"}]}), "dns-txt"),
    ("an SRV record", network(dns={"srvs": [{**SRV, "port": 389}]}), "dns-srv add"),
    ("another port", network(dns={"srvs": [{**SRV, "port": 636}]}), "dns-srv"),
    ("portgroups", network(portgroups=[{"name": "a", "default": True}, {"name": "b"}]), "portgroup add"),
    ("the other is the default", network(portgroups=[{"name": "a"}, {"name": "b", "default": True}]), "portgroup modify"),
    ("one less", network(portgroups=[{"name": "b", "default": True}]), "portgroup delete"),
    ("a forward device", network(forward={"dev": "host0"}), "forward-interface add"),
    ("none again", network(), "forward-interface delete"),
]  # fmt: skip


def test_live_updates_cost_a_running_guest_nothing(host: Host) -> None:
    host.network(**network())
    address = host.guest("g1", "net", mac=MAC(1))
    tap, bridge = host.tap("g1"), "virbr0"
    index = host.run(f"cat /sys/class/net/{tap}/ifindex")
    host.speak("g1", "ping -i 0.1 10.30.0.1 > /tmp/ping 2>&1 &")
    with host.pinger(address) as pinger:
        for what, options, action in STEPS:
            predicted = host.network(check=True, **options)
            result = host.network(**options)
            assert result == predicted, what
            assert any(action in word for word in result["actions"]), (what, result["actions"])
            assert not any(word in ("restart", "start", "stop") for word in result["actions"]), what
            assert not result["restart_required"] and not result["guests"], what
            assert not host.network(**options)["changed"], what
            assert comparable(host.xml("net")) == comparable(host.xml("net", inactive=True)), what
    assert pinger.sent > 30 and pinger.lost == 0, (pinger.sent, pinger.lost)
    assert host.tap("g1") == tap and host.run(f"cat /sys/class/net/{tap}/ifindex") == index
    assert host.master(tap) == bridge
    host.speak("g1", "killall -INT ping; sleep 0.3")
    numbers = [int(number) for number in re.findall(r"seq=(\d+)", host.speak("g1", "cat /tmp/ping"))]
    assert max(numbers) > 30 and len(set(numbers)) == max(numbers) + 1


def comparable(text: str) -> list[str]:
    """Every element with its attributes, without what is only ever in live XML: NAT's default ports, the connections."""
    root = etree.fromstring(text)
    for nat in root.findall("forward/nat"):
        nat.getparent().remove(nat)
    root.attrib.pop("connections", None)
    return sorted(
        f"{one.getparent().tag} {one.tag} {sorted(one.attrib.items())} {(one.text or '').strip()}"
        for one in root.iter()
        if one is not root
    )


def test_dnsmasq_follows(host: Host) -> None:
    """What is changed live is what the daemon serves."""
    host.network(**network(dns={"hosts": [{"ip": "10.30.0.11", "hostnames": ["www"]}]}))
    assert dns_answer(host, "www") == "1 10.30.0.11"
    host.network(**network([reserve(1, 50)], dns={
        "hosts": [{"ip": "10.30.0.12", "hostnames": ["www"]}],
        "txts": [{"name": "a.example", "value": "hello"}],
        "srvs": [{"service": "ldap", "protocol": "tcp", "domain": "d.example", "target": "x.d.example", "port": 389}],
    }))  # fmt: skip
    assert dns_answer(host, "www") == "1 10.30.0.12"
    assert "hello" in dns_answer(host, "a.example", "TXT")
    assert dns_answer(host, "_ldap._tcp.d.example", "SRV").startswith("1 ")
    assert host.guest("g1", "net", mac=MAC(1)) == "10.30.0.50"
    host.network(**network())
    assert dns_answer(host, "www").startswith("0")


def test_forward_device_reaches_the_firewall(host: Host) -> None:
    host.network(**network())
    for options, there in ((network(forward={"dev": "host0"}), True), (network(), False)):
        result = host.network(**options)
        assert any("forward-interface" in word for word in result["actions"])
        rules = host.run("iptables-save; nft list ruleset 2>/dev/null || true")
        assert bool(re.search(r"virbr0 .*host0|host0 .*virbr0", rules)) is there


def test_drift_in_live_or_in_config_only_is_seen_and_mended(host: Host) -> None:
    host.network(**network([reserve(1, 11)]))
    entry = f"<host mac='{MAC(9)}' ip='10.30.0.99'/>"
    for flag in ("--live", "--config"):
        host.virsh("net-update", "net", "add", "ip-dhcp-host", entry, flag)
        found = host.info("net")[0]
        assert "subnets" in found["drift"]
        result = host.network(**network([reserve(1, 11)]))
        assert result["changed"] and not result["restart_required"]
        assert entry not in host.xml("net") and MAC(9) not in host.xml("net", inactive=True)
        assert not host.network(**network([reserve(1, 11)]))["changed"]
        assert host.info("net")[0]["drift"] == {}


def test_dhcp_moves_to_another_subnet(host: Host) -> None:
    """libvirt serves it in one subnet of a family."""
    first, second = ({"address": f"10.3{number}.0.1/24"} for number in (1, 2))
    spans = [{"ranges": [{"start": f"10.3{number}.0.100", "end": f"10.3{number}.0.150"}]} for number in (1, 2)]
    host.network(name="net", mode="nat", subnets=[first, {**second, "dhcp": spans[1]}])
    for subnets in ([{**first, "dhcp": spans[0]}, second], [first, {**second, "dhcp": spans[1]}]):
        result = host.network(name="net", mode="nat", subnets=subnets, restart="never")
        assert "update ip-dhcp-range add" in result["actions"] and not result["restart_required"]
        assert not host.network(name="net", mode="nat", subnets=subnets)["changed"]


def test_metadata_whose_children_have_no_namespace(host: Host) -> None:
    """Text of others stays to the letter, and what can't be told live waits for the next start."""
    words = {"name": "net", "mode": "nat", "address": "10.30.0.1/24"}
    note = '<o:note xmlns:o="urn:o">Hello <o:b>big</o:b> world</o:note>'
    for tag in ("a", "b"):
        said = f'<my:tags xmlns:my="urn:me"><tag>{tag}</tag></my:tags>{note}'
        assert "define" in host.network(**words, metadata=said)["actions"]
        stored = host.xml("net", inactive=True)
        assert f"<tag>{tag}</tag>" in stored and "Hello <o:b>big</o:b> world" in stored
        assert not host.network(**words, metadata=said)["changed"]
    host.network(**words, mtu=1400, restart="always")
    assert "Hello <o:b>big</o:b> world" in host.xml("net", inactive=True)
