# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkManager's profiles: whole golden texts, reading them, and other people's."""

from __future__ import annotations

import dataclasses
import uuid

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._persist import networkmanager
from ansible_collections.virtnet.kvm.plugins.module_utils._persist.model import File, Kept
from boots import KEPT, MADE, MARK, NAMED, replaced, there_and_back

# Without the lines that every profile has: its id, uuid, link and priority.
GOLDEN = {
    "br0": """
[connection]
type=bridge
autoconnect-slaves=1

[ethernet]
mtu=1450
cloned-mac-address=52:54:00:00:00:01

[bridge]
stp=true
forward-delay=4
ageing-time=60
group-forward-mask=8
vlan-filtering=true
multicast-snooping=false
multicast-query-interval=6000
multicast-router=enabled
vlans=30-32

[ipv4]
method=manual
address1=192.0.2.10/24
gateway=192.0.2.1
route1=10.0.0.0/8,203.0.113.9,3
route1_options=table=7,onlink=true
route2=10.1.0.0/16,,0
route-metric=0
dns=192.0.2.1;
dns-search=a.example;b.example;

[ipv6]
method=manual
address1=2001:db8::a/64
route1=::/0,fe80::1,1024
route-metric=256
addr-gen-mode=eui64
dns=2001:db8::1;
""",
    "eno1": """
[connection]
type=ethernet
master=br0
slave-type=bridge

[ethernet]
mtu=1450

[bridge-port]
path-cost=7
hairpin-mode=true
vlans=20-29, 10 pvid untagged
""",
    "bond0": """
[connection]
type=bond
autoconnect-slaves=1
master=br0
slave-type=bridge

[bond]
mode=802.3ad
miimon=100
lacp_rate=fast
""",
    "eno2": """
[connection]
type=ethernet
master=bond0
slave-type=bond
""",
    "eno3.7": """
[connection]
type=vlan
master=br0
slave-type=bridge

[vlan]
parent=eno3
id=7
""",
    "vx": """
[connection]
type=vxlan
master=br0
slave-type=bridge

[vxlan]
id=9
remote=192.0.2.5
destination-port=4789
""",
    "d0": """
[connection]
type=dummy
master=br0
slave-type=bridge

[ethernet]
mtu=1400
cloned-mac-address=52:54:00:00:00:07
""",
    "v0": """
[connection]
type=veth
master=br0
slave-type=bridge

[veth]
peer=v1
""",
    "v1": """
[connection]
type=veth

[veth]
peer=v0

[ipv4]
method=disabled

[ipv6]
method=ignore
""",
}
DHCP = Kept("br0", {"dhcp4": True, "accept_ra": True, "dns": {"search": ["a.example"]}}, ())


@pytest.mark.parametrize("link", GOLDEN)
def test_golden(link: str) -> None:
    file = networkmanager.render(KEPT, {}, {})[networkmanager.path_of(link)]
    usual = (
        f"id=virtnet-{link}\nuuid={networkmanager.uuid_of('br0', link)}\n",
        f"interface-name={link}\nautoconnect-priority=100\n",
    )
    assert file.mode == 0o600 and all(file.text.count(lines) == 1 for lines in usual)
    assert file.text.replace(usual[0], "").replace(usual[1], "") == MARK + GOLDEN[link]


def test_golden_whole() -> None:
    files = networkmanager.render(DHCP, {}, {})
    assert files == {networkmanager.path_of("br0"): File(MARK + WHOLE, 0o600)}
    assert networkmanager.options(files, "br0", "") == {
        "dhcp4": True, "accept_ra": True, "dns": {"search": ["a.example"]},
    }  # fmt: skip


WHOLE = """
[connection]
id=virtnet-br0
uuid=7de4da61-3c84-59fb-a77f-e0b02dff35e1
type=bridge
interface-name=br0
autoconnect-priority=100
autoconnect-slaves=1

[bridge]
stp=false

[ipv4]
method=auto
route-metric=0
dns-search=a.example;

[ipv6]
method=auto
route-metric=256
addr-gen-mode=eui64
"""


