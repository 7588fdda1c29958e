# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ifupdown's stanzas for a bridge, as text. Pure. See interfaces(5).

The links are made by ip(8) and bridge(8) in the bridge's own stanza: every option can be said so, none of the packages
that extend ifupdown has to be there, and `ifup --force` may be run at any time, since each line may be repeated.
"""

from __future__ import annotations

import functools
import re
import shlex
import typing
from collections.abc import Iterable, Mapping

from .._core.table import Options
from . import stanzas
from .model import BACKUP, File, Files, Kept, in_span, mark, owner

MAIN = "/etc/network/interfaces"
FOLDER = f"{MAIN}.d"
PREFIX = "virtnet-"
UNKEPT: frozenset[str] = frozenset()

_SOURCE = [f"# virtnet.kvm has files in {FOLDER}:", f"source {FOLDER}/{PREFIX}*"]

# (group, option, ip-link's word, its units in ours)
_BRIDGE_WORDS = (
    ("stp", "enabled", "stp_state", 1), ("stp", "priority", "priority", 1), ("stp", "forward_delay", "forward_delay", 100),
    ("stp", "hello_time", "hello_time", 100), ("stp", "max_age", "max_age", 100), ("", "ageing_time", "ageing_time", 100),
    ("vlan", "filtering", "vlan_filtering", 1), ("vlan", "protocol", "vlan_protocol", 1),
    ("vlan", "default_pvid", "vlan_default_pvid", 1), ("vlan", "stats", "vlan_stats_enabled", 1),
    ("multicast", "snooping", "mcast_snooping", 1), ("multicast", "querier", "mcast_querier", 1),
    ("multicast", "router", "mcast_router", 1), ("multicast", "query_use_ifaddr", "mcast_query_use_ifaddr", 1),
    ("multicast", "stats", "mcast_stats_enabled", 1), ("multicast", "hash_max", "mcast_hash_max", 1),
    ("multicast", "igmp_version", "mcast_igmp_version", 1), ("multicast", "mld_version", "mcast_mld_version", 1),
    ("multicast", "last_member_count", "mcast_last_member_count", 1),
    ("multicast", "startup_query_count", "mcast_startup_query_count", 1),
    ("multicast", "last_member_interval", "mcast_last_member_interval", 100),
    ("multicast", "membership_interval", "mcast_membership_interval", 100),
    ("multicast", "querier_interval", "mcast_querier_interval", 100),
    ("multicast", "query_interval", "mcast_query_interval", 100),
    ("multicast", "query_response_interval", "mcast_query_response_interval", 100),
    ("multicast", "startup_query_interval", "mcast_startup_query_interval", 100), ("", "group_fwd_mask", "group_fwd_mask", 1),
)  # fmt: skip
_PORT_WORDS = (
    "isolated", "hairpin", "guard", "root_block", "learning", "flood", "mcast_flood", "bcast_flood", "mcast_to_unicast",
    "neigh_suppress", "fastleave", "vlan_tunnel", "mcast_router", "cost", "priority",
)  # fmt: skip
_MADE_WORDS = {
    "vlan": ("protocol", "id"), "bond": ("mode", "miimon", "updelay", "downdelay", "xmit_hash_policy", "lacp_rate"),
    "vxlan": ("id", "local", "remote", "dstport", "ttl"), "dummy": (), "veth": (),
}  # fmt: skip


def owns(path: str) -> bool:
    """Whether a file is of this backend."""
    return path.startswith(MAIN) or (path.startswith("/etc/network/") and path.endswith(BACKUP))


def path_of(bridge: str) -> str:
    return f"{FOLDER}/{PREFIX}{bridge}"


def render(kept: Kept, files: Mapping[str, File], in_charge: Mapping[str, str]) -> Files:
    """Every file that makes this bridge after a boot, by its path. See `backends.replaced`."""
    del files, in_charge
    four, six = (kept.options.get(name) for name in ("dhcp4", "dhcp6"))
    lines = [mark(kept.name), f"auto {kept.name}", f"iface {kept.name} inet {'dhcp' if four else 'manual'}"]
    lines += [f"    {line}" for line in (*_before(kept), *_addresses(kept), *_dns(kept), *_down(kept))]
    lines += [f"iface {kept.name} inet6 dhcp", "    accept_ra 1"] if six else []
    members = [name for port in kept.ports for name in (port["name"], *port.get("ports", ()))]
    lines += [f"iface {name} inet manual" for name in sorted({*members})]
    return {path_of(kept.name): File("\n".join(lines) + "\n")}


def _before(kept: Kept) -> Iterable[str]:
    """The bridge with its ports, before it gets its addresses."""
    name, options = kept.name, kept.options
    yield f"pre-up {_unless_there(name)} ip link add name {name} type bridge"
    words = [
        f"{word} {_number(options.get(group, {}) if group else options, option, scale)}"
        for group, option, word, scale in _BRIDGE_WORDS
        if (options.get(group, {}) if group else options).get(option) is not None
    ]
    if words:
        yield f"pre-up ip link set dev {name} type bridge {' '.join(words)}"
    if options.get("mac_address"):
        yield f"pre-up ip link set dev {name} address {options['mac_address']}"
    # 2: also while the host forwards
    yield f"pre-up echo {2 if options.get('accept_ra') else 0} > /proc/sys/net/ipv6/conf/{name}/accept_ra"
    for port in kept.ports:
        yield from (f"pre-up {line}" for line in _port(name, port, options))
    yield from (f"pre-up {line}" for line in _vlans(name, options.get("vlan", {}).get("self"), options, " self"))
    if options.get("mtu"):
        yield f"pre-up ip link set dev {name} mtu {options['mtu']}"
    yield f"pre-up ip link set dev {name} {'down' if options.get('up') is False else 'up'}"


def _unless_there(link: str) -> str:
    return f"[ -e /sys/class/net/{link} ] ||"


def _number(values: Options, option: str, scale: int) -> typing.Any:
    value = values[option]
    return value if isinstance(value, str) else round(value * scale)


def _port(bridge: str, port: Options, options: Options) -> Iterable[str]:
    name = port["name"]
    if port.get("type"):
        yield f"{_unless_there(name)} ip link add {_made(port)}"
    if port.get("parent"):
        yield f"ip link set dev {port['parent']} up"
    for member in port.get("ports", ()):
        take = f"{{ ip link set dev {member} down && ip link set dev {member} master {name}; }}"
        yield f"[ -e /sys/class/net/{name}/lower_{member} ] || {take}"
        yield f"ip link set dev {member} up"
    if port.get("mac_address"):
        yield f"ip link set dev {name} address {port['mac_address']}"
    if port.get("mtu"):
        yield f"ip link set dev {name} mtu {port['mtu']}"
    yield f"ip link set dev {name} master {bridge} up"
    flags = [f"{word} {_flag(port[word])}" for word in _PORT_WORDS if word in port]
    if flags:
        yield f"ip link set dev {name} type bridge_slave {' '.join(flags)}"
    yield from _vlans(name, port.get("vlans"), options, "")


def _made(port: Options) -> str:
    kind, name = port["type"], port["name"]
    if kind == "veth":
        return f"name {name} type veth peer name {port['peer']}"
    parent = f"link {port['parent']} " if port.get("parent") and kind == "vlan" else ""
    device = f" dev {port['parent']}" if port.get("parent") and kind == "vxlan" else ""
    words = "".join(f" {word} {port[word]}" for word in _MADE_WORDS[kind] if word in port)
    return f"{parent}name {name} type {kind}{words}{device}"


def _flag(value: typing.Any) -> typing.Any:
    return ("off", "on")[value] if isinstance(value, bool) else value


def _vlans(link: str, vlans: Options | None, options: Options, suffix: str) -> Iterable[str]:
    """The VLANs are exact: the one that every new port has goes, unless it is said."""
    if vlans is None:
        return
    default, pvid = options.get("vlan", {}).get("default_pvid", 1), vlans.get("pvid")
    untagged = [str(one) for one in vlans.get("untagged", ())]
    if default:
        yield f"bridge vlan del dev {link} vid {default}{suffix} 2> /dev/null || true"
    for span in vlans.get("tagged", ()):
        yield f"bridge vlan add dev {link} vid {span}{suffix}"
    for span in untagged:
        yield f"bridge vlan add dev {link} vid {span} untagged{suffix}"
    if pvid:
        inside = any(in_span(span, pvid) for span in untagged) or not any(
            in_span(str(span), pvid) for span in vlans.get("tagged", ())
        )
        yield f"bridge vlan add dev {link} vid {pvid} pvid{' untagged' if inside else ''}{suffix}"


def _addresses(kept: Kept) -> Iterable[str]:
    name, options = kept.name, kept.options
    for cidr in options.get("addresses", ()):
        broadcast = "" if ":" in cidr or int(cidr.rsplit("/", 1)[1]) > 30 else " broadcast +"
        yield f"up ip address replace {cidr}{broadcast} dev {name}"
    routes = [{"to": anywhere, "via": options[word]} for word, anywhere in _GATEWAYS if options.get(word)]
    for route in (*routes, *options.get("routes", ())):
        via = f" via {route['via']}{' onlink' * (route['via'] in kept.onlink)}" if "via" in route else ""
        more = "".join(f" {word} {route[word]}" for word in ("metric", "table") if word in route)
        yield f"up ip {'-6' if ':' in route['to'] else '-4'} route replace {route['to']}{via} dev {name} proto static{more}"


_GATEWAYS = (("gateway4", "0.0.0.0/0"), ("gateway6", "::/0"))


def _dns(kept: Kept) -> Iterable[str]:
    """For the package resolvconf, or systemd-resolved."""
    dns = kept.options.get("dns", {})
    for word, name in (("servers", "dns-nameservers"), ("search", "dns-search")):
        if dns.get(word):
            yield f"{name} {' '.join(dns[word])}"


def _down(kept: Kept) -> Iterable[str]:
    for name in (*(port["name"] for port in kept.ports if port.get("type")), kept.name):
        yield f"post-down ip link delete dev {name} 2> /dev/null || true"


# Reading


def links(path: str, text: str) -> list[str]:
    """The links that a file is for; the loopback link is nobody's matter."""
    del path
    return sorted({name for words, _lines in stanzas.stanzas(text) if (name := _name(words)) and name != "lo"})


