# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What will be: what is there, and what is wanted, merged into one state. Pure.

The one merge feeds the plan, its check, the boot configuration, and (against what was there before) the way back.
"""

from __future__ import annotations

import dataclasses
import hashlib

from .._core.errors import InputError
from .._core.table import Options
from .._kernel.values import Attributes, Link
from .._persist.model import Boot
from .model import Desired, Observed, State, Want
from .options import (
    ABSENT,
    BOOT,
    BRIDGE,
    DEFAULT_PVID,
    FORWARD_DELAY,
    MADE,
    MARK,
    MIN_FORWARD_DELAY,
    PORT_FLAGS,
    PVID,
    STP_STATE,
    UNTAGGED,
    USUAL_MTU,
    VXLAN_LINK,
    flags_of,
    to_kernel,
    vxlan_headers,
)
from .routing import (
    addressed,
    as_kept,
    hears_routers,
    heir_of,
    move,
    routed,
    with_links,
    without_addresses,
    without_links,
)


def goal(desired: Desired, observed: Observed) -> State:
    """The state that the whole call leads to. Boot files are not in it yet."""
    state = observed.state
    for want in desired.wants:
        state = _absent(want, state) if want.state == ABSENT else _present(want, state, observed)
    return _without_lone_ends(state, observed.state)


def _without_lone_ends(state: State, before: State) -> State:
    """A veth goes with its other end, unless a bridge of the same call has taken that one."""
    gone = before.links.keys() - state.links.keys()
    return without_links(
        state, *(link.name for link in state.links.values() if link.kind == "veth" and link.parent in gone)
    )


# Present


def _present(want: Want, state: State, observed: Observed) -> State:
    there = state.links.get(want.name)
    pvid = want.options.get("vlan", {}).get("default_pvid")
    if there and pvid is not None:
        state = with_default_pvid(state, want.name, pvid)
    state = with_links(state, _bridge(want, state.links.get(want.name) or Link(want.name, kind="bridge", mtu=0)))
    for port in want.ports or ():
        state = _port(want, port, state)
        state = _other_end(port, state, observed.state)
    if want.ports is not None and want.purge_ports:
        state = _purge(want, state)
    state = _mtu(want, state, observed.state)
    source = heir_of(want, observed)
    if source:
        state = move(state, source, want.name)
        if "mac_address" not in want.options:
            state = with_links(state, dataclasses.replace(state.links[want.name], mac=observed.state.links[source].mac))
        if observed.boot:
            state = as_kept(state, want.name)
    if observed.boot:
        state = _pinned(want, _bare(want.name, state), observed.boot.seed)
    return routed(want, addressed(want, state))


def _bare(bridge: str, state: State) -> State:
    """The boot configuration keeps a port's place, and no addresses. Those that nobody inherits go at once: whom that
    locks out has to be so while the change can be put back, not from the next boot on."""
    ports = [link for link in state.ports(bridge) if not link.guests]
    members = [member for port in ports for member in state.ports(port.name)]
    return without_addresses(state, *(link.name for link in (*ports, *members)))


def _pinned(want: Want, state: State, seed: str) -> State:
    """What is kept for the next boot has a MAC address of its own: that of its first port, or one of this host and name."""
    bridge = state.links[want.name]
    if bridge.mac:
        return state
    macs = [link.mac for port in want.ports or () if (link := state.links[port["name"]]).mac and link.alias != MARK]
    digest = hashlib.sha256(f"{seed} {want.name}".encode()).hexdigest()
    made = "02:" + ":".join(digest[at : at + 2] for at in range(0, 10, 2))
    return with_links(state, dataclasses.replace(bridge, mac=macs[0] if macs else made))


def _bridge(want: Want, link: Link) -> Link:
    options = want.options
    vlans = link.vlans
    own = options.get("vlan", {}).get("self")
    if own is not None:
        vlans = flags_of(own)
    data = {**link.data, **to_kernel(BRIDGE, options)}
    if data.get(STP_STATE) and data.get(FORWARD_DELAY, MIN_FORWARD_DELAY) < MIN_FORWARD_DELAY:
        if options.get("stp", {}).get("forward_delay") is not None:
            raise InputError(f"bridge {want.name}: stp.forward_delay: with spanning tree on it is 2 seconds or more")
        data[FORWARD_DELAY] = MIN_FORWARD_DELAY  # by the kernel itself (br_stp_start)
    return dataclasses.replace(
        link,
        up=options.get("up", True),
        mac=options.get("mac_address", link.mac),
        mtu=options.get("mtu", link.mtu),
        data=data,
        vlans=vlans,
    )


def _port(want: Want, port: Options, state: State) -> State:
    """One port, made where it is not there, and plugged in."""
    name = port["name"]
    link = state.links.get(name)
    if port.get("state") == ABSENT:
        return _unplug(state, link) if link and link.master == want.name else state
    if link is None:
        link = _made(port, state)
        if link is None:
            raise InputError(f"bridge {want.name}: port {name}: there is no such link; a `type` would make it")
    joining = link.master != want.name
    vlans = default_vlans(state.links[want.name]) if joining else link.vlans
    vlans = flags_of(port["vlans"]) if "vlans" in port else vlans
    link = dataclasses.replace(
        link,
        up=True,
        master=want.name,
        port_kind="bridge",
        mtu=port.get("mtu", link.mtu),
        mac=port.get("mac_address", link.mac),
        data={**link.data, **to_kernel(MADE.get(port.get("type", ""), ()), port), **_lower(port)},
        port={**({} if joining else link.port), **to_kernel(PORT_FLAGS, port)},
        vlans=vlans,
    )
    state = with_links(state, link)
    return _members(want, port, state) if "ports" in port else state


def _other_end(port: Options, state: State, before: State) -> State:
    """Of a veth that is new; that of one which was there may be in a container."""
    name, other = port["name"], port.get("peer")
    if other is None or name in before.links or other in state.links or name not in state.links:
        return state
    return with_links(state, Link(other, kind="veth", mtu=USUAL_MTU, parent=name))


def _members(want: Want, port: Options, state: State) -> State:
    """A bond's ports are exact."""
    name = port["name"]
    left = [one for one in state.ports(name) if one.name not in port["ports"]]
    state = with_links(state, *(dataclasses.replace(one, master=None, port_kind=None) for one in left))
    for member in port["ports"]:
        if member not in state.links:
            raise InputError(f"bridge {want.name}: port {name}: ports: there is no link {member}")
        one = state.links[member]
        state = with_links(state, dataclasses.replace(one, master=name, up=True, port_kind="bond", port={}, vlans={}))
    return state


