# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The difference of two states, forward and back."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._host import units
from ansible_collections.virtnet.kvm.plugins.module_utils._host.desired import desired
from ansible_collections.virtnet.kvm.plugins.module_utils._host.firewall import stamp_of
from ansible_collections.virtnet.kvm.plugins.module_utils._host.model import Desired, Observed, State
from ansible_collections.virtnet.kvm.plugins.module_utils._host.plan import plan
from ansible_collections.virtnet.kvm.plugins.module_utils._host.services import target

OFF = {"net.ipv4.ip_forward": "0", "net.ipv6.conf.all.forwarding": "0"}
LAB = {"name": "lab", "pattern": "nat", "address": "10.10.0.1/24"}
EDGE = {"name": "edge", "pattern": "custom_nat", "address": "10.50.0.1/24"}
LAN = {"name": "lan", "pattern": "bridged", "nic": "eno1"}
EMPTY = State(settings=OFF)


def done(networks: list[dict], state: State) -> State:
    """The state after everything was done, as it is found then."""
    after = target(desired({"networks": networks}), Observed(state))
    stamps = ("", "")
    if after.files:
        stamps = (stamp_of(after.files[units.TABLE_FILE].text), after.files[f"{units.FOLDER}/mark"].text.strip())
    return dataclasses.replace(after, units={unit: on for unit, on in after.units.items() if on}, stamps=stamps)


@pytest.mark.parametrize("before", [[], [LAB], [LAN], [LAB, EDGE], [LAN, LAB, EDGE]])
@pytest.mark.parametrize("after", [[], [LAB], [LAN], [LAB, EDGE], [LAN, LAB, EDGE]])
def test_there_and_back(before: list, after: list) -> None:
    """From any declaration to any other; planning again finds nothing, and the way back leads back."""
    now = done(before, EMPTY)
    found = plan(desired({"networks": after}), Observed(now))
    assert found.changed is (before != after)
    then = done(after, now)
    assert not plan(desired({"networks": after}), Observed(then)).steps
    back = plan(Desired(back=found.before), Observed(then))
    assert back.changed is (before != after)


def words(networks: list[dict], state: State) -> list[str]:
    return [step.action for step in plan(desired({"networks": networks}), Observed(state)).steps if step.action]


def test_order() -> None:
    there = words([EDGE], EMPTY)
    assert there.index("write /etc/virtnet-kvm/dnsmasq/edge.conf") < there.index("set net.ipv4.ip_forward = 1")
    assert there.index("set net.ipv4.ip_forward = 1") < there.index("start virtnet-dnsmasq@edge.service")
    back = words([], done([EDGE], EMPTY))
    assert back.index("stop virtnet-beside.service") < back.index("take our chains away")
    assert back.index("take our chains away") < back.index("delete /etc/virtnet-kvm/beside")
    assert back.index("stop virtnet-dnsmasq@edge.service") < back.index("delete /etc/virtnet-kvm/dnsmasq/edge.conf")


@pytest.mark.parametrize(
    ("flushed", "wanted"), [(0, "restart virtnet-firewall.service"), (1, "restart virtnet-beside.service")]
)
def test_rules_that_somebody_flushed_are_loaded_again(flushed: int, wanted: str) -> None:
    now = done([LAB], EMPTY)
    stamps = tuple("" if at == flushed else stamp for at, stamp in enumerate(now.stamps))
    assert words([LAB], dataclasses.replace(now, stamps=stamps)) == [wanted]


def test_a_unit_that_somebody_stopped_is_started() -> None:
    now = done([EDGE], EMPTY)
    stopped = dataclasses.replace(now, units={**now.units, "virtnet-dnsmasq@edge.service": False})
    assert words([EDGE], stopped) == ["start virtnet-dnsmasq@edge.service"]


def test_a_unit_that_had_failed_goes_with_its_files() -> None:
    now = done([EDGE], EMPTY)
    failed = dataclasses.replace(now, units=dict.fromkeys(now.units, False))
    assert [word for word in words([], failed) if word.startswith("stop ")] == [
        "stop virtnet-beside.path",
        "stop virtnet-beside.service",
        "stop virtnet-dnsmasq@edge.service",
        "stop virtnet-firewall.service",
    ]


def test_only_the_service_that_changed_is_touched() -> None:
    found = plan(desired({"networks": [{**EDGE, "domain": "e.example"}]}), Observed(done([EDGE], EMPTY)))
    changed = [item.subject for item in found.items if item.steps]
    assert changed == ["dhcp edge"]
