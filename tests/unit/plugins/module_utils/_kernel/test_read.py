# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel tells in several messages and is one thing."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._kernel import read
from ansible_collections.virtnet.kvm.plugins.module_utils._kernel.values import Hop, Route

ONE, TWO = Hop("eno1", "2001:db8::1"), Hop("eno2", "2001:db8::2")


@pytest.mark.parametrize(
    ("to", "hops", "expires", "found"),
    [
        ("::/0", [ONE, TWO], False, [(ONE, TWO)]),
        ("fe80::/64", [Hop("eno1"), Hop("eno2")], False, [(Hop("eno1"),), (Hop("eno2"),)]),
        ("::/0", [ONE, TWO], True, [(ONE,), (TWO,)]),  # two routers that tell of themselves
        ("0.0.0.0/0", [Hop("eno1", "192.0.2.1"), Hop("eno2", "192.0.2.2")], False, [(Hop("eno1", "192.0.2.1"),), (Hop("eno2", "192.0.2.2"),)]),
    ],
)  # fmt: skip
def test_hops_of_one_route(to: str, hops: list[Hop], expires: bool, found: list[tuple[Hop, ...]]) -> None:
    routes = [Route(to, (hop,), metric=1024, expires=expires) for hop in hops]
    assert [route.hops for route in read._joined(routes)] == found