def _lower(port: Options) -> Attributes:
    """What a vxlan sends over: an option of its kind, other than a VLAN's parent."""
    return {VXLAN_LINK: port["parent"]} if port.get("type") == "vxlan" and port.get("parent") else {}


def _made(port: Options, state: State) -> Link | None:
    kind = port.get("type", "existing")
    if kind not in MADE:
        return None
    parent = port.get("parent")
    if kind == "veth":
        return Link(port["name"], kind=kind, mtu=USUAL_MTU, up=True, parent=port["peer"], alias=MARK)
    if parent and parent not in state.links:
        raise InputError(f"port {port['name']}: parent: there is no link {parent}")
    mtu = state.links[parent].mtu if parent else USUAL_MTU
    if parent and kind == "vxlan":
        mtu -= vxlan_headers(to_kernel(MADE[kind], port))
        parent = None
    return Link(port["name"], kind=kind, mtu=mtu, up=True, parent=parent, alias=MARK)


def default_vlans(bridge: Link) -> dict[int, int]:
    """What the kernel gives a new bridge and each of its new ports: the default PVID, untagged."""
    pvid = bridge.data.get(DEFAULT_PVID, 1)
    return {pvid: PVID | UNTAGGED} if pvid else {}


def with_default_pvid(state: State, bridge: str, pvid: int) -> State:
    """What a bridge's new default PVID makes of the VLANs: it is on whatever had the old one, the bridge and its ports, guests' taps among them
    (__br_vlan_set_default_pvid in br_vlan.c)."""
    above = state.links[bridge]
    old = above.data.get(DEFAULT_PVID, 1)
    if pvid == old:
        return state
    moved = [dataclasses.replace(link, vlans=_repvid(link.vlans, old, pvid)) for link in (above, *state.ports(bridge))]
    return with_links(state, *moved)


