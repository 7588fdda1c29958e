# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking the host, and sending packets: a network namespace on the bridge stands for a guest, and is gone afterwards."""

from __future__ import annotations

import contextlib
import inspect
import ipaddress
import json
import socket
import sys
import time
import typing
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from .._core import command
from .._core.errors import SystemFailure
from .._core.flow import Params
from .._core.table import Options
from .._kernel import read
from .._kernel.netlink import Netlink
from .._libvirt import driver as libvirt_driver
from . import expect, probe
from .desired import desired
from .domain import connect
from .expect import Check
from .look import declared
from .model import BRIDGED, Forward, Network
from .observe import observe
from .patterns import declaration
from .plan import RECORD, plan

_LEASE_SECONDS = 10  # spanning tree holds a new port for four, and a server looks for three whether an address is free
_SIDE_BY_SIDE = 8
_LISTEN_SECONDS = 3


def gather(params: Params) -> dict[str, typing.Any]:
    """Every check of every declared network, with what was found."""
    networks = params["networks"] if params["networks"] is not None else declared()["networks"]
    found = declaration(networks)
    outside, own, links = _host(params["outside"])
    with libvirt_driver.connect(params["uri"]) as driver:
        running = {entry.name: entry.active and entry.autostart for entry in driver.networks()}
    rows = [_services(networks)] if found.networks else []

    def prove(one: Network) -> list[Options]:
        with _guest(one) as guest:
            told = {"running": running, "links": links, "guest": guest, "own": own}
            return [_row(check, *_ask(one, check, told)) for check in expect.checks(one, outside, own)]

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        rows += [row for part in pool.map(prove, found.networks) for row in part]
    return {"checks": rows, "passed": all(row["ok"] for row in rows), "table": expect.table(rows)}


def _row(check: Check, answer: bool | None, found: str) -> Options:
    """`answer` is None where it can't be told here."""
    ok = answer is None or answer == check.wanted
    return {"network": check.network, "check": check.what, "found": found, "ok": ok, "skipped": answer is None}


def _services(networks: typing.Any) -> Options:
    wanted = desired({"networks": networks})
    with connect({}, True) as driver:
        steps = [step for step in plan(wanted, observe(driver, wanted)).steps if step.subject != RECORD]
    todo = ", ".join(sorted({step.subject for step in steps})) or "nothing to be done"
    return _row(Check("(all)", "firewall, DHCP and forwarding are as declared", "services"), not steps, todo)


def _host(outside: str | None) -> tuple[str | None, list[str], dict[str, typing.Any]]:
    """(an address beyond the host, the host's own addresses on the way there, all links)."""
    netlink = Netlink()
    try:
        links = read.links(netlink, frozenset())
        routes = read.routes(netlink, links)
    finally:
        netlink.close()
    way = next((route.hops[0] for route in routes if route.to == "0.0.0.0/0" and route.hops[0].via), None)
    link = links.get(way.dev or "") if way else None
    own = [one.ip for one in link.addresses if not one.link_local] if link else []
    return outside or (way.via if way else None), own, links


@contextlib.contextmanager
def _guest(one: Network) -> Iterator[dict[str, typing.Any]]:
    """A namespace on the network's bridge, with an address and a way out where it could get them."""
    name = f"virtnet-{uuid.uuid4().hex[:8]}"
    tap = f"vv{name[-8:]}"
    guest: dict[str, typing.Any] = {"namespace": name, "offer": {}, "up": False}
    try:
        with contextlib.suppress(SystemFailure):
            _plug(name, tap, one.bridge)
            guest["up"] = True
            _address(one, guest)
        yield guest
    finally:
        for words in (("link", "delete", tap), ("netns", "delete", name)):
            with contextlib.suppress(SystemFailure):
                command.run("ip", *words)


def _plug(name: str, tap: str, bridge: str) -> None:
    command.run("ip", "netns", "add", name)
    command.run("ip", "link", "add", tap, "type", "veth", "peer", "name", "eth0", "netns", name)
    command.run("ip", "link", "set", tap, "master", bridge, "up")
    # a lease is offered to somebody who has no address yet, by somebody who has no route there
    command.run(
        "ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0"
    )
    command.run("ip", "-n", name, "link", "set", "lo", "up")
    command.run("ip", "-n", name, "link", "set", "eth0", "up")


