# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a declared network has to show: the checks of a pattern, and what each should find."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing

from .model import BRIDGED, CUSTOM_NAT, ISOLATED, NAT, Forward, Network


@dataclasses.dataclass(frozen=True)
class Check:
    """A question to the host or to the packets. `kind` says how it is asked, `target` what about."""

    network: str
    what: str
    kind: str
    target: typing.Any = None
    wanted: bool = True


def checks(one: Network, outside: str | None, own: typing.Sequence[str]) -> list[Check]:
    """All checks of a network. `outside` is an address beyond the host, `own` are the host's own addresses there."""

    def check(what: str, kind: str, target: typing.Any = None, wanted: bool = True) -> Check:
        return Check(one.name, what, kind, target, wanted)

    found = [check("libvirt runs it, and starts it at boot", "active")]
    found.append(check(f"bridge {one.bridge} is up, with its addresses", "bridge"))
    if one.dhcp or one.pattern == BRIDGED:
        found.append(check("a guest is offered a lease", "lease"))
    open_ = not one.sealed
    for address in one.addresses:
        host = str(ipaddress.ip_interface(address).ip)
        found.append(check(f"a guest {_may(open_)} its host, {host}", "ping", host, open_))
    for address in [address for address in own if one.pattern == ISOLATED and _speaks(one, address)]:
        found.append(check(f"a guest {_may(open_)} its host, {address}", "ping", address, open_))
    if outside and one.pattern in (BRIDGED, NAT, CUSTOM_NAT, ISOLATED) and _speaks(one, outside):
        out = one.pattern != ISOLATED
        found.append(check(f"a guest {_may(out)} outside, {outside}", "ping", outside, out))
    for forward in one.forwards:
        found.append(
            check(f"{forward.protocol} port {forward.ports[0]} of the host leads to {forward.to}", "forward", forward)
        )
    return found


def _may(yes: bool) -> str:
    return "reaches" if yes else "does not reach"


def _speaks(one: Network, outside: str) -> bool:
    version = ipaddress.ip_address(outside).version
    return one.pattern == BRIDGED or any(net.version == version for net in one.nets)


def guest_address(one: Network, taken: typing.Collection[str]) -> str | None:
    """A free IPv4 address of the network, from the end of it, with its prefix."""
    for net in one.nets:
        if net.version == 4:
            for number in range(int(net.broadcast_address) - 1, int(net.network_address), -1):
                address = str(ipaddress.IPv4Address(number))
                if address not in taken and f"{address}/{net.prefixlen}" not in one.addresses:
                    return f"{address}/{net.prefixlen}"
    return None


def source_of(forward: Forward, own: typing.Sequence[str]) -> str | None:
    """The host's own address by which a forward can be tried from the host itself; None where its sources forbid it."""
    version = forward.version
    for address in [forward.address] if forward.address else own:
        parsed = ipaddress.ip_address(address)
        allowed = not forward.sources or any(parsed in ipaddress.ip_network(net) for net in forward.sources)
        if parsed.version == version and allowed:
            return address
    return None


def table(rows: typing.Sequence[typing.Mapping[str, typing.Any]]) -> list[str]:
    """The checks as lines that a person reads."""
    wide = {name: max((len(row[name]) for row in rows), default=0) for name in ("network", "check")}
    return [
        f"{_verdict(row):8}  {row['network']:{wide['network']}}  {row['check']:{wide['check']}}  {row['found']}"
        for row in rows
    ]


def _verdict(row: typing.Mapping[str, typing.Any]) -> str:
    return "not told" if row["skipped"] else "ok" if row["ok"] else "FAILED"
