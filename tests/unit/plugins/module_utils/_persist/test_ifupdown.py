# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ifupdown's stanzas: whole golden texts, reading them, and other people's."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._persist import backends, ifupdown
from ansible_collections.virtnet.kvm.plugins.module_utils._persist.model import File, Kept
from boots import KEPT, MADE, MARK, NAMED, replaced, there_and_back

GOLDEN = """\
auto br0
iface br0 inet manual
    pre-up [ -e /sys/class/net/br0 ] || ip link add name br0 type bridge
    pre-up ip link set dev br0 type bridge stp_state 1 forward_delay 400 ageing_time 6000 vlan_filtering 1 \
mcast_snooping 0 mcast_router 2 mcast_query_interval 6000 group_fwd_mask 8
    pre-up ip link set dev br0 address 52:54:00:00:00:01
    pre-up echo 0 > /proc/sys/net/ipv6/conf/br0/accept_ra
    pre-up ip link set dev eno1 mtu 1450
    pre-up ip link set dev eno1 master br0 up
    pre-up ip link set dev eno1 type bridge_slave hairpin on cost 7
    pre-up bridge vlan del dev eno1 vid 1 2> /dev/null || true
    pre-up bridge vlan add dev eno1 vid 20-29
    pre-up bridge vlan add dev eno1 vid 10 untagged
    pre-up bridge vlan add dev eno1 vid 10 pvid untagged
    pre-up [ -e /sys/class/net/bond0 ] || ip link add name bond0 type bond mode 802.3ad miimon 100 lacp_rate fast
    pre-up [ -e /sys/class/net/bond0/lower_eno2 ] || { ip link set dev eno2 down && ip link set dev eno2 master bond0; }
    pre-up ip link set dev eno2 up
    pre-up ip link set dev bond0 master br0 up
    pre-up [ -e /sys/class/net/eno3.7 ] || ip link add link eno3 name eno3.7 type vlan id 7
    pre-up ip link set dev eno3 up
    pre-up ip link set dev eno3.7 master br0 up
    pre-up [ -e /sys/class/net/vx ] || ip link add name vx type vxlan id 9 remote 192.0.2.5 dstport 4789
    pre-up ip link set dev vx master br0 up
    pre-up [ -e /sys/class/net/d0 ] || ip link add name d0 type dummy
    pre-up ip link set dev d0 address 52:54:00:00:00:07
    pre-up ip link set dev d0 mtu 1400
    pre-up ip link set dev d0 master br0 up
    pre-up [ -e /sys/class/net/v0 ] || ip link add name v0 type veth peer name v1
    pre-up ip link set dev v0 master br0 up
    pre-up bridge vlan del dev br0 vid 1 self 2> /dev/null || true
    pre-up bridge vlan add dev br0 vid 30-32 self
    pre-up ip link set dev br0 mtu 1450
    pre-up ip link set dev br0 up
    up ip address replace 192.0.2.10/24 broadcast + dev br0
    up ip address replace 2001:db8::a/64 dev br0
    up ip -4 route replace 0.0.0.0/0 via 192.0.2.1 dev br0 proto static
    up ip -6 route replace ::/0 via fe80::1 dev br0 proto static
    up ip -4 route replace 10.0.0.0/8 via 203.0.113.9 onlink dev br0 proto static metric 3 table 7
    up ip -4 route replace 10.1.0.0/16 dev br0 proto static
    dns-nameservers 192.0.2.1 2001:db8::1
    dns-search a.example b.example
    post-down ip link delete dev bond0 2> /dev/null || true
    post-down ip link delete dev eno3.7 2> /dev/null || true
    post-down ip link delete dev vx 2> /dev/null || true
    post-down ip link delete dev d0 2> /dev/null || true
    post-down ip link delete dev v0 2> /dev/null || true
    post-down ip link delete dev br0 2> /dev/null || true
iface bond0 inet manual
iface d0 inet manual
iface eno1 inet manual
iface eno2 inet manual
iface eno3.7 inet manual
iface v0 inet manual
iface vx inet manual
"""
DHCP = """\
auto br0
iface br0 inet dhcp
    pre-up [ -e /sys/class/net/br0 ] || ip link add name br0 type bridge
    pre-up echo 2 > /proc/sys/net/ipv6/conf/br0/accept_ra
    pre-up ip link set dev br0 down
    post-down ip link delete dev br0 2> /dev/null || true
iface br0 inet6 dhcp
    accept_ra 1
"""
OURS = ifupdown.path_of("br0")


@pytest.mark.parametrize(
    ("kept", "golden"),
    [(KEPT, GOLDEN), (Kept("br0", {"dhcp4": True, "dhcp6": True, "accept_ra": True, "up": False}, ()), DHCP)],
)
def test_golden(kept: Kept, golden: str) -> None:
    assert ifupdown.render(kept, {}, {}) == {OURS: File(MARK + golden)}
    assert ifupdown.broken(OURS, golden) is None and ifupdown.refused(kept) is None and not ifupdown.UNKEPT


