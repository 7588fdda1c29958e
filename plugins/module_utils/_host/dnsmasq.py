# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of the dnsmasq that serves one custom network (dnsmasq(8)), as text."""

from __future__ import annotations

from .._core.subnets import whole_subnet
from .model import Network
from .patterns import hosts


def config(one: Network) -> str:
    """DHCP and DNS on the network's bridge and nowhere else; router advertisements where it has an IPv6 net."""
    lines = [
        "# Written by virtnet.kvm.",
        "strict-order",
        "bind-dynamic",  # the bridge may come later than dnsmasq
        f"interface={one.bridge}",
        "except-interface=lo",
        "no-hosts",
        f"dhcp-leasefile=/var/lib/virtnet-dnsmasq-{one.name}/leases",
    ]
    domain = one.options.get("domain")
    if domain:
        lines += [f"domain={domain}", f"local=/{domain}/", "expand-hosts"]
    for net, address in zip(one.nets, one.addresses):
        if net.version == 4 and one.dhcp:
            spans = whole_subnet(address)
            lines += [f"dhcp-range={span['start']},{span['end']},{net.netmask}" for span in spans]
            lines += ["dhcp-no-override", "dhcp-authoritative", f"dhcp-lease-max={min(net.num_addresses, 65535)}"]
        if net.version == 6:
            lines += [f"dhcp-range={net.network_address},ra-only,{net.prefixlen}", "enable-ra"]
    for host in hosts(one, 4):
        words = [host[name] for name in ("mac", "ip", "name") if name in host]
        if "mac" in host or "name" in host:
            lines.append(f"dhcp-host={','.join(words)}")
    lines += [f"host-record={host['name']},{host['ip']}" for host in one.options.get("hosts", []) if "name" in host]
    if "mtu" in one.options:
        lines.append(f"dhcp-option=option:mtu,{one.options['mtu']}")
    return "\n".join(lines) + "\n"