def _name(words: list[str]) -> str:
    """The link of an iface; empty where the stanza is another, or broken."""
    return words[1] if words[0] == "iface" and len(words) > 1 else ""


def devices(path: str, text: str) -> list[str]:
    """The links that a file of ours makes."""
    del path
    return re.findall(r"ip link add (?:link \S+ )?name (\S+)", text) if owner(text) else []


def broken(path: str, text: str) -> str | None:
    """What is wrong with a file, in a few words."""
    if path.endswith(BACKUP):
        return None
    for words, _lines in stanzas.stanzas(text):
        if words[0] not in stanzas.WORDS and not words[0].startswith("allow-"):
            return f"the line {' '.join(words)!r} belongs to no stanza"
        if words[0] == "iface" and (len(words) == 1 or (len(words) == 3 and words[2] in ("inet", "inet6"))):
            return f"the line {' '.join(words)!r} ends too early"  # a name alone will do for ifupdown2 and -ng
    return None


def options(files: Mapping[str, File], link: str, charge: str) -> Options:
    """What only the boot configuration knows of a link: DHCP, router advertisements, DNS."""
    del charge
    found: Options = {}
    dns: dict[str, list[str]] = {}
    for path, file in files.items():
        if not owns(path) or path.endswith(BACKUP):
            continue
        for words, lines in _stanzas_of(file.text, link):
            found.update(_METHODS.get(tuple(words[2:4]), {}))
            for option in lines:
                _read_option(option, found, dns)
    return {**found, **({"dns": dns} if dns else {})}


