# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each pattern means: a declaration as the modules' options. The one place where a pattern's knowledge stands."""

from __future__ import annotations

import dataclasses
import typing

from .._core.errors import InputError
from .._core.subnets import overlap, whole_subnet
from .._core.table import Options
from . import checks
from . import options as declared
from .model import BRIDGED, CUSTOM, ISOLATED, NAT, ROUTED, Declaration, Network, Plug

Said = typing.Sequence[typing.Mapping[str, typing.Any]]
_ETHERNET_MTU = 1500  # bytes; RFC 894
_MODES = {NAT: "nat", ROUTED: "route", ISOLATED: "isolated"}


def merged(before: Options, said: Options, removed: Options) -> Options:
    """What was declared before and what is now, where a part of a host's declaration is said by itself: a network or a
    guest of the same name is said anew, and what is removed counts as not said."""
    old = before.get("declared", {})
    found: Options = {}
    for kind, key in (("networks", "name"), ("guests", "guest")):
        gone = removed.get(kind) or ()
        rest = [one for one in said[kind] if str(one.get(key)) not in gone]
        found[kind] = []
        for one in old.get(kind, []):  # what is said anew keeps its place, else saying it again would be a change
            again = next((new for new in rest if str(new.get(key)) == str(one.get(key))), None)
            if again is not None:
                rest.remove(again)
            if again is not None or str(one.get(key)) not in gone:
                found[kind].append(one if again is None else again)
        found[kind] += rest
    return found


def declaration(networks: Said, guests: Said = ()) -> Declaration:
    """host_networks and host_guests in normal form; raises one InputError with everything that is wrong."""
    found, errors = understood(networks, guests)
    refuse(errors)
    return found


def understood(networks: Said, guests: Said = ()) -> tuple[Declaration, list[str]]:
    """(what of it can be meant, what is wrong with the rest)."""
    errors: list[str] = []
    found, plugs = [], []
    for at, said in enumerate(networks):
        try:
            found.append(declared.network(said, at))
        except InputError as error:
            errors.append(str(error))
    for at, said in enumerate(guests):
        try:
            plugs.extend(declared.plugs(said, at))
        except InputError as error:
            errors.append(str(error))
    errors.extend(checks.problems(found))
    return Declaration(tuple(_over_bridges(found)), tuple(plugs)), errors


def refuse(errors: typing.Sequence[str]) -> None:
    """All of them in one message."""
    if errors:
        lines = [line for error in errors for line in error.splitlines()]
        raise InputError("; ".join(lines))


def _over_bridges(networks: list[Network]) -> typing.Iterator[Network]:
    """The way out over a NIC that a bridged network takes is the way over its bridge."""
    bridges = {one.options["nic"]: one.bridge for one in networks if one.pattern == BRIDGED}
    for one in networks:
        dev = one.options.get("dev")
        yield dataclasses.replace(one, options={**one.options, "dev": bridges[dev]}) if dev in bridges else one


def bridge(one: Network, before: Options | None = None) -> Options:
    """What linux_bridge is to make for it. `before` is the record of the last declaration: an MTU that is said no more goes
    back to Ethernet's own."""
    options: Options = {"name": one.bridge}
    if one.pattern == BRIDGED:
        options.update(ports=[one.options["nic"]], inherit=True)
    else:
        options["addresses"] = one.addresses
    mtu = one.options.get("mtu", _ETHERNET_MTU if _had_mtu(one.name, before or {}) else None)
    if mtu is not None:
        options["mtu"] = mtu
    return _over(options, one.options.get("linux_bridge", {}))