def _repvid(vlans: dict[int, int] | None, old: int, new: int) -> dict[int, int] | None:
    if vlans is None or new in vlans or (old and vlans.get(old) != PVID | UNTAGGED):
        return vlans
    left = {vid: flags & ~PVID if new else flags for vid, flags in vlans.items() if vid != old}
    return {**left, new: PVID | UNTAGGED} if new else left


def _purge(want: Want, state: State) -> State:
    """Ports are exact, but a running guest's tap stays."""
    named = {port["name"] for port in want.ports or ()}
    for link in state.ports(want.name):
        if link.name not in named and not link.guests:
            state = _unplug(state, link)
    return state


def _unplug(state: State, link: Link) -> State:
    """What this collection made goes with its place; everything else just leaves."""
    if link.alias == MARK:
        members = [dataclasses.replace(one, master=None, port_kind=None) for one in state.ports(link.name)]
        return without_links(with_links(state, *members), link.name)
    return with_links(state, dataclasses.replace(link, master=None, port_kind=None, port={}, vlans={}))


def _mtu(want: Want, state: State, before: State) -> State:
    """A bridge carries what its ports carry; a guest's tap has its MTU from its network. Until somebody says its MTU, the
    kernel gives it that of its smallest port (br_mtu_auto_adjust in br_if.c)."""
    wanted = want.options.get("mtu")
    own = {port["name"] for port in want.ports or () if "mtu" in port}
    if wanted is None:
        bridge = state.links[want.name]
        follows = bridge.mtu in (0, _smallest(want.name, before))
        return with_links(state, dataclasses.replace(bridge, mtu=_smallest(want.name, state))) if follows else state
    changed = [
        dataclasses.replace(link, mtu=wanted)
        for link in state.ports(want.name)
        if not link.guests and link.name not in own
    ]
    return with_links(state, *changed)


def _smallest(bridge: str, state: State) -> int:
    return min((link.mtu for link in state.ports(bridge) if link.mtu), default=USUAL_MTU)


# Absent


_TUNNELS = ("vxlan", "geneve", "gretap", "ip6gretap", "erspan", "ip6erspan", "tun", "dummy")


def _absent(want: Want, state: State) -> State:
    there = state.links.get(want.name)
    if there is None:
        return state
    heir = _handed_to(want.name, state)
    if heir:
        state = move(state, want.name, heir)
    for link in state.ports(want.name):
        state = _unplug(state, link)
    return without_links(state, want.name)


def _handed_to(bridge: str, state: State) -> str | None:
    """The port that the bridge's addresses came from: the one whose MAC the bridge has, or the first. A veth may be the NIC of
    a host that is a container itself, or go to a container on this one; it takes them over as a
    last resort."""
    mac = state.links[bridge].mac
    ports = [
        link
        for link in state.ports(bridge)
        if link.alias != MARK
        and link.kind not in _TUNNELS
        and (link.kind != "veth" or (link.mac == mac and not link.parent))
    ]
    return next(
        (link.name for link in sorted(ports, key=lambda link: (link.kind == "veth", link.mac != mac, link.index))), None
    )


# What is kept for the next boot


def boot_options(want: Want, observed: Observed, boot: Boot) -> Options:
    """The options that only the boot configuration holds: as said, else as they are, else as the heir had them."""
    heir = heir_of(want, observed)
    there = boot.options.get(want.name) or (boot.options.get(heir) if heir else None) or {}
    if heir and hears_routers(observed.state, heir):
        there = {"accept_ra": True, **there}
    merged = {**there, **want.options}
    return {row.name: merged[row.name] for row in BOOT if row.name in merged}
