# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux bridge in one table: a row an option, with its netlink attribute.

From it come the argument spec, the normal form, the reader of what the kernel has, and what is sent to the kernel.
Values of time are in seconds here and in hundredths of a second in the kernel (br_netlink.c).
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import typing
from collections.abc import Mapping, Sequence

from .._core import kinds
from .._core.errors import InputError
from .._core.table import Field, Kind, Options, argument_spec, normal

PRESENT, ABSENT = STATES = ("present", "absent")
CONFIRM_SECONDS = 60
BACKENDS = ("auto", "networkd", "networkmanager", "ifupdown", "netplan", "none")
PVID, UNTAGGED = 2, 4  # BRIDGE_VLAN_INFO_... of linux/if_bridge.h
MARK = "virtnet.kvm"  # alias of the links that this collection made
MAIN_TABLE = 254
DEFAULT_METRIC6 = 1024  # what the kernel takes where an IPv6 route says none (IP6_RT_PRIO_USER)


@dataclasses.dataclass(frozen=True)
class Row(Field):
    """An option with its netlink attribute. `codes` are the kernel's numbers for words, `scale` its units in ours,
    `usual` is what the kernel has where nobody said anything."""

    attribute: str = ""
    codes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    scale: int = 1
    usual: typing.Any = None


def _seconds(low: float, high: float) -> Kind:
    def parse(value: typing.Any) -> typing.Any:
        try:
            number = round(float(value), 2)
        except (TypeError, ValueError):
            raise ValueError(f"take a number of seconds from {low} to {high}") from None
        if not low <= number <= high:
            raise ValueError(f"take {low} to {high} seconds")
        return int(number) if number == int(number) else number

    return Kind("float", parse)


def _router(version: int) -> Kind:
    def parse(value: typing.Any) -> str:
        router = kinds.parse_address(value)
        if router.version != version:
            raise ValueError(f"take an address of IPv{version}, or say gateway{router.version}")
        return str(router)

    return Kind("str", parse)


def _route_target(value: typing.Any) -> str:
    text = str(value).strip()
    if text == "default":
        raise ValueError("say 0.0.0.0/0 or ::/0, which tells the family")
    return str(ipaddress.ip_network(str(kinds.parse_cidr(text)), strict=False))


def vids(values: typing.Any) -> set[int]:
    """The VLANs of a list such as [20, 30-40]; raises ValueError."""
    found: set[int] = set()
    for value in values if isinstance(values, (list, tuple)) else [values]:
        low, _dash, high = str(value).partition("-")
        try:
            first, last = int(low), int(high or low)
        except ValueError:
            raise ValueError(f"{value!r} is no VLAN; say 20 or 30-40") from None
        if not 1 <= first <= last <= 4094:
            raise ValueError(f"{value!r}: VLANs go from 1 to 4094, the lower one first")
        found.update(range(first, last + 1))
    return found


def ranges(numbers: typing.Iterable[int]) -> list[typing.Any]:
    """The other way round: [20, "30-40"]."""
    result: list[list[int]] = []
    for number in sorted(numbers):
        if result and number == result[-1][1] + 1:
            result[-1][1] = number
        else:
            result.append([number, number])
    return [first if first == last else f"{first}-{last}" for first, last in result]


def flags_of(vlans: Options) -> dict[int, int]:
    """{VLAN: flags} of an option such as {pvid: 10, untagged: [10], tagged: [20, 30-40]}."""
    result = dict.fromkeys(vids(vlans.get("tagged", [])), 0)
    result.update(dict.fromkeys(vids(vlans.get("untagged", [])), UNTAGGED))
    pvid = vlans.get("pvid")
    if pvid:
        result[pvid] = result.get(pvid, UNTAGGED) | PVID
    return result


def vlans_of(flags: Mapping[int, int]) -> Options:
    """The option that says these flags."""
    parts = {
        "pvid": next((vid for vid, flag in flags.items() if flag & PVID), None),
        "tagged": ranges(vid for vid, flag in flags.items() if not flag & UNTAGGED),
        "untagged": ranges(vid for vid, flag in flags.items() if flag & UNTAGGED),
    }
    return {name: value for name, value in parts.items() if value}


def _settle_vlans(vlans: Options) -> Options:
    try:
        return vlans_of(flags_of(vlans))
    except ValueError as error:
        raise InputError(f"vlans: {error}") from error


