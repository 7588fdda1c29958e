# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of sections and keys, as networkd and NetworkManager have them. Pure."""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterable

Lines = list[tuple[str, list[tuple[str, typing.Any]]]]


def text(first: str, sections: Lines) -> str:
    """The whole file, behind its first line; a section without keys is left out."""
    lines = [first]
    for name, values in sections:
        if values:
            lines += ["", f"[{name}]", *(f"{key}={_value(value)}" for key, value in values)]
    return "\n".join(lines) + "\n"


def _value(value: typing.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@functools.cache
def values(text: str) -> tuple[tuple[str, str, str], ...]:
    """(section, key, value) of each line, in order; kept, since every bridge looks at all files."""
    found, section = [], ""
    for line in _lines(text):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif "=" in line:
            key, _equals, value = line.partition("=")
            found.append((section, key.strip(), value.strip()))
    return tuple(found)


def broken(text: str) -> str | None:
    """The first line that is neither a section nor a key of one; None where there is none."""
    section = False
    for line in _lines(text):
        section = section or line.startswith("[")
        whole = line.endswith("]") if line.startswith("[") else "=" in line and section
        if not whole:
            return line
    return None


def _lines(text: str) -> Iterable[str]:
    joined = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    return [line for line in joined if line and not line.startswith(("#", ";"))]
