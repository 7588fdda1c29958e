# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netplan's YAML for a bridge, for either renderer. Pure. See netplan(5).

Files are merged, and a later one can't take back what an earlier one says: so a definition of somebody else's for a link of
ours leaves its file, which is kept beside as it was.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping

from .._core import yaml
from .._core.errors import InputError
from .._core.table import Options
from .definitions import FOLDER, MADE, SUFFIX, TYPES, Definition, contents, defined, is_of, is_read, is_whole, physical
from .model import BACKUP, File, Files, Kept, mark, owner
from .networkmanager import method, uuid_of

PREFIX = "90-virtnet-"
SECRET = 0o600  # it complains of a file that others may read
_WITHOUT = "# virtnet.kvm has taken links out of this file; as it was: "

# Options that it has no word for.
UNKEPT = frozenset({
    "vlan", "multicast", "group_fwd_mask", "ports.vlans", "ports.isolated", "ports.hairpin", "ports.guard", "ports.root_block",
    "ports.learning", "ports.flood", "ports.mcast_flood", "ports.bcast_flood", "ports.mcast_to_unicast",
    "ports.neigh_suppress", "ports.fastleave", "ports.vlan_tunnel", "ports.mcast_router", "ports.protocol",
})  # fmt: skip

_SECTIONS = {
    "vlan": "vlans", "bond": "bonds", "vxlan": "tunnels", "dummy": "dummy-devices", "veth": "virtual-ethernets",
}  # fmt: skip
_PARAMETERS = {
    "priority": "priority", "forward_delay": "forward-delay", "hello_time": "hello-time", "max_age": "max-age",
}  # fmt: skip
_BOND = {
    "mode": "mode", "miimon": "mii-monitor-interval", "updelay": "up-delay", "downdelay": "down-delay",
    "xmit_hash_policy": "transmit-hash-policy", "lacp_rate": "lacp-rate",
}  # fmt: skip
_VXLAN = {"id": "id", "parent": "link", "local": "local", "remote": "remote", "dstport": "port", "ttl": "ttl"}
_PORT_WORDS = (("cost", "path-cost"), ("priority", "port-priority"))
_DEFAULT4, _DEFAULT6 = "0.0.0.0/0", "::/0"


def owns(path: str) -> bool:
    """Whether a file is of this backend."""
    return is_of(path)


def path_of(bridge: str) -> str:
    return f"{FOLDER}/{PREFIX}{bridge}{SUFFIX}"


def rendered_path(link: str, for_networkmanager: bool) -> str:
    """The file that netplan makes for the daemon behind it."""
    if for_networkmanager:
        return f"/run/NetworkManager/system-connections/netplan-{link}.nmconnection"
    return f"/run/systemd/network/10-netplan-{link}.network"


def by_networkmanager(files: Mapping[str, File], in_charge: Mapping[str, str]) -> bool:
    """The renderer of the links at hand; where none is there yet, the one that the files name."""
    charges = [path for path in in_charge.values() if "/netplan-" in path or "/10-netplan-" in path]
    if charges:
        return any(path.startswith("/run/NetworkManager/") for path in charges)
    told = [contents(file.text).get("renderer") for path, file in sorted(files.items()) if is_read(path)]
    return [one for one in told if one][-1:] == ["NetworkManager"]


def render(kept: Kept, files: Mapping[str, File], in_charge: Mapping[str, str]) -> Files:
    """Every file that makes this bridge after a boot, by its path. See `backends.replaced`. Raises InputError."""
    for_nm = by_networkmanager(files, in_charge)
    network: dict[str, typing.Any] = {"version": 2}
    for section, name, definition in _whole_ones(list(_definitions(kept, for_nm)), files):
        of_nic = physical(files, name) if section == "ethernets" and definition else {}
        network.setdefault(section, {})[name] = {**of_nic, **definition}
    if not for_nm:
        _refuse_lost_vlans(
            kept.name, [network, *(contents(file.text) for path, file in files.items() if is_read(path))]
        )
    text = f"{mark(kept.name)}\n{yaml.dump({'network': network})}"
    return {path_of(kept.name): File(text, SECRET)}


def _whole_ones(
    told: list[tuple[str, str, Definition]], files: Mapping[str, File]
) -> Iterable[tuple[str, str, Definition]]:
    """What a VLAN stands on has to be named before it, as what it is: a link of this file, or of another (a kept bridge)."""
    here = {name for _section, name, definition in told if definition}
    for section, name, definition in told:
        if definition:
            yield section, name, definition
        elif name not in here:
            yield _section_of(name, files) or section, name, definition


def _section_of(name: str, files: Mapping[str, File]) -> str | None:
    for path, file in files.items():
        for section, told, _link, _definition in defined(contents(file.text)) if is_read(path) else ():
            if told == name:
                return section
    return None


