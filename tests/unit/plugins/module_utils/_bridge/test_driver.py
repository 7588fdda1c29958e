# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's numbers of links: asked for one by one, and a clear error for a link that is gone."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.driver import Indices
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import SystemFailure


def test_a_link_that_is_there() -> None:
    assert Indices()["lo"] == 1 and "lo" in Indices()


def test_a_link_that_is_gone() -> None:
    assert "no-such" not in Indices()
    with pytest.raises(SystemFailure, match="the link no-such is gone"):
        Indices()["no-such"]
