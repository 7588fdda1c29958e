# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backends as one."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._persist import backends
from ansible_collections.virtnet.kvm.plugins.module_utils._persist.model import Boot, File, Files, Kept, owner

KEPT = Kept("br0", {"addresses": ["192.0.2.10/24"]}, ({"name": "eno1"}, {"name": "d0", "type": "dummy"}))

START = {"/etc/network/interfaces": File("source /etc/network/interfaces.d/*\n")}


def replaced(files: Files, backend: str, kept: Kept | None) -> Files:
    return backends.replaced(Boot(backend, {}, {}, files), {"br0": kept})


@pytest.mark.parametrize("backend", backends.renderers())
def test_every_backend_makes_a_bridge_for_good_and_only_once(backend: str) -> None:
    files = replaced(START, backend, KEPT)
    ours = {path: file for path, file in files.items() if owner(file.text) == "br0"}
    assert ours and {backends.of(path) for path in ours} == {backend}
    assert backends.made(files) == {"br0", "d0"}
    assert {name for path, file in ours.items() for name in backends.links(path, file.text)} == {"br0", "eno1", "d0"}
    assert replaced(files, backend, KEPT) == files
    assert replaced(files, backend, None) == START
    assert backends.broken(files, backend) is None


@pytest.mark.parametrize("former", backends.renderers())
@pytest.mark.parametrize("backend", backends.renderers())
def test_a_move_leaves_no_file_of_the_former(former: str, backend: str) -> None:
    there = {
        "/etc/systemd/network/10-eno1.network": File("[Match]\nName=eno1\n[Network]\nDHCP=yes\n"),
        "/etc/network/interfaces": File("source /etc/network/interfaces.d/*\nauto eno1\niface eno1 inet dhcp\n"),
    }
    before = replaced(there, former, KEPT)
    assert replaced(before, backend, KEPT) == replaced(there, backend, KEPT)
    assert replaced(before, backend, None) == there


@pytest.mark.parametrize("backend", backends.renderers())
def test_a_port_changes_hands_in_one_call(backend: str) -> None:
    """The new one's files stay, in whichever order the two are said."""
    without = Kept("br0", {"addresses": ["192.0.2.10/24"]}, ())
    taker = Kept("br1", {}, ({"name": "eno1"}, {"name": "d0", "type": "dummy"}))
    before = replaced(START, backend, KEPT)
    boot = Boot(backend, {}, {}, before)
    files = backends.replaced(boot, {"br1": taker, "br0": without})
    assert files == backends.replaced(boot, {"br0": without, "br1": taker})
    takers = {path: file for path, file in files.items() if owner(file.text) == "br1"}
    assert {name for path, file in takers.items() for name in backends.links(path, file.text)} == {"br1", "eno1", "d0"}
    assert backends.replaced(Boot(backend, {}, {}, files), {"br0": None, "br1": None}) == START


@pytest.mark.parametrize("backend", backends.renderers())
def test_what_a_link_stands_on_may_be_said_later(backend: str) -> None:
    above = Kept("br1", {}, ({"name": "br0.7", "type": "vlan", "parent": "br0", "id": 7},))
    files = backends.replaced(Boot(backend, {}, {}, START), {"br1": above, "br0": KEPT})
    assert files == backends.replaced(Boot(backend, {}, {}, START), {"br0": KEPT, "br1": above})
    assert files == backends.replaced(Boot(backend, {}, {}, files), {"br1": above, "br0": KEPT})