def addresses(text: str, link: str) -> list[str]:
    """The addresses that a file's stanzas give to a link, without their prefixes."""
    options_ = [option for _words, lines in _stanzas_of(text, link) for option in lines]
    return [option[1].split("/")[0] for option in options_ if option[0] == "address" and len(option) > 1]


def _stanzas_of(text: str, link: str) -> Iterable[tuple[list[str], list[list[str]]]]:
    """The words of each of a link's first lines, and those of the options below it."""
    for words, numbers in stanzas.stanzas(text):
        if _name(words) == link:
            yield words, stanzas.options(text, numbers)


_METHODS: dict[tuple[str, ...], Options] = {
    ("inet", "dhcp"): {"dhcp4": True},
    ("inet6", "dhcp"): {"dhcp6": True},
    ("inet6", "auto"): {"accept_ra": True},
}


def _read_option(words: list[str], found: Options, dns: dict[str, list[str]]) -> None:
    key = {"dns-nameservers": "servers", "dns-nameserver": "servers", "dns-search": "search", "dns-domain": "search"}
    if words[0] in key:
        into = dns.setdefault(key[words[0]], [])
        into += [word for word in words[1:] if word not in into]
    elif words[:3] in (["pre-up", "echo", "2"], ["pre-up", "echo", "1"]) and words[-1].endswith("/accept_ra"):
        found["accept_ra"] = True