def test_our_own_read_back() -> None:
    files = networkmanager.render(KEPT, {}, {})
    told = {path: file.text for path, file in files.items()}
    assert {link for path, text in told.items() for link in networkmanager.links(path, text)} == {*NAMED, "v1"}
    assert {link for path, text in told.items() for link in networkmanager.devices(path, text)} == {*MADE, "v1"}
    assert networkmanager.options(files, "br0", "") == {"dns": KEPT.options["dns"]}
    assert networkmanager.sizes(files, "d0") == {"mtu": 1400, "mac_address": "52:54:00:00:00:07"}
    assert networkmanager.sizes(files, "vx") == networkmanager.sizes(files, "none") == {}
    assert all(networkmanager.broken(path, text) is None for path, text in told.items())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[ipv4]\nmethod=auto\n[ipv6]\nmethod=auto\n", {"dhcp4": True, "accept_ra": True}),
        ("[ipv4]\nmethod=manual\n[ipv6]\nmethod=dhcp\n", {"dhcp6": True}),
        ("[ipv4]\nmethod=disabled\n[ipv6]\nmethod=link-local\n[proxy]\n", {}),
        (
            "[ipv4]\ndns=192.0.2.1;192.0.2.2;\ndns-search=a;b;\n[ipv6]\ndns=2001:db8::1\ndns-search=\n",
            {"dns": {"servers": ["192.0.2.1", "192.0.2.2", "2001:db8::1"], "search": ["a", "b"]}},
        ),
    ],
)
def test_reading(text: str, told: dict) -> None:
    assert networkmanager.options({"/run/x.nmconnection": File(text)}, "eno1", "/run/x.nmconnection") == told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"pvid": 10, "untagged": [10], "tagged": ["20-29"]}, "20-29, 10 pvid untagged"),
        ({"pvid": 20, "tagged": ["19-21"]}, "19, 20 pvid, 21"),
        ({"pvid": 1, "untagged": ["1-4"]}, "1 pvid untagged, 2-4 untagged"),
        ({"tagged": [5]}, "5"),
        ({}, ""),
    ],
)
def test_vlans(said: dict, told: str) -> None:
    assert networkmanager.vlans(said) == told


