# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a boot configuration is made of."""

from __future__ import annotations

import dataclasses

from .._core.table import Options


@dataclasses.dataclass(frozen=True)
class File:
    """A file's text, and its mode."""

    text: str
    mode: int = 0o644


@dataclasses.dataclass(frozen=True)
class Boot:
    """What one backend keeps. `options`: what the files in charge say of a link (DHCP, DNS), by the link's name;
    `in_charge`: the file in charge of a link; `files`: all that may be changed."""

    backend: str
    options: dict[str, Options]
    in_charge: dict[str, str]
    files: dict[str, File]
    made: frozenset[str] = frozenset()  # the links that our files make
    seed: str = ""  # the host's own, for MAC addresses that are the same after each boot


@dataclasses.dataclass(frozen=True)
class Kept:
    """A bridge as it is to be after a boot: its options, its ports, and who made what, in the options' own words."""

    name: str
    options: Options
    ports: tuple[Options, ...]