def _address(one: Network, guest: dict[str, typing.Any]) -> None:
    name = guest["namespace"]
    if one.dhcp or one.pattern == BRIDGED:
        guest["offer"] = _probe(name, "discover", link="eth0", seconds=_LEASE_SECONDS)
    offer = guest["offer"]
    if offer:
        prefix = ipaddress.ip_network(f"0.0.0.0/{offer['mask']}").prefixlen
        address, router = f"{offer['address']}/{prefix}", offer["router"]
    else:
        address = expect.guest_address(one, ()) or ""
        router = one.addresses[0].split("/")[0] if address else None
    if address:
        command.run("ip", "-n", name, "address", "add", address, "dev", "eth0")
    if not router and one.addresses:  # so that it is seen to be refused, not just not to know the way
        router = one.addresses[0].split("/")[0]
    if router:
        command.run("ip", "-n", name, "route", "add", "default", "via", router)
    for cidr in one.addresses:
        if ":" in cidr:
            own = ipaddress.ip_interface(cidr)
            command.run(
                "ip", "-n", name, "address", "add", f"{own.network[-2]}/{own.network.prefixlen}", "dev", "eth0", "nodad"
            )


def _probe(namespace: str, verb: str, **arguments: typing.Any) -> dict[str, typing.Any]:
    words = (
        "ip",
        "netns",
        "exec",
        namespace,
        sys.executable,
        "-c",
        inspect.getsource(probe),
        verb,
        json.dumps(arguments),
    )
    return dict(json.loads(command.run(*words)))


def _ask(one: Network, check: Check, told: dict[str, typing.Any]) -> tuple[bool | None, str]:
    return _KINDS[check.kind](one, check, told)


def _active(one: Network, check: Check, told: dict[str, typing.Any]) -> tuple[bool | None, str]:
    del check
    known = told["running"].get(one.name)
    autostart = one.options.get("autostart") is not False
    return (known is not None and (known or not autostart)), "yes" if known else "no" if known is None else "not both"


def _bridge(one: Network, check: Check, told: dict[str, typing.Any]) -> tuple[bool | None, str]:
    del check
    link = told["links"].get(one.bridge)
    if link is None or not link.up:
        return False, "no such link" if link is None else "down"
    missing = set(one.addresses) - {address.cidr for address in link.addresses}
    return not missing, f"{', '.join(sorted(missing))} missing" if missing else "yes"


def _lease(one: Network, check: Check, told: dict[str, typing.Any]) -> tuple[bool | None, str]:
    del check
    offer = told["guest"]["offer"]
    servers = {address.split("/")[0] for address in one.addresses}
    good = bool(offer) and (not servers or offer["server"] in servers)
    return good, f"{offer['address']} by {offer['server']}" if offer else "no offer"


def _ping(one: Network, check: Check, told: dict[str, typing.Any]) -> tuple[bool | None, str]:
    del one
    if not told["guest"]["up"]:
        return None, "no bridge to ask from"
    words = ("ping", "-n", "-c", "2", "-i", "0.3", "-W", "1", check.target)
    try:
        command.run("ip", "netns", "exec", told["guest"]["namespace"], *words)
    except SystemFailure:
        return False, "no answer"
    return True, "answers"


def _forward(one: Network, check: Check, told: dict[str, typing.Any]) -> tuple[bool | None, str]:
    """The host calls its own port, and the namespace, which has the guest's address while that is free, hears it."""
    forward: Forward = check.target
    source = expect.source_of(forward, told["own"])
    namespace = told["guest"]["namespace"]
    if not source or not told["guest"]["up"]:
        return None, "not to be tried from the host"
    if not _take(one, forward, told["guest"]):
        return None, f"{forward.to} is a guest that runs"
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(
            _probe, namespace, "listen", address=forward.to, port=forward.to_ports[0], protocol=forward.protocol, seconds=_LISTEN_SECONDS
        )  # fmt: skip
        while not heard.done():
            _call(source, forward)
            time.sleep(0.2)
    caller = heard.result().get("from")
    return bool(caller), f"heard from {caller}" if caller else "nothing heard"


def _take(one: Network, forward: Forward, guest: dict[str, typing.Any]) -> bool:
    """Stand in for the forward's guest, unless that is there itself."""
    namespace = guest["namespace"]
    if forward.to in guest.setdefault("taken", set()):
        return True
    with contextlib.suppress(SystemFailure):
        command.run("ip", "netns", "exec", namespace, "ping", "-n", "-c", "1", "-W", "1", forward.to)
        return bool(guest["offer"].get("address") == forward.to)
    prefix = next(net.prefixlen for net in one.nets if net.version == forward.version)
    extra = ("nodad",) if forward.version == 6 else ()
    command.run("ip", "-n", namespace, "address", "add", f"{forward.to}/{prefix}", "dev", "eth0", *extra)
    guest["taken"].add(forward.to)
    return True


def _call(address: str, forward: Forward) -> None:
    kind = socket.SOCK_STREAM if forward.protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if forward.version == 6 else socket.AF_INET
    with socket.socket(family, kind) as client, contextlib.suppress(OSError):
        client.settimeout(0.5)
        client.connect((address, forward.ports[0]))
        client.send(b"?")


_KINDS: dict[str, typing.Callable[..., tuple[bool | None, str]]] = {
    "active": _active,
    "bridge": _bridge,
    "lease": _lease,
    "ping": _ping,
    "forward": _forward,
}