@pytest.mark.parametrize(
    ("options", "ports", "why"),
    [
        ({}, (), None),
        ({"up": False}, (), "up: false"),
        ({"stp": {"max_age": 10.5}}, (), "stp.max_age: 10.5: it keeps whole seconds from 6 on"),
        ({"stp": {"max_age": 5}}, (), "stp.max_age: 5"),
        ({"ageing_time": 0.5}, (), "ageing_time: 0.5: it keeps whole seconds from 0 on"),
        ({}, ({"name": "bond9", "kind": "bond"},), "port bond9: it is a bond that another profile makes"),
        ({}, ({"name": "p0", "kind": "veth"}, {"name": "eno1", "kind": ""}), None),
        ({"multicast": {"hash_max": 5000}}, (), "multicast.hash_max: 5000: it keeps powers of two"),
        ({"multicast": {"hash_max": 512}}, (), None),
        ({"stp": {"forward_delay": 1}}, (), "stp.forward_delay: 1"),
        (
            {"addresses": ["192.0.2.1/24"], "dns": {"servers": ["192.0.2.53", "2001:db8::53"]}},
            (),
            "dns.servers: 2001:db8::53",
        ),
        ({"addresses": ["2001:db8::1/64"], "dns": {"servers": ["192.0.2.53"]}}, (), "dns.servers: 192.0.2.53"),
        ({"dhcp4": True, "accept_ra": True, "dns": {"servers": ["192.0.2.53", "2001:db8::53"]}}, (), None),
        ({"dns": {"search": ["a.example"]}}, (), "dns.search"),
        (
            {"vlan": {"filtering": True}},
            ({"name": "eno1", "vlans": {"tagged": ["2-9"]}},),
            "port eno1: vlans: without VLAN 1",
        ),
        ({"vlan": {"filtering": True}}, ({"name": "eno1", "vlans": {}},), "port eno1: vlans: without VLAN 1"),
        ({"vlan": {"filtering": True}}, ({"name": "eno1", "vlans": {"tagged": ["1-9"]}},), None),
        ({"vlan": {"filtering": True, "self": {"tagged": ["10"]}}}, (), "vlan.self: without VLAN 1"),
        ({"vlan": {"filtering": True, "default_pvid": 0}}, ({"name": "eno1", "vlans": {}},), None),
        ({"vlan": {}}, ({"name": "eno1", "vlans": {}},), None),
    ],
)
def test_refused(options: dict, ports: tuple, why: str | None) -> None:
    told = networkmanager.refused(Kept("br0", options, ports))
    assert (told or "").startswith(why or "") and bool(told) == bool(why)


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({"dhcp4": True, "gateway4": "192.0.2.1"}, "method=auto\nroute1=0.0.0.0/0,192.0.2.1,0"),
        ({"addresses": ["192.0.2.2/24"], "gateway4": "192.0.2.1"}, "address1=192.0.2.2/24\ngateway=192.0.2.1"),
        (
            {"addresses": ["2001:db8::2/64"], "dns": {"search": ["a.example"]}},
            "addr-gen-mode=eui64\ndns-search=a.example;",
        ),
    ],
)
def test_what_its_reader_takes(options: dict, lines: str) -> None:
    """It refuses a whole profile for a key that has no place beside its method (nm_connection_normalize)."""
    (text,) = [file.text for file in networkmanager.render(Kept("br0", options, ()), {}, {}).values()]
    assert lines in text and text.count("dns-search") <= 1


def test_unkept() -> None:
    assert {"ports.isolated", "multicast.stats"} <= networkmanager.UNKEPT
    assert not {"ports.hairpin", "ports.cost", "vlan.filtering", "multicast.querier"} & networkmanager.UNKEPT


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[connection]\nid=x\n# y\n; z\n", None),
        ("id=x\n", "the line 'id=x' belongs nowhere"),
        ("[connection\nid=x\n", "the line '[connection' belongs nowhere"),
        ("[connection]\ninterface-na\n", "the line 'interface-na' belongs nowhere"),
    ],
)
def test_broken(text: str, why: str | None) -> None:
    assert networkmanager.broken("/x/a.nmconnection", text) == why
    assert networkmanager.broken("/x/a.nmconnection.virtnet-backup", text) is None


def test_ids() -> None:
    assert networkmanager.id_of("/x/a.nmconnection", "[connection]\nuuid=u-1\n") == "u-1"
    nameless = networkmanager.id_of("/x/a.nmconnection", "[connection]\nid=a\n")
    assert uuid.UUID(nameless).version == 3 and nameless == networkmanager.id_of("/y/a.nmconnection", "")
    assert networkmanager.uuid_of("br0", "eno1") != networkmanager.uuid_of("br1", "eno1")


def test_somebody_elses_profile_is_kept_beside_and_comes_back() -> None:
    mine = File("[connection]\nid=x\ninterface-name=eno1\n[ipv4]\nmethod=auto", 0o600)
    any_link = File("[connection]\nid=any\ntype=ethernet\n", 0o600)
    folder = networkmanager.FOLDER
    there = {f"{folder}/Wired 1.nmconnection": mine, f"{folder}/any.nmconnection": any_link}
    files = there_and_back("networkmanager", there)
    assert files["/etc/NetworkManager/Wired 1.nmconnection.virtnet-backup"] == mine
    assert f"{folder}/Wired 1.nmconnection" not in files and files[f"{folder}/any.nmconnection"] == any_link
    alone = dataclasses.replace(KEPT, ports=())
    assert replaced("networkmanager", files, alone)[f"{folder}/Wired 1.nmconnection"] == mine
