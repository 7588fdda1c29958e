# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches whom in a lab, and as whom: real packets between guests, hosts, the LAN and what is behind its router.

A `World` has an agent (packet_agent.py) at each place; a matrix of some hundred probes costs about one time-out, because
all of them are under way at once. A guest here is a network namespace plugged into a bridge as libvirt plugs a tap.

Expectations are tables; a row sends, a column receives:

    .       not asked
    -       no: the sender has a route, sends, and nothing comes through to the receiver
    yes     yes, whoever the receiver thinks it was
    own     yes, and the receiver sees the sender's own address
    host    yes, and it sees the LAN address of the sender's host
    gw      yes, and it sees an address of the receiver's own gateway
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import ipaddress
import json
import pathlib
import secrets
import shlex
import subprocess
import time
import typing
from collections.abc import Iterable

from lxml import etree
from virtlab.lab import Lab
from virtlab.machine import Machine
from virtlab.settings import LAN6, OUTSIDE6
from virtlab.system import wait_for

AGENT = (pathlib.Path(__file__).parent / "packet_agent.py").read_text()
PREFIX = "pkt-"
ROUTES = "77"  # the protocol number of every route that is added here
PORT = 4000
GUEST_PORTS = (22, 80, *range(5000, 5004))
NO_SECONDS = 1.2
LATE_SECONDS = 20.0  # what has to come up (routes, radvd, a rebooted host) may take that long; a no never gets it
FORWARDING = 3
SHOWN = 60
KINDS = ("ping", "tcp", "udp")

# A lease is noted with all that the server said, and used as a guest would use it.
UDHCPC = """#!/bin/busybox sh
[ "$1" = bound ] || exit 0
ip address replace "$ip/$mask" dev "$interface"
[ -z "$router" ] || ip route replace default via "${router%% *}" dev "$interface"
echo "ip=$ip mask=$mask serverid=$serverid router=${router%% *} dns=${dns%% *} domain=$domain" > "/run/PREFIX$NAME.lease"
"""

# Everything that any world left here, whoever was killed in the middle of it.
CLEAN = f"""
for space in $(ip netns list | cut -d' ' -f1 | grep '^{PREFIX}'); do
    for process in $(ip netns pids "$space"); do kill -9 "$process"; done
    ip netns delete "$space"
done
for link in $(ls /sys/class/net | grep '^{PREFIX}'); do ip link delete "$link"; done
rm -f /run/{PREFIX}*
for v in -4 -6; do ip $v route flush proto {ROUTES}; done
true
"""


