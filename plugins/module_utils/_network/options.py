# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network XML in one table: a row an option, with its place in the XML and what can change it live.

Sources: https://libvirt.org/formatnetwork.html, network.rng, networkcommon.rng and network_conf.c of libvirt.
"""

from __future__ import annotations

import dataclasses
import re
import typing

from .._core import kinds
from .._core.networkcommon import BANDWIDTH, VIRTUALPORT, VLAN
from .._core.table import Field, Kind, Options, argument_spec, normal
from .._core.xmltable import NAMESPACES, Codec, Row
from .model import OWN_BRIDGE, RESTARTS, STATES, Definition

DNSMASQ_NAMESPACE = NAMESPACES["dnsmasq"]
MARK_NAMESPACE = "urn:virtnet:kvm:1"


# Values spread over attributes


def _read_cidr(element: typing.Any) -> str | None:
    """Address with prefix or netmask; without either the class decides (network_conf.c: virNetworkIPDefPrefix)."""
    address = element.get("address")
    if address is None:
        return None
    width = element.get("prefix") or element.get("netmask") or _natural_prefix(address)
    return f"{address}/{width}"


def _natural_prefix(address: str) -> int:
    if ":" in address:
        return 64
    first = int(address.split(".")[0])
    return 0 if address == "0.0.0.0" else 8 if first < 128 else 16 if first < 192 else 24


def _write_cidr(element: typing.Any, value: str) -> None:
    address, prefix = value.split("/")
    if ":" in address:
        element.set("family", "ipv6")
    element.set("address", address)
    element.set("prefix", prefix)


def _read_lease(element: typing.Any) -> str | None:
    lease = element.find("lease")
    if lease is None:
        return None
    unit = {"seconds": "s", "minutes": "m", "hours": "h"}[lease.get("unit", "minutes")]
    return f"{lease.get('expiry')}{unit}"


def _write_lease(element: typing.Any, value: str) -> None:
    seconds = kinds.seconds_of(value)
    lease = element.makeelement("lease", {"expiry": str(seconds)})
    if seconds:
        lease.set("unit", "seconds")
    element.append(lease)


def _read_pci(element: typing.Any) -> str:
    parts = [int(element.get(name, "0"), 0) for name in ("domain", "bus", "slot", "function")]
    return "{:04x}:{:02x}:{:02x}.{:x}".format(*parts)


def _write_pci(element: typing.Any, value: str) -> None:
    domain, bus, rest = value.split(":")
    slot, function = rest.split(".")
    element.set("type", "pci")
    for name, part in (("domain", domain), ("bus", bus), ("slot", slot), ("function", function)):
        element.set(name, f"0x{part}")


_CIDR = Codec(_read_cidr, _write_cidr, ("address", "prefix", "netmask", "family"))
_LEASE = Codec(_read_lease, _write_lease, children=(("lease", ("expiry", "unit")),))
_PCI = Codec(_read_pci, _write_pci, ("type", "domain", "bus", "slot", "function", "connections"))


# Kinds that only network XML knows


def _pci(value: typing.Any) -> str:
    match = re.fullmatch(r"(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])", str(value).strip().lower())
    if not match:
        raise ValueError("this is no PCI address; it looks like 0000:03:00.1")
    domain, bus, slot, function = (int(part or "0", 16) for part in match.groups())
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _route_net(value: typing.Any) -> str:
    interface = kinds.parse_cidr(value)
    if interface.ip != interface.network.network_address:
        raise ValueError(f"a route goes to a net, and this has host bits set; say {interface.network}")
    return str(interface.network)


def _txt_name(value: typing.Any) -> str:
    text = str(value)
    if not text or re.search(r"[ ,]", text):
        raise ValueError("the name of a TXT record has neither spaces nor commas")
    return text


_NETWORK = Kind("str", _route_net)
_PCI_ADDRESS = Kind("str", _pci)
_TXT_NAME = Kind("str", _txt_name)
_SHORT = kinds.integer(0, 65535)
_LONG = kinds.integer(0, 4294967295)


# What several options mean together


def _settle_forward(forward: Options) -> Options:
    """`dev` and the first of `interfaces` are one fact, which libvirt always writes twice."""
    result = {name: value for name, value in forward.items() if name != "dev"}
    if "dev" in forward and forward["dev"] not in forward.get("interfaces", []):
        result["interfaces"] = [forward["dev"], *forward.get("interfaces", [])]
    return result


_DHCP = Row(
    "dhcp",
    path="dhcp",
    fields=(
        Row(
            "ranges",
            many=True,
            key=("start", "end"),
            path="range",
            section="ip-dhcp-range",
            fields=(
                Row("start", kinds.ADDRESS, required=True, path="@start"),
                Row("end", kinds.ADDRESS, required=True, path="@end"),
                Row("lease_time", kinds.DURATION, codec=_LEASE),
            ),
        ),
        Row(
            "hosts",
            many=True,
            key=("ip", "mac", "id", "name"),
            path="host",
            section="ip-dhcp-host",
            fields=(
                Row("mac", kinds.UNICAST_MAC, path="@mac"),
                Row("name", kinds.TEXT, path="@name"),
                Row("ip", kinds.ADDRESS, required=True, path="@ip"),
                Row("id", kinds.TEXT, path="@id"),
                Row("lease_time", kinds.DURATION, codec=_LEASE),
            ),
        ),
        Row(
            "bootp",
            path="bootp",
            fields=(Row("file", kinds.TEXT, required=True, path="@file"), Row("server", kinds.TEXT, path="@server")),
        ),
    ),
)

_DNS = Row(
    "dns",
    path="dns",
    fields=(
        Row("enabled", kinds.BOOLEAN, default=True, path="@enable"),
        Row("forward_plain_names", kinds.BOOLEAN, default=True, path="@forwardPlainNames"),
        Row(
            "forwarders",
            many=True,
            ordered=True,
            path="forwarder",
            fields=(Row("domain", kinds.TEXT, path="@domain"), Row("address", kinds.ADDRESS, path="@addr")),
        ),
        Row(
            "hosts",
            many=True,
            key=("ip",),
            path="host",
            section="dns-host",
            fields=(
                Row("ip", kinds.ADDRESS, required=True, path="@ip"),
                Row("hostnames", kinds.TEXT, many=True, required=True, path="hostname"),
            ),
        ),
        Row(
            "txts",
            many=True,
            key=("name",),
            path="txt",
            section="dns-txt",
            fields=(
                Row("name", _TXT_NAME, required=True, path="@name"),
                Row("value", kinds.TEXT, required=True, path="@value"),
            ),
        ),
        Row(
            "srvs",
            many=True,
            key=("service", "protocol", "domain", "target"),
            path="srv",
            section="dns-srv",
            fields=(
                Row("service", kinds.TEXT, required=True, path="@service"),
                Row("protocol", kinds.choice("tcp", "udp"), required=True, path="@protocol"),
                Row("domain", kinds.TEXT, path="@domain"),
                Row("target", kinds.TEXT, path="@target"),
                Row("port", _SHORT, default=0, path="@port"),
                Row("priority", _SHORT, default=0, path="@priority"),
                Row("weight", _SHORT, default=0, path="@weight"),
            ),
        ),
    ),
)

_FORWARD = Row(
    "forward",
    path="forward",
    settle=_settle_forward,
    fields=(
        Row("dev", kinds.LINK_NAME, path="@dev"),
        Row("driver", kinds.choice("vfio", "kvm"), path="driver@name"),
        Row("managed", kinds.BOOLEAN, default=False, path="@managed"),
        Row("interfaces", kinds.LINK_NAME, many=True, ordered=True, path="interface@dev", section="forward-interface"),
        Row("pf", kinds.LINK_NAME, path="pf@dev"),
        Row("addresses", _PCI_ADDRESS, many=True, ordered=True, path="address", codec=_PCI),
        Row(
            "nat",
            path="nat",
            fields=(
                Row(
                    "addresses",
                    path="address",
                    fields=(
                        Row("start", kinds.ADDRESS, required=True, path="@start"),
                        Row("end", kinds.ADDRESS, required=True, path="@end"),
                    ),
                ),
                Row(
                    "ports",
                    path="port",
                    # libvirt writes these into the live XML where nothing was said
                    default={"start": 1024, "end": 65535},
                    fields=(
                        Row("start", kinds.integer(1, 65535), required=True, path="@start"),
                        Row("end", kinds.integer(1, 65535), required=True, path="@end"),
                    ),
                ),
                Row("ipv6", kinds.BOOLEAN, default=False, path="@ipv6"),
            ),
        ),
    ),
)

_MODE = Row(
    "mode",
    kinds.choice("nat", "route", "open", "isolated", "bridge", "private", "vepa", "passthrough", "hostdev"),
    path="forward@mode",
)

TABLE: tuple[Row, ...] = (
    _MODE,
    Row("bridge", kinds.LINK_NAME, path="bridge@name", chosen=True),
    Row(
        "subnets",
        many=True,
        key=("address",),
        path="ip",
        fields=(
            Row("address", kinds.CIDR, required=True, codec=_CIDR),
            _DHCP,
            Row("tftp_root", kinds.TEXT, path="tftp@root"),
            Row("local_ptr", kinds.BOOLEAN, default=False, path="@localPtr"),
        ),
    ),
    _FORWARD,
    Row(
        "bridge_options",
        fields=(
            Row("stp", kinds.ON_OFF, default=True, path="bridge@stp"),
            Row("delay", _LONG, default=0, path="bridge@delay"),
            Row(
                "mac_table_manager", kinds.choice("kernel", "libvirt"), default="kernel", path="bridge@macTableManager"
            ),
            Row("zone", kinds.TEXT, path="bridge@zone"),
        ),
    ),
    Row(
        "domain",
        path="domain",
        fields=(
            Row("name", kinds.TEXT, required=True, path="@name"),
            Row("local_only", kinds.BOOLEAN, default=False, path="@localOnly"),
            Row("register", kinds.BOOLEAN, default=False, path="@register"),
        ),
    ),
    _DNS,
    Row(
        "routes",
        many=True,
        key=("to", "via"),
        path="route",
        fields=(
            Row("to", _NETWORK, required=True, codec=_CIDR),
            Row("via", kinds.ADDRESS, required=True, path="@gateway"),
            Row("metric", kinds.integer(1, 4294967295), default=1, path="@metric"),
        ),
    ),
    Row("mtu", _SHORT, default=0, path="mtu@size"),
    Row("mac_address", kinds.UNICAST_MAC, path="mac@address", chosen=True),
    Row("uuid", kinds.UUID, path="uuid", chosen=True),
    Row("title", kinds.TEXT, path="title"),
    Row("description", kinds.TEXT, path="description"),
    Row("isolate_ports", kinds.BOOLEAN, default=False, path="port@isolated"),
    Row("ipv6", kinds.BOOLEAN, default=False, path="@ipv6"),
    Row("trust_guest_rx_filters", kinds.BOOLEAN, default=False, path="@trustGuestRxFilters"),
    VLAN,
    VIRTUALPORT,
    BANDWIDTH,
    Row(
        "portgroups",
        many=True,
        key=("name",),
        path="portgroup",
        section="portgroup",
        fields=(
            Row("name", kinds.TEXT, required=True, path="@name"),
            Row("default", kinds.BOOLEAN, default=False, path="@default"),
            # no default: a portgroup's "no" overrules the network's "yes"
            Row("trust_guest_rx_filters", kinds.BOOLEAN, path="@trustGuestRxFilters"),
            VLAN,
            VIRTUALPORT,
            BANDWIDTH,
        ),
    ),
    Row("dnsmasq_options", kinds.TEXT, many=True, ordered=True, path="dnsmasq:options/dnsmasq:option@value"),
)

# Not in the table, since it is XML of its own: the elements below <metadata>, but for our mark.
METADATA = Field("metadata", kinds.TEXT)

# The short form of one subnet.
SHORT_FORM: tuple[Field, ...] = (Field("address", kinds.CIDR), Field("dhcp", kinds.BOOLEAN))

_POOL = ("interfaces", "addresses")
CHOSEN = tuple(row.name for row in TABLE if row.chosen)


def definition(
    values: typing.Mapping[str, typing.Any], extras: tuple[str, ...] = (), strict: bool = True
) -> Definition:
    """Options in normal form. The mode stands always, so that nobody has to know libvirt's default.

    An empty title or description is none to libvirt. Of a running network with a physical function, libvirt tells all its
    virtual ones, too (networkCreateInterfacePool in bridge_driver.c).
    """
    said = {name: value for name, value in values.items() if value != "" or name not in ("title", "description")}
    options = normal(TABLE, said, strict=strict)
    if not strict and "pf" in options.get("forward", {}):
        options["forward"] = {name: options["forward"][name] for name in options["forward"] if name not in _POOL}
    metadata = values.get("metadata")
    if metadata:
        options["metadata"] = metadata
    return Definition({"mode": "isolated", **options}, tuple(sorted(extras)))


def carry_over(wanted: Definition, there: Definition) -> Definition:
    """What only libvirt chooses is kept where the user is silent; defining again without it would get new ones."""
    kept = {name: there.options[name] for name in CHOSEN if name in there.options and name not in wanted.options}
    if wanted.mode not in OWN_BRIDGE or there.mode not in OWN_BRIDGE:
        kept = {name: value for name, value in kept.items() if name == "uuid"}
    return with_options(wanted, kept)


def with_options(wanted: Definition, more: Options) -> Definition:
    """The definition with these options too, all in the table's order."""
    options = {**wanted.options, **more}
    order = [*(row.name for row in TABLE), METADATA.name]
    return dataclasses.replace(wanted, options={name: options[name] for name in order if name in options})


def spec() -> Options:
    """The argument spec of libvirt_network: one network, or a list of the same."""
    one: Options = {
        "name": {"type": "str"},
        "state": {"type": "str", "choices": list(STATES)},
        "autostart": {"type": "bool"},
        **argument_spec((*SHORT_FORM, *TABLE, METADATA)),
        "xml": {"type": "str"},
        "restart": {"type": "str", "choices": list(RESTARTS)},
        "force": {"type": "bool"},
    }
    batch = {"type": "list", "elements": "dict", "options": one}
    return {**one, "networks": batch, "purge": {"type": "bool", "default": False}, "uri": URI}


URI: Options = {"type": "str", "default": "qemu:///system"}
