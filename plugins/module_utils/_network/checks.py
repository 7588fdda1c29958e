# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before anything changes, each with one clear sentence. Pure.

Only asked for what is about to change: a definition equal to what is there is never refused.
"""

from __future__ import annotations

import collections
import dataclasses
import ipaddress
import re
import typing
from collections.abc import Iterator

from .._core import kinds
from .._core.errors import InputError
from .._core.subnets import overlap
from .._core.table import Options
from .model import OWN_BRIDGE, Definition, Network, Observed

NAME_LENGTH = 128
_SHORTEST_LEASE = 120  # seconds; virNetworkDHCPLeaseTimeDefParseXML in network_conf.c
_MACVTAP = ("private", "vepa", "passthrough")


def refuse(name: str, problems: Iterator[str]) -> None:
    """Raise an InputError with every problem in one message."""
    found = list(problems)
    if found:
        raise InputError(f"network {name}: {'; '.join(found)}")


def name_problems(name: str) -> Iterator[str]:
    """libvirt makes files of a network's name."""
    if "/" in name or name in (".", ".."):
        yield f"name: {name!r} can't be a file's name; leave out the slash"
    elif len(name) > NAME_LENGTH:
        yield f"name: {len(name)} characters are too many; take at most {NAME_LENGTH}"
    elif not name.strip() or any(ord(character) < 32 for character in name):
        yield f"name: {name!r} has to have visible characters only"


def definition_problems(wanted: Definition, schema: frozenset[str] | None) -> Iterator[str]:
    """What nobody can mean, or what this libvirt does not know."""
    options = wanted.options
    yield from _unknown(wanted, schema)
    yield from _mode(wanted)
    for subnet in wanted.subnets:
        yield from _subnet(subnet)
    yield from _subnets(wanted.subnets)
    yield from _dns(options.get("dns", {}))
    yield from _portgroups(options.get("portgroups", []))
    yield from _forward(wanted)
    for route in options.get("routes", []):
        via = ipaddress.ip_address(route["via"])
        if not any(via in ipaddress.ip_interface(subnet["address"]).network for subnet in wanted.subnets):
            yield f"routes: via {via} is in none of the network's subnets, so it can't be reached"


@dataclasses.dataclass(frozen=True)
class Ground:
    """What is taken, reckoned once for all networks of a call."""

    spans: list[tuple[int, int, int, str, str]]  # IP version, first and last address, CIDR, running network
    bridges: dict[str, list[str]]  # {own bridge: its networks}
    held: set[str]  # the bridges of networks that run now
    links: frozenset[str]
    subnets: list[tuple[int, int, int, str, str]]  # the same of the host's links


def ground(observed: Observed, after: dict[str, Network]) -> Ground:
    """`after` is every network as it will be."""
    bridges: dict[str, list[str]] = {}
    for name, network in after.items():
        for bridge in {form.definition.own_bridge for form in (network.live, network.config) if form}:
            if bridge:
                bridges.setdefault(bridge, []).append(name)
    running = {name: network.live.definition for name, network in after.items() if network.live}
    now = [
        network.live.definition for network in (*observed.networks.values(), *observed.others.values()) if network.live
    ]
    held = {one.own_bridge for one in now if one.own_bridge}
    return Ground(
        spans=[_span(subnet["address"], name) for name, one in running.items() for subnet in one.subnets],
        bridges=bridges,
        held=held,
        links=frozenset(observed.links or ()),
        subnets=[_span(cidr, link) for link, cidr in observed.host_subnets if link not in held],
    )


def _span(cidr: str, owner: str) -> tuple[int, int, int, str, str]:
    net = ipaddress.ip_interface(cidr).network
    return net.version, int(net.network_address), int(net.broadcast_address), cidr, owner


def collision_problems(name: str, wanted: Definition, taken: Ground) -> Iterator[str]:
    """A bridge name that is taken, an address that overlaps."""
    yield from _bridge(name, wanted, taken)
    for subnet in wanted.subnets:
        version, first, last, cidr, _name = _span(subnet["address"], name)
        for there, low, high, other, network in taken.spans:
            if low <= last and first <= high and there == version and network != name:
                yield f"address {cidr} overlaps {other} of the running network {network}"
        for there, low, high, other, link in taken.subnets:
            if low <= last and first <= high and there == version and link != wanted.own_bridge:
                yield f"address {cidr} overlaps {other}, which the host reaches through its link {link}"


