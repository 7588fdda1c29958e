# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error is one of the user's, and carries what the result shows beside it."""

from __future__ import annotations

import inspect

from ansible_collections.virtnet.kvm.plugins.module_utils._core import errors


def test_all_are_the_users() -> None:
    kinds = [kind for _name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert all(issubclass(kind, errors.VirtnetError) for kind in kinds)
    assert errors.InputError("x", guests=["g"]).facts == {"guests": ["g"]}
