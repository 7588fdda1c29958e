# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkManager's profiles for a bridge and its ports, as text. Pure. See nm-settings-keyfile(5).

master= and slave-type= are the words that every version understands (1.46 has others beside them).
"""

from __future__ import annotations

import typing
import uuid
from collections.abc import Iterable, Mapping

from .._core.table import Options
from . import ini
from .ini import Lines
from .model import BACKUP, File, Files, Kept, default_vlan_lost, mark, owner

HOME = "/etc/NetworkManager"
FOLDER = f"{HOME}/system-connections"
PREFIX = "virtnet-"
SUFFIX = ".nmconnection"
SECRET = 0o600  # a profile that others may read is passed by
_NAMELESS = uuid.UUID("b425e9fb-7598-44b4-9e3b-5a2e3aaa4905")  # nm_uuid_ns_1
_IDS = uuid.UUID("7a7a7c5e-5f0e-5b5c-9a55-766972746e65")

# Options that it has no word for (NMSettingBridge, NMSettingBridgePort).
UNKEPT = frozenset({
    "multicast.stats", "multicast.igmp_version", "multicast.mld_version", "ports.isolated", "ports.guard", "ports.root_block",
    "ports.learning", "ports.flood", "ports.mcast_flood", "ports.bcast_flood", "ports.mcast_to_unicast",
    "ports.neigh_suppress", "ports.fastleave", "ports.vlan_tunnel", "ports.mcast_router",
})  # fmt: skip

# (group, option, key, its units in ours): intervals are the kernel's hundredths, whatever the manual says.
_BRIDGE_KEYS = (
    ("stp", "priority", "priority", 1), ("stp", "forward_delay", "forward-delay", 1), ("stp", "hello_time", "hello-time", 1),
    ("stp", "max_age", "max-age", 1), ("", "ageing_time", "ageing-time", 1), ("", "group_fwd_mask", "group-forward-mask", 1),
    ("vlan", "filtering", "vlan-filtering", 1), ("vlan", "protocol", "vlan-protocol", 1),
    ("vlan", "default_pvid", "vlan-default-pvid", 1), ("vlan", "stats", "vlan-stats-enabled", 1),
    ("multicast", "snooping", "multicast-snooping", 1), ("multicast", "querier", "multicast-querier", 1),
    ("multicast", "query_use_ifaddr", "multicast-query-use-ifaddr", 1), ("multicast", "hash_max", "multicast-hash-max", 1),
    ("multicast", "last_member_count", "multicast-last-member-count", 1),
    ("multicast", "startup_query_count", "multicast-startup-query-count", 1),
    ("multicast", "last_member_interval", "multicast-last-member-interval", 100),
    ("multicast", "membership_interval", "multicast-membership-interval", 100),
    ("multicast", "querier_interval", "multicast-querier-interval", 100),
    ("multicast", "query_interval", "multicast-query-interval", 100),
    ("multicast", "query_response_interval", "multicast-query-response-interval", 100),
    ("multicast", "startup_query_interval", "multicast-startup-query-interval", 100),
)  # fmt: skip
_WHOLE_SECONDS = {"forward_delay": 2, "hello_time": 1, "max_age": 6, "ageing_time": 0}
_ROUTERS = ("disabled", "auto", "enabled")
_PROTOCOLS = {"802.1q": "802.1Q", "802.1ad": "802.1ad"}
_BOND = ("mode", "miimon", "updelay", "downdelay", "xmit_hash_policy", "lacp_rate")
_VXLAN = {
    "id": "id",
    "parent": "parent",
    "local": "local",
    "remote": "remote",
    "dstport": "destination-port",
    "ttl": "ttl",
}
_METRIC6 = 1024  # ip-route(8)'s own; a net's own route has 256


def owns(path: str) -> bool:
    """Whether a file is of this backend."""
    return path.startswith(f"{HOME}/")


def path_of(link: str) -> str:
    return f"{FOLDER}/{PREFIX}{link}{SUFFIX}"


def uuid_of(bridge: str, link: str) -> str:
    """The same whenever this profile is written."""
    return str(uuid.uuid5(_IDS, f"{bridge}/{link}"))


def render(kept: Kept, files: Mapping[str, File], in_charge: Mapping[str, str]) -> Files:
    """Every file that makes this bridge after a boot, by its path. See `backends.replaced`."""
    del files, in_charge
    profiles = {kept.name: _bridge(kept)}
    for port in kept.ports:
        profiles[port["name"]] = _port(kept, port)
        for member in port.get("ports", ()):
            profiles[member] = _profile(kept.name, member, "ethernet", port["name"], "bond")
        if port.get("type") == "veth":
            profiles[port["peer"]] = [
                *_profile(kept.name, port["peer"], "veth"),
                ("veth", [("peer", port["name"])]),
                *_SILENT,
            ]
    return {path_of(link): File(ini.text(mark(kept.name), lines), SECRET) for link, lines in profiles.items()}


_SILENT: Lines = [("ipv4", [("method", "disabled")]), ("ipv6", [("method", "ignore")])]


def _profile(bridge: str, link: str, kind: str, above: str = "", above_kind: str = "") -> Lines:
    lines: list[tuple[str, typing.Any]] = [
        ("id", PREFIX + link), ("uuid", uuid_of(bridge, link)), ("type", kind), ("interface-name", link),
        ("autoconnect-priority", 100),
    ]  # fmt: skip
    lines += [("autoconnect-slaves", 1)] if kind in ("bridge", "bond") else []
    lines += [("master", above), ("slave-type", above_kind)] if above else []
    return [("connection", lines)]


def _ethernet(options: Options) -> Lines:
    lines = [("mtu", options["mtu"])] if options.get("mtu") else []
    lines += [("cloned-mac-address", options["mac_address"])] if options.get("mac_address") else []
    return [("ethernet", lines)]


def _bridge(kept: Kept) -> Lines:
    options = kept.options
    lines: list[tuple[str, typing.Any]] = [("stp", bool(options.get("stp", {}).get("enabled")))]
    for group, option, key, scale in _BRIDGE_KEYS:
        value = (options.get(group, {}) if group else options).get(option)
        if value is not None:
            lines.append((key, _PROTOCOLS[value] if option == "protocol" else _scaled(value, scale)))
    router = options.get("multicast", {}).get("router")
    lines += [("multicast-router", _ROUTERS[router])] if router is not None else []
    own = options.get("vlan", {}).get("self")
    lines += [("vlans", vlans(own))] if own else []
    return [
        *_profile(kept.name, kept.name, "bridge"),
        *_ethernet(options),
        ("bridge", lines),
        ("ipv4", _four(kept)),
        ("ipv6", _six(kept)),
    ]


def _scaled(value: typing.Any, scale: int) -> typing.Any:
    return value if isinstance(value, (bool, str)) else round(value * scale)


def _port(kept: Kept, port: Options) -> Lines:
    name, kind = port["name"], port.get("type")
    lines = _profile(kept.name, name, kind or "ethernet", kept.name, "bridge")
    lines += _ethernet(port)
    flags: list[tuple[str, typing.Any]] = [
        (key, port[option])
        for option, key in (("priority", "priority"), ("cost", "path-cost"), ("hairpin", "hairpin-mode"))
        if option in port
    ]
    flags += [("vlans", vlans(port["vlans"]))] if port.get("vlans") else []
    lines.append(("bridge-port", flags))
    if kind == "vlan":
        body = [("parent", port["parent"]), ("id", port["id"])]
        body += [("protocol", _PROTOCOLS[port["protocol"]])] if "protocol" in port else []
        lines.append(("vlan", body))
    elif kind == "bond":
        lines.append(("bond", [(word, port[word]) for word in _BOND if word in port]))
    elif kind == "vxlan":
        lines.append(("vxlan", [(word, port[option]) for option, word in _VXLAN.items() if option in port]))
    elif kind == "veth":
        lines.append(("veth", [("peer", port["peer"])]))
    return lines


def vlans(said: Options) -> str:
    """10 pvid untagged, 20-30: as nm_bridge_vlan_from_str reads it; a PVID is no range."""
    pvid = said.get("pvid")
    told = []
    for span in said.get("tagged", ()):
        told += [f"{one} pvid" if one == str(pvid) else one for one in _split(str(span), pvid)]
    for span in said.get("untagged", ()):
        told += [f"{one} pvid untagged" if one == str(pvid) else f"{one} untagged" for one in _split(str(span), pvid)]
    return ", ".join(told)


def _split(span: str, pvid: int | None) -> Iterable[str]:
    """The span, with the PVID as one of its own."""
    low, high = int(span.partition("-")[0]), int(span.rpartition("-")[2])
    if pvid is None or not low <= pvid <= high:
        return [span]
    parts = ((low, pvid - 1), (pvid, pvid), (pvid + 1, high))
    return [str(first) if first == last else f"{first}-{last}" for first, last in parts if first <= last]


def _four(kept: Kept) -> list[tuple[str, typing.Any]]:
    lines: list[tuple[str, typing.Any]] = [("method", method(kept.options, 4)), *_addresses(kept.options, 4)]
    if kept.options.get("gateway4") and _addresses(kept.options, 4):
        lines.append(("gateway", kept.options["gateway4"]))
    return [*lines, *_routes(kept, 4), ("route-metric", 0), *_dns(kept, 4)]


def _six(kept: Kept) -> list[tuple[str, typing.Any]]:
    lines: list[tuple[str, typing.Any]] = [("method", method(kept.options, 6)), *_addresses(kept.options, 6)]
    return [*lines, *_routes(kept, 6), ("route-metric", 256), ("addr-gen-mode", "eui64"), *_dns(kept, 6)]


def _of_version(addresses: Iterable[str], version: int) -> list[str]:
    return [one for one in addresses if (":" in one) == (version == 6)]


def _addresses(options: Options, version: int) -> list[tuple[str, typing.Any]]:
    found = _of_version(options.get("addresses", ()), version)
    return [(f"address{number}", one) for number, one in enumerate(found, 1)]


def method(options: Options, version: int) -> str:
    """Where the addresses of an IP version come from."""
    by_hand = bool(_addresses(options, version))
    if version == 4:
        return "auto" if options.get("dhcp4") else "manual" if by_hand else "disabled"
    automatic = "auto" if options.get("accept_ra") else "dhcp" if options.get("dhcp6") else ""
    return automatic or ("manual" if by_hand else "link-local")


def _has_dns(options: Options, version: int) -> bool:
    """Whether DNS can be said beside the addresses of this version: else the whole profile is refused when it is read."""
    return method(options, version) not in ("disabled", "link-local")


def _routes(kept: Kept, version: int) -> list[tuple[str, typing.Any]]:
    """A router among them where the key `gateway`, which needs an address beside it, can't say it with its metric."""
    routes = [one for one in kept.options.get("routes", ()) if (":" in one["to"]) == (version == 6)]
    anywhere, router = ("::/0", "gateway6") if version == 6 else ("0.0.0.0/0", "gateway4")
    if kept.options.get(router) and not (version == 4 and _addresses(kept.options, 4)):
        routes.insert(0, {"to": anywhere, "via": kept.options[router]})
    lines: list[tuple[str, typing.Any]] = []
    for number, route in enumerate(routes, 1):
        metric = route.get("metric", _METRIC6 if version == 6 else 0)
        lines.append((f"route{number}", f"{route['to']},{route.get('via', '')},{metric}"))
        more = [f"table={route['table']}"] if "table" in route else []
        more += ["onlink=true"] if route.get("via") in kept.onlink else []
        lines += [(f"route{number}_options", ",".join(more))] if more else []
    return lines


