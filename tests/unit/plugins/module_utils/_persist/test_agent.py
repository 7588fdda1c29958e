# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is to keep the boot configuration, of those that are in charge of the links."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._persist import agent

MADE_UP = ("networkmanager", "/run/NetworkManager/system-connections/Wired connection 1.nmconnection")
NETPLAN = ("netplan", "/run/NetworkManager/system-connections/netplan-eno1.nmconnection")
PROFILE = ("networkmanager", "/etc/NetworkManager/system-connections/eno2.nmconnection")
NETWORKD = ("networkd", "/etc/systemd/network/10-eno3.network")
RUNNING = ["netplan", "networkd", "networkmanager"]


@pytest.mark.parametrize(
    ("charges", "backend"),
    [
        ([NETPLAN], "netplan"),
        ([NETPLAN, MADE_UP], "netplan"),
        ([NETWORKD, MADE_UP], "networkd"),
        ([PROFILE, MADE_UP], "networkmanager"),
        ([MADE_UP], "networkmanager"),
    ],
)
def test_who(charges: list[tuple[str, str]], backend: str) -> None:
    assert agent._the_one(RUNNING, {f"eno{at}": one for at, one in enumerate(charges)}) == backend


def test_several_are_named() -> None:
    with pytest.raises(InputError) as error:
        agent._the_one(RUNNING, {"eno1": NETPLAN, "eno2": PROFILE, "eno3": MADE_UP})
    assert "(eno1 is netplan's, eno2 is networkmanager's)" in str(error.value)
