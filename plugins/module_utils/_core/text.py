# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as text that a person reads."""

from __future__ import annotations

import json
import re
import typing

# What YAML reads as text without quotes; yes, no, on, off and null are other things to it.
_PLAIN = re.compile(
    r"(?!(?:y|n|yes|no|on|off|true|false|null)$)[A-Za-z][\w./-]*|\d+\.[\d.]+\.\d+(/\d+)?", re.IGNORECASE
)


def difference(
    header: str, before: dict[str, typing.Any] | None, after: dict[str, typing.Any] | None
) -> dict[str, str]:
    """An entry of a result's `diff`."""
    return {"before_header": header, "after_header": header, "before": as_yaml(before), "after": as_yaml(after)}


def as_yaml(value: dict[str, typing.Any] | None) -> str:
    """Plain values as YAML that a person can read; managed hosts need not have a YAML library for it."""
    return "".join(f"{line}\n" for line in _lines(value)) if value else ""


def _lines(value: typing.Any) -> list[str]:
    if isinstance(value, dict) and value:
        lines = []
        for name, one in value.items():
            inner = _lines(one)
            nested = isinstance(one, (dict, list)) and one
            lines += [f"{name}:", *(f"  {line}" for line in inner)] if nested else [f"{name}: {inner[0]}"]
        return lines
    if isinstance(value, list) and value:
        return [f"{'- ' if number == 0 else '  '}{line}" for one in value for number, line in enumerate(_lines(one))]
    return [value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)]