def _dns(kept: Kept, version: int) -> list[tuple[str, typing.Any]]:
    dns = kept.options.get("dns", {})
    servers = _of_version(dns.get("servers", ()), version)
    lines: list[tuple[str, typing.Any]] = [("dns", "".join(f"{one};" for one in servers))] if servers else []
    where = 4 if _has_dns(kept.options, 4) else 6
    lines += (
        [("dns-search", "".join(f"{one};" for one in dns["search"]))] if dns.get("search") and version == where else []
    )
    return lines


def refused(kept: Kept) -> str | None:
    """What of this bridge can't be kept, in the option's words."""
    if kept.options.get("up") is False:
        return "up: false: a profile that is not brought up makes no link"
    times = {**kept.options.get("stp", {}), "ageing_time": kept.options.get("ageing_time", 0)}
    for name, least in _WHOLE_SECONDS.items():
        value = times.get(name, least)
        if value != int(value) or value < least:
            group = "" if name == "ageing_time" else "stp."
            return f"{group}{name}: {value}: it keeps whole seconds from {least} on"
    most = kept.options.get("multicast", {}).get("hash_max", 1)
    if most & (most - 1):
        return f"multicast.hash_max: {most}: it keeps powers of two"
    return _refused_dns(kept.options) or _refused_ports(kept) or default_vlan_lost(kept)