def _refuse_lost_vlans(bridge: str, networks: list[Definition]) -> None:
    """For networkd it writes the VLANs of a port with a cost or priority into the wrong section (0.106 and 1.1.2 do)."""
    parents = {one.get("link") for network in networks for one in _of(network, "vlans").values()}
    for network in networks:
        for parameters in [_of(one, "parameters") for one in _of(network, "bridges").values()]:
            for name, word in _PORT_WORDS:
                for port in sorted(parents & set(_of(parameters, word))):
                    raise InputError(
                        f"bridge {bridge}: port {port}: {name}: netplan can't keep it for the next boot: it would lose the VLANs"
                        f" over {port}; leave out that port's {name}"
                    )


def _of(definition: Definition, word: str) -> Definition:
    told = definition.get(word)
    return told if isinstance(told, dict) else {}


def _definitions(kept: Kept, for_nm: bool) -> Iterable[tuple[str, str, Definition]]:
    for port in kept.ports:
        kind = port.get("type")
        if port.get("parent"):
            yield "ethernets", port["parent"], {}
        for member in port.get("ports", ()):
            yield "ethernets", member, _silent(kept.name, member, for_nm)
        silent = {**_made(port), **_silent(kept.name, port["name"], for_nm), **_sizes(port)}
        yield (_SECTIONS[kind] if kind else "ethernets"), port["name"], silent
        if kind == "veth":
            yield "virtual-ethernets", port["peer"], {"peer": port["name"], **_silent(kept.name, port["peer"], for_nm)}
    yield "bridges", kept.name, _bridge(kept, for_nm)


def _backend(bridge: str, link: str, for_nm: bool, **passed: str) -> Definition:
    if not for_nm:
        return {"renderer": "networkd"}
    told = {"uuid": uuid_of(bridge, link), "name": f"virtnet-{link}"}
    return {"renderer": "NetworkManager", "networkmanager": {**told, **({"passthrough": passed} if passed else {})}}


def _silent(bridge: str, link: str, for_nm: bool) -> Definition:
    """A link without addresses of its own."""
    return {
        **_backend(bridge, link, for_nm), "dhcp4": False, "dhcp6": False, "accept-ra": False, "link-local": [],
    }  # fmt: skip


def _sizes(options: Options) -> Definition:
    words = (("mtu", "mtu"), ("mac_address", "macaddress"))
    return {word: options[name] for name, word in words if options.get(name)}


def _made(port: Options) -> Definition:
    kind = port.get("type")
    if kind == "vlan":
        return {"id": port["id"], "link": port["parent"]}
    if kind == "bond":
        parameters = {word: port[name] for name, word in _BOND.items() if name in port}
        return {"interfaces": list(port.get("ports", ())), "parameters": parameters}
    if kind == "vxlan":
        return {"mode": "vxlan", **{word: port[name] for name, word in _VXLAN.items() if name in port}}
    return {"peer": port["peer"]} if kind == "veth" else {}


def _bridge(kept: Kept, for_nm: bool) -> Definition:
    options = kept.options
    stp = options.get("stp", {})
    parameters: Definition = {"stp": bool(stp.get("enabled"))}
    parameters.update({word: int(stp[name]) for name, word in _PARAMETERS.items() if name in stp})
    parameters.update({"ageing-time": int(options["ageing_time"])} if "ageing_time" in options else {})
    for name, word in _PORT_WORDS:
        values = {port["name"]: port[name] for port in kept.ports if name in port}
        parameters.update({word: values} if values else {})
    usual = {
        "ipv4.route-metric": "0",
        "ipv6.route-metric": "256",
        "ipv6.addr-gen-mode": "0",
        "connection.autoconnect-slaves": "1",
    }
    if method(options, 4) == "disabled":
        usual["ipv4.method"] = "disabled"  # else it has NetworkManager make an address of 169.254.0.0/16 up
    routers = bool(options.get("accept_ra"))
    definition: Definition = {
        **_backend(kept.name, kept.name, for_nm, **usual),
        "interfaces": [port["name"] for port in kept.ports],
        **_sizes(options),
        "dhcp4": bool(options.get("dhcp4")),
        "dhcp6": bool(options.get("dhcp6")) or (for_nm and routers),  # it knows one word for both
        "accept-ra": routers,
        "parameters": parameters,
    }
    addresses, routes = list(options.get("addresses", ())), list(_routes(kept, for_nm))
    dns = {
        "addresses": list(options.get("dns", {}).get("servers", ())),
        "search": list(options.get("dns", {}).get("search", ())),
    }
    more = {
        "addresses": addresses,
        "routes": routes,
        "nameservers": {word: value for word, value in dns.items() if value},
    }
    return {**definition, **{word: value for word, value in more.items() if value}}


def _routes(kept: Kept, for_nm: bool) -> Iterable[Definition]:
    options = kept.options
    gateways = [
        {"to": to, "via": options[word]}
        for word, to in (("gateway4", _DEFAULT4), ("gateway6", _DEFAULT6))
        if options.get(word)
    ]
    for route in (*gateways, *options.get("routes", ())):
        told: Definition = {"to": route["to"]}
        told.update({"via": route["via"]} if "via" in route else {"scope": "link"} if ":" not in route["to"] else {})
        if "metric" in route or for_nm:
            told["metric"] = route.get("metric", 1024 if ":" in route["to"] else 0)
        told.update({"table": route["table"]} if "table" in route else {})
        told.update({"on-link": True} if route.get("via") in kept.onlink else {})
        yield told