def _settle_route(route: Options) -> Options:
    """IPv6 knows no route without a metric: 0 is what the kernel takes by itself (ip6_route_info_create)."""
    six = ":" in route.get("to", "")
    if "via" in route and (":" in route["via"]) is not six:
        raise InputError(
            f"routes: {route['to']} via: {route['via']}: the router's address has to be of IPv{6 if six else 4} as well"
        )
    silent = (("metric", 0), *([("metric", DEFAULT_METRIC6)] if six else []), ("table", MAIN_TABLE))
    return {name: value for name, value in route.items() if (name, value) not in silent}


_RAW = Kind("raw", lambda value: value)
_PROTOCOLS = {"802.1q": 0x8100, "802.1ad": 0x88A8}
_PROTOCOL = Kind(
    "str", lambda value: kinds.choice(*_PROTOCOLS).parse(str(value).lower()), choices=("802.1Q", "802.1ad", "802.1q")
)
_VID = kinds.integer(1, 4094)
_MTU = kinds.integer(68, 65535)
_U32 = kinds.integer(0, 0xFFFFFFFF)


def _bool(name: str, attribute: str, usual: bool = False) -> Row:
    return Row(name, kinds.BOOLEAN, attribute=attribute, usual=usual)


def _number(name: str, attribute: str, low: int, high: int, usual: int | None = None) -> Row:
    return Row(name, kinds.integer(low, high), attribute=attribute, usual=usual)


def _time(name: str, attribute: str, low: float, high: float, usual: float | None = None) -> Row:
    return Row(name, _seconds(low, high), attribute=attribute, scale=100, usual=usual)


VLANS = (
    Row("pvid", _VID),
    Row("tagged", _RAW, many=True, ordered=True),
    Row("untagged", _RAW, many=True, ordered=True),
)

BRIDGE = (
    Row("stp", fields=(
        _bool("enabled", "IFLA_BR_STP_STATE"),
        _number("priority", "IFLA_BR_PRIORITY", 0, 65535, 32768),
        _time("forward_delay", "IFLA_BR_FORWARD_DELAY", 0, 30, 15),
        _time("hello_time", "IFLA_BR_HELLO_TIME", 1, 10, 2),
        _time("max_age", "IFLA_BR_MAX_AGE", 6, 40, 20),
    )),
    _time("ageing_time", "IFLA_BR_AGEING_TIME", 0, 1000000, 300),
    Row("vlan", fields=(
        _bool("filtering", "IFLA_BR_VLAN_FILTERING"),
        Row("protocol", _PROTOCOL, attribute="IFLA_BR_VLAN_PROTOCOL", codes=_PROTOCOLS, usual="802.1q"),
        _number("default_pvid", "IFLA_BR_VLAN_DEFAULT_PVID", 0, 4094, 1),
        _bool("stats", "IFLA_BR_VLAN_STATS_ENABLED"),
        Row("self", fields=VLANS, settle=_settle_vlans),
    )),
    Row("multicast", fields=(
        _bool("snooping", "IFLA_BR_MCAST_SNOOPING", True),
        _bool("querier", "IFLA_BR_MCAST_QUERIER"),
        _number("router", "IFLA_BR_MCAST_ROUTER", 0, 2, 1),
        _bool("query_use_ifaddr", "IFLA_BR_MCAST_QUERY_USE_IFADDR"),
        _bool("stats", "IFLA_BR_MCAST_STATS_ENABLED"),
        _number("hash_max", "IFLA_BR_MCAST_HASH_MAX", 1, 0xFFFFFFFF, 4096),
        _number("igmp_version", "IFLA_BR_MCAST_IGMP_VERSION", 2, 3, 2),
        _number("mld_version", "IFLA_BR_MCAST_MLD_VERSION", 1, 2, 1),
        _number("last_member_count", "IFLA_BR_MCAST_LAST_MEMBER_CNT", 0, 0xFFFFFFFF, 2),
        _number("startup_query_count", "IFLA_BR_MCAST_STARTUP_QUERY_CNT", 0, 0xFFFFFFFF, 2),
        _time("last_member_interval", "IFLA_BR_MCAST_LAST_MEMBER_INTVL", 0, 1000000, 1),
        _time("membership_interval", "IFLA_BR_MCAST_MEMBERSHIP_INTVL", 0, 1000000, 260),
        _time("querier_interval", "IFLA_BR_MCAST_QUERIER_INTVL", 0, 1000000, 255),
        _time("query_interval", "IFLA_BR_MCAST_QUERY_INTVL", 1, 1000000, 125),
        _time("query_response_interval", "IFLA_BR_MCAST_QUERY_RESPONSE_INTVL", 0, 1000000, 10),
        _time("startup_query_interval", "IFLA_BR_MCAST_STARTUP_QUERY_INTVL", 1, 1000000, 31.25),
    )),
    _number("group_fwd_mask", "IFLA_BR_GROUP_FWD_MASK", 0, 0xFFF8, 0),
)  # fmt: skip

