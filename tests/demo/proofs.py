# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each pattern promises, from the packets: a function a pattern, which yields what was asked, what was seen, and
whether that is right."""

from __future__ import annotations

import dataclasses
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from virtlab import guest
from virtlab.lab import Lab
from virtlab.machine import Machine
from virtlab.settings import CLIENT, LAN4, OUTSIDE, OUTSIDE4

CLIENT4, WWW = LAN4.format(CLIENT), OUTSIDE4.format(OUTSIDE)
PAGE = "hello from a guest"
Rows = Iterator[tuple[str, str, bool]]


@dataclasses.dataclass(frozen=True)
class Site:
    """A KVM host, with the leases of its guests' NICs by guest and NIC, and whoever looks at them from outside."""

    lab: Lab
    host: Machine
    leases: dict[tuple[str, str], str]

    def lease(self, name: str, nic: str = "eth0") -> str:
        return self.leases[name, nic]

    def speak(self, name: str, command: str) -> str:
        return speak(self.host, name, command)

    def client(self, *words: str) -> str:
        return output(self.lab.machine("client"), *words)

    def read_from_client(self, port: int) -> str:
        return (
            self.client("timeout", "10", "busybox", "wget", "-qO-", f"http://{self.host.address}:{port}/").strip()
            or "no answer"
        )


def bridged(site: Site) -> Rows:
    address = site.lease("both")
    mac = site.speak("both", "cat /sys/class/net/eth0/address")
    leases = output(site.lab.machine("router"), "cat", "/run/dnsmasq-lan.leases")
    yield "lease from the LAN's own DHCP", address, f"{mac} {address} " in leases
    macs = {frame.mac for frame in pinged(site, "both", "client", CLIENT4)}
    yield "the client sees the guest's MAC", listed(macs), macs == {mac}


def routed(site: Site) -> Rows:
    yield from _routed(site, "mail")


def custom_routed(site: Site) -> Rows:
    address = site.lease("dns")
    leases = output(site.host, "cat", "/var/lib/virtnet-dnsmasq-lease/leases")
    yield "lease from the network's own dnsmasq", address, f" {address} " in leases
    yield from _routed(site, "dns")


def _routed(site: Site, name: str) -> Rows:
    address = site.lease(name)
    site.client("ip", "route", "flush", address)
    without = site.client("ping", "-c", "2", "-i", "0.3", "-W", "1", "-q", address)
    yield "client without a route: pings answered", *none_of(without)
    with client_route(site, address):
        reached = site.client("ping", "-c", "2", "-W", "5", "-q", address)
        yield "client with a route: pings answered", answered(reached), answered(reached) == "2 of 2"
        sources = {frame.source for frame in pinged(site, name, "client", CLIENT4)}
    yield "the client sees the guest as", listed(sources), sources == {address}


def nat(site: Site) -> Rows:
    address = site.lease("web")
    yield "reserved address", address, address == "10.10.0.10"
    yield from _translated(site, "web")
    answer = site.speak("web", "wget -qO- http://www.outside.example/")
    yield "the guest reads a page outside, by its name", answer, answer == "hello from outside"
    answer = site.read_from_client(2222)
    yield "the client reads port 2222 of the host", answer, answer == PAGE
    yield from _shielded(site, address)


def custom_nat(site: Site) -> Rows:
    yield from _translated(site, "shop")
    answer = site.read_from_client(8080)
    yield "the client reads port 8080 of the host", answer, answer == PAGE
    yield from _shielded(site, site.lease("shop"))


def _translated(site: Site, name: str) -> Rows:
    sources = {frame.source for frame in pinged(site, name, "outside", WWW)}
    yield "outside the guest is seen as", listed(sources), sources == {site.host.address}


def _shielded(site: Site, address: str) -> Rows:
    with client_route(site, address):
        tried = site.client("ping", "-c", "2", "-i", "0.3", "-W", "1", "-q", address)
    yield "but for that nothing gets in: client's pings answered", *none_of(tried)


