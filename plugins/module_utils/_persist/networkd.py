# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd-networkd's files for a bridge, as text. Pure. See systemd.netdev(5) and systemd.network(5)."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping

from .._core.table import Options
from . import ini
from .ini import Lines, values
from .model import BACKUP, File, Files, Kept, default_vlan_lost, mark, owner

FOLDER = "/etc/systemd/network"
PREFIX = "05-virtnet-"  # networkd takes the first file that matches, in the order of their names

# Options that networkd has no word for.
UNKEPT = frozenset({
    "vlan.stats", "multicast.router", "multicast.query_use_ifaddr", "multicast.stats", "multicast.hash_max",
    "multicast.mld_version", "multicast.last_member_count", "multicast.startup_query_count",
    "multicast.last_member_interval", "multicast.membership_interval", "multicast.querier_interval",
    "multicast.query_interval", "multicast.query_response_interval", "multicast.startup_query_interval",
    "ports.bcast_flood", "ports.vlan_tunnel", "ports.type veth", "ports.ttl",
})  # fmt: skip

_BRIDGE_KEYS = (
    ("stp", "enabled", "STP"), ("stp", "priority", "Priority"), ("stp", "forward_delay", "ForwardDelaySec"),
    ("stp", "hello_time", "HelloTimeSec"), ("stp", "max_age", "MaxAgeSec"),
    ("vlan", "filtering", "VLANFiltering"), ("vlan", "protocol", "VLANProtocol"), ("vlan", "default_pvid", "DefaultPVID"),
    ("multicast", "snooping", "MulticastSnooping"), ("multicast", "querier", "MulticastQuerier"),
    ("multicast", "igmp_version", "MulticastIGMPVersion"),
)  # fmt: skip
_ROUTERS = {0: "no", 1: "query", 2: "permanent"}
_PORT_KEYS = {
    "isolated": "Isolated", "hairpin": "HairPin", "learning": "Learning", "flood": "UnicastFlood",
    "mcast_flood": "MulticastFlood", "mcast_to_unicast": "MulticastToUnicast", "neigh_suppress": "NeighborSuppression",
    "fastleave": "FastLeave", "cost": "Cost", "priority": "Priority", "guard": "UseBPDU", "root_block": "AllowPortToBeRoot",
    "mcast_router": "MulticastRouter",
}  # fmt: skip
_INVERTED = ("guard", "root_block")  # networkd says what is allowed, the kernel what is blocked


def owns(path: str) -> bool:
    """Whether a file is of this backend."""
    return path.startswith(f"{FOLDER}/")


def render(kept: Kept, files: Mapping[str, File], in_charge: Mapping[str, str]) -> Files:
    """Every file that makes this bridge after a boot, by its path. See `backends.replaced`."""
    result = rendered(kept)
    _drop_ins(result, files, kept, in_charge)
    return result


def refused(kept: Kept) -> str | None:
    """What of this bridge can't be kept, in the option's words."""
    if kept.options.get("stp", {}).get("priority") == 0:
        return "stp.priority: 0: it takes that for nothing said; 4096 is the next"
    return default_vlan_lost(kept)


def yielding(files: Files, taken: set[str]) -> Files:
    """A file of somebody else's for links of ours alone is kept beside as a backup; once they are nobody's, it is back."""
    result = dict(files)
    for path, file in files.items():
        if not owns(path) or owner(file.text):
            continue
        names = set(links(path, file.text))
        if path.endswith((".network", ".netdev")) and names and names <= taken:
            result[path + BACKUP] = result.pop(path)
        elif path.endswith(BACKUP) and not names & taken:
            result[path[: -len(BACKUP)]] = result.pop(path)
    return result


def _drop_ins(result: Files, files: Mapping[str, File], kept: Kept, in_charge: Mapping[str, str]) -> None:
    """A VLAN's parent is told of it, in a drop-in of the parent's own file or of ours."""
    parents: dict[str, list[tuple[str, str]]] = {}
    for port in kept.ports:
        if port.get("type") in ("vlan", "vxlan") and port.get("parent"):
            key = "VLAN" if port["type"] == "vlan" else "VXLAN"
            parents.setdefault(port["parent"], []).append((key, port["name"]))
    if not parents:
        return
    there = {**files, **result}
    members = {name for path, file in there.items() if owns(path) and owner(file.text) for name in matches(file.text)}
    for parent, lines in parents.items():
        own = path_of(parent)
        charge = own if parent in members else in_charge.get(parent, own)
        if parent in members or charge != own:
            path = f"{FOLDER}/{charge.rsplit('/', 1)[-1]}.d/virtnet-{kept.name}.conf"
            result[path] = File(ini.text(mark(kept.name), [("Network", lines)]))
        else:
            network = [("LinkLocalAddressing", "no"), *lines]
            result[own] = File(ini.text(mark(kept.name), [("Match", [("Name", parent)]), ("Network", network)]))


