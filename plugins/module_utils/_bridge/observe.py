# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: a dump of links and of addresses, and more only where what is wanted asks for it."""

from __future__ import annotations

import dataclasses

from .._kernel import probe, read
from .._kernel.values import Link, Route
from .._persist import agent
from .._persist.model import Boot
from .driver import Driver
from .model import Desired, Observed, State, Want
from .options import ABSENT, ATTRIBUTES, DEFAULT_PVID, MADE, MARK, TOPOLOGY_CHANGE, links_in


def observe(driver: Driver, desired: Desired) -> Observed:
    """The host's links as they are, and what the plan for the wanted bridges has to know."""
    links = read.links(driver.netlink, ATTRIBUTES)
    if _ask_vlans(desired, links):
        links = with_vlans(driver, links)
    state = State(links, routes(driver, links) if _ask_routes(desired) else None)
    if desired.back:
        state = dataclasses.replace(state, links=told(links, None))
        return Observed(dataclasses.replace(state, files=agent.files(desired.back.paths)))
    boot = agent.read(
        desired.persist, _concerned(desired, links), keeps=any(want.state != ABSENT for want in desired.wants)
    )
    state = dataclasses.replace(state, links=told(links, boot))
    client, path = _connection(links) if desired.confirm_timeout else (None, frozenset())
    return Observed(
        state=dataclasses.replace(state, files=boot.files if boot else {}),
        guests=guests(links),
        wireless=frozenset(name for name in _nics(desired, links) if read.wireless_station(name)),
        incapable=probe.incapable(_kinds(desired, links)),
        boot=boot,
        path=path,
        client=client,
    )


def with_vlans(driver: Driver, links: dict[str, Link]) -> dict[str, Link]:
    """The same links with their VLANs."""
    vlans = read.vlans(driver.netlink)
    return {name: dataclasses.replace(link, vlans=vlans.get(link.index, {})) for name, link in links.items()}


def routes(driver: Driver, links: dict[str, Link]) -> tuple[Route, ...]:
    """The host's routes, over links by their names."""
    return read.routes(driver.netlink, links)


def guests(links: dict[str, Link]) -> dict[str, str]:
    """{tap: guest} of the guests on any bridge."""
    return probe.guests({link.name for link in links.values() if link.guests and link.master})


def told(links: dict[str, Link], boot: Boot | None) -> dict[str, Link]:
    """The links as they are meant: those that our boot files made are ours after a boot as well, and a time that
    spanning tree has shortened for a while is not what anybody said (br_stp.c, __br_set_topology_change)."""
    made = boot.made if boot else frozenset()
    found = {}
    for name, link in links.items():
        data = dict(link.data)
        if data.pop(TOPOLOGY_CHANGE, 0):
            data["IFLA_BR_AGEING_TIME"] = None
        ours = name in made and link.kind in MADE
        plain = data == link.data and not ours
        found[name] = link if plain else dataclasses.replace(link, data=data, alias=MARK if ours else link.alias)
    return found


def _connection(links: dict[str, Link]) -> tuple[str | None, frozenset[str]]:
    """Where this very connection comes from, and the links that carry it."""
    connection = probe.own_connection()
    if connection is None:
        return None, frozenset()
    client, address, _port = connection
    return client, _path(links, address)


def _path(links: dict[str, Link], address: str) -> frozenset[str]:
    """The links that carry a connection: the one with its address, what it stands on, and what stands on it."""
    holders = {link.name for link in links.values() if any(one.ip == address for one in link.addresses)}
    if not holders:
        return frozenset(links)  # the address is translated on the way; any link may be meant
    path: set[str] = set()
    while holders - path:
        path |= holders
        holders = {
            name
            for link in links.values()
            for name, other in (
                (link.name, link.master),
                (link.name, link.parent),
                (link.master, link.name),
                (link.parent, link.name),
            )
            if name and other in path
        }
    return frozenset(path)


def _ask_vlans(desired: Desired, links: dict[str, Link]) -> bool:
    if desired.back:
        return any(link.vlans is not None for link in desired.back.state.links.values())
    filtering = any(
        want.name in links and links[want.name].data.get("IFLA_BR_VLAN_FILTERING") for want in desired.wants
    )
    return filtering or any(_says_vlans(want) for want in desired.wants)


def _says_vlans(want: Want) -> bool:
    return bool(want.options.get("vlan")) or any("vlans" in port for port in want.ports or ())


def _ask_routes(desired: Desired) -> bool:
    """Their dump grows with the host's addresses, and most runs need none. The kernel drops those of a link that goes down, or
    loses an address, or gets too small for IPv6."""
    words = ("addresses", "mtu", "gateway4", "gateway6", "routes")
    return (
        desired.back is not None
        or desired.persist != "none"
        or any(
            want.inherit
            or want.state == ABSENT
            or want.ports is not None
            or any(word in want.options for word in words)
            or want.options.get("up") is False
            for want in desired.wants
        )
    )


def _ports(desired: Desired) -> set[str]:
    return {name for want in desired.wants for port in want.ports or () for name in links_in(port)}


def _nics(desired: Desired, links: dict[str, Link]) -> set[str]:
    """The ports that are there and are no VLANs or the like."""
    return {name for name in _ports(desired) if name in links and links[name].kind not in MADE}


def _concerned(desired: Desired, links: dict[str, Link]) -> list[str]:
    """The links whose boot files may be changed."""
    names = {want.name for want in desired.wants} | _ports(desired)
    names |= {link.name for link in links.values() if link.master in names and not link.guests}
    names |= {port["parent"] for want in desired.wants for port in want.ports or () if "parent" in port}
    return sorted(names)


def _kinds(desired: Desired, links: dict[str, Link]) -> set[str]:
    """What this call needs of the kernel that it does not show already."""
    kinds = {port["type"] for want in desired.wants for port in want.ports or () if port.get("type") in MADE}
    if any(_says_vlans(want) for want in desired.wants):
        kinds.add("vlan filtering")
    there = {link.kind for link in links.values()}
    if any(DEFAULT_PVID in link.data for link in links.values()):
        there.add("vlan filtering")
    return kinds - there
