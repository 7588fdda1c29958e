# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The difference between two states, in steps and their order."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.domain import restore
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.goal import goal
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.plan import difference, plan
from ansible_collections.virtnet.kvm.plugins.module_utils._kernel.values import Link

from tests.bridges import boot, observed, state, wanted


def actions(**params: object) -> list[str]:
    return [step.action for step in plan(wanted(**params), observed()).steps if step.action]


def test_new_before_old_so_that_the_host_is_never_without_an_address() -> None:
    told = actions(name="br0", ports=["eno1"], inherit=True)
    assert told == [
        "create bridge br0", "add eno1 to br0", "add 192.0.2.10/24 to br0", "add 2001:db8::10/64 to br0", "add 192.0.2.77/24 to br0",
        "route 0.0.0.0/0 over br0", "route ::/0 over br0", "route 10.44.0.0/16 over br0", "route 0.0.0.0/0 over br0",
        "remove 192.0.2.10/24 from eno1", "remove 2001:db8::10/64 from eno1", "remove 192.0.2.77/24 from eno1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mtu", "order"),
    [(9000, ["mtu 9000 of eno9", "mtu 9000 of br9"]), (1400, ["mtu 1400 of br9", "mtu 1400 of eno9"])],
)
def test_a_bridge_is_never_larger_than_its_ports(mtu: int, order: list[str]) -> None:
    assert actions(name="br9", mtu=mtu) == order


def test_a_bond_takes_a_link_while_it_is_down() -> None:
    desired = wanted(name="br0", ports=[{"name": "bond0", "type": "bond", "ports": ["eno2"]}])
    steps = [
        (step.subject, step.verb, step.arguments)
        for step in plan(desired, observed()).steps
        if step.subject in ("bond0", "eno2")
    ]
    assert [step[1] for step in steps] == ["make", "set", "set", "set", "set"]
    assert [step[2].get("up", step[2].get("master")) for step in steps[1:]] == [False, "bond0", "br0", True]


def test_vlans_in_excess_go_first_and_a_new_port_has_the_default_one() -> None:
    desired = wanted(
        name="br9", vlan={"filtering": True}, ports=[{"name": "eno2", "vlans": {"pvid": 5}}], purge_ports=False
    )
    steps = [step.arguments for step in plan(desired, observed()).steps if step.verb == "vlans"]
    assert steps == [
        {"vlans": {1: 0}, "add": False, "bridge": False},
        {"vlans": {5: 6}, "add": True, "bridge": False},
    ]


def test_the_way_back_touches_only_what_was_touched() -> None:
    there = observed()
    desired = wanted(name="br0", ports=["eno1"], inherit=True)
    done = plan(desired, there)
    then = goal(desired, there)
    meanwhile = dataclasses.replace(then, links={**then.links, "vnet1": Link("vnet1", 50, "tun")})
    back = plan(restore(done), observed(meanwhile))
    subjects = {step.subject for step in back.steps}
    assert "vnet1" not in subjects and "br0" in subjects and "eno2" not in subjects
    assert not plan(restore(done), observed(state(vnet1=Link("vnet1", 50, "tun")))).changed


def test_after_a_crash_the_daemon_is_told_of_its_files_also_where_they_are_as_they_were() -> None:
    there = observed(boot=boot())
    done = plan(wanted(name="br0", ports=["eno1"], inherit=True), there)
    wanted_back = restore(done)
    crashed = dataclasses.replace(wanted_back, back=dataclasses.replace(wanted_back.back, retell=True))
    assert not plan(wanted_back, there).changed
    (step,) = plan(crashed, there).steps
    assert step.verb == "tell" and step.arguments["backend"] == "networkd" and "eno1" in step.arguments["links"]


def test_a_full_disk_is_met_before_anything_is_gone() -> None:
    """Forward what is new comes first; on the way back, what makes room."""
    there = observed(boot=boot())
    done = plan(wanted(name="br0", ports=["eno1"], inherit=True), there)
    kinds = [step.arguments["file"] is None for step in done.steps if step.verb == "file"]
    assert kinds == sorted(kinds) and kinds[-1]
    written = {step.subject: step.arguments["file"] for step in done.steps if step.verb == "file"}
    half = dataclasses.replace(there.state, files={path: file for path, file in written.items() if file})
    kinds = [
        step.arguments["file"] is None for step in plan(restore(done), observed(half)).steps if step.verb == "file"
    ]
    assert kinds == sorted(kinds, reverse=True) and kinds[0] and not kinds[-1]


def test_routes_that_nobody_read_are_not_put_back() -> None:
    unread = dataclasses.replace(state(), routes=None)
    done = plan(wanted(name="br9", stp={"enabled": True}), observed(unread))
    assert not [step for step in plan(restore(done), observed()).steps if step.verb == "route"]


def test_the_daemon_is_told_last_and_what_it_may_undo_is_said_again() -> None:
    desired = wanted(name="br0", ports=["eno1"], inherit=True)
    told = plan(desired, observed(boot=boot())).steps
    verbs = [step.verb for step in told]
    assert verbs.index("tell") > max(at for at, verb in enumerate(verbs) if verb == "file")
    again = told[verbs.index("tell") + 1 :]
    assert {step.verb for step in again} == {"rejoin", "route", "address"} and not any(step.action for step in again)
    assert told[verbs.index("tell")].arguments == {
        "backend": "networkd",
        "paths": tuple(step.subject for step in told if step.verb == "file"),
        "links": ("br0", "eno1"),
        "devices": ("br0",),
    }


def test_a_boot_file_is_a_step_of_its_own_bridge() -> None:
    desired = wanted(bridges=[{"name": "br0", "ports": ["eno2"]}, {"name": "br1"}])
    one, two = plan(desired, observed(boot=boot())).items
    assert [step.subject.rsplit("-", 1)[-1] for step in one.steps if step.verb == "file"] == [
        "br0.netdev", "br0.network", "eno2.network"
    ]  # fmt: skip
    assert [step.subject.rsplit("-", 1)[-1] for step in two.steps if step.verb == "file"] == [
        "br1.netdev",
        "br1.network",
    ]


def test_the_same_state_needs_no_step() -> None:
    assert difference(state(), state()) == []


def test_guests_on_the_bridge_are_named() -> None:
    assert plan(wanted(name="br9", mtu=1400), observed()).items[0].facts["guests"] == ["web"]
