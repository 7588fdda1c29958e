# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a task's parameters to what is wanted. No I/O; every error of form is found here, all before anything changes."""

from __future__ import annotations

import typing

from .model import Desired
from .patterns import declaration, record

Params = typing.Mapping[str, typing.Any]


def desired(params: Params) -> Desired:
    """The declaration, and what is to be remembered of it; raises InputError."""
    found = declaration(params["networks"])
    return Desired(found.networks, params.get("record") or record(found))