PORT_FLAGS = (
    _bool("isolated", "IFLA_BRPORT_ISOLATED"),
    _bool("hairpin", "IFLA_BRPORT_MODE"),
    _bool("guard", "IFLA_BRPORT_GUARD"),
    _bool("root_block", "IFLA_BRPORT_PROTECT"),
    _bool("learning", "IFLA_BRPORT_LEARNING", True),
    _bool("flood", "IFLA_BRPORT_UNICAST_FLOOD", True),
    _bool("mcast_flood", "IFLA_BRPORT_MCAST_FLOOD", True),
    _bool("bcast_flood", "IFLA_BRPORT_BCAST_FLOOD", True),
    _bool("mcast_to_unicast", "IFLA_BRPORT_MCAST_TO_UCAST"),
    _bool("neigh_suppress", "IFLA_BRPORT_NEIGH_SUPPRESS"),
    _bool("fastleave", "IFLA_BRPORT_FAST_LEAVE"),
    _bool("vlan_tunnel", "IFLA_BRPORT_VLAN_TUNNEL"),
    _number("mcast_router", "IFLA_BRPORT_MULTICAST_ROUTER", 0, 2, 1),
    _number("cost", "IFLA_BRPORT_COST", 1, 65535),
    _number("priority", "IFLA_BRPORT_PRIORITY", 0, 63, 32),
)

_BOND_MODES = ("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb")
_HASHES = ("layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac")
_RATES = ("slow", "fast")


def _word(name: str, attribute: str, words: Sequence[str], usual: str) -> Row:
    codes = {word: number for number, word in enumerate(words)}
    return Row(name, kinds.choice(*words), attribute=attribute, codes=codes, usual=usual)


# What makes a link of each type, beside its name, MTU and MAC.
MADE: dict[str, tuple[Row, ...]] = {
    "vlan": (
        Row("id", _VID, attribute="IFLA_VLAN_ID"),
        Row("protocol", _PROTOCOL, attribute="IFLA_VLAN_PROTOCOL", codes=_PROTOCOLS, usual="802.1q"),
    ),
    "bond": (
        _word("mode", "IFLA_BOND_MODE", _BOND_MODES, "balance-rr"),
        _number("miimon", "IFLA_BOND_MIIMON", 0, 0x7FFFFFFF, 0),
        _number("updelay", "IFLA_BOND_UPDELAY", 0, 0x7FFFFFFF, 0),
        _number("downdelay", "IFLA_BOND_DOWNDELAY", 0, 0x7FFFFFFF, 0),
        _word("xmit_hash_policy", "IFLA_BOND_XMIT_HASH_POLICY", _HASHES, "layer2"),
        _word("lacp_rate", "IFLA_BOND_AD_LACP_RATE", _RATES, "slow"),
    ),
    "dummy": (),
    "vxlan": (
        Row("id", kinds.integer(0, 0xFFFFFF), attribute="IFLA_VXLAN_ID"),
        Row("local", kinds.ADDRESS, attribute="IFLA_VXLAN_LOCAL"),
        Row("remote", kinds.ADDRESS, attribute="IFLA_VXLAN_GROUP"),
        _number("dstport", "IFLA_VXLAN_PORT", 1, 65535, 8472),
        _number("ttl", "IFLA_VXLAN_TTL", 0, 255, 0),
    ),
    "veth": (),
}  # fmt: skip
USUAL_MTU = 1500  # what the kernel gives to a link that it makes (ETH_DATA_LEN)
VXLAN_LINK = "IFLA_VXLAN_LINK"


def vxlan_headers(data: Mapping[str, typing.Any]) -> int:
    """Bytes that a vxlan needs in what it sends over (vxlan_dev_configure)."""
    return 70 if any(f"{name}6" in data for name in ("IFLA_VXLAN_LOCAL", "IFLA_VXLAN_GROUP")) else 50


TYPES = ("existing", *MADE)

_MADE_OPTIONS = {row.name: dataclasses.replace(row, kind=_U32 if row.name == "id" else row.kind)
                 for rows in MADE.values() for row in rows}  # fmt: skip

PORT = (
    Row("name", kinds.LINK_NAME, required=True),
    Row("state", kinds.choice(*STATES)),
    Row("type", kinds.choice(*TYPES)),
    Row("parent", kinds.LINK_NAME),
    Row("peer", kinds.LINK_NAME),
    Row("ports", kinds.LINK_NAME, many=True),
    Row("mtu", _MTU),
    Row("mac_address", kinds.UNICAST_MAC),
    *_MADE_OPTIONS.values(),
    *PORT_FLAGS,
    Row("vlans", fields=VLANS, settle=_settle_vlans),
)

