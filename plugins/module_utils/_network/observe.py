# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: one bulk read, and more only where a step of the plan needs it."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re

from .._core.errors import VirtnetError
from .._kernel import links
from .._libvirt import domains
from .._libvirt.driver import Driver, Entry
from . import plan as planner
from . import xml
from .model import Desired, Form, Guest, Network, Observed

SCHEMAS = tuple(pathlib.Path(f"/usr/share/libvirt/schemas/{name}.rng") for name in ("network", "networkcommon"))


def observe(driver: Driver, desired: Desired) -> Observed:
    """The networks that are named (all of them for a purge), and what the plan for them has to know."""
    entries = driver.networks()
    named = {want.name for want in desired.wants}
    networks = read(driver, [entry for entry in entries if desired.purge or entry.name in named])
    observed = Observed(
        networks=networks,
        links=links.names() if driver.local else None,
        can_plug=links.can_plug(),
        metadata_live=driver.metadata_live,
    )
    loose = links.loose_taps() if driver.local else set()
    pending = _pending(desired, observed)
    if pending:
        observed = _neighbours(driver, entries, observed)
    names = planner.touched(desired, observed) if pending else set()
    if loose:
        names |= set(networks)  # a tap that hangs in no bridge may belong to any network that runs
    return dataclasses.replace(observed, networks=with_guests(driver, networks, names, loose)) if names else observed


def _pending(desired: Desired, observed: Observed) -> bool:
    """Whether anything is to be done at all, or is to be refused, which has to be said with all known."""
    try:
        plan = planner.plan(planner.bold(desired), observed)
    except VirtnetError:
        return True
    return plan.changed or any(item.facts.get("restart_required") for item in plan.items)


def read(driver: Driver, entries: list[Entry]) -> dict[str, Network]:
    """These networks, without their guests."""
    found = {}
    for entry, (live, config) in zip(entries, driver.definitions(entries)):
        if live or config:
            forms = [_form(text) if text else None for text in (live, config)]
            uuid = next(form.definition.options["uuid"] for form in forms if form)
            found[entry.name] = Network(entry.name, uuid, forms[0], forms[1], entry.autostart)
    return found


@functools.lru_cache(maxsize=4096)
def _form(text: str) -> Form:
    return xml.read(text)


def with_guests(driver: Driver, networks: dict[str, Network], names: set[str], loose: set[str]) -> dict[str, Network]:
    """The same networks with the running guests on them; the live domains say who they are, for libvirt's own count
    is lost when a network is restarted under them."""
    interfaces = [found for text in driver.running_domains_xml() for found in domains.interfaces(text)]
    result = dict(networks)
    for name in names & set(networks):
        network = networks[name]
        running = (network.live or network.kept).definition  # guests hang where it runs, whatever is stored for later
        bridge, own = running.bridge, running.own_bridge
        ports = {domains.port_uuid(text): text for text in driver.ports_xml(name)} if network.live else {}
        members = [one for one in interfaces if one.network == name or (own and one.bridge == own and not one.network)]
        guests = [_guest(one, ports, _hangs(one, bridge, loose, driver.local)) for one in members]
        if running.mode == "hostdev":  # their interfaces don't say the network's name
            claimed = {one.port for one in members}
            guests += [_of_port(uuid, text) for uuid, text in ports.items() if uuid not in claimed]
        guests += _strangers(own, {one.device for one in members}) if network.live and bridge and driver.local else []
        result[name] = dataclasses.replace(
            network, guests=tuple(sorted(guests, key=lambda guest: (guest.guest, guest.mac)))
        )
    return result


def _hangs(interface: domains.Interface, bridge: str | None, loose: set[str], local: bool) -> bool:
    """Whether the guest's device is where the network wants it; macvtap devices (no bridge) are always."""
    if not local or not bridge or not interface.device or links.is_foreign(bridge):
        return True
    return interface.device not in loose and links.master(interface.device) in (bridge, None)


def _guest(interface: domains.Interface, ports: dict[str, str], hangs: bool) -> Guest:
    port = ports.get(interface.port or "") or (domains.port_xml(interface) if interface.port else "")
    counted = interface.port is None or interface.port in ports
    return Guest(
        guest=interface.guest,
        mac=interface.mac,
        device=interface.device,
        port=interface.port,
        portgroup=interface.portgroup,
        plugged=hangs and counted,
        port_xml=port,
        isolated=interface.isolated,
    )


def _of_port(uuid: str, text: str) -> Guest:
    """A guest of which only libvirt's record of its port is known."""
    owner, mac = domains.owner(text)
    return Guest(owner, mac, None, uuid, None, True, text)


def _strangers(bridge: str | None, known: set[str | None]) -> list[Guest]:
    """What somebody else plugged into a network's own bridge (a container, say) loses its link with it as well."""
    return [
        Guest(f"port {device}", "", device, None, None, True)
        for device in links.ports(bridge or "")
        if device not in known
    ]


def _neighbours(driver: Driver, entries: list[Entry], observed: Observed) -> Observed:
    """What a new or restarted network may collide with, and libvirt's own schema."""
    others = read(driver, [entry for entry in entries if entry.name not in observed.networks])
    if not driver.local:
        return dataclasses.replace(observed, others=others)
    return dataclasses.replace(observed, others=others, host_subnets=tuple(links.subnets()), schema=_schema())


def _schema() -> frozenset[str] | None:
    """Every name of an element or attribute in the schema of the libvirt at hand."""
    if not all(path.exists() for path in SCHEMAS):
        return None
    return frozenset(
        name for path in SCHEMAS for name in re.findall(r'(?:element|attribute|ref) name="([^"]+)"', path.read_text())
    )
