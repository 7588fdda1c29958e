# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that anyone may mean, for hypothesis: used on the pure core and on real libvirtd alike."""

from __future__ import annotations

import ipaddress
import typing

from hypothesis import strategies as st

Options = dict[str, typing.Any]

WORDS = st.from_regex(r"[a-z][a-z0-9]{0,7}", fullmatch=True)
TEXTS = (
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs", "S")), min_size=1, max_size=12)
    .map(str.strip)
    .filter(bool)
)
MACS = st.integers(0, 0xFFFFFF).map(lambda n: f"52:54:00:{n >> 16:02x}:{n >> 8 & 255:02x}:{n & 255:02x}")
DURATIONS = st.sampled_from(["120s", "5m", "2h", "infinite", "7200", "3h"])
# 100.64.0.0/10: nobody's, and no lab's
NETS4 = [
    ipaddress.ip_network(f"100.{64 + number}.0.0/{prefix}") for number, prefix in enumerate([24, 25, 26, 28, 22, 29])
]
NETS6 = [ipaddress.ip_network(f"fd77:{number}::/64") for number in range(3)]


def maybe(**fields: st.SearchStrategy) -> st.SearchStrategy[Options]:
    """A dictionary with any of these."""
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def subnet(draw: st.DrawFn, net: typing.Any, dhcp: bool) -> Options:
    address = net.network_address + 1
    options: Options = {
        "address": draw(st.sampled_from([f"{address}/{net.prefixlen}", f"{str(address).upper()}/{net.prefixlen}"]))
    }
    if net.version == 4 and draw(st.booleans()):
        options["address"] = f"{address}/{net.netmask}"
    if net.prefixlen % 8 == 0 and draw(st.booleans()):
        options["local_ptr"] = draw(st.booleans())
    if dhcp:
        options["dhcp"] = draw(dhcp_of(net))
    return options


@st.composite
def dhcp_of(draw: st.DrawFn, net: typing.Any) -> Options:
    free = draw(st.lists(st.integers(2, 6 if net.prefixlen >= 29 else 12), unique=True, max_size=4))
    bounds = sorted(free[:2])
    options: Options = {}
    if len(bounds) == 2:
        span = {"start": str(net.network_address + bounds[0]), "end": str(net.network_address + bounds[1])}
        options["ranges"] = [{**span, **draw(maybe(lease_time=DURATIONS))}]
    hosts = []
    for number, at in enumerate(draw(st.permutations(free))):
        who: Options = {"name": f"host{number}"}
        if net.version == 4:
            who = draw(
                st.sampled_from([{"mac": f"52:54:00:00:AA:{at:02x}"}, {"mac": f"52:54:00:00:aa:{at:02x}", **who}, who])
            )
        hosts.append({"ip": str(net.network_address + at), **who, **draw(maybe(lease_time=DURATIONS))})
    if hosts and draw(st.booleans()):
        options["hosts"] = hosts
    if options and net.version == 4 and draw(st.booleans()):
        options["bootp"] = {"file": "/pxe.0", **draw(maybe(server=st.just(str(net.network_address + 1))))}
    return options


@st.composite
def dns(draw: st.DrawFn) -> Options:
    options: Options = draw(maybe(forward_plain_names=st.booleans(), enabled=st.just(True)))
    addresses = draw(st.lists(st.integers(1, 250), unique=True, max_size=3))
    names = draw(st.lists(WORDS, unique=True, min_size=6, max_size=6))
    hosts = [
        {"ip": f"100.64.0.{at}", "hostnames": names[2 * n : 2 * n + draw(st.integers(1, 2))]}
        for n, at in enumerate(addresses)
    ]
    txts = [{"name": name, "value": draw(TEXTS)} for name in draw(st.lists(WORDS, unique=True, max_size=2))]
    srvs = [
        {"service": service, "protocol": draw(st.sampled_from(["tcp", "udp"])), "domain": "d.example", "target": "t.example",
         **draw(maybe(port=st.integers(1, 65535), priority=st.integers(0, 99), weight=st.integers(0, 99)))}
        for service in draw(st.lists(WORDS, unique=True, max_size=2))
    ]  # fmt: skip
    forwarders = [{"address": f"100.64.1.{at}", **draw(maybe(domain=st.just("f.example")))}
                  for at in draw(st.lists(st.integers(1, 9), unique=True, max_size=2))]  # fmt: skip
    return {**options, "hosts": hosts, "txts": txts, "srvs": srvs, "forwarders": forwarders}


@st.composite
def portgroups(draw: st.DrawFn) -> list[Options]:
    names = draw(st.lists(WORDS, unique=True, max_size=3))
    default = draw(st.integers(0, 3))
    limits = maybe(average=st.integers(1, 9999), peak=st.integers(1, 9999), burst=st.integers(1, 9999))
    return [
        {"name": name, "default": number == default, **draw(maybe(
            trust_guest_rx_filters=st.booleans(), bandwidth=st.fixed_dictionaries({"outbound": limits.map(
                lambda one: {**one, "average": one.get("average", 1)})})))}
        for number, name in enumerate(names)
    ]  # fmt: skip


@st.composite
def definitions(draw: st.DrawFn) -> Options:
    """The options of one network, as a user may write them."""
    mode = draw(st.sampled_from(["nat", "nat", "route", "open", "isolated", "bridge"]))
    common: Options = {"mode": mode, **draw(maybe(trust_guest_rx_filters=st.booleans()))}
    common["portgroups"] = draw(portgroups())
    if mode == "bridge":
        return {**common, "bridge": "br-own"}
    four = draw(st.lists(st.sampled_from(NETS4), unique=True, max_size=2, min_size=0 if mode == "isolated" else 1))
    six = draw(st.lists(st.sampled_from(NETS6), unique=True, max_size=1))
    nets = [(net, number == 0) for number, net in enumerate(four)] + [
        (net, number == 0) for number, net in enumerate(six)
    ]
    options: Options = {
        **common,
        "subnets": draw(st.permutations([draw(subnet(net, serving and draw(st.booleans()))) for net, serving in nets])),
        **draw(maybe(
            mtu=st.sampled_from([0, 1400, 1500]), ipv6=st.booleans(),
            dns=dns() if four else st.just({}),
            domain=st.sampled_from([{"name": "n.example"}, {"name": "n.example", "local_only": True}]),
            bridge_options=maybe(stp=st.booleans(), delay=st.integers(0, 5)),
            mac_address=MACS,
            metadata=st.sampled_from(["<a:b xmlns:a='urn:a'>text</a:b>", "<a:b xmlns:a='urn:a'/><c:d e='1' xmlns:c='urn:c'><c:f/></c:d>"]),
            dnsmasq_options=st.lists(st.sampled_from(["log-queries", "no-negcache", "all-servers"]), unique=True),
        )),
    }  # fmt: skip
    if mode == "nat" and draw(st.booleans()):
        options["forward"] = draw(maybe(dev=st.just("host0"), nat=maybe(ports=st.just({"start": 2000, "end": 3000}))))
    if four and draw(st.booleans()):
        via = str(four[0].network_address + 2)
        options["routes"] = [{"to": "100.100.0.0/16", "via": via, **draw(maybe(metric=st.integers(1, 9)))}]
    return options