def isolated(site: Site) -> Rows:
    there = site.speak("vault", f"ping -c 2 -W 5 -q {site.lease('both', 'eth1')}")
    yield "its pings of the other guest answered", answered(there), answered(there) == "2 of 2"
    # With a way that it was not given, so that it is seen to be refused
    site.speak("vault", "ip route replace default via 10.66.0.1")
    for address in ("10.66.0.1", site.host.address):
        host = site.speak("vault", f"ping -c 2 -W 1 -q {address}")
        yield f"its pings of the host{'' if address[:2] == '10' else ' on the LAN'} answered", *none_of(host)
    for name, address in (("client", CLIENT4), ("outside", WWW)):
        sources = {frame.source for frame in pinged(site, "vault", name, address)}
        yield f"its packets seen by {name}", listed(sources), not sources


def multiple(site: Site) -> Rows:
    lan, sealed = site.lease("both"), site.lease("both", "eth1")
    good = lan.startswith("192.0.2.") and sealed.startswith("10.66.0.")
    yield "one guest, a lease on each network", f"{lan} {sealed}", good
    out = {frame.source for frame in pinged(site, "both", "outside", WWW)}
    yield "outside it is seen as", listed(out), out == {lan}
    over = site.speak("both", "ping -c 2 -W 1 -q -I eth1 10.66.0.1")
    yield "its pings of the host over the isolated one answered", *none_of(over)


# pattern: (the guest that proves it, how)
PROOFS: dict[str, tuple[str, Callable[[Site], Rows]]] = {
    "bridged": ("both", bridged),
    "routed": ("mail", routed),
    "nat": ("web", nat),
    "isolated": ("vault", isolated),
    "custom_routed": ("dns", custom_routed),
    "custom_nat": ("shop", custom_nat),
    "multiple": ("both", multiple),
}


# Packets, and words about them


@dataclasses.dataclass(frozen=True)
class Frame:
    mac: str
    source: str


def pinged(site: Site, name: str, watcher: str, address: str) -> list[Frame]:
    """The pings that arrive at the watcher's own NIC while the guest pings the address."""
    machine = site.lab.machine(watcher)
    gateway = machine.address.rsplit(".", 1)[0] + ".1"
    words = ["timeout", "60", "tcpdump", "-lnei", machine.NIC, "--immediate-mode", "icmp[icmptype] == icmp-echo"]
    with subprocess.Popen(machine.inside(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as capture:
        for line in capture.stderr:
            if "listening on" in line:
                break
        site.speak(name, f"ping -c 2 -W 3 -q {address}")
        # What the watcher itself sends last marks the end: everything before it has been seen
        machine.run(["ping", "-c", "1", "-q", gateway], stdout=subprocess.DEVNULL)
        frames = []
        for line in capture.stdout:
            if f"> {gateway}: ICMP" in line:
                break
            frames += [Frame(*found) for found in re.findall(r"^\S+ (\S+) > .* (\S+) > \S+: ICMP", line)]
        capture.send_signal(signal.SIGINT)
    return frames


@contextmanager
def client_route(site: Site, address: str) -> Iterator[None]:
    """A way for the client over the host."""
    site.client("ip", "route", "replace", address, "via", site.host.address)
    try:
        yield
    finally:
        site.client("ip", "route", "del", address)


def speak(host: Machine, name: str, command: str) -> str:
    return guest.speak(host, name, command).stdout.decode(errors="replace").strip()


def output(machine: Machine, *words: str) -> str:
    return machine.run(list(words), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def answered(ping: str) -> str:
    """`2 of 2`, from what ping says at its end."""
    found = re.search(r"(\d+) packets transmitted, (\d+)", ping)
    return f"{found[2]} of {found[1]}" if found else "no ping"


def none_of(ping: str) -> tuple[str, bool]:
    return answered(ping), answered(ping) == "0 of 2"


def listed(words: set[str]) -> str:
    return " ".join(sorted(words)) or "none"
