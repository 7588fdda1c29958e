# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state that the host's services are to be in."""

from __future__ import annotations

import dataclasses
import json

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._host import units
from ansible_collections.virtnet.kvm.plugins.module_utils._host.desired import desired
from ansible_collections.virtnet.kvm.plugins.module_utils._host.model import File, Observed, State
from ansible_collections.virtnet.kvm.plugins.module_utils._host.observe import links_of_routers
from ansible_collections.virtnet.kvm.plugins.module_utils._host.services import remembered, target

FORWARD, FORWARD6 = "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"
OFF = {FORWARD: "0", FORWARD6: "0"}
LAB = {"name": "lab", "pattern": "nat", "address": "10.10.0.1/24"}
EDGE = {"name": "edge", "pattern": "custom_nat", "address": "10.50.0.1/24"}
LAN = {"name": "lan", "pattern": "bridged", "nic": "eno1"}


def reached(networks: list[dict], state: State, others: tuple[int, ...] = ()) -> State:
    return target(desired({"networks": networks}), Observed(state, frozenset(others)))


@pytest.mark.parametrize(("networks", "settings", "dhcp"), [
    ([LAN], OFF, []),
    ([LAB], {FORWARD: "1", FORWARD6: "0"}, []),
    ([EDGE, LAB], {FORWARD: "1", FORWARD6: "0"}, ["virtnet-dnsmasq@edge.service"]),
])  # fmt: skip
def test_what_is_wanted(networks: list[dict], settings: dict, dhcp: list[str]) -> None:
    state = reached(networks, State(settings=OFF))
    assert state.settings == settings
    assert [unit for unit in state.units if "dnsmasq" in unit] == dhcp
    assert (units.DNSMASQ_FILE in state.files) is bool(dhcp)
    assert (units.SETTINGS in state.files) is (settings != OFF)


def test_nothing_declared_gives_everything_back() -> None:
    state = reached([EDGE], State(settings=OFF))
    assert remembered(state)["settings"] == {FORWARD: "0"}
    gone = reached([], state)
    assert not gone.files and gone.settings == OFF and not any(gone.units.values())


def test_what_was_before_is_remembered_from_the_first_time() -> None:
    first = reached([LAB], State(settings=OFF))
    again = reached([LAB, EDGE], first)
    assert json.loads(again.files[units.RECORD].text)["settings"] == {FORWARD: "0"}


def test_what_others_have_switched_on_is_left_on() -> None:
    """Only what was ours is given back."""
    sealed = {"name": "sealed", "pattern": "isolated", "address": "10.66.0.1/24"}
    first = reached([sealed], State(settings=OFF))
    on = dataclasses.replace(first, settings=dict.fromkeys(OFF, "1"))
    assert reached([sealed], on).settings == on.settings and reached([], on).settings == on.settings
    ours = reached([LAB], first)
    assert reached([sealed], ours).settings == OFF


def test_forwarding_stays_while_others_need_it() -> None:
    first = reached([LAB], State(settings=OFF))
    assert reached([], first, others=(4, 6)).settings[FORWARD] == "1"


def test_forwarding_stays_on_only_for_the_ip_versions_that_somebody_else_needs() -> None:
    first = reached([{**LAB, "address6": "fd00::1/64"}], State(settings=OFF))
    assert first.settings == {FORWARD: "1", FORWARD6: "1"}
    assert reached([], first, others=(4,)).settings == {FORWARD: "1", FORWARD6: "0"}


def test_a_state_to_return_to_is_the_target() -> None:

    before = State({"/x": File("y")})
    wanted = dataclasses.replace(desired({"networks": [LAB]}), back=before)
    assert target(wanted, Observed(State())) is before


def test_a_host_that_forwards_still_hears_its_routers() -> None:
    """What it is to hear with is set first: a host that begins to forward drops what it has heard."""
    six, key = {**LAB, "address6": "fd00::1/64"}, "net/ipv6/conf/eno1/accept_ra"
    first = reached([six], State(settings={key: "1", **OFF}))
    assert list(first.settings.items()) == [(key, "2"), (FORWARD, "1"), (FORWARD6, "1")]
    assert f"{key} = 2" in first.files[units.SETTINGS].text and remembered(first)["settings"][key] == "1"
    assert reached([six], first) == first
    assert reached([], first).settings == {key: "1", **OFF}
    four = reached([LAB], State(settings={key: "1", **OFF}))
    assert four.settings[key] == "1" and key not in remembered(four)["settings"]


def test_the_links_of_routers() -> None:
    from_router = (
        "0" * 32
        + " 00 "
        + "0" * 32
        + " 00 fe80000000000000000000000000000a 00000400 00000001 00000000 00450003     eno1"
    )
    by_hand = from_router.replace("00450003", "00000003").replace("eno1", "eno2")
    assert links_of_routers(f"{from_router}\n{by_hand}\n") == {"eno1"}
