# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subnets, as more than one domain reckons with them."""

from __future__ import annotations

import ipaddress
import typing

from .table import Options

Net = typing.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def overlap(one: Net, other: Net) -> bool:
    """Whether two nets share an address; those of different IP versions never do."""
    return one.version == other.version and one.overlaps(other)


def whole_subnet(address: str) -> list[Options]:
    """DHCP ranges of a whole subnet but for the host's own address.

    libvirt takes ranges of at most 65,535 addresses (virSocketAddrGetRange), so of a larger subnet the first are taken.
    """
    interface = ipaddress.ip_interface(address)
    net, own = interface.network, int(interface.ip)
    edge = 0 if net.prefixlen >= net.max_prefixlen - 1 else 1
    first, last = int(net.network_address) + edge, int(net.broadcast_address) - (edge if net.version == 4 else 0)
    last = min(last, int(net.network_address) + 65534)
    make = ipaddress.IPv4Address if net.version == 4 else ipaddress.IPv6Address
    spans = [(first, min(last, own - 1)), (max(first, own + 1), last)] if first <= own <= last else [(first, last)]
    return [{"start": str(make(start)), "end": str(make(end))} for start, end in spans if start <= end]