ROUTE = (
    Row("to", Kind("str", _route_target), required=True),
    Row("via", kinds.ADDRESS),
    Row("metric", _U32),
    Row("table", kinds.integer(1, 0xFFFFFFFF)),
)

# What only a boot configuration can keep: the daemon in charge acts on it.
BOOT = (
    Row("dhcp4", kinds.BOOLEAN, usual=False),
    Row("dhcp6", kinds.BOOLEAN, usual=False),
    Row("accept_ra", kinds.BOOLEAN, usual=False),
    Row("dns", fields=(
        Row("servers", kinds.ADDRESS, many=True, ordered=True),
        Row("search", kinds.TEXT, many=True, ordered=True),
    )),
)  # fmt: skip

TABLE = (
    Row("up", kinds.BOOLEAN, usual=True),
    Row("mtu", _MTU),
    Row("mac_address", kinds.UNICAST_MAC),
    *BRIDGE,
    Row("addresses", kinds.CIDR, many=True),
    *BOOT,
    Row("gateway4", _router(4)),
    Row("gateway6", _router(6)),
    Row("routes", fields=ROUTE, many=True, settle=_settle_route),
)


def _attributes(rows: Sequence[Row]) -> set[str]:
    own = {row.attribute for row in rows if row.attribute} | {
        f"{row.attribute}6" for row in rows if row.kind is kinds.ADDRESS
    }
    return own.union(*(_attributes(row.fields) for row in rows))


TOPOLOGY_CHANGE = "IFLA_BR_TOPOLOGY_CHANGE"
STP_STATE, FORWARD_DELAY, DEFAULT_PVID = "IFLA_BR_STP_STATE", "IFLA_BR_FORWARD_DELAY", "IFLA_BR_VLAN_DEFAULT_PVID"
MIN_FORWARD_DELAY = 200  # in the kernel's units, with spanning tree on (IEEE 802.1D-1998, 8.10.2; BR_MIN_FORWARD_DELAY)

# All that is read of a link. Whether a bridge calls netfilter is nobody's option here, but is put back with the rest.
ATTRIBUTES = frozenset(
    _attributes((*BRIDGE, *PORT_FLAGS)).union(
        *(_attributes(rows) for rows in MADE.values()),
        (TOPOLOGY_CHANGE, VXLAN_LINK),
        (f"IFLA_BR_NF_CALL_{name}TABLES" for name in ("IP", "IP6", "ARP")),
    )
)


def _times(rows: Sequence[Row]) -> set[str]:
    return {row.attribute for row in rows if row.scale > 1}.union(*(_times(row.fields) for row in rows))


_TIMES = _times(BRIDGE)


def same(attribute: str, one: typing.Any, other: typing.Any) -> bool:
    """Whether two values of an attribute are the same; the kernel rounds times to its own ticks (clock_t_to_jiffies)."""
    if attribute == "IFLA_BR_AGEING_TIME" and one is None:
        return True  # not to be known just now
    if attribute == STP_STATE:  # 2: by a program of its own, which the kernel has found (br_stp_start)
        return bool(one) == bool(other)
    if attribute in _TIMES and one is not None and other is not None:
        return abs(int(one) - int(other)) <= 1
    return bool(one == other)


def spec() -> dict[str, typing.Any]:
    """The argument spec of linux_bridge."""
    one = {
        **argument_spec((Row("name", kinds.LINK_NAME), Row("state", kinds.choice(*STATES)))),
        **argument_spec(TABLE),
        "ports": {"type": "list", "elements": "raw"},
        "inherit": {"type": "bool"},
        "purge_ports": {"type": "bool"},
    }
    item = {**one, "name": {"type": "str", "required": True}}
    return {
        **one,
        "persist": {"type": "str", "choices": list(BACKENDS), "default": "auto"},
        "confirm_timeout": {"type": "int", "default": CONFIRM_SECONDS},
        "bridges": {"type": "list", "elements": "dict", "options": item},
    }


def normal_options(values: Mapping[str, typing.Any]) -> Options:
    """What was said of a bridge, in normal form. What was not said is not in it; what was said to be empty is."""
    result = normal(TABLE, values)
    for name, nothing in (("addresses", []), ("routes", []), ("dns", {})):
        if values.get(name) is not None:
            result.setdefault(name, nothing)
    if (values.get("vlan") or {}).get("self") is not None:
        result.setdefault("vlan", {}).setdefault("self", {})
    return result