def _over(options: Options, more: Options) -> Options:
    """What is said besides, option by option: it does not take away what the pattern says beside it."""
    found = dict(options)
    for name, value in more.items():
        there = found.get(name)
        found[name] = _over(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return found


def _had_mtu(name: str, before: Options) -> bool:
    last = before.get("declared", {}).get("networks", [])
    return any(str(one.get("name")) == name and one.get("mtu") is not None for one in last)


def libvirt_network(one: Network) -> Options:
    """What libvirt_network is to make for it."""
    options: Options = {"name": one.name, "bridge": one.bridge}
    options.update({name: one.options[name] for name in ("restart", "autostart") if name in one.options})
    options.update({"mode": "bridge"} if one.own_bridge else _by_libvirt(one))
    return _over(options, one.options.get("libvirt_network", {}))


def _by_libvirt(one: Network) -> Options:
    options: Options = {"mode": _MODES[one.pattern]}
    leased = hosts(one, 4) if one.dhcp else []
    subnets = []
    for address in one.addresses:
        subnet: Options = {"address": address}
        if one.dhcp and ":" not in address:
            subnet["dhcp"] = {"ranges": whole_subnet(address), "hosts": leased}
        subnets.append(subnet)
    if subnets:
        options["subnets"] = subnets
    if "dev" in one.options:
        options["forward"] = {"dev": one.options["dev"]}
    if one.pattern == NAT and "address6" in one.options:
        options.setdefault("forward", {})["nat"] = {"ipv6": True}
    named = [host for host in one.options.get("hosts", []) if "name" in host and host not in leased]
    if named:
        options["dns"] = {"hosts": [{"ip": host["ip"], "hostnames": [host["name"]]} for host in named]}
    if "domain" in one.options:
        options["domain"] = {"name": one.options["domain"]}
    if "mtu" in one.options:
        options["mtu"] = one.options["mtu"]
    if one.options.get("isolate_guests"):
        options["isolate_ports"] = True
    return options


def hosts(one: Network, version: int) -> list[Options]:
    """The reservations of one IP version."""
    return [host for host in one.options.get("hosts", []) if (":" in host["ip"]) == (version == 6)]


def interface(plug: Plug) -> Options:
    """What libvirt_domain_interface is to make of it."""
    return {"guest": plug.guest, "network": plug.network, **plug.options}


def record(found: Declaration, there: Options | None = None, before: Options | None = None) -> Options:
    """What has to be known to take it all away again.

    `there` names the networks, bridges and guests' interfaces that the host has; what had been there before its first declaration is not
    ours to take away (`adopted`). `before` is the record of the last declaration.
    """
    old, there = (before or {}).get("networks", {}), there or {}
    ours = {one["bridge"] for one in old.values() if _is_ours(one, "bridge" if one["own"] else "network")}
    networks = {}
    for one in found.networks:
        kept = {
            "network": not _is_ours(old[one.name], "network")
            if one.name in old
            else one.name in there.get("networks", ()),
            "bridge": one.own_bridge and one.bridge in there.get("bridges", ()) and one.bridge not in ours,
        }
        networks[one.name] = {
            "bridge": one.bridge,
            "own": one.own_bridge,
            "nic": one.options.get("nic"),
            "adopted": [what for what, adopted in kept.items() if adopted],
        }
    last, plugged = (before or {}).get("interfaces", []), there.get("interfaces", ())
    return {"networks": networks, "interfaces": [_remembered(plug, last, plugged) for plug in found.plugs]}


def _remembered(plug: Plug, last: typing.Sequence[Options], plugged: typing.Sequence[Options]) -> Options:
    """An interface that the guest had before it was first declared is not ours to take away; where it was, it goes back."""
    found: Options = {"guest": plug.guest, "network": plug.network}
    found.update({"mac": plug.options["mac"]} if "mac" in plug.options else {})
    earlier = next((one for one in last if _is_same(one, found, plugged)), None)
    if earlier:
        return {**found, **{word: earlier[word] for word in ("adopted", "was") if word in earlier}}
    there = next((one for one in plugged if _is_same(one, found, plugged)), None)
    if there is None:
        return found
    was = {word: there[word] for word in ("network", "bridge") if there.get(word)}
    return {**found, "adopted": True, **({"was": was} if was and was.get("network") != plug.network else {})}


def _is_same(one: Options, other: Options, plugged: typing.Sequence[Options]) -> bool:
    """Two words for one interface: its MAC address, or where it has none to be known by, its network."""
    if one["guest"] != other["guest"]:
        return False
    macs = [_mac(word, plugged) for word in (one, other)]
    return macs[0] == macs[1] if all(macs) else one.get("network") == other.get("network")


def _mac(one: Options, plugged: typing.Sequence[Options]) -> str | None:
    """As it was said, or as the guest has it on that network."""
    if one.get("mac"):
        return str(one["mac"]).lower()
    place = (one["guest"], one.get("network"))
    there = [other["mac"] for other in plugged if (other["guest"], other.get("network")) == place]
    return there[0].lower() if len(there) == 1 else None


def leftovers(before: Options, now: Options, there: Options | None = None) -> dict[str, list[Options]]:
    """What was made for an earlier declaration and is not of this one: each as its module takes it, to be absent.

    A network whose bridge changes hands between libvirt and us goes first, too: a bridge has one maker. So does one
    whose bridge comes to another NIC, or to none: the host's own addresses go back where they came from. A guest that is
    gone from the host (`there`) took its interfaces with it.
    """
    old, new = before.get("networks", {}), now.get("networks", {})
    changed = [name for name, one in old.items() if _differs(one, new.get(name)) and _is_ours(one, "network")]
    kept = {(one["bridge"], one["nic"]) for one in new.values() if one["own"]}
    made = {(one["bridge"], one["nic"]) for one in old.values() if one["own"] and _is_ours(one, "bridge")}
    return {
        "networks": [{"name": name, "state": "absent"} for name in sorted(changed)],
        "bridges": [{"name": name, "state": "absent"} for name, _nic in sorted(made - kept, key=str)],
        "interfaces": _unplugged(before.get("interfaces", []), now.get("interfaces", []), there or {}),
    }


def _unplugged(last: typing.Sequence[Options], wanted: typing.Sequence[Options], there: Options) -> list[Options]:
    plugged, guests, found = there.get("interfaces", ()), there.get("guests"), []
    for one in last:
        has_gone = guests is not None and one["guest"] not in guests
        if has_gone or any(_is_same(one, other, plugged) for other in wanted):
            continue
        if not one.get("adopted"):
            found.append({**one, "state": "absent"})
        elif "was" in one and one["was"].get("network") in {None, *there.get("networks", ())}:
            found.append({"guest": one["guest"], "mac": one["mac"], **one["was"]})
    return found


def freed(before: Options, going: dict[str, list[Options]]) -> set[str]:
    """The bridges that go, or whose networks do."""
    names = {one["name"] for one in going["networks"]}
    networks = {one["bridge"] for name, one in before.get("networks", {}).items() if name in names}
    return networks | {one["name"] for one in going["bridges"]}


def waiting(found: Declaration, before: Options, going: dict[str, list[Options]]) -> dict[str, list[str]]:
    """{networks, bridges} that come into the place of what goes: check mode can't ask for them, for until that is gone they
    would be refused (an address, a bridge's name or a NIC that is taken)."""
    names = {one["name"] for one in going["networks"]}
    old = [one for name, one in before.get("networks", {}).items() if name in names]
    bridges = freed(before, going)
    nics = {one["nic"] for one in old if one["nic"]}
    said = [one for one in before.get("declared", {}).get("networks", []) if str(one.get("name")) in names]
    nets = [net for one in understood(said)[0].networks for net in one.nets]
    late = [
        one
        for one in found.networks
        if one.bridge in bridges
        or one.options.get("nic") in nics
        or any(overlap(net, other) for net in one.nets for other in nets)
    ]
    return {"networks": [one.name for one in late], "bridges": [one.bridge for one in late if one.own_bridge]}


def _is_ours(remembered: Options, what: str) -> bool:
    return what not in remembered["adopted"]


def _differs(old: Options, new: Options | None) -> bool:
    return new is None or any(old[what] != new[what] for what in ("bridge", "own", "nic"))


def needs_forwarding(networks: typing.Sequence[Network], version: int) -> bool:
    """Whether packets of this IP version pass the host between its networks."""
    passing = [one for one in networks if one.pattern in (NAT, ROUTED, *CUSTOM)]
    return any(net.version == version for one in passing for net in one.nets)