def rendered(kept: Kept) -> Files:
    """The files of the bridge and its ports."""
    texts = {f"{kept.name}.netdev": _bridge_netdev(kept), f"{kept.name}.network": _bridge_network(kept)}
    for port in kept.ports:
        if port.get("type"):
            texts[f"{port['name']}.netdev"] = _port_netdev(port)
        texts[f"{port['name']}.network"] = _port_network(kept.name, port)
        for member in port.get("ports", ()):
            member_lines: Lines = [("Match", [("Name", member)]), ("Network", [("Bond", port["name"])])]
            texts[f"{member}.network"] = member_lines
    return {f"{FOLDER}/{PREFIX}{name}": File(ini.text(mark(kept.name), lines)) for name, lines in texts.items()}


def _bridge_netdev(kept: Kept) -> Lines:
    options = kept.options
    device = [("Name", kept.name), ("Kind", "bridge")]
    device += [("MACAddress", options["mac_address"])] if options.get("mac_address") else []
    bridge = [
        (word, options[part][name]) for part, name, word in _BRIDGE_KEYS if options.get(part, {}).get(name) is not None
    ]
    bridge += [("AgeingTimeSec", options["ageing_time"])] if "ageing_time" in options else []
    bridge += [("GroupForwardMask", options["group_fwd_mask"])] if "group_fwd_mask" in options else []
    return [("NetDev", device), ("Bridge", bridge)]


def _bridge_network(kept: Kept) -> Lines:
    options = kept.options
    four, six = options.get("dhcp4"), options.get("dhcp6")
    network: list[tuple[str, typing.Any]] = [
        ("ConfigureWithoutCarrier", True),
        ("DHCP", "yes" if four and six else "ipv4" if four else "ipv6" if six else "no"),
        ("IPv6AcceptRA", bool(options.get("accept_ra"))),
    ]
    network += [("Address", cidr) for cidr in options.get("addresses", ())]
    gateways = [options[name] for name in ("gateway4", "gateway6") if options.get(name)]
    network += [("Gateway", gateway) for gateway in gateways if gateway not in kept.onlink]
    network += [("DNS", server) for server in options.get("dns", {}).get("servers", ())]
    search = options.get("dns", {}).get("search")
    network += [("Domains", " ".join(search))] if search else []
    link = [("MTUBytes", options["mtu"])] if options.get("mtu") else []
    link += [("ActivationPolicy", "down")] if options.get("up") is False else []
    routes: Lines = [("Route", _onlink({"via": one}, kept)) for one in gateways if one in kept.onlink]
    routes += [("Route", [*_route(route), *_onlink(route, kept)[1:]]) for route in options.get("routes", ())]
    own = options.get("vlan", {}).get("self")
    return [("Match", [("Name", kept.name)]), ("Link", link), ("Network", network), *routes, *_vlans(own)]


def _onlink(route: Options, kept: Kept) -> list[tuple[str, typing.Any]]:
    via = route.get("via")
    return [("Gateway", via), *([("GatewayOnLink", True)] if via in kept.onlink else [])]


def _route(route: Options) -> list[tuple[str, typing.Any]]:
    lines: list[tuple[str, typing.Any]] = [("Destination", route["to"])]
    lines += [("Gateway", route["via"])] if "via" in route else [("Scope", "link")] if ":" not in route["to"] else []
    lines += [(word, route[name]) for name, word in (("metric", "Metric"), ("table", "Table")) if name in route]
    return lines


def _port_network(bridge: str, port: Options) -> Lines:
    flags = [(word, _flag(name, port[name])) for name, word in _PORT_KEYS.items() if name in port]
    link = [("MTUBytes", port["mtu"])] if port.get("mtu") else []
    network = [("Bridge", bridge), ("LinkLocalAddressing", "no")]
    return [
        ("Match", [("Name", port["name"])]),
        ("Link", link),
        ("Network", network),
        ("Bridge", flags),
        *_vlans(port.get("vlans")),
    ]


