# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a declaration means on this very host: what each module is to be handed, what is to go, and what can't be."""

from __future__ import annotations

import importlib.util
import typing

from .._core import command, files
from .._core.errors import InputError
from .._core.flow import Params
from .._core.table import Options
from .._kernel import links, probe, read
from .._libvirt import domains
from .._libvirt import driver as libvirt_driver
from . import checks, patterns, units
from .model import Declaration, File, State
from .services import remembered

_DAEMONS = (
    "libvirtd",
    "libvirtd.socket",
    "virtnetworkd",
    "virtnetworkd.socket",
)  # a socket starts its daemon on demand
# What shows that a package is there: a program, or a module of Python.
_NEEDS = {
    "debian": {
        "virsh": "libvirt-clients",
        "libvirtd": "libvirt-daemon-system",
        "python libvirt": "python3-libvirt",
        "python lxml": "python3-lxml",
        "python pyroute2": "python3-pyroute2",
        "dnsmasq": "dnsmasq-base",
        "nft": "nftables",
        "iptables": "iptables",
    },
    "rhel": {
        "virsh": "libvirt-client",
        "virtnetworkd": "libvirt-daemon-driver-network",
        "virtqemud": "libvirt-daemon-kvm",
        "python libvirt": "python3-libvirt",
        "python lxml": "python3-lxml",
        "python pyroute2": "python3-pyroute2",
        "dnsmasq": "dnsmasq",
        "nft": "nftables",
        "iptables": "iptables-nft",
    },
}


class Taker(typing.NamedTuple):
    """What a module takes: its argument spec and its reading of it."""

    spec: Options
    desired: typing.Callable[[Params], typing.Any]


def gather(params: Params, takers: typing.Mapping[str, Taker]) -> dict[str, typing.Any]:
    """The declaration as the modules' options; raises InputError with everything that can't be meant here. `takers` are the
    modules that make bridges, networks and interfaces."""
    before = _record()
    said: Options = {"networks": params["networks"], "guests": params["guests"]}
    said = patterns.merged(before if params["keep"] else {}, said, params["remove"] or {})
    found, errors = patterns.understood(said["networks"], said["guests"])
    packages = _missing()
    made_for = {one["guest"] for one in before.get("interfaces", [])}
    there = _there(params["uri"], {plug.guest for plug in found.plugs} | made_for)
    named = {str(one.get("name")) for one in said["networks"]}
    record = {**patterns.record(found, there, before), "declared": said}
    leftovers = patterns.leftovers(before, record, there)
    going = {one["name"] for one in leftovers["networks"]}
    made = {
        "bridges": [patterns.bridge(one, before) for one in found.networks if one.own_bridge],
        "networks": [patterns.libvirt_network(one) for one in found.networks],
        "interfaces": [patterns.interface(plug) for plug in found.plugs],
    }
    errors += _refused(found, named | there.get("networks", set()) - going, there)
    errors += checks.locked_out(found.networks, probe.own_connection())
    errors += checks.on_links(found.networks, links.subnets(), patterns.freed(before, leftovers))
    patterns.refuse([*errors, *_not_taken(made, takers)])
    return {
        "packages": packages,
        "daemons": [] if packages or command.is_active(*_DAEMONS) else [_daemon()],
        **made,
        "leftovers": leftovers,
        "waiting": patterns.waiting(found, before, leftovers),
        "declared": said["networks"],
        "record": record,
        "made": before,
    }


def _not_taken(made: Options, takers: typing.Mapping[str, Taker]) -> typing.Iterator[str]:
    """What the modules themselves would refuse, in the midst of it."""
    for kind, taker in takers.items():
        known = taker.spec[kind]["options"]
        for one in made[kind]:
            what = f"guest {one['guest']}" if kind == "interfaces" else f"network {one['name']}"
            strangers = sorted(str(name) for name in one if name not in known)
            if strangers:
                yield f"{what}: {strangers[0]}: there is no such option; take {', '.join(sorted(known))}"
                continue
            try:
                taker.desired({kind: [one]})
            except InputError as error:
                yield str(error)


def _record() -> Options:
    text = files.read(units.RECORD)
    return remembered(State({units.RECORD: File(*text)} if text else {}))


def declared() -> Options:
    """The networks and guests that were declared here last."""
    found: Options = {"networks": [], "guests": []}
    return {**found, **_record().get("declared", {})}


def _missing() -> list[str]:
    """The packages that this host lacks; none where its family is not known, and each module then says what it lacks."""
    release = (files.read("/etc/os-release") or ("", 0))[0].lower()
    family = "debian" if "debian" in release else "rhel" if "rhel" in release or "fedora" in release else ""
    return sorted({package for sign, package in _NEEDS.get(family, {}).items() if not _is_there(sign)})


def _is_there(sign: str) -> bool:
    kind, _space, name = sign.rpartition(" ")
    return bool(importlib.util.find_spec(name) if kind else command.is_there(name))


def _daemon() -> str:
    return "libvirtd" if command.is_there("libvirtd") else "virtnetworkd"


def _there(uri: str, guests: set[str]) -> Options:
    """Names of what the host has; guests and networks are None where libvirt can't be asked yet."""
    found: Options = {"links": set(links.names()), "bridges": set(links.bridges()), "networks": None, "guests": None}
    can_ask = libvirt_driver.is_installed() and _is_there("python lxml")
    if can_ask and command.is_active(*_DAEMONS):
        with libvirt_driver.connect(uri) as driver:
            found["networks"] = {entry.name for entry in driver.networks()}
            found["guests"] = {entry.name for entry in driver.domains()}
            found["interfaces"] = [one for guest in sorted(guests & found["guests"]) for one in _plugged(driver, guest)]
    return {name: value for name, value in found.items() if value is not None}


def _plugged(driver: typing.Any, guest: str) -> list[Options]:
    """What a guest has on networks and bridges, as it is stored."""
    text = driver.domain_xml(guest, True)
    found = domains.interfaces(text) if text else []
    return [{"guest": guest, "network": one.network, "bridge": one.bridge, "mac": one.mac} for one in found]


def _refused(found: Declaration, known: set[str], there: Options) -> typing.Iterator[str]:
    """What the declaration alone does not show; `known` are all networks that will be there, and those of it that can't be
    meant as well."""
    made = {one.bridge for one in found.networks}
    for one in found.networks:
        for option in ("nic", "dev"):
            link = one.options.get(option)
            if link and link not in there["links"] and not (option == "dev" and link in made):
                yield f"network {one.name}: {option}: {link!r} is no link of this host; it has {_names(there['links'])}"
        nic = one.options.get("nic")
        if nic and nic in there["links"] and read.wireless_station(nic):
            yield (
                f"network {one.name}: nic: {nic!r} is a wireless NIC, and an access point takes frames of its own address"
                " only: declare the network routed or nat instead"
            )
    for plug in found.plugs:
        if "guests" in there and plug.guest not in there["guests"]:
            yield f"guest {plug.guest}: there is no such guest on this host; it has {_names(there['guests'])}"
        if "networks" in there and plug.network not in known:
            yield f"guest {plug.guest}: network {plug.network!r} is neither declared nor there; take {_names(known)}"


def _names(found: set[str]) -> str:
    return ", ".join(sorted(found)) or "none"
