# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the packets must show for each pattern of networks, on two hosts at once, made by the playbooks over real SSH.

The tables stand for every host; packets.py says how they are read. First each pattern alone on a host, then all of them
side by side, through everything that a host goes through, and at last all of it gone.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
from collections.abc import Callable, Iterator

import pytest
from bridge_host import BridgeHost
from packets import Expectation, Guest, Network, Outcome, World, each
from test_ansible import ansible
from virtlab import guest as real_guest
from virtlab.lab import Lab
from virtlab.settings import LabError
from virtlab.system import wait_for

HOSTS = {"h1": 1, "h2": 2}
OTHER = {"h1": "h2", "h2": "h1"}
ROUTER = ["192.0.2.1", "2001:db8:1::1"]


def lan(number: int) -> str:
    return f"192.0.2.{10 + number}"


def mac(number: int, network: str, guest: str) -> str:
    place = list(PATTERNS).index(network)
    return f"52:54:00:0{number}:{place:02x}:0{'ab'.index(guest) + 5}"


def nat(number: int) -> dict:
    web = f"10.{number}0.0.5"
    forwards = [
        {"protocol": "tcp", "port": 2222, "to": f"{web}:22"},
        {"protocol": "udp", "port": "5000-5003", "to": web, "sources": ["192.0.2.0/24"]},
        {"protocol": "tcp", "port": 8080, "to": "web:80", "address": lan(number)},
    ]
    reserved = [{"mac": mac(number, "lab", "a"), "ip": web, "name": "web"}]
    return {"pattern": "nat", "address": f"10.{number}0.0.1/24", "dhcp": True, "hosts": reserved, "forwards": forwards}


def custom_nat(number: int) -> dict:
    inner = f"192.168.{number}0.7"
    return {
        "pattern": "custom_nat",
        "bridge": "br-edge",
        "address": f"192.168.{number}0.1/24",
        "dhcp": True,
        "hosts": [{"mac": mac(number, "edge", "a"), "ip": inner, "name": "inner"}],
        "forwards": [
            {"protocol": "tcp", "port": 2223, "to": f"{inner}:22"},
            {"protocol": "udp", "port": "6000", "to": f"{inner}:5000", "sources": ["192.0.2.0/24"]},
        ],
    }


def isolated(net: int, **options: bool) -> Callable[[int], dict]:
    return lambda number: {"pattern": "isolated", "address": f"10.{number}{net}.0.1/24", "dhcp": True, **options}


PATTERNS: dict[str, Callable[[int], dict]] = {
    "lan": lambda number: {"pattern": "bridged", "bridge": "br0", "nic": "host0"},
    "lab": nat,
    "dmz": lambda number: {
        "pattern": "routed",
        "address": f"203.0.113.{16 * number + 1}/28",
        "dev": "br0",
        "dhcp": True,
    },
    "open": isolated(3),
    "alone": isolated(4, isolate_guests=True),
    "quiet": isolated(5, host_access=False),
    "sealed": isolated(6, host_access=False, isolate_guests=True),
    "lease": lambda number: {
        "pattern": "custom_routed",
        "bridge": "br-lease",
        "address": f"198.51.100.{8 * number + 1}/29",
        "address6": f"2001:db8:5{number}::1/64",
        "dhcp": True,
    },
    "edge": custom_nat,
}

