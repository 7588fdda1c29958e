# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From parameters to what is wanted."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._host.desired import desired

LAB = {"name": "lab", "pattern": "nat", "address": "10.10.0.1/24"}


def test_the_record_is_what_the_plan_says_or_the_declaration() -> None:
    assert desired({"networks": [LAB], "record": {"networks": {}}}).record == {"networks": {}}
    assert list(desired({"networks": [LAB]}).record["networks"]) == ["lab"]


def test_a_bad_declaration_is_refused_here_too() -> None:
    with pytest.raises(InputError, match="pattern"):
        desired({"networks": [{"name": "lab"}]})