def sizes(files: Mapping[str, File], link: str) -> Options:
    """MTU and MAC address that our files of a link that we make say."""
    found: Options = {}
    for path, file in files.items():
        if owns(path) and owner(file.text):
            found.update(_sizes(file.text).get(link, {}))
    return found


@functools.cache
def _sizes(text: str) -> Mapping[str, Options]:
    """The same of each link of a file."""
    found: dict[str, Options] = {}
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:5] == ["pre-up", "ip", "link", "set", "dev"]:
            if words[6] == "address":
                found.setdefault(words[5], {})["mac_address"] = words[7]
            elif words[6] == "mtu":
                found.setdefault(words[5], {})["mtu"] = int(words[7])
    return found


# Other people's stanzas


def refused(kept: Kept) -> str | None:
    """What of this bridge can't be kept, in the option's words."""
    del kept
    return None


def yielding(files: Files, taken: set[str]) -> Files:
    """Stanzas of somebody else's for links of ours become comments where they stand, and the file is kept beside as it
    was; once the links are nobody's, they are stanzas again."""
    result = dict(files)
    for path in [path for path in files if owns(path) and not path.endswith(BACKUP)]:
        file = result[path]
        if owner(file.text):
            continue
        restored = stanzas.awake(file.text)
        text = stanzas.asleep(restored, taken)
        result[path] = File(text, file.mode)
        backup = _backup_of(path)
        if text == restored:
            result.pop(backup, None)
        elif backup not in result:
            result[backup] = File(restored, file.mode)
    return _sourced(result)


def _backup_of(path: str) -> str:
    """Beside the folder, not in it: every file in there is read."""
    return f"/etc/network/{path.rsplit('/', 1)[-1]}{BACKUP}" if path != MAIN else MAIN + BACKUP


def _sourced(files: Files) -> Files:
    """Our files are read: the main file names their folder, or is told to."""
    main = files.get(MAIN, File(""))
    lines = [line for line in main.text.split("\n") if line not in _SOURCE]
    ours = [path for path, file in files.items() if path.startswith(f"{FOLDER}/{PREFIX}") and owner(file.text)]
    if not all(any(_reads(line, path) for line in lines) for path in ours):
        at = len(lines) - (not lines[-1])  # before what is behind the last newline
        lines[at:at] = _SOURCE
    text = "\n".join(lines)
    return files if text == main.text else {**files, MAIN: File(text, main.mode)}


def _reads(line: str, path: str) -> bool:
    """Whether a line of the main file has one of ours read; of a whole folder only those with a plain name are."""
    match = re.fullmatch(rf"\s*(source|source-directory)\s+(?:{re.escape(FOLDER)}|interfaces\.d)(/\*)?/?\s*", line)
    if not match:
        return False
    return bool(match[2]) if match[1] == "source" else bool(re.fullmatch(r"[\w-]+", path.rsplit("/", 1)[-1]))
