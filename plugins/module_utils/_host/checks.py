# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a declaration can't be, as far as it shows by itself: each with one clear sentence. Pure."""

from __future__ import annotations

import collections
import ipaddress
import typing
from collections.abc import Iterator, Sequence

from .._core.subnets import overlap
from .._core.table import Options
from .model import CUSTOM, Forward, Network


def problems(networks: list[Network]) -> Iterator[str]:
    """Everything that is wrong with these networks together, and with what each says of its own subnets."""
    for what in ("name", "bridge"):
        seen: dict[str, str] = {}
        for one in networks:
            value = getattr(one, what)
            if value in seen:
                yield f"network {one.name}: {what}: {value!r} is that of {seen[value]} already: say another"
            seen[value] = one.name
    yield from _nics_once(networks)
    yield from _apart(networks)
    for one in networks:
        yield from _inside(one)
    yield from _forwards_once(networks)


def _nics_once(networks: list[Network]) -> Iterator[str]:
    nics: dict[str, str] = {}
    for one in networks:
        nic = one.options.get("nic")
        if nic in nics:
            yield f"network {one.name}: nic: {nic!r} is in the bridge of {nics[nic]} already: a NIC is in one bridge"
        if nic:
            nics[nic] = one.name


def _apart(networks: list[Network]) -> Iterator[str]:
    nets = [(one, net) for one in networks for net in one.nets]
    for at, (one, net) in enumerate(nets):
        for other, there in nets[:at]:
            if overlap(net, there):
                yield f"network {one.name}: {net} and {there} of {other.name} are one subnet: take another"


def _inside(one: Network) -> Iterator[str]:
    """The host's own addresses, reservations and targets are such, and lie in the network's own subnets."""
    for option, version in (("address", 4), ("address6", 6)):
        if option in one.options:
            yield from (f"network {one.name}: {why}" for why in _own_address(option, version, one))
    hosts = one.options.get("hosts", [])
    for host in hosts:
        yield from (f"network {one.name}: hosts: {host['ip']} {why}" for why in _reservation(host, one))
    for word in ("ip", "mac"):
        for value, count in collections.Counter(host[word] for host in hosts if word in host).items():
            if count > 1:
                yield f"network {one.name}: hosts: {word} {value} stands there {count} times"
    for forward in one.forwards:
        yield from (f"network {one.name}: forwards: to: {forward.to} {why}" for why in _no_guest(forward.to, one))


def _own_address(option: str, version: int, one: Network) -> Iterator[str]:
    address = ipaddress.ip_interface(one.options[option])
    if address.version != version:
        other = "address" if version == 6 else "address6"
        yield f"{option}: {str(address)!r}: take an address of IPv{version}; one of IPv{address.version} is said by {other}"
    elif _is_nets_own(address.ip, address.network):
        yield f"{option}: {str(address)!r}: that address is the net's own; take one of a host in it"
    elif version == 6 and one.pattern in CUSTOM and address.network.prefixlen != 64:
        yield f"{option}: {str(address)!r}: take a prefix of 64: guests choose their addresses in such nets only (RFC 4862)"


def _is_nets_own(address: typing.Any, net: typing.Any) -> bool:
    """The address of the net itself, or its broadcast address."""
    if net.prefixlen >= net.max_prefixlen - 1:
        return False
    return bool(address == net.network_address or (net.version == 4 and address == net.broadcast_address))


def _reservation(host: Options, one: Network) -> Iterator[str]:
    yield from _no_guest(host["ip"], one)
    if "mac" not in host and "name" not in host:
        yield "has neither mac nor name, so it is nobody's"
    if "mac" in host and ":" in host["ip"]:
        yield "goes by mac, but guests choose IPv6 addresses themselves; leave mac out, and a name is one of DNS"
    elif "mac" in host and not one.dhcp:
        yield "goes by mac, but the network has no DHCP; leave mac out, and a name is one of DNS"


def _no_guest(address: str, one: Network) -> Iterator[str]:
    """Why this can't be a guest's address."""
    parsed = ipaddress.ip_address(address)
    net = next((net for net in one.nets if parsed in net), None)
    if net is None:
        yield f"is not in {' or '.join(map(str, one.nets)) or 'a subnet, of which it has none'}"
    elif _is_nets_own(parsed, net):
        yield f"is the address of {net} itself, and no guest's"
    elif any(parsed == ipaddress.ip_interface(own).ip for own in one.addresses):
        yield "is the host's own address"


def _forwards_once(networks: list[Network]) -> Iterator[str]:
    taken: list[tuple[Network, typing.Any]] = []
    for one in networks:
        for forward in one.forwards:
            for other, there in taken:
                same = forward.protocol == there.protocol and forward.version == there.version
                anywhere = not forward.address or not there.address or forward.address == there.address
                apart = forward.ports[1] < there.ports[0] or there.ports[1] < forward.ports[0]
                if same and anywhere and not apart:
                    yield (
                        f"network {one.name}: forwards: {forward.protocol} port {forward.ports[0]} of the host is"
                        f" forwarded already by {other.name}: take another port, or another address of the host"
                    )
            taken.append((one, forward))


def locked_out(networks: Sequence[Network], connection: tuple[str, str, int] | None) -> Iterator[str]:
    """A forward that takes the very port by which the host is reached. `connection`: client, and the host's address and port."""
    for one in networks:
        for forward in one.forwards:
            if connection and _takes(forward, *connection):
                client, _server, port = connection
                yield (
                    f"network {one.name}: forwards: tcp port {port} is the one by which {client} reaches this host now: take another"
                    " port, an address of the host that nobody comes in by, or sources without it"
                )


def _takes(forward: Forward, client: str, server: str, port: int) -> bool:
    if forward.protocol != "tcp" or not forward.ports[0] <= port <= forward.ports[1]:
        return False
    if forward.version != ipaddress.ip_address(server).version or forward.address not in (None, server):
        return False
    return not forward.sources or any(
        ipaddress.ip_address(client) in ipaddress.ip_network(net) for net in forward.sources
    )


def on_links(networks: Sequence[Network], subnets: Sequence[tuple[str, str]], going: set[str]) -> Iterator[str]:
    """Custom networks over nets that the host reaches elsewhere; libvirt looks at its own itself. `subnets`: (link, net)."""
    for one in networks:
        for net in one.nets if one.pattern in CUSTOM else ():
            for link, cidr in subnets:
                there = ipaddress.ip_network(cidr, strict=False)
                if link != one.bridge and link not in going and overlap(net, there):
                    yield f"network {one.name}: {net} overlaps {cidr}, which the host reaches through its link {link}: take another"