def normal_port(value: typing.Any, where: str) -> Options:
    """A port in normal form, said by its name or as a dictionary."""
    options = {"name": value} if isinstance(value, str) else value
    if not isinstance(options, dict):
        raise InputError(f"{where}: {value!r}: say a link's name, or a dictionary with a name")
    unknown = sorted(set(options) - {row.name for row in PORT})
    if unknown:
        raise InputError(
            f"{where}.{unknown[0]}: there is no such option of a port; take {', '.join(r.name for r in PORT)}"
        )
    if not options.get("name"):
        raise InputError(f"{where}.name: missing")
    port = normal(PORT, options, f"{where}.")
    if options.get("vlans") is not None:
        port.setdefault("vlans", {})
    _check_type(port, where)
    return port


def links_in(port: Options) -> tuple[str, ...]:
    """The links that a port takes: itself, and a bond's members."""
    return (port["name"], *port.get("ports", ()))


_NEEDED = {"vlan": ("parent", "id"), "vxlan": ("id",), "veth": ("peer",)}
_BESIDE = {"vlan": ("parent",), "vxlan": ("parent",), "bond": ("ports",), "veth": ("peer",)}


def _check_type(port: Options, where: str) -> None:
    kind = port.get("type", "existing")
    for name in _NEEDED.get(kind, ()):
        if name not in port:
            raise InputError(f"{where}.{name}: missing; a port of type {kind} needs it")
    fitting = {row.name for row in MADE.get(kind, ())} | set(_BESIDE.get(kind, ()))
    for name in sorted((set(_MADE_OPTIONS) | {"parent", "peer", "ports"}) & set(port) - fitting):
        raise InputError(f"{where}.{name}: a port of type {kind} has none")
    if kind == "vlan" and port["id"] > 4094:
        raise InputError(f"{where}.id: {port['id']}: VLANs go from 1 to 4094")


# To the kernel and back


def unusual(kind: str, data: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """The attributes of a new link that have to be said: a bond takes some only in some of its modes."""
    usual = _usual_attributes(kind)
    there = {name: value for name, value in data.items() if value is not None}
    return {name: value for name, value in there.items() if not (name in usual and same(name, usual[name], value))}


@functools.cache
def _usual_attributes(kind: str) -> Mapping[str, typing.Any]:
    return to_kernel(MADE.get(kind, BRIDGE), _usual_options(MADE.get(kind, BRIDGE)))


def _usual_options(rows: Sequence[Row]) -> Options:
    return {row.name: _usual_options(row.fields) if row.fields else row.usual for row in rows}


def to_kernel(rows: Sequence[Row], options: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """The netlink attributes that say these options."""
    found: dict[str, typing.Any] = {}
    for row in rows:
        value = options.get(row.name)
        if value is None:
            continue
        if row.fields:
            found.update(to_kernel(row.fields, value))
        elif row.attribute:
            found[_attribute(row, value)] = row.codes[value] if row.codes else _encoded(value, row.scale)
    return found


def _encoded(value: typing.Any, scale: int) -> typing.Any:
    return value if isinstance(value, str) else round(value * scale)


def _attribute(row: Row, value: typing.Any) -> str:
    """vxlan has attributes of their own for IPv6 addresses."""
    return f"{row.attribute}6" if isinstance(value, str) and ":" in value and not row.codes else row.attribute


def from_kernel(rows: Sequence[Row], attributes: Mapping[str, typing.Any], all_: bool = True) -> Options:
    """The options that these netlink attributes say; not `all_`: only those that are not as usual."""
    found: Options = {}
    for row in rows:
        if row.fields:
            value: typing.Any = from_kernel(row.fields, attributes, all_) or None
        elif row.attribute:
            raw = attributes.get(row.attribute, attributes.get(f"{row.attribute}6"))
            value = _decoded(row, raw)
            value = value if all_ or not _usual(row, raw, value) else None
        else:
            value = None
        if value is not None:
            found[row.name] = value
    return found


def _usual(row: Row, raw: typing.Any, value: typing.Any) -> bool:
    if row.scale > 1 and row.usual is not None and raw is not None:
        return same(row.attribute, raw, row.usual * row.scale)
    return bool(value == row.usual)


def _decoded(row: Row, value: typing.Any) -> typing.Any:
    if value is None or isinstance(value, str):
        return value
    if row.codes:
        return next((word for word, code in row.codes.items() if code == value), None)
    if row.kind is kinds.BOOLEAN:
        return bool(value)
    number = value / row.scale
    return int(number) if number == int(number) else number