def _flag(name: str, value: typing.Any) -> typing.Any:
    if name == "mcast_router":
        return _ROUTERS[value]
    return not value if name in _INVERTED else value


def _vlans(vlans: Options | None) -> Lines:
    if not vlans:
        return []
    lines: list[tuple[str, typing.Any]] = [("PVID", vlans["pvid"])] if "pvid" in vlans else []
    lines += [("VLAN", span) for span in vlans.get("tagged", ())]
    for span in vlans.get("untagged", ()):
        lines += [("VLAN", span), ("EgressUntagged", span)]
    return [("BridgeVLAN", lines)]


def _port_netdev(port: Options) -> Lines:
    kind = port["type"]
    device = [("Name", port["name"]), ("Kind", kind)]
    device += [("MACAddress", port["mac_address"])] if port.get("mac_address") else []
    lines: Lines = [("NetDev", device)]
    if kind == "vlan":
        body = [("Id", port["id"])] + ([("Protocol", port["protocol"])] if "protocol" in port else [])
        lines.append(("VLAN", body))
    elif kind == "bond":
        words = {
            "mode": "Mode", "miimon": "MIIMonitorSec", "updelay": "UpDelaySec", "downdelay": "DownDelaySec",
            "xmit_hash_policy": "TransmitHashPolicy", "lacp_rate": "LACPTransmitRate",
        }  # fmt: skip
        times = ("miimon", "updelay", "downdelay")
        body = [
            (word, f"{port[name]}ms" if name in times else port[name]) for name, word in words.items() if name in port
        ]
        lines.append(("Bond", body))
    elif kind == "vxlan":
        words = {"id": "VNI", "local": "Local", "remote": "Remote", "dstport": "DestinationPort"}
        body = [(word, port[name]) for name, word in words.items() if name in port]
        lines.append(("VXLAN", body if port.get("parent") else [*body, ("Independent", True)]))
    return lines


def sizes(files: Mapping[str, File], link: str) -> Options:
    """MTU and MAC address that our files of a link that we make say."""
    found: Options = {}
    for kind in ("netdev", "network"):
        file = files.get(f"{FOLDER}/{PREFIX}{link}.{kind}")
        for _section, key, value in values(file.text) if file else ():
            if key == "MACAddress":
                found["mac_address"] = value
            elif key == "MTUBytes":
                found["mtu"] = int(value)
    return found


def path_of(link: str) -> str:
    """Our .network file of a link."""
    return f"{FOLDER}/{PREFIX}{link}.network"


# Reading


def links(path: str, text: str) -> list[str]:
    """The links that a file is for."""
    del path
    return matches(text) or netdev_names(text)


def devices(path: str, text: str) -> list[str]:
    """The links that a file makes."""
    del path
    return netdev_names(text)


def broken(path: str, text: str) -> str | None:
    """What is wrong with a file, in a few words."""
    line = ini.broken(text) if path.endswith((".network", ".netdev")) else None
    return line and f"the line {line!r} belongs nowhere"


def matches(text: str) -> list[str]:
    """The links that a .network file is for, where it names them one by one; none where it has patterns."""
    lines = [(key, value) for section, key, value in values(text) if section == "Match"]
    names = [name for key, value in lines if key == "Name" for name in value.split()]
    return [] if any(re.search(r"[*?\[!]", name) for name in names) else names


def netdev_names(text: str) -> list[str]:
    return [value for section, key, value in values(text) if section == "NetDev" and key == "Name"]


def options(files: Mapping[str, File], link: str, charge: str) -> Options:
    """What only the boot configuration knows of a link, in our file or the one in charge: DHCP, router advertisements, DNS."""
    file = files.get(path_of(link)) or files.get(charge)
    return read(file.text) if file else {}


def read(text: str) -> Options:
    """The same, of one file."""
    lines = [(key, value) for section, key, value in values(text) if section == "Network"]
    found: Options = {}
    for key, value in lines:
        if key == "DHCP":
            found["dhcp4"] = value in ("yes", "true", "ipv4", "both")
            found["dhcp6"] = value in ("yes", "true", "ipv6", "both")
        elif key == "IPv6AcceptRA":
            found["accept_ra"] = value in ("yes", "true", "1", "on")
    servers = [server for key, value in lines if key == "DNS" for server in value.split()]
    search = [name for key, value in lines if key == "Domains" for name in value.split()]
    dns = {name: part for name, part in (("servers", servers), ("search", search)) if part}
    return {**{name: value for name, value in found.items() if value}, **({"dns": dns} if dns else {})}