def refused(kept: Kept) -> str | None:
    """What of this bridge can't be kept, in the option's words."""
    if kept.options.get("up") is False:
        return "up: false: it brings up what it makes"
    for name, value in {**kept.options.get("stp", {}), "ageing_time": kept.options.get("ageing_time", 0)}.items():
        if value != int(value):
            return f"{'' if name == 'ageing_time' else 'stp.'}{name}: {value}: it keeps whole seconds"
    if kept.options.get("stp", {}).get("priority") == 0:
        return "stp.priority: 0: it takes that for nothing said; 4096 is the next"
    for port in kept.ports:
        if port.get("priority") == 0:
            return f"port {port['name']}: priority: 0: it takes that for nothing said; 1 is the next"
        if port.get("kind") not in (None, "", "veth"):
            return f"port {port['name']}: it is a {port['kind']} that another definition makes; describe it with its `type`"
    return None


# Reading


def links(path: str, text: str) -> list[str]:
    """The links that a file is for; a VLAN's parent, of which nothing is said, is not."""
    del path
    return sorted({link for section, _id, link, told in defined(contents(text)) if told or section != "ethernets"})


def devices(path: str, text: str) -> list[str]:
    """The links that a file makes."""
    del path
    return sorted({link for section, _id, link, _told in defined(contents(text)) if section in MADE})


def broken(path: str, text: str) -> str | None:
    """What is wrong with a file, in a few words."""
    if not is_read(path):
        return None
    try:
        told = yaml.load(text)
    except ValueError as error:
        return str(error)
    if told is None or (isinstance(told, dict) and is_whole(told.get("network") or {})):
        return None
    return "it is no mapping of links to what they are"


def options(files: Mapping[str, File], link: str, charge: str) -> Options:
    """What only the boot configuration knows of a link: DHCP, router advertisements, DNS."""
    del charge
    found: Options = {}
    dns: dict[str, list[str]] = {}
    for path in sorted(path for path in files if is_read(path)):
        for _section, _id, name, told in defined(contents(files[path].text)):
            if name == link:
                words = (("dhcp4", "dhcp4"), ("dhcp6", "dhcp6"), ("accept-ra", "accept_ra"))
                found.update({option: bool(told[word]) for word, option in words if word in told})
                for word, option in (("addresses", "servers"), ("search", "search")):
                    dns.setdefault(option, []).extend((told.get("nameservers") or {}).get(word) or ())
    said: Options = {option: value for option, value in found.items() if value}
    return {**said, **({"dns": dns} if any(dns.values()) else {})}


def sizes(files: Mapping[str, File], link: str) -> Options:
    """MTU and MAC address that our files of a link that we make say."""
    for path, file in files.items():
        for _section, _id, name, told in defined(contents(file.text)) if is_read(path) and owner(file.text) else ():
            if name == link:
                words = (("mtu", "mtu"), ("macaddress", "mac_address"))
                return {option: told[word] for word, option in words if word in told}
    return {}


# Other people's definitions


def yielding(files: Files, taken: set[str]) -> Files:
    """A file of somebody else's that defines a link of ours is kept beside, and goes on without it; once the link is
    nobody's, what was taken out is back."""
    result = dict(files)
    for path in [path for path in files if is_read(path) and not owner(files[path].text)]:
        file, backup = result[path], result.get(path + BACKUP)
        whole = _whole(file.text, backup.text) if backup else file.text
        text = _without(path, whole, taken)
        result[path] = File(text, file.mode)
        if text == whole:
            result.pop(path + BACKUP, None)
        elif not backup or taken & set(links(path, file.text)):  # somebody has said it anew
            result[path + BACKUP] = File(whole, file.mode)
    return result


def _whole(text: str, backup: str) -> str:
    """The file with what was taken out; as it was, to the letter, where nobody has changed it since."""
    now, before = dict(contents(text)), contents(backup)
    there = {(section, name) for section, name, _link, _told in defined(now)}
    gone = [(section, name, told) for section, name, _link, told in defined(before) if (section, name) not in there]
    for section, name, told in gone:
        now[section] = {**(now.get(section) or {}), name: told}
    same = now == before
    return backup if same else yaml.dump({"network": now})


def _without(path: str, text: str, taken: set[str]) -> str:
    network = {word: dict(told) if word in TYPES and told else told for word, told in contents(text).items()}
    out = [(section, name) for section, name, link, _told in defined(network) if link in taken]
    if not out:
        return text
    for section, name in out:
        del network[section][name]
        if not network[section]:
            del network[section]
    return f"{_WITHOUT}{path.rsplit('/', 1)[-1]}{BACKUP}\n{yaml.dump({'network': network})}"
