# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a declaration is the host's own work: files, units and kernel settings, as a state to be reached."""

from __future__ import annotations

import json

from .._core.table import Options
from . import firewall, units
from .dnsmasq import config
from .model import CUSTOM, Desired, File, Network, Observed, State
from .patterns import needs_forwarding

SETTINGS = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
# A host that forwards hears no routers, and loses what it has heard, unless it is told to (ip-sysctl: accept_ra 2).
HEARING, ACCEPT_RA = "2", "net/ipv6/conf/{}/accept_ra"
_RULES = {4: "iptables", 6: "ip6tables"}
_SECRET = 0o600


def target(desired: Desired, observed: Observed) -> State:
    """The state that the host's services are to be in."""
    if desired.back is not None:
        return desired.back
    now = observed.state
    if not desired.networks:
        return State({}, dict.fromkeys(now.units, False), _given_back(observed))
    files = {**_firewall_files(desired.networks), **_dnsmasq_files(desired.networks)}
    settings = {key: "1" for version, key in SETTINGS.items() if needs_forwarding(desired.networks, version)}
    if SETTINGS[6] in settings:  # the routers first: with the other one they would be gone at once
        settings = {**dict.fromkeys(_hearing(observed), HEARING), **settings}
    if settings:
        files[units.SETTINGS] = File(_settings_text(settings))
    files[units.RECORD] = File(_record_text(desired.record, observed, settings), _SECRET)
    wanted = dict.fromkeys((units.FIREWALL_UNIT, units.BESIDE_UNIT, units.WATCH_UNIT), True)
    wanted.update({units.DNSMASQ_UNIT.format(one.name): True for one in _served(desired.networks)})
    back = {key: value for key, value in _given_back(observed).items() if key not in settings}
    return State(files, {**dict.fromkeys(now.units, False), **wanted}, {**settings, **back})


def _hearing(observed: Observed) -> list[str]:
    """The settings of links whose routes the kernel has from a router; and those that an earlier run has set."""
    forwarding = set(SETTINGS.values())
    return [key for key in observed.state.settings if key not in forwarding]


def _served(networks: tuple[Network, ...]) -> list[Network]:
    return [one for one in networks if one.pattern in CUSTOM]


def _firewall_files(networks: tuple[Network, ...]) -> dict[str, File]:
    families = {4: "ip", 6: "ip6"}
    parts = [firewall.iptables(networks, version, "") for version in families]
    parts += [firewall.in_libvirts_table(networks, version, "") for version in families]
    zones = firewall.zones(networks)
    mark = firewall.stamp("\n".join([*parts, zones, units.BESIDE_SCRIPT]))
    folder = units.FOLDER
    files = {units.TABLE_FILE: File(firewall.own_table(networks)), f"{folder}/mark": File(f"{mark}\n")}
    for version, family in families.items():
        files[f"{folder}/{_RULES[version]}.rules"] = File(firewall.iptables(networks, version, mark))
        files[f"{folder}/libvirt-{family}.nft"] = File(firewall.in_libvirts_table(networks, version, mark))
    files[f"{folder}/zones"] = File(zones)
    files[units.BESIDE] = File(units.BESIDE_SCRIPT, 0o755)
    return {**files, **{path: File(text) for path, text in units.UNITS.items()}}


def _dnsmasq_files(networks: tuple[Network, ...]) -> dict[str, File]:
    served = _served(networks)
    files = {f"{units.FOLDER}/dnsmasq/{one.name}.conf": File(config(one)) for one in served}
    return {**files, units.DNSMASQ_FILE: File(units.DNSMASQ)} if served else files


def _settings_text(settings: dict[str, str]) -> str:
    lines = [f"{key} = {value}" for key, value in settings.items()]
    return "\n".join(["# Written by virtnet.kvm: packets pass between networks.", *lines, ""])


def _record_text(wanted: Options, observed: Observed, settings: dict[str, str]) -> str:
    """With the kernel's settings that are ours, as they were before."""
    known = {**observed.state.settings, **_before(observed)}
    before = {key: known[key] for key in settings if key in known}
    return json.dumps({**wanted, "settings": before}, indent=2, sort_keys=True) + "\n"


def remembered(state: State) -> Options:
    """The record that an earlier run has left; empty where there is none."""
    file = state.files.get(units.RECORD)
    return dict(json.loads(file.text)) if file else {}


def _before(observed: Observed) -> dict[str, str]:
    """What the settings that we have set were before."""
    file = observed.state.files.get(units.SETTINGS)
    ours = {line.split(" = ")[0] for line in file.text.splitlines()} if file else set()
    return {key: value for key, value in remembered(observed.state).get("settings", {}).items() if key in ours}


def _given_back(observed: Observed) -> dict[str, str]:
    """The settings that are ours as they were before; but not while somebody else's networks need them."""
    now = observed.state.settings
    needed = {SETTINGS[version] for version in observed.others_forward}
    before = _before(observed)
    return {key: value if key in needed else before.get(key, value) for key, value in now.items()}