def _bridge(name: str, wanted: Definition, taken: Ground) -> Iterator[str]:
    bridge = wanted.own_bridge
    if bridge is None:
        return
    others = [other for other in taken.bridges.get(bridge, ()) if other != name]
    if others:
        yield f"bridge: {bridge} is the bridge of network {others[0]}; take another name or leave it out"
    elif bridge in taken.links and bridge not in taken.held:  # whoever of ours holds it now goes, or keeps it
        yield f"bridge: {bridge} is a link of this host already; for guests on it say mode: bridge"


def _unknown(wanted: Definition, schema: frozenset[str] | None) -> Iterator[str]:
    if schema is None:
        return  # libvirt's own answer is read back after the definition
    for extra in wanted.extras:
        place, what = extra.split(" ", 1)
        word = re.match(r"@?<?(?:\w+:)?([\w-]+)", what)
        if word and word[1] not in schema:
            kind = "attribute" if what.startswith("@") else "element"
            yield f"xml: the {kind} {word[1]!r} in <{place.split('/')[-1]}> is unknown to this libvirt, which would drop it"
    for option in ("title", "description"):
        if option in wanted.options and option not in schema:
            yield f"{option}: this libvirt is too old to keep a network's {option}, and would drop it; leave it out"
    if wanted.options.get("domain", {}).get("register") and "register" not in schema:
        yield "domain.register: this libvirt is too old for it, and would drop it; leave it out"


def _mode(wanted: Definition) -> Iterator[str]:
    mode, options = wanted.mode, wanted.options
    if mode not in OWN_BRIDGE:
        for option in ("subnets", "dns", "domain", "routes", "mtu", "mac_address", "dnsmasq_options"):
            if option in options:
                word = "address or subnets" if option == "subnets" else option
                yield f"{word}: can't be had in mode {mode}, where libvirt makes no bridge; take one of {', '.join(OWN_BRIDGE)}"
    interfaces = options.get("forward", {})
    if mode == "bridge" and not options.get("bridge") and not interfaces.get("interfaces"):
        yield "mode bridge needs `bridge`, the name of the host's own bridge"
    if mode in _MACVTAP and not interfaces.get("interfaces") and not interfaces.get("pf"):
        yield f"mode {mode} needs forward.dev, forward.interfaces or forward.pf: the NICs that guests are put on"
    if mode in (*_MACVTAP, "hostdev") and "bridge" in options:
        yield f"bridge: mode {mode} has none"
    if mode == "hostdev" and not interfaces.get("pf") and not interfaces.get("addresses"):
        yield "mode hostdev needs forward.pf or forward.addresses"
    if mode in ("route", "nat", "open") and not wanted.subnets:
        yield f"mode {mode} needs an address (or subnets)"


def _forward(wanted: Definition) -> Iterator[str]:
    forward = wanted.options.get("forward", {})
    if wanted.mode == "isolated" and forward:
        yield "forward: an isolated network forwards nothing; leave it out, or take another mode"
    if wanted.mode != "nat" and "nat" in forward:
        yield f"forward.nat: mode {wanted.mode} translates no addresses; leave it out, or take mode nat"
    if wanted.mode in ("nat", "route") and len(forward.get("interfaces", [])) > 1:
        yield f"forward.interfaces: mode {wanted.mode} takes one device at most"
    for option in ("addresses", "ports"):
        pair = forward.get("nat", {}).get(option)
        if pair and _number(pair["start"]) > _number(pair["end"]):
            yield f"forward.nat.{option}: {pair['start']} to {pair['end']} runs backwards"


def _number(value: typing.Any) -> int:
    return value if isinstance(value, int) else int(ipaddress.ip_address(value))


