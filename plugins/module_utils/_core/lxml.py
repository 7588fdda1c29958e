# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only importer of lxml, which a host may lack."""

from __future__ import annotations

import sys

from .errors import MissingError

try:
    from lxml import etree
except ImportError:
    etree = None

__all__ = ["etree", "require"]


def require() -> None:
    """Raise MissingError with the package to install where lxml is not there."""
    if etree is None:
        raise MissingError(
            f"lxml is missing for {sys.executable}: install the package python3-lxml on this host (Debian, Ubuntu, EL)"
        )
