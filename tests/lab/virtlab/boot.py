# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's network as its distribution's installer would write it, for whoever keeps its boot configuration."""

from __future__ import annotations

import typing

from .settings import DOMAIN, LAN4, LAN6, OUTSIDE4, OUTSIDE6, ROUTER

if typing.TYPE_CHECKING:
    from .machine import Machine

Words = dict[str, str]


def files(machine: Machine) -> dict[str, str]:
    """The files of a machine with one NIC, by path, and who starts (see image.IF_IN_CHARGE)."""
    outside = machine.role == "outside"
    four, six = (OUTSIDE4, OUTSIDE6) if outside else (LAN4, LAN6)
    words = {
        "nic": machine.NIC, "four": four.format(machine.number), "six": six.format(machine.number),
        "router4": four.format(ROUTER), "router6": six.format(ROUTER),
        "dns": "" if outside else LAN4.format(ROUTER), "domain": "" if outside else DOMAIN,
    }  # fmt: skip
    starts, render = BACKENDS[machine.backend]
    return {f"etc/lab/{starts}": "", **render(words)}


def mode(path: str) -> int:
    """NetworkManager passes by, and netplan complains of, a file that others may read."""
    return 0o600 if path.startswith(("etc/NetworkManager/", "etc/netplan/")) else 0o644


def networkd(words: Words) -> dict[str, str]:
    text = (
        "[Match]\nName={nic}\n[Network]\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=no\n"
        "Address={four}/24\nGateway={router4}\nAddress={six}/64\nGateway={router6}\n"
    )
    text += "DNS={dns}\nDomains={domain}\n" if words["dns"] else ""
    return {f"etc/systemd/network/10-{words['nic']}.network": text.format(**words)}


def ifupdown(words: Words) -> dict[str, str]:
    """Debian's installer (netcfg)."""
    text = """\
# This file describes the network interfaces available on your system
# and how to activate them. For more information, see interfaces(5).

source /etc/network/interfaces.d/*

# The loopback network interface
auto lo
iface lo inet loopback

# The primary network interface
auto {nic}
iface {nic} inet static
\taddress {four}/24
\tgateway {router4}
\t# dns-* options are implemented by the resolvconf package, if installed
\tdns-nameservers {dns}
\tdns-search {domain}

# This is an autoconfigured IPv6 interface
iface {nic} inet6 static
\taddress {six}/64
\tgateway {router6}
"""
    return {"etc/network/interfaces": text.format(**words)}


def networkmanager(words: Words) -> dict[str, str]:
    """nmtui, or EL's installer (anaconda)."""
    text = """\
[connection]
id={nic}
uuid=8a1c0f5e-2f6d-4f0e-9a0b-0d6c1c2b3a4d
type=ethernet
autoconnect-priority=-999
interface-name={nic}

[ethernet]

[ipv4]
address1={four}/24,{router4}
dns={dns};
dns-search={domain};
method=manual

[ipv6]
addr-gen-mode=eui64
address1={six}/64,{router6}
method=manual

[proxy]
"""
    return {f"etc/NetworkManager/system-connections/{words['nic']}.nmconnection": text.format(**words)}


NETPLAN = """\
# This is the network config written by 'subiquity'
network:
  version: 2
{renderer}  ethernets:
    {nic}:
      addresses:
      - {four}/24
      - {six}/64
      nameservers:
        addresses:
        - {dns}
        search:
        - {domain}
      routes:
      - to: default
        via: {router4}
      - to: "::/0"
        via: {router6}
"""


def netplan(words: Words) -> dict[str, str]:
    """Ubuntu's installer on a server."""
    return {"etc/netplan/50-cloud-init.yaml": NETPLAN.format(renderer="", **words)}


def netplan_nm(words: Words) -> dict[str, str]:
    """The same, rendered for NetworkManager."""
    return {"etc/netplan/50-cloud-init.yaml": NETPLAN.format(renderer="  renderer: NetworkManager\n", **words)}


# What the lab calls it: who starts (image.DAEMONS), and who writes its files.
BACKENDS = {
    "networkd": ("networkd", networkd),
    "ifupdown": ("ifupdown", ifupdown),
    "networkmanager": ("networkmanager", networkmanager),
    "netplan": ("networkd", netplan),
    "netplan-nm": ("networkmanager", netplan_nm),
}