BRIDGED = """
         NET.a  NET.b  host  other  client  router  outside
NET.a    .      own    own   own    own     own     own
NET.b    own    .      own   own    own     own     own
host     yes    yes    .     .      .       .       .
other    own    own    .     .      .       .       .
client   own    own    .     .      .       .       .
router   own    own    .     .      .       .       .
outside  own    own    .     .      .       .       .
"""
ROUTED = """
         NET.a  NET.b  gw   host  other  client  router  outside
NET.a    .      own    own  own   own    own     own     own
NET.b    own    .      own  own   own    own     own     own
host     gw     gw     .    .     .      .       .       .
other    own    own    .    .     .      .       .       .
client   own    own    .    .     .      .       .       .
router   own    own    .    .     .      .       .       .
outside  own    own    .    .     .      .       .       .
"""
NAT = """
         NET.a  NET.b  gw   host  other  client  router  outside
NET.a    .      own    own  own   host   host    host    host
NET.b    own    .      own  own   host   host    host    host
host     gw     gw     .    .     .      .       .       .
other    -      -      .    .     .      .       .       .
client   -      -      .    .     .      .       .       .
router   -      -      .    .     .      .       .       .
outside  -      -      .    .     .      .       .       .
"""
ISOLATED = """
         NET.a  NET.b  gw   host  other  client  router  outside
NET.a    .      PEER   HOST HOST  -      -       -       -
NET.b    PEER   .      HOST HOST  -      -       -       -
host     BACK   BACK   .    .    .      .       .       .
other    -      -      .    .     .      .       .       .
client   -      -      .    .     .      .       .       .
router   -      -      .    .     .      .       .       .
outside  -      -      .    .     .      .       .       .
"""
TABLES = {
    "lan": BRIDGED,
    "lab": NAT,
    "dmz": ROUTED,
    "open": ISOLATED.replace("PEER", "own").replace("HOST", "own").replace("BACK", "gw"),
    "alone": ISOLATED.replace("PEER", "-").replace("HOST", "own").replace("BACK", "gw"),
    "quiet": ISOLATED.replace("PEER", "own").replace("HOST", "-").replace("BACK", "-"),
    "sealed": ISOLATED.replace("PEER", "-").replace("HOST", "-").replace("BACK", "-"),
    "lease": ROUTED,
    "edge": NAT,
}
TABLES = {name: table.replace("NET", name) for name, table in TABLES.items()}

# Between the networks of one host. Routed guests are for LAN hosts that have a route, which bridged guests are; whether
# other guests of the same host reach them is nobody's promise.
BESIDE = """
          lan.a  lab.a  dmz.a  open.a  alone.a  quiet.a  sealed.a  lease.a  edge.a
lan.a     .      -      own    -       -        -        -         own      -
lab.a     host   .      .      -       -        -        -         .        -
dmz.a     own    -      .      -       -        -        -         .        -
open.a    -      -      -      .       -        -        -         -        -
alone.a   -      -      -      -       .        -        -         -        -
quiet.a   -      -      -      -       -        .        -         -        -
sealed.a  -      -      -      -       -        -        .         -        -
lease.a   own    -      .      -       -        -        -         .        -
edge.a    host   -      .      -       -        -        -         .        .
"""
ACROSS = """
          other:lan.a  other:lab.a  other:dmz.a  other:open.a  other:sealed.a  other:lease.a  other:edge.a
lan.a     own          -            own          -             -               own            -
lab.a     host         -            host         -             -               host           -
dmz.a     own          -            own          -             -               own            -
open.a    -            -            -            -             -               -              -
sealed.a  -            -            -            -             -               -              -
lease.a   own          -            own          -             -               own            -
edge.a    host         -            host         -             -               host           -
"""

# Who sends, protocol and port of the host's LAN address, which guest has it, and as in the tables
FORWARDS = """
client    tcp  2222  lab.a   own
outside   tcp  2222  lab.a   own
other     tcp  2222  lab.a   own
host      tcp  2222  lab.a   yes
lab.b     tcp  2222  lab.a   yes
lan.a     tcp  2222  lab.a   own
open.a    tcp  2222  lab.a   -
sealed.a  tcp  2222  lab.a   -
client    udp  5000  lab.a   own
client    udp  5003  lab.a   own
other     udp  5001  lab.a   own
host      udp  5002  lab.a   yes
outside   udp  5000  lab.a   -
client    udp  5004  lab.a   -
client    tcp  5000  lab.a   -
client    tcp  8080  lab.a   own
outside   tcp  8080  lab.a   own
host      tcp  8080  lab.a   yes
lab.b     tcp  8080  lab.a   yes
client    tcp  2223  edge.a  own
outside   tcp  2223  edge.a  own
host      tcp  2223  edge.a  yes
edge.b    tcp  2223  edge.a  yes
sealed.a  tcp  2223  edge.a  -
client    udp  6000  edge.a  own
outside   udp  6000  edge.a  -
"""

