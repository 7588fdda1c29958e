# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of declared networks, as text: our own nftables table, and room in the chains of others.

Our table shields and translates. A packet has to pass every firewall of a host, though: what libvirt, Docker or ufw would
refuse (a forwarded port, a bridge that they don't know) is accepted in chains of our own that theirs jump to.
"""

from __future__ import annotations

import hashlib
import typing

from .model import BRIDGED, CUSTOM, CUSTOM_NAT, CUSTOM_ROUTED, ISOLATED, Forward, Network

TABLE = "virtnet"
_NOT_TRANSLATED = {4: "ip daddr != { 224.0.0.0/4, 255.255.255.255 }", 6: "ip6 daddr != ff00::/8"}
_FAMILY = {4: "ip", 6: "ip6"}
_NEIGHBOURS = "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }"

Networks = typing.Sequence[Network]


def own_table(networks: Networks) -> str:
    """The nftables table, whole; loading it replaces what is there in one move."""
    chains = [*_forwarding(networks), _sealing(networks), *_translation(networks)]
    body = "\n".join(line for chain in chains for line in chain)
    return (
        f"# Written by virtnet.kvm.\ntable inet {TABLE}\ndelete table inet {TABLE}\n"
        f"table inet {TABLE} {{\n    chain {stamp(body)} {{\n    }}\n{body}\n}}\n"
    )


def stamp(text: str) -> str:
    """The name of an empty chain by which it is seen whether these very rules are in force."""
    return f"rules-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def stamp_of(text: str) -> str:
    """The stamp in a text of this file's."""
    return next((word for word in text.split() if word.startswith("rules-")), "")


def _chain(name: str, rules: typing.Iterable[str], hook: str = "") -> list[str]:
    head = [f"type {hook}; policy accept;"] if hook else []
    return [f"    chain {name} {{", *(f"        {rule}" for rule in [*head, *rules]), "    }"]


def _forwarding(networks: Networks) -> typing.Iterator[list[str]]:
    """Who may pass from and to the networks that libvirt keeps its hands off."""
    ours = [one for one in networks if one.pattern in CUSTOM]
    for number, one in enumerate(ours):
        yield _chain(f"from-{number}", _from(one))
        yield _chain(f"to-{number}", _to(one))
    # where a packet comes from is looked at first: what one network lets in, another may not let out
    jumps = [f'iifname "{one.bridge}" jump from-{number}' for number, one in enumerate(ours)]
    jumps += [f'oifname "{one.bridge}" jump to-{number}' for number, one in enumerate(ours)]
    # guests that are kept apart on their bridge may not meet by way of their host either
    jumps += [
        f'iifname "{one.bridge}" oifname "{one.bridge}" drop' for one in networks if one.options.get("isolate_guests")
    ]
    yield _chain("forward", jumps, "filter hook forward priority filter")


def _from(one: Network) -> typing.Iterator[str]:
    """Guests speak with their own addresses only, and over `dev` where that is said."""
    yield f'oifname "{one.bridge}" accept'
    versions = {net.version: net for net in one.nets}
    yield f"ip saddr != {versions[4]} drop" if 4 in versions else "meta nfproto ipv4 drop"
    yield f"ip6 saddr != {{ {versions[6]}, fe80::/10 }} drop" if 6 in versions else "meta nfproto ipv6 drop"
    if "dev" in one.options:
        yield f'ct state new oifname != "{one.options["dev"]}" reject with icmpx admin-prohibited'


def _to(one: Network) -> typing.Iterator[str]:
    """From outside nothing new reaches a custom_nat network but its forwards; a routed one all that has its address."""
    yield f'iifname "{one.bridge}" accept'
    if one.pattern == CUSTOM_ROUTED:
        for net in one.nets:
            yield f"{_FAMILY[net.version]} daddr {net} accept"
        yield "drop"
        return
    yield "ct state established,related accept"
    for forward in one.forwards:
        yield f"ct status dnat {_family(forward)} daddr {forward.to} {forward.protocol} dport {_span(forward.to_ports)} accept"
    yield "reject with icmpx admin-prohibited"


def _sealing(networks: Networks) -> list[str]:
    """Guests that are kept from their host get a lease and its neighbours' addresses, and nothing else."""
    sealed = [one.bridge for one in networks if one.sealed]

    def only(match: str, port: str) -> list[str]:
        rules = (f"udp {port} {{ 67, 547 }} accept", f"{_NEIGHBOURS} accept", "drop")
        return [f'{match} "{bridge}" {rule}' for bridge in sealed for rule in rules]

    return [
        *_chain("input", only("iifname", "dport"), "filter hook input priority filter"),
        *_chain("output", only("oifname", "sport"), "filter hook output priority filter"),
    ]


def _translation(networks: Networks) -> typing.Iterator[list[str]]:
    every = [(one, forward) for one in networks for forward in one.forwards]
    isolated = ", ".join(f'"{one.bridge}"' for one in networks if one.pattern == ISOLATED)
    guard = f"iifname != {{ {isolated} }} " if isolated else ""  # else a port would lead out of an isolated network
    yield _chain(
        "prerouting",
        [f"{guard}{_translated(forward)}" for _one, forward in every],
        "nat hook prerouting priority dstnat",
    )
    # The host itself; not its loopback addresses, which the kernel does not route (route_localnet)
    yield _chain(
        "output_nat",
        [f"{_loopback(forward)} {_translated(forward)}" for _one, forward in every],
        "nat hook output priority -100",
    )
    bridges = dict.fromkeys(one.bridge for one, _forward in every)
    # A guest that calls the host's own address: the answer has to come back through the host
    hairpin = [f'iifname "{name}" oifname "{name}" ct status dnat masquerade' for name in bridges]
    masked = [
        f'{_FAMILY[net.version]} saddr {net} oifname != "{one.bridge}" {_NOT_TRANSLATED[net.version]} masquerade'
        for one in networks
        if one.pattern == CUSTOM_NAT
        for net in one.nets
    ]
    yield _chain("postrouting", [*hairpin, *masked], "nat hook postrouting priority srcnat")


def _loopback(forward: Forward) -> str:
    return "ip daddr != 127.0.0.0/8" if forward.version == 4 else "ip6 daddr != ::1"


def _translated(forward: Forward) -> str:
    family, (first, last), (to, _last) = _family(forward), forward.ports, forward.to_ports
    where = f"{family} daddr {forward.address} " if forward.address else ""
    only = f"{family} saddr {{ {', '.join(forward.sources)} }} " if forward.sources else ""
    guest = f"[{forward.to}]" if forward.version == 6 else forward.to
    if first == last:
        target = f"{guest}:{to}"
    elif first == to:
        target = forward.to
    else:
        pairs = ", ".join(f"{port} : {to + port - first}" for port in range(first, last + 1))
        target = f"{forward.to} : {forward.protocol} dport map {{ {pairs} }}"
    version = f"meta nfproto ipv{forward.version} "
    return f"{version}fib daddr type local {where}{only}{forward.protocol} dport {_span(forward.ports)} dnat {family} to {target}"


def _family(forward: Forward) -> str:
    return _FAMILY[forward.version]


def _span(ports: tuple[int, int], dash: str = "-") -> str:
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}{dash}{ports[1]}"