def _refused_dns(options: Options) -> str | None:
    dns = options.get("dns", {})
    for version in (4, 6):
        for server in _of_version(dns.get("servers", ()), version):
            if not _has_dns(options, version):
                return f"dns.servers: {server}: it keeps a server only where the bridge has an IPv{version} address, or asks for one"
    if dns.get("search") and not (_has_dns(options, 4) or _has_dns(options, 6)):
        return "dns.search: it keeps it only where the bridge has an address, or asks for one"
    return None


def _refused_ports(kept: Kept) -> str | None:
    for port in kept.ports:
        if port.get("kind") not in (None, "", "veth"):
            return (
                f"port {port['name']}: it is a {port['kind']} that another profile makes; describe it with its `type`"
            )
    return None


# Reading


def links(path: str, text: str) -> list[str]:
    """The links that a file is for."""
    del path
    return [value for section, key, value in ini.values(text) if section == "connection" and key == "interface-name"]


def devices(path: str, text: str) -> list[str]:
    """The links that a file makes."""
    kind = next((value for section, key, value in ini.values(text) if (section, key) == ("connection", "type")), "")
    return links(path, text) if kind not in ("ethernet", "802-3-ethernet", "wifi", "802-11-wireless") else []


def broken(path: str, text: str) -> str | None:
    """What is wrong with a file, in a few words."""
    line = ini.broken(text) if path.endswith(SUFFIX) else None
    return line and f"the line {line!r} belongs nowhere"