# A host without a link-local address asks nobody for the MAC of whom it forwards to; a reset takes it away.
LINK_LOCAL = "cd /proc/sys/net/ipv6/conf/host0; echo 1 > addr_gen_mode; echo 0 > addr_gen_mode"
# A restart is over when the units that hang on it are through; libvirtd answers when it has made its rules anew.
SETTLED = 'sleep 0.3; until [ -z "$(systemctl list-jobs --no-legend)" ]; do sleep 0.2; done; virsh net-list > /dev/null'
RESTART_LIBVIRT = "systemctl restart libvirtd"
LIBVIRT_MADE = [name for name in PATTERNS if name not in ("lan", "lease", "edge")]


class Site:
    """Both hosts, what is declared for them, and the packets between all places."""

    def __init__(self, lab: Lab, folder: pathlib.Path) -> None:
        self.lab, self.world = lab, World(lab)
        self.hosts = {name: BridgeHost(lab, lab.machine(name)) for name in HOSTS}
        self.inventory = folder / "declared.yml"

    def playbook(self, name: str, declared: dict[str, list[dict]] | None = None) -> dict[str, tuple[int, int]]:
        """(changed, failed) a host."""
        if declared is not None:
            hosts = {host: {"host_networks": networks} for host, networks in declared.items()}
            self.inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        # A bridge's ports are exact, and a namespace is no guest that libvirt knows: to the playbook it is a foreign port.
        self.world.unplug("lan")
        out = ansible(
            self.lab, "ansible-playbook", f"virtnet.kvm.{name}", "-i", str(self.inventory), "--limit", "h1,h2", "--diff"
        )
        found = re.findall(r"^(\w+)\s+:.* changed=(\d+) +unreachable=(\d+) +failed=(\d+)", out, re.MULTILINE)
        recap = {host: (int(changed), int(lost) + int(failed)) for host, changed, lost, failed in found}
        assert set(recap) == set(HOSTS) and not any(failed for _changed, failed in recap.values()), out
        self.last = out
        if name == "site":
            self.world.replug("lan")
        return recap

    def declare(self, networks: dict[str, tuple[str, ...]]) -> None:
        """The playbook makes it so, and the second run finds nothing to do."""
        for host in HOSTS:
            there = [name for name in self.world.places if name.startswith(f"{host}.")]
            self.world.remove(*there)
        declared = {host: [network(host, name, names) for name in names] for host, names in networks.items()}
        self.playbook("site", declared)
        again = self.playbook("site")
        assert not any(changed for changed, _failed in again.values()), self.last
        self.world.guests(*(guest for host, names in networks.items() for guest in self.guests(host, names)))
        self.world.routes()

    def guests(self, host: str, names: tuple[str, ...]) -> list[Guest]:
        """Two on each network: one takes what DHCP gives, the other has an address of its own."""
        number, found = HOSTS[host], []
        for name in names:
            there = Network.of(self.hosts[host].machine, name)
            if name == "lan":
                static = [f"192.0.2.{100 + number}/24", f"2001:db8:1::{100 + number}/64"]
                gateways = ROUTER
            else:
                static = [one.replace(f"{gateway}/", f"{last(gateway)}/") for gateway, one in there.addresses.items()]
                gateways = there.gateways
            found += [
                Guest(f"{host}.{name}.a", there, mac(number, name, "a"), gateways=gateways, v6=name == "lease"),
                Guest(f"{host}.{name}.b", there, mac(number, name, "b"), gateways=gateways, static=static),
            ]
        return found

    # Expectations

    def table(self, text: str, *hosts: str) -> list[Expectation]:
        return [one for host in hosts or HOSTS for one in self.world.expectations(text, host, OTHER[host])]

    def forwards(self, only: str = "") -> list[Expectation]:
        found = []
        for host, number in HOSTS.items():
            for line in FORWARDS.strip().splitlines():
                source, protocol, port, guest, cell = line.split()
                if guest.startswith(only):
                    sender = self.world.resolve(source, host, OTHER[host])[0]
                    probes = self.world.probe(sender, f"{host}.{guest}", lan(number), [protocol], int(port))
                    found += [Expectation(cell, one) for one in probes]
        return found

    def everything(self) -> list[Expectation]:
        tables = [*TABLES.values(), BESIDE, ACROSS]
        return [one for table in tables for one in self.table(table)] + self.forwards()

    def run(self, script: str) -> None:
        """On both hosts, and wait until all that it set going has ended."""
        each([lambda host=host: host.run(f"{script}\n{SETTLED}") for host in self.hosts.values()])


