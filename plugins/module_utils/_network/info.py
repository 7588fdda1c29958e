# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What libvirt_network_info returns."""

from __future__ import annotations

import typing

from .._core.flow import Params
from .._core.table import Options
from .._kernel import links
from .._libvirt.driver import Driver, connect
from .model import Guest, Network
from .observe import read, with_guests
from .result import drifting


def gather(params: Params) -> dict[str, typing.Any]:
    """All networks, or the one of this name."""
    with connect(params["uri"]) as driver:
        entries = [entry for entry in driver.networks() if params["name"] in (None, entry.name)]
        networks = read(driver, entries)
        loose = links.loose_taps() if driver.local else set()
        networks = with_guests(driver, networks, set(networks), loose)
        return {"networks": [_told(driver, networks[name]) for name in sorted(networks)]}


def _told(driver: Driver, network: Network) -> Options:
    kept = network.kept
    return {
        "name": network.name,
        "uuid": network.uuid,
        "state": "active" if network.live else "inactive",
        "persistent": network.config is not None,
        "autostart": network.autostart,
        "bridge": (network.live or kept).definition.bridge,
        "definition": {"xml": kept.xml} if kept.definition.extras else kept.definition.options,
        "drift": drifting(network),
        "leases": [_lease(lease) for lease in driver.leases(network.name)] if network.live else [],
        "guests": [_guest(guest) for guest in network.guests or () if guest.mac],
        "managed": network.ours,
        "xml": kept.xml,
    }


def _lease(lease: typing.Mapping[str, typing.Any]) -> Options:
    return {
        "mac": lease["mac"],
        "ip": lease["ipaddr"],
        "prefix": lease["prefix"],
        "hostname": lease["hostname"],
        "client_id": lease["clientid"],
        "expires": lease["expirytime"],
    }


def _guest(guest: Guest) -> Options:
    return {"guest": guest.guest, "mac": guest.mac, "interface": guest.device, "portgroup": guest.portgroup}