def _subnet(subnet: Options) -> Iterator[str]:
    interface = ipaddress.ip_interface(subnet["address"])
    net, where = interface.network, f"subnet {subnet['address']}"
    dhcp = subnet.get("dhcp", {})
    if "bootp" in dhcp and "ranges" not in dhcp and "hosts" not in dhcp:
        yield f"{where}: bootp needs a DHCP range or a reservation; without one libvirt drops it"
    if subnet.get("local_ptr") and net.prefixlen % (8 if net.version == 4 else 4):
        yield f"{where}: local_ptr needs a prefix that is a multiple of {8 if net.version == 4 else 4}: a reverse zone has no other"
    yield from _leases(where, dhcp)
    spans = []
    for span in dhcp.get("ranges", []):
        start, end = (ipaddress.ip_address(span[name]) for name in ("start", "end"))
        text = f"DHCP range {start} to {end}"
        if start.version != net.version or start not in net or end not in net:
            yield f"{where}: {text} is not inside of it"
        elif int(start) > int(end):
            yield f"{where}: {text} runs backwards"
        elif int(end) - int(start) > 65534:
            yield f"{where}: {text} has more than the 65535 addresses that libvirt takes"
        else:
            spans.append((int(start), int(end), text))
    spans.sort()
    for one, two in zip(spans, spans[1:]):
        if two[0] <= one[1]:
            yield f"{where}: {one[2]} and {two[2]} overlap"
    yield from _reservations(where, interface, dhcp.get("hosts", []))


def _leases(where: str, dhcp: Options) -> Iterator[str]:
    for one in (*dhcp.get("ranges", []), *dhcp.get("hosts", [])):
        if "lease_time" in one and 0 < kinds.seconds_of(one["lease_time"]) < _SHORTEST_LEASE:
            yield f"{where}: lease_time {one['lease_time']}: libvirt takes {_SHORTEST_LEASE} seconds and more"


def _reservations(where: str, interface: typing.Any, hosts: list[Options]) -> Iterator[str]:
    for host in hosts:
        ip = ipaddress.ip_address(host["ip"])
        if ip not in interface.network:
            yield f"{where}: the reservation {ip} is outside of it"
        elif ip == interface.ip:
            yield f"{where}: the reservation {ip} is the host's own address"
        if not any(host.get(name) for name in ("mac", "name", "id")):
            yield f"{where}: the reservation {ip} has neither mac nor name nor id, so it is nobody's"
        if "mac" in host and "id" in host:
            yield f"{where}: the reservation {ip} has both mac and id; say one"
        if "mac" in host and interface.version == 6:
            yield f"{where}: the reservation {ip} goes by mac; in IPv6 it goes by id (DUID) or name"
        if "id" in host and interface.version == 4:
            yield f"{where}: the reservation {ip} goes by id; in IPv4 it goes by mac or name"
    for name in ("mac", "ip", "name", "id"):
        for value in _twice(host[name] for host in hosts if name in host):
            yield f"{where}: two reservations have the {name} {value}"


def _subnets(subnets: list[Options]) -> Iterator[str]:
    serving: collections.Counter[int] = collections.Counter()
    nets = [ipaddress.ip_interface(subnet["address"]).network for subnet in subnets]
    for number, net in enumerate(nets):
        for other in nets[:number]:
            if overlap(net, other):
                yield f"subnets: {other} and {net} overlap"
        if any(subnets[number].get("dhcp", {}).get(name) for name in ("ranges", "hosts")):
            serving[net.version] += 1
    for version, count in serving.items():
        if count > 1:
            yield f"subnets: {count} IPv{version} subnets have DHCP; libvirt serves it on one of a family"


def _dns(dns: Options) -> Iterator[str]:
    for forwarder in dns.get("forwarders", []):
        if not forwarder.get("domain") and not forwarder.get("address"):
            yield "dns.forwarders: an item needs address or domain"
    for srv in dns.get("srvs", []):
        if "target" not in srv and any(srv.get(name) for name in ("port", "priority", "weight")):
            yield f"dns.srvs: {srv['service']}/{srv['protocol']} has a port, priority or weight, and no target"
    for ip in _twice(host["ip"] for host in dns.get("hosts", [])):
        yield f"dns.hosts: {ip} stands there twice; list all its hostnames in one item"
    for name in _twice(txt["name"] for txt in dns.get("txts", [])):
        yield f"dns.txts: {name} stands there twice"
    for srv in _twice(
        tuple(srv.get(name) for name in ("service", "protocol", "domain", "target")) for srv in dns.get("srvs", [])
    ):
        yield f"dns.srvs: {'/'.join(str(part) for part in srv if part)} stands there twice"


def _portgroups(groups: list[Options]) -> Iterator[str]:
    for name in _twice(group["name"] for group in groups):
        yield f"portgroups: {name} stands there twice"
    if sum(1 for group in groups if group.get("default")) > 1:
        yield "portgroups: more than one is the default"


def _twice(values: typing.Iterable[typing.Any]) -> list[typing.Any]:
    return [value for value, count in collections.Counter(values).items() if count > 1]
