# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a boot configuration is made of, and the mark of our files."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping

from .._core.table import Options

BACKUP = ".virtnet-backup"


@dataclasses.dataclass(frozen=True)
class File:
    """A file's text, and its mode."""

    text: str
    mode: int = 0o644


Files = dict[str, File]


@dataclasses.dataclass(frozen=True)
class Boot:
    """What this host's daemons keep. `backend`: the one that keeps what is wanted now; `options`: what the files in
    charge say of a link (DHCP, DNS), by the link's name; `in_charge`: the file in charge of a link; `files`: all that
    may be changed, of every backend; `lacking`: the options that the backend can't keep on this host, with the reason."""

    backend: str
    options: dict[str, Options]
    in_charge: dict[str, str]
    files: Files
    made: frozenset[str] = frozenset()  # the links that our files make
    seed: str = ""  # the host's own, for MAC addresses that are the same after each boot
    lacking: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Kept:
    """A bridge as it is to be after a boot: its options, its ports, and who made what, in the options' own words.
    `onlink` are its routers that none of its addresses reaches."""

    name: str
    options: Options
    ports: tuple[Options, ...]
    onlink: frozenset[str] = frozenset()


def default_vlan_lost(kept: Kept) -> str | None:
    """What to say where a daemon that only adds VLANs would leave the default one at a boot, though it is not wanted."""
    vlan = kept.options.get("vlan", {})
    default = vlan.get("default_pvid", 1)
    if not vlan.get("filtering") or not default:
        return None
    said = [
        ("vlan.self", vlan.get("self")),
        *((f"port {port['name']}: vlans", port.get("vlans")) for port in kept.ports),
    ]
    for what, vlans in said:
        if vlans is not None and not _has_vlan(vlans, default):
            return f"{what}: without VLAN {default}, which each port has from the start; say vlan.default_pvid: 0"
    return None


def _has_vlan(vlans: Options, vid: int) -> bool:
    spans = (*vlans.get("tagged", ()), *vlans.get("untagged", ()))
    return vlans.get("pvid") == vid or any(in_span(str(span), vid) for span in spans)


def in_span(span: str, vid: int) -> bool:
    """Whether a VLAN is the one that a span names, or in its range (10, 20-29)."""
    low, _dash, high = span.partition("-")
    return int(low) <= vid <= int(high or low)


def mark(bridge: str) -> str:
    """The first line of a file that is ours; all backends take # for a comment."""
    return f"# Made by virtnet.kvm for bridge {bridge}; changes are overwritten."


@functools.cache
def owner(text: str) -> str | None:
    """The bridge that a file of ours is for; None for a file of somebody else's."""
    match = re.match(r"# Made by virtnet\.kvm for bridge (\S+);", text)
    return match[1] if match else None