def run(machine: Machine, script: str, check: bool = True) -> str:
    done = machine.run(["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and done.returncode:
        raise AssertionError(f"{script} on {machine.name}: {done.stdout}")
    return done.stdout.strip()


def clean(machine: Machine) -> None:
    run(machine, CLEAN)


class Agent:
    """One agent, running at a place; orders can be sent to many before the first answer is read."""

    def __init__(self, name: str, machine: Machine, namespace: str | None = None) -> None:
        inside = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
        command = machine.inside([*inside, "python3", "-c", AGENT, name])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.name, self.number = name, 0

    def send(self, do: str, **what: typing.Any) -> None:
        self.number += 1
        self.process.stdin.write(json.dumps({"number": self.number, "do": do, **what}) + "\n")
        self.process.stdin.flush()

    def read(self) -> dict:
        """The answer to the last order; those of a test that was ended in the middle are still on their way."""
        number = -1
        while number != self.number:
            line = self.process.stdout.readline()
            assert line, f"the agent at {self.name} is gone"
            number, answer = json.loads(line).values()
        assert "error" not in answer, f"{self.name}: {answer['error']}"
        return answer

    def ask(self, do: str, **what: typing.Any) -> dict:
        self.send(do, **what)
        return self.read()

    def end(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


class Place:
    """Where packets are sent from and to: a machine of the lab, or a guest on one."""

    ports: tuple[int, ...] = (PORT,)

    def __init__(self, name: str, machine: Machine, addresses: Iterable[str]) -> None:
        self.name, self.machine = name, machine
        self.addresses = list(addresses)
        self.agent: Agent | None = None

    def run(self, script: str, check: bool = True) -> str:
        return run(self.machine, script, check)

    def start(self) -> None:
        self.agent = Agent(self.name, self.machine)

    def stop(self) -> None:
        if self.agent:
            self.agent.end()
        self.agent = None

    def __repr__(self) -> str:
        return self.name


@dataclasses.dataclass
class Network:
    """A libvirt network as `virsh` and `ip` tell of it."""

    name: str
    host: Machine
    bridge: str
    isolated_ports: bool
    addresses: dict[str, str]  # the host's own on the bridge, without and with their prefix

    @classmethod
    def of(cls, host: Machine, name: str) -> Network:
        root = etree.fromstring(run(host, f"virsh net-dumpxml {name}"))
        bridge = root.find("bridge").get("name")
        port = root.find("port")
        found = json.loads(run(host, f"ip -j address show {bridge}"))[0]["addr_info"]
        own = [one for one in found if one["scope"] == "global"]
        return cls(
            name,
            host,
            bridge,
            port is not None and port.get("isolated") == "yes",
            {one["local"]: f"{one['local']}/{one['prefixlen']}" for one in own},
        )

    @property
    def gateways(self) -> list[str]:
        return list(self.addresses)

    @property
    def subnets(self) -> list[str]:
        return [str(ipaddress.ip_interface(address).network) for address in self.addresses.values()]


class Guest(Place):
    """A namespace on a host, plugged into a network's bridge."""

    ports = (PORT, *GUEST_PORTS)

    def __init__(
        self,
        name: str,
        network: Network,
        mac: str,
        static: Iterable[str] = (),
        v6: bool = False,
        gateways: Iterable[str] | None = None,
    ) -> None:
        super().__init__(name, network.host, [])
        self.network, self.mac, self.static, self.v6 = network, mac, list(static), v6
        self.gateways = None if gateways is None else list(gateways)
        self.id = name.replace(".", "-").removeprefix(f"{network.host.name}-")
        assert len(PREFIX + self.id) <= 15, f"{self.id} is too long for a link"
        self.space = self.link = PREFIX + self.id
        self.lease: dict[str, str] = {}
        self.servers: list[dict] = []  # every answer that a DHCP server gave: its MAC, its address, what it offered

    def inside(self, script: str, check: bool = True) -> str:
        return self.run(f"nsenter --net=/run/netns/{self.space} sh -c {shlex.quote(script)}", check)

    def start(self) -> None:
        self.run(
            f"ip netns add {self.space} && ip link add {self.link} type veth peer name eth0 netns {self.space}"
            f" && ip link set {self.link} address fe{self.mac[2:]}"
        )
        settings = f"echo 0 > accept_dad; echo {int(not self.static)} > accept_ra"
        self.inside(
            f"cd /proc/sys/net/ipv6/conf/eth0; {settings}; ip link set lo up; ip link set eth0 address {self.mac}"
        )
        self.agent = Agent(self.name, self.machine, self.space)
        self.agent.read()
        self.plug()
        for address in self.static:
            self.inside(f"ip address add {address} dev eth0")
        if not self.static:
            self.take_lease()
        if self.v6:
            self.wait_for_v6()
        self.use_gateways()
        self.learn()

    def plug(self) -> None:
        """Into the bridge, as libvirt does with a tap; again after the bridge was made anew."""
        self.network = Network.of(self.machine, self.network.name)
        flag = "on" if self.network.isolated_ports else "off"
        self.inside("ip link set eth0 up")
        # libvirt's bridges have spanning tree on: until a port forwards, a no would say nothing
        self.run(
            f"ip link set {self.link} master {self.network.bridge} up"
            f" && bridge link set dev {self.link} isolated {flag}"
            f" && until [ $(cat /sys/class/net/{self.link}/brport/state) = {FORWARDING} ]; do sleep 0.1; done"
        )

    def unplug(self) -> None:
        self.run(f"ip link set {self.link} nomaster")

    def take_lease(self) -> dict[str, str]:
        """By DHCP, from whoever answers."""
        script = f"/run/{self.space}.sh"
        self.machine.put(script, UDHCPC.replace("PREFIX", PREFIX).replace("$NAME", self.id), 0o755)
        # dnsmasq serves nobody for three seconds while it looks whether a new address is in use: others have to ask again
        text = self.inside(
            f"rm -f /run/{self.space}.lease; for again in 1 2 3; do"
            f" busybox udhcpc -i eth0 -n -q -f -t 8 -T 1 -s {script} -x hostname:{self.id} 2>&1 && break; done;"
            f" echo; cat /run/{self.space}.lease 2>/dev/null; true"
        )
        last = text.splitlines()[-1]
        self.lease = dict(word.split("=", 1) for word in last.split()) if last.startswith("ip=") else {}
        self.servers = self.agent.ask("seen")["leases"]
        return self.lease

    def wait_for_v6(self) -> None:
        """An address by router advertisement."""
        for _attempt in range(60):
            if "dynamic" in self.inside("ip -6 address show dev eth0 scope global"):
                return
            time.sleep(0.1)

    def use_gateways(self) -> None:
        """A default route where none was given: an isolated guest that tries all the same."""
        for gateway in self.network.gateways if self.gateways is None else self.gateways:
            v = "-6" if ":" in gateway else "-4"
            self.inside(
                f"ip {v} route show default | grep -q . || ip {v} route add default via {gateway} dev eth0; true"
            )

    def learn(self) -> None:
        found = json.loads(self.inside("ip -j address show dev eth0"))[0]["addr_info"]
        self.addresses = [one["local"] for one in found if one["scope"] == "global"]

    def stop(self) -> None:
        super().stop()
        self.run(
            f"ip netns delete {self.space}; ip link delete {self.link} 2>/dev/null; rm -f /run/{self.space}.*", False
        )


@dataclasses.dataclass
class Outcome:
    """What became of one probe."""

    source: Place
    target: Place
    to: str
    kind: str
    port: int
    token: str
    reached: bool = False  # an answer came back, and it was the target's
    arrived: bool = False  # the target's socket got it, or its frame was seen at a guest's NIC
    seen: str | None = None  # the source address at the target
    mac: str | None = None  # the MAC that the target's frames came from
    why: str = ""

    def __str__(self) -> str:
        what = f"{self.source} -> {self.target} ({self.to}) {self.kind}" + (
            f" {self.port}" if self.kind != "ping" else ""
        )
        if self.reached:
            return f"{what}: reached, seen as {self.seen}"
        return f"{what}: {'arrived without an answer' if self.arrived else 'nothing'} ({self.why})"


class World:
    """The places of a lab, and the packets between them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.places: dict[str, Place] = {}
        self.wanted_routes: list[tuple[str, str]] = []
        machines = lab.machines()
        for machine in machines.values():
            six = OUTSIDE6 if machine.role == "outside" else LAN6
            self.places[machine.name] = Place(machine.name, machine, [machine.address, six.format(machine.number)])
        self.hosts = [name for name, machine in machines.items() if machine.role == "host"]

    # Raising and clearing

    def open(self) -> World:
        self.clean()
        self.start(list(self.places.values()))
        return self

    def close(self) -> None:
        for place in self.places.values():
            place.stop()
        self.places = {name: place for name, place in self.places.items() if not isinstance(place, Guest)}
        self.clean()

    def clean(self) -> None:
        each([lambda one=one: clean(one) for one in self.lab.machines().values()])

    def start(self, places: list[Place]) -> None:
        """All at once: each costs the start of a Python."""
        for place in places:
            if not isinstance(place, Guest):
                place.start()
        each([place.start for place in places if isinstance(place, Guest)])
        for place in places:
            if not isinstance(place, Guest):
                place.agent.read()
            place.agent.send("listen", tcp=place.ports, udp=place.ports)
        for place in places:
            place.agent.read()

    def guests(self, *guests: Guest) -> None:
        for guest in guests:
            assert guest.name not in self.places, guest.name
            self.places[guest.name] = guest
        self.start(list(guests))

    def remove(self, *names: str) -> None:
        each([self.places.pop(name).stop for name in names])

    def reboot(self, *hosts: str) -> None:
        """And plug the guests in again. Nobody may stand on a host that goes down: it would wait for them to leave."""
        there = [place for place in self.places.values() if place.machine.name in hosts]
        for place in there:
            Place.stop(place)
        each([self.places[host].machine.reboot for host in hosts])
        for host in hosts:
            self._wait_for_networks(host)
        self.start(there)
        self.routes()

    def _wait_for_networks(self, host: str) -> None:
        """The networks that have guests are active again."""
        wanted = {
            place.network.name
            for place in self.places.values()
            if isinstance(place, Guest) and place.machine.name == host
        }
        wait_for(
            f"{host}'s networks",
            lambda: wanted <= set(self.places[host].run("virsh -q net-list --name", check=False).split()),
            LATE_SECONDS,
            0.3,
        )

    def replug(self, *networks: str) -> None:
        """After the networks' bridges were made anew; libvirt, too, would have to be told to plug its guests in again."""
        guests = [place for place in self.places.values() if isinstance(place, Guest)]
        each([guest.plug for guest in guests if guest.network.name in networks])

    def unplug(self, *networks: str) -> None:
        guests = [place for place in self.places.values() if isinstance(place, Guest)]
        each([guest.unplug for guest in guests if guest.network.name in networks])

    # Routes of an attacker, or of a LAN that knows the guests' nets

    def routes(self) -> None:
        """Every host's guest networks, at every other machine of the LAN, as a network admin (or an attacker) would.

        Without them a packet does not get lost at the host's firewall, but because nobody knows where to send it.
        """
        nets = {}
        for place in self.places.values():
            if isinstance(place, Guest):
                for net in place.network.subnets:
                    if not ipaddress.ip_network(net).overlaps(LANS[":" in net]):
                        nets[net, place.machine.name] = place.machine
        for name in ("client", "router", *self.hosts):
            lines = []
            for (net, host), machine in nets.items():
                if host != name:
                    via = LAN6.format(machine.number) if ":" in net else machine.address
                    v = "-6" if ":" in net else "-4"
                    lines.append(f"ip {v} route replace {net} via {via} proto {ROUTES}")
            self.places[name].run("\n".join([*lines, "true"]))

    def no_routes(self) -> None:
        for name in ("client", "router", *self.hosts):
            self.places[name].run(f"for v in -4 -6; do ip $v route flush proto {ROUTES}; done; true")

    # Packets

    def probe(
        self, source: str, target: str, to: str | None = None, kinds: Iterable[str] = KINDS, port: int = PORT
    ) -> list[Outcome]:
        """Outcomes that are still to be run; to every address of the target that the source has the family for."""
        one, other = self.places[source], self.places[target]
        families = {":" in address for address in one.addresses}
        return [
            Outcome(one, other, address, kind, port, secrets.token_hex(4))
            for address in ([to] if to else other.addresses)
            if (":" in address) in families
            for kind in kinds
        ]

    def run(self, outcomes: list[Outcome], seconds: float = NO_SECONDS) -> list[Outcome]:
        """Send all of it at once."""
        self.take_notes()
        by_source: dict[str, list[Outcome]] = {}
        for outcome in outcomes:
            by_source.setdefault(outcome.source.name, []).append(outcome)
        for name, some in by_source.items():
            probes = [{"token": one.token, "to": one.to, "kind": one.kind, "port": one.port} for one in some]
            self.places[name].agent.send("probe", probes=probes, seconds=seconds)
        answers = {name: self.places[name].agent.read() for name in by_source}
        notes = self.take_notes()
        for outcome in outcomes:
            judge(outcome, answers[outcome.source.name][outcome.token], notes[outcome.target.name])
        return outcomes

    def take_notes(self) -> dict[str, dict]:
        for place in self.places.values():
            place.agent.send("seen")
        return {name: place.agent.read() for name, place in self.places.items()}

    def seen(self, source: str, target: str, to: str | None = None, kind: str = "ping", port: int = PORT) -> Outcome:
        """One probe, at once."""
        return self.run(self.probe(source, target, to, [kind], port)[:1])[0]

    # Tables

    def expectations(self, table: str, here: str, other: str = "") -> list[Expectation]:
        """A table's cells, with its names resolved for one host: host, gw, peer and so on."""
        head, *rows = [line.split() for line in table.strip().splitlines() if line.strip()]
        found = []
        for source, *cells in rows:
            assert len(cells) == len(head), f"row {source} has {len(cells)} cells, not {len(head)}"
            for column, cell in zip(head, cells):
                if cell != ".":
                    found += self._cell(cell, *(self.resolve(name, here, other) for name in (source, column)))
        return found

    def resolve(self, name: str, here: str, other: str) -> tuple[str, str]:
        """A name of a table as (place, which address of it)."""
        if name in ("host", "gw"):
            return here, name
        if name == "other":
            return other, "host"
        if name.startswith("other:"):
            return f"{other}.{name.removeprefix('other:')}", "host"
        return (name if name in self.places else f"{here}.{name}"), "host"

    def _cell(self, cell: str, source: tuple[str, str], target: tuple[str, str]) -> list[Expectation]:
        addresses: list[str | None] = [None]
        if target[1] == "gw":
            addresses = list(self.places[source[0]].network.gateways)
        found = []
        for address in addresses:
            for outcome in self.probe(source[0], target[0], address):
                found.append(Expectation(cell, outcome))
        assert found, f"{source[0]} -> {target[0]}: no address to send to"
        return found

    def hold(self, expectations: list[Expectation], seconds: float = LATE_SECONDS) -> None:
        """All of it is as expected; a yes may come late, a no that is broken once has failed."""
        deadline = time.monotonic() + seconds
        failed = self.failures(expectations)
        while failed and time.monotonic() < deadline:
            if any(one.is_fatal() for one in failed):
                break
            for one in failed:
                one.again()
            failed = self.failures(failed)
        assert not failed, f"{len(failed)} of {len(expectations)}:\n" + summary(failed)

    def failures(self, expectations: list[Expectation]) -> list[Expectation]:
        self.run([one.outcome for one in expectations])
        return [one for one in expectations if not one.holds(self)]


LANS = {False: ipaddress.ip_network("192.0.2.0/24"), True: ipaddress.ip_network("2001:db8:1::/64")}


@dataclasses.dataclass
class Expectation:
    """A cell of a table for one probe of it."""

    cell: str
    outcome: Outcome

    def again(self) -> None:
        old = self.outcome
        self.outcome = Outcome(old.source, old.target, old.to, old.kind, old.port, secrets.token_hex(4))

    def holds(self, world: World) -> bool:
        one = self.outcome
        if self.cell == "-":
            # without a route the firewall was never asked, and the no says nothing
            return not one.reached and not one.arrived and one.why != "no route"
        return one.reached and (self.cell == "yes" or one.seen in self.sources(world))

    def is_fatal(self) -> bool:
        """Whether waiting won't help: something came through that must not, or came as somebody else.

        A host itself takes another of its addresses (RFC 6724) until the bridge's own is no longer tentative.
        """
        return self.cell == "-" or (self.outcome.reached and self.cell != "gw")

    def sources(self, world: World) -> list[str]:
        one = self.outcome
        if self.cell == "own":
            return one.source.addresses
        if self.cell == "host":
            return world.places[one.source.machine.name].addresses
        assert self.cell == "gw", f"what is {self.cell!r} in a table?"
        return one.target.network.gateways

    def __str__(self) -> str:
        return f"expected {self.cell}: {self.outcome}"


def summary(failed: list[Expectation]) -> str:
    """A line a cell, with one of its probes; first what can't be the fault of a busy machine."""
    cells: dict[tuple, list[Expectation]] = {}
    for one in sorted(failed, key=lambda one: not one.is_fatal()):
        cells.setdefault((one.cell, one.outcome.source.name, one.outcome.target.name), []).append(one)
    lines = [f"{some[0]}" + (f" and {len(some) - 1} more" if some[1:] else "") for some in cells.values()]
    return "\n".join(lines[:SHOWN] + ([f"... {len(lines) - SHOWN} more cells"] if lines[SHOWN:] else []))


def judge(outcome: Outcome, answer: dict, notes: dict) -> None:
    arrived = [one for one in notes["arrived"] if one["token"] == outcome.token]
    frames = [one for one in notes["frames"] if one["token"] == outcome.token]
    given = answer.get("answer")
    outcome.why = answer.get("why", "")
    outcome.arrived = bool(arrived) or (isinstance(outcome.target, Guest) and bool(frames))
    outcome.mac = frames[0]["mac"] if frames else None
    outcome.seen = (given and given["source"]) or (arrived[0]["source"] if arrived else None)
    if given:
        # a ping's answer does not say whose it is, its arrival does
        by = given.get("at") or (outcome.target.name if arrived else "somebody else")
        outcome.reached = by == outcome.target.name
        outcome.why = "" if outcome.reached else f"{by} answered"


def each(tasks: list[typing.Callable[[], typing.Any]]) -> None:
    """All at once, and every failure is told."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=32) as pool:
        for future in [pool.submit(task) for task in tasks]:
            future.result()
