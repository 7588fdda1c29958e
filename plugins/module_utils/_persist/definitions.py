# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netplan's files as definitions of links. Pure. See netplan(5)."""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterable, Mapping

from .._core import yaml
from .model import BACKUP, File, owner

FOLDER = "/etc/netplan"
SUFFIX = ".yaml"

MADE = ("bridges", "bonds", "vlans", "tunnels", "dummy-devices", "virtual-ethernets")
TYPES = ("ethernets", "wifis", "modems", "nm-devices", "vrfs", *MADE)
# What a definition says of the NIC itself: by which it is found, how it is called, and what its hardware does.
_PHYSICAL = (
    "match", "set-name", "macaddress", "wakeonlan", "emit-lldp", "receive-checksum-offload", "transmit-checksum-offload",
    "tcp-segmentation-offload", "tcp6-segmentation-offload", "generic-segmentation-offload", "generic-receive-offload",
    "large-receive-offload", "virtual-function-count", "embedded-switch-mode", "delay-virtual-functions-rebind",
    "infiniband-mode",
)  # fmt: skip

Definition = dict[str, typing.Any]


def is_of(path: str) -> bool:
    """Whether a file is netplan's."""
    return path.startswith(f"{FOLDER}/")


def is_read(path: str) -> bool:
    return is_of(path) and path.endswith(SUFFIX)


@functools.cache
def contents(text: str) -> Definition:
    """What a file says. Every bridge's files are looked at for each other one's, so it is read once; not to be changed."""
    try:
        told = (yaml.load(text) or {}).get("network") or {}
    except (ValueError, AttributeError):
        return {}
    return told if is_whole(told) else {}


def is_whole(network: typing.Any) -> bool:
    """Mappings all the way down to each link's definition."""
    sections = [network.get(section) or {} for section in TYPES] if isinstance(network, dict) else [None]
    definitions = [told or {} for one in sections if isinstance(one, dict) for told in one.values()]
    matches = [told.get("match") or {} for told in definitions if isinstance(told, dict)]
    return all(isinstance(one, dict) for one in (*sections, *definitions, *matches))


def defined(network: Definition) -> Iterable[tuple[str, str, str, Definition]]:
    """(section, id, link, definition) of each link that is defined."""
    for section in TYPES:
        for name, definition in (network.get(section) or {}).items():
            told = definition or {}
            match = (told.get("match") or {}).get("name")
            link = told.get("set-name") or (match if match and not set("*?[") & set(match) else None) or name
            yield section, str(name), str(link), told


def physical(files: Mapping[str, File], link: str) -> Definition:
    """What somebody else's definition, which leaves its file, says of the NIC itself; an earlier run may have taken it out."""
    for path in sorted(files, key=lambda path: (not path.endswith(BACKUP), path)):
        if is_of(path) and not owner(files[path].text):
            for section, _id, name, told in defined(contents(files[path].text)):
                if section == "ethernets" and name == link and told:
                    return {word: told[word] for word in _PHYSICAL if word in told}
    return {}