def id_of(path: str, text: str) -> str:
    """A profile's uuid; one without has that of its name (nm_keyfile_read_ensure_uuid)."""
    told = (value for section, key, value in ini.values(text) if (section, key) == ("connection", "uuid"))
    return next(told, "") or str(uuid.uuid3(_NAMELESS, f"keyfile\0{FOLDER}/{path.rsplit('/', 1)[-1]}\0"))


def options(files: Mapping[str, File], link: str, charge: str) -> Options:
    """What only the boot configuration knows of a link: DHCP, router advertisements, DNS."""
    file = files.get(path_of(link)) or files.get(charge)
    found: Options = {}
    dns: dict[str, list[str]] = {}
    for section, key, value in ini.values(file.text) if file else ():
        if key == "method" and value in ("auto", "dhcp"):
            found[{"ipv4": "dhcp4", "ipv6": "accept_ra" if value == "auto" else "dhcp6"}[section]] = True
        elif key in ("dns", "dns-search"):
            dns.setdefault("servers" if key == "dns" else "search", []).extend(filter(None, value.split(";")))
    return {**found, **({"dns": dns} if dns else {})}


def sizes(files: Mapping[str, File], link: str) -> Options:
    """MTU and MAC address that our profile of a link that we make says."""
    found: Options = {}
    file = files.get(path_of(link))
    for section, key, value in ini.values(file.text) if file else ():
        if section == "ethernet":
            found.update({"mtu": int(value)} if key == "mtu" else {"mac_address": value})
    return found


def yielding(files: Files, taken: set[str]) -> Files:
    """A profile of somebody else's for a link of ours is kept beside the folder, where it is not read; once the link is
    nobody's, it is back."""
    result = dict(files)
    for path, file in files.items():
        if not owns(path) or owner(file.text):
            continue
        names, name = set(links(path, file.text)), path.rsplit("/", 1)[-1]
        if path.startswith(f"{FOLDER}/") and names and names <= taken:
            result[f"{HOME}/{name}{BACKUP}"] = result.pop(path)
        elif path.endswith(BACKUP) and not names & taken:
            result[f"{FOLDER}/{name[: -len(BACKUP)]}"] = result.pop(path)
    return result
