# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only importer of PyYAML, which comes with netplan and is not needed without."""

from __future__ import annotations

import sys
import typing

from .errors import MissingError

__all__ = ["dump", "load"]


def _module() -> typing.Any:
    """Imported when it is needed: that takes a third of the time of all our own."""
    try:
        import yaml
    except ImportError as error:
        raise MissingError(
            f"PyYAML is missing for {sys.executable}: install the package python3-yaml on this host (Debian, Ubuntu)"
        ) from error
    return yaml


def load(text: str) -> typing.Any:
    """What the text says; raises ValueError where it is broken."""
    yaml = _module()
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error


def dump(value: typing.Any) -> str:
    """The value as text, in its own order."""
    return str(_module().safe_dump(value, sort_keys=False, default_flow_style=False, allow_unicode=True))