def network(host: str, name: str, beside: tuple[str, ...]) -> dict:
    declared = {"name": name, **PATTERNS[name](HOSTS[host])}
    if declared.get("dev") and "lan" not in beside:
        declared["dev"] = "host0"
    return declared


def last(gateway: str) -> str:
    """An address beside the gateway's that DHCP gives to nobody while there are few guests."""
    if ":" in gateway:
        return gateway.removesuffix("1") + "b1"
    head, tail = gateway.rsplit(".", 1)
    size = 6 if head == "198.51.100" else 14 if head == "203.0.113" else 200
    return f"{head}.{int(tail) + size - 1}"


@pytest.fixture(scope="module")
def site(lab: Lab, release: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    one = Site(lab, tmp_path_factory.mktemp("site"))
    for host in one.hosts.values():
        host.clean()
        host.reset()
        host.run(LINK_LOCAL)
    one.world.open()
    try:
        yield one
    finally:
        one.world.close()


# Alone: nothing that another pattern would have brought along (forwarding, above all)

ROUNDS = [
    {"h1": ("edge",), "h2": ("lease",)},
    {"h1": ("lab",), "h2": ("dmz",)},
    {"h1": ("lan",), "h2": ("open", "alone", "quiet", "sealed")},
]


@pytest.mark.parametrize("networks", ROUNDS, ids=lambda one: "-".join(one["h1"] + one["h2"]))
def test_alone(site: Site, networks: dict[str, tuple[str, ...]]) -> None:
    site.run("sysctl -q net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0")
    site.declare(networks)
    expectations = [one for host, names in networks.items() for name in names for one in site.table(TABLES[name], host)]
    site.world.hold(expectations)
    for host, host_networks in networks.items():
        assert site.hosts[host].active() == set(host_networks)  # what was declared before is gone


# Side by side


@pytest.fixture(scope="module")
def all_together(site: Site) -> Site:
    site.declare(dict.fromkeys(HOSTS, tuple(PATTERNS)))
    return site


@pytest.mark.parametrize("name", PATTERNS)
def test_reach(all_together: Site, name: str) -> None:
    all_together.world.hold(all_together.table(TABLES[name]))


def test_networks_beside_each_other(all_together: Site) -> None:
    all_together.world.hold(all_together.table(BESIDE) + all_together.table(ACROSS))


@contextlib.contextmanager
def by_way_of_the_host(world: World, name: str) -> Iterator[list[Outcome]]:
    """Both guests of a network of the first host send to each other over the host: probes of that."""
    pair = [world.places[f"h1.{name}.{which}"] for which in "ab"]
    ways = [(one, f"{other.addresses[0]} via {one.network.gateways[0]}") for one, other in (pair, pair[::-1])]
    for one, way in ways:
        one.inside(f"ip route replace {way}")
    try:
        yield [probe for one, other in (pair, pair[::-1]) for probe in world.probe(one.name, other.name)]
    finally:
        for one, way in ways:
            one.inside(f"ip route delete {way}")


@pytest.mark.parametrize("name", ["alone", "sealed"])
def test_guests_kept_apart_do_not_meet_by_way_of_their_host(all_together: Site, name: str) -> None:
    """It forwards for other networks, and what it sends itself comes from no port that is kept apart."""
    with by_way_of_the_host(all_together.world, name) as probes:
        all_together.world.hold([Expectation("-", one) for one in probes])


@pytest.mark.parametrize("network", ["lab", "edge"])
def test_forwards(all_together: Site, network: str) -> None:
    all_together.world.hold(all_together.forwards(network))


def test_a_guest_reaches_its_own_forward(all_together: Site) -> None:
    """With br_netfilter off: with it the kernel translates on the bridge, and sends nothing back to the port it came from."""
    switch = "sysctl -q net.bridge.bridge-nf-call-iptables={}"
    all_together.run(switch.format(0))
    try:
        all_together.world.hold(
            [
                Expectation("gw", one)
                for host, number in HOSTS.items()
                for guest, port in (("lab", 2222), ("edge", 2223))
                for one in all_together.world.probe(
                    f"{host}.{guest}.a", f"{host}.{guest}.a", lan(number), ["tcp"], port
                )
            ]
        )
    finally:
        all_together.run(switch.format(1))


def test_leases(all_together: Site) -> None:
    """The LAN's own DHCP for bridged guests, and nobody beside it; the host's for the others."""
    site = all_together
    router = site.world.places["router"].run("cat /sys/class/net/host0/address")
    for host in HOSTS:
        for name in PATTERNS:
            guest = site.world.places[f"{host}.{name}.a"]
            bridge = site.hosts[host].run(f"cat /sys/class/net/{guest.network.bridge}/address")
            server = (ROUTER[0], router) if name == "lan" else (guest.network.gateways[0], bridge)
            assert guest.lease.get("serverid") == server[0], (guest, guest.lease)
            assert {one["mac"] for one in guest.servers} == {server[1]}, (guest, guest.servers)
        assert f"10.{HOSTS[host]}0.0.5" in site.world.places[f"{host}.lab.a"].addresses
        assert f"192.168.{HOSTS[host]}0.7" in site.world.places[f"{host}.edge.a"].addresses
    for name in ("open", "alone", "quiet", "sealed"):
        assert not site.world.places[f"h1.{name}.a"].lease["router"], name  # there is nowhere to go


def test_macs_on_the_wire(all_together: Site) -> None:
    """A bridged guest's own; behind every other network stands its host."""
    world = all_together.world
    for name in PATTERNS:
        guest, uplink = world.places[f"h1.{name}.a"], world.places["h1"].run("cat /sys/class/net/br0/address")
        if name in ("lan", "lab", "dmz", "lease", "edge"):
            assert world.seen(guest.name, "client").mac == (guest.mac if name == "lan" else uplink), name


def test_the_host_keeps_its_addresses_on_the_bridge(all_together: Site) -> None:
    for host in all_together.hosts.values():
        assert host.machine.address in str(host.addresses("br0")) and not host.addresses("host0")
        assert host.ports("br0") >= {"host0"}


@pytest.mark.parametrize("name", ["dmz", "lease"])
def test_without_the_route_nothing_reaches_a_routed_guest(all_together: Site, name: str) -> None:
    world = all_together.world
    guest = f"h1.{name}.a"
    world.no_routes()
    try:
        probes = [one for source in ("client", "outside") for one in world.probe(source, guest)]
        there = world.probe(guest, "client", "192.0.2.5", ["udp"])
        world.run(probes + there)
        assert not any(one.reached or one.arrived for one in probes), probes
        # it comes as far as the client, untranslated, and the client does not know the way back
        assert there[0].arrived and not there[0].reached and there[0].seen in world.places[guest].addresses, there
    finally:
        world.routes()


def rules(site: Site, host: str) -> list[str]:
    """Every rule of the host, with its table and chain, without what comes with time."""
    found = []
    for one in json.loads(site.hosts[host].run("nft -j list ruleset"))["nftables"]:
        if "rule" in one:
            rule = one["rule"]
            text = json.dumps([part for part in rule["expr"] if "counter" not in part])
            found.append(f"{rule['family']} {rule['table']} {rule['chain']} {text}")
    return sorted(found)


def has_rules(site: Site, host: str, wanted: list[str]) -> None:
    """Some time later: libvirt takes its rules off and on again, and its networks are open meanwhile; nobody else can help that."""
    with contextlib.suppress(LabError):
        wait_for("the same rules", lambda: rules(site, host) == wanted, 60, 0.2)
    assert rules(site, host) == wanted, host


# A no is the firewall's doing: without it the very same packets come through


@contextlib.contextmanager
def without(site: Site, script: str) -> Iterator[World]:
    before = {host: rules(site, host) for host in HOSTS}
    site.run(script)
    try:
        yield site.world
    finally:
        site.run(RESTART_LIBVIRT)
        site.playbook("site")
        for host in HOSTS:
            has_rules(site, host, before[host])
        site.world.hold(site.everything())


def test_our_shield_is_what_holds(all_together: Site) -> None:
    broken = [("client", "h1.edge.a"), ("h1.sealed.a", "h1"), ("h1.quiet.a", "h1")]
    with without(all_together, "nft delete table inet virtnet") as world:
        outcomes = world.run([one for source, target in broken for one in world.probe(source, target)])
        with by_way_of_the_host(world, "alone") as probes:
            outcomes += world.run(probes)
    assert all(one.reached for one in outcomes), "\n".join(map(str, outcomes))


def test_libvirts_shield_is_what_holds(all_together: Site) -> None:
    flush = "nft flush chain ip filter LIBVIRT_FWI; nft flush chain ip filter LIBVIRT_FWO; nft delete table ip libvirt_network; true"
    with without(all_together, flush) as world:
        outcomes = world.run(world.probe("client", "h1.lab.a"))
    assert all(one.reached for one in outcomes), "\n".join(map(str, outcomes))


# Nothing breaks it


def test_libvirt_has_no_rule_for_a_custom_bridge(all_together: Site) -> None:
    before = {host: rules(all_together, host) for host in HOSTS}
    all_together.run(RESTART_LIBVIRT)
    for host in HOSTS:
        after = rules(all_together, host)
        assert after == before[host]
        theirs = [rule for rule in after if "libvirt" in rule.split("[")[0].lower()]
        assert theirs, after
        assert not [rule for rule in theirs if "br-lease" in rule or "br-edge" in rule]
        units = all_together.hosts[host].run("systemctl list-units --plain --no-legend --state=active '*virtnet*'")
        assert len([line for line in units.splitlines() if "lease" in line or "edge" in line]) >= 2, units
    all_together.world.hold(all_together.everything())


EVENTS = {
    "libvirtd restarted": RESTART_LIBVIRT,
    "nftables restarted": "systemctl restart nftables",
    "Docker came": "iptables -P FORWARD DROP; ip6tables -P FORWARD DROP",
}


@pytest.mark.parametrize("event", EVENTS)
def test_survives(all_together: Site, event: str) -> None:
    before = {host: rules(all_together, host) for host in HOSTS}
    all_together.run(EVENTS[event])
    try:
        for host in HOSTS:
            has_rules(all_together, host, before[host])
        all_together.world.hold(all_together.everything())
    finally:
        all_together.run(f"iptables -P FORWARD ACCEPT; ip6tables -P FORWARD ACCEPT; {RESTART_LIBVIRT}")


def test_networks_restarted(all_together: Site) -> None:
    names = " ".join(LIBVIRT_MADE)
    all_together.run(f"for name in {names}; do virsh -q net-destroy $name; virsh -q net-start $name; done")
    all_together.world.replug(*LIBVIRT_MADE)
    all_together.world.hold(all_together.everything())


def test_reboot(all_together: Site) -> None:
    all_together.world.reboot(*HOSTS)
    all_together.world.hold(all_together.everything())
    again = all_together.playbook("site")
    assert not any(changed for changed, _failed in again.values()), all_together.last


# Real guests


REAL = {
    "lan": (("192.0.2.5", True), ("198.18.0.10", True), ("192.0.2.11", True)),
    "lab": (("192.0.2.5", True), ("198.18.0.10", True), ("10.13.0.200", False)),
    "dmz": (("192.0.2.5", True), ("198.18.0.10", True), ("10.10.0.5", False)),
    "open": (("10.13.0.1", True), ("192.0.2.5", False), ("198.18.0.10", False)),
    "sealed": (("10.16.0.1", False), ("192.0.2.11", False), ("192.0.2.5", False)),
    "lease": (("192.0.2.5", True), ("198.18.0.10", True), ("10.10.0.5", False)),
    "edge": (("192.0.2.5", True), ("198.18.0.10", True), ("10.10.0.5", False)),
}


@pytest.fixture(scope="module")
def machines(all_together: Site) -> Iterator[BridgeHost]:
    """A machine on each network, and two where guests are kept apart; all boot at once."""
    host = all_together.hosts["h1"]
    for name in (*REAL, "sealed2"):
        real_guest.start(host.machine, f"vm-{name}", [real_guest.interface(name.removesuffix("2"), None, None)])
    yield host
    host.run("for one in $(virsh -q list --name); do virsh -q destroy $one; virsh -q undefine $one; done")


@pytest.mark.parametrize("name", REAL)
def test_a_real_guest(machines: BridgeHost, name: str) -> None:
    address = real_guest.wait_for_lease(machines.machine, f"vm-{name}")
    probes = list(REAL[name])
    if name == "sealed":
        probes.append((real_guest.wait_for_lease(machines.machine, "vm-sealed2"), False))
    # the gateway as a default route where there is none: the no is the host's, not the guest's
    gateway = Network.of(machines.machine, name).gateways[0]
    machines.speak(f"vm-{name}", f"ip route | grep -q default || ip route add default via {gateway}")
    tries = " & ".join(f"{{ ping -c 2 -W 1 {to} > /dev/null && echo {to}; }}" for to, _yes in probes)
    reached = set(machines.speak(f"vm-{name}", f"{tries} & wait").split())
    assert reached == {to for to, yes in probes if yes}, (name, address)


# And gone


def test_gone_when_no_longer_declared(all_together: Site, machines: BridgeHost) -> None:
    site = all_together
    machines.run("for one in $(virsh -q list --name); do virsh -q destroy $one; virsh -q undefine $one; done")
    forwards = [one for one in site.forwards() if one.outcome.source.name in ("client", "outside")]
    site.world.remove(*[name for name in site.world.places if "." in name])
    site.playbook("teardown")
    again = site.playbook("teardown")
    assert not any(changed for changed, _failed in again.values()), site.last
    for host in site.hosts.values():
        assert not host.names()
        assert "virtnet" not in host.run(
            "nft list ruleset; systemctl list-units --type=service,path '*virtnet*' --no-legend"
        )
        assert not {link for link in host.links() if link.startswith(("br", "virbr", "vnet"))}
        assert host.machine.address in str(host.addresses("host0"))
        left = host.run("grep -rls virtnet /etc /run/systemd /var/lib --include='*virtnet*'; true")
        assert not left, left
    for one in forwards:
        one.cell = "-"
        one.outcome.target = site.world.places[one.outcome.target.name.split(".")[0]]
        one.again()
    site.world.hold(forwards)