# Beside the rules of others


def iptables(networks: Networks, version: int, mark: str) -> str:
    """Our chains in the filter table of iptables or ip6tables, as its -restore reads them.

    VIRTNET_IN lets guests ask our own DHCP and DNS, VIRTNET_FWD forwarded ports in; VIRTNET_END stands last, and accepts
    what nobody has decided, where the chain's policy would drop it (Docker, ufw).
    """
    lines = ["*filter", ":VIRTNET_IN - [0:0]", ":VIRTNET_FWD - [0:0]", ":VIRTNET_END - [0:0]"]
    for one in networks:
        if one.pattern in CUSTOM:
            lines.append(
                f"-A VIRTNET_IN -i {one.bridge} -p udp -m multiport --dports 53,{67 if version == 4 else 547} -j ACCEPT"
            )
            lines.append(f"-A VIRTNET_IN -i {one.bridge} -p tcp --dport 53 -j ACCEPT")
    for forward in (forward for one in networks for forward in one.forwards if forward.version == version):
        # and the answers, which libvirt lets out over the network's `dev` only
        for to, port, direction in (("-d", "--dport", ""), ("-s", "--sport", " --ctdir REPLY")):
            lines.append(
                f"-A VIRTNET_FWD {to} {forward.to} -p {forward.protocol} -m conntrack --ctstate DNAT{direction}"
                f" -m {forward.protocol} {port} {_span(forward.to_ports, ':')} -j ACCEPT"
            )
    for one in networks:
        if one.pattern == BRIDGED:
            lines.append(f"-A VIRTNET_END -i {one.bridge} -o {one.bridge} -j ACCEPT")
        else:
            lines += [f"-A VIRTNET_END -i {one.bridge} -j ACCEPT", f"-A VIRTNET_END -o {one.bridge} -j ACCEPT"]
    return "\n".join([*lines, f"-A VIRTNET_END -m comment --comment {mark}", "COMMIT", ""])


def in_libvirts_table(networks: Networks, version: int, mark: str) -> str:
    """Our chain in the table that libvirt keeps with its nftables backend."""
    family = _FAMILY[version]
    rules = [
        f"ct status dnat {match} {forward.to} {forward.protocol} {port} {_span(forward.to_ports)} accept"
        for one in networks
        for forward in one.forwards
        for match, port in ((f"{family} daddr", "dport"), (f"ct direction reply {family} saddr", "sport"))
        if forward.version == version and one.pattern not in CUSTOM
    ]
    # an empty return carries the stamp, since not every nft can comment a chain
    body = "\n".join(f"        {rule}" for rule in [*rules, f'return comment "{mark}"'])
    head = f"table {family} libvirt_network {{\n    chain virtnet {{\n"
    return f"{head}    }}\n}}\nflush chain {family} libvirt_network virtnet\n{head}{body}\n    }}\n}}\n"


def zones(networks: Networks) -> str:
    """firewalld's zone of each bridge; - where libvirt puts it into one. The others get those that libvirt would take. A
    bridge on the LAN stays in the default zone, but by name: only then do its ports reach each other."""
    names = {BRIDGED: "default", CUSTOM_NAT: "libvirt", CUSTOM_ROUTED: "libvirt-routed"}
    return "".join(f"{one.bridge} {names.get(one.pattern, '-')}\n" for one in networks)