def test_our_own_read_back() -> None:
    files = ifupdown.render(KEPT, {}, {})
    text = files[OURS].text
    assert set(ifupdown.links(OURS, text)) == NAMED
    assert set(ifupdown.devices(OURS, text)) == MADE and not ifupdown.devices(OURS, GOLDEN)
    assert ifupdown.options(files, "br0", OURS) == {"dns": KEPT.options["dns"]}
    assert ifupdown.sizes(files, "d0") == {"mtu": 1400, "mac_address": "52:54:00:00:00:07"}
    assert ifupdown.sizes(files, "br0") == {"mtu": 1450, "mac_address": "52:54:00:00:00:01"}
    assert ifupdown.sizes(files, "vx") == {}
    files = {OURS: File(MARK + DHCP)}
    assert ifupdown.options(files, "br0", OURS) == {"dhcp4": True, "dhcp6": True, "accept_ra": True}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("iface eno1 inet dhcp\niface eno1 inet6 auto\n", {"dhcp4": True, "accept_ra": True}),
        ("iface eno1 inet6 dhcp\niface eno2 inet dhcp\n# iface eno1 inet dhcp\n", {"dhcp6": True}),
        (
            "iface eno1 inet static\n dns-nameservers 192.0.2.1 \\\n  192.0.2.2\n dns-domain a\n dns-search a b\n"
            "iface eno1 inet6 manual\n dns-nameserver 192.0.2.1\n",
            {"dns": {"servers": ["192.0.2.1", "192.0.2.2"], "search": ["a", "b"]}},
        ),
        ("iface\n", {}),
    ],
)
def test_reading(text: str, told: dict) -> None:
    assert ifupdown.options({ifupdown.MAIN: File(text)}, "eno1", ifupdown.MAIN) == told


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("auto eno1\nadress 192.0.2.1\n", "the line 'adress 192.0.2.1' belongs to no stanza"),
        ("auto eno1\niface\n", "the line 'iface' ends too early"),
        ("iface eno1 inet\n", "the line 'iface eno1 inet' ends too early"),
        ("iface eno1\niface eno2 inherits t\ntemplate t inet manual\nno-auto-down eno1\nallow-x eno1\n", None),
    ],
)
def test_broken(text: str, why: str | None) -> None:
    assert ifupdown.broken(ifupdown.MAIN, text) == why
    assert ifupdown.broken(ifupdown.MAIN + ".virtnet-backup", text) is None
    assert ifupdown.links(ifupdown.MAIN, text) is not None


NAMES = "source /etc/network/interfaces.d/*\n"
READ = "# virtnet.kvm has files in /etc/network/interfaces.d:\nsource /etc/network/interfaces.d/virtnet-*"


@pytest.mark.parametrize(
    ("main", "then"),
    [
        (NAMES, NAMES),
        ("source interfaces.d/*\n", "source interfaces.d/*\n"),
        ("source-directory /etc/network/interfaces.d\n", "source-directory /etc/network/interfaces.d\n"),
        ("auto lo\n", f"auto lo\n{READ}\n"),
        ("auto lo", f"auto lo\n{READ}"),
        ("source /etc/network/interfaces.d/*.cfg\n", f"source /etc/network/interfaces.d/*.cfg\n{READ}\n"),
    ],
)
def test_ours_are_read(main: str, then: str) -> None:
    assert there_and_back("ifupdown", {ifupdown.MAIN: File(main)})[ifupdown.MAIN].text == then


def test_a_name_that_the_whole_folder_would_not_take() -> None:
    text = "source-directory /etc/network/interfaces.d\n"
    files = replaced("ifupdown", {ifupdown.MAIN: File(text)}, Kept("br0.7", {}, ()))
    assert files[ifupdown.MAIN].text == f"{text}{READ}\n"


def test_somebody_elses_stanzas_sleep_and_come_back() -> None:
    one, two = File(f"{NAMES}auto eno1\niface eno1 inet dhcp"), File("iface eno2 inet dhcp\n", 0o600)
    there = {
        ifupdown.MAIN: one,
        f"{ifupdown.FOLDER}/eno2": two,
        f"{ifupdown.FOLDER}/eno9": File("iface eno9 inet dhcp\n"),
    }
    files = there_and_back("ifupdown", there)
    assert files[ifupdown.MAIN + ".virtnet-backup"] == one and files["/etc/network/eno2.virtnet-backup"] == two
    assert {backends.of(path) for path in files} == {"ifupdown"}
    assert files[ifupdown.MAIN].text == f"{NAMES}#virtnet.kvm# auto eno1\n#virtnet.kvm# iface eno1 inet dhcp"
    edited = {**files, ifupdown.MAIN: File(files[ifupdown.MAIN].text + "\nauto eno5\n")}
    assert replaced("ifupdown", edited, None)[ifupdown.MAIN].text == one.text + "\nauto eno5\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("iface eno1 inet static\n  address 192.0.2.10/24\n  gateway 192.0.2.1\n", ["192.0.2.10"]),
        ("iface eno1 inet static\n  address 192.0.2.10\niface eno1 inet6 static\n  address 2001:db8::1/64\n", ["192.0.2.10", "2001:db8::1"]),
        ("iface eno2 inet static\n  address 192.0.2.10/24\niface eno1 inet manual\n", []),
        ("", []),
    ],
)  # fmt: skip
def test_addresses(text: str, found: list[str]) -> None:
    assert ifupdown.addresses(text, "eno1") == found
