# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one call does, forward and back."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.domain import restore
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.goal import goal
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.plan import leads_to, plan
from ansible_collections.virtnet.kvm.plugins.module_utils._kernel.values import Link

from tests.bridges import boot, observed, state, wanted


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


def test_guests_on_the_bridge_are_named() -> None:
    assert plan(wanted(name="br9", mtu=1400), observed()).items[0].facts["guests"] == ["web"]


def test_the_way_back_knows_what_else_is_touched() -> None:
    """Another link's route whose place is taken; what stands on a link that goes down, or gets smaller; ports of a default PVID."""
    there = state()
    upper = Link("br9.5", 9, "vlan", up=True, parent="br9")
    there = dataclasses.replace(there, links={**there.links, "br9.5": upper})
    touched = {
        "gateway": ({"addresses": ["10.0.0.1/24"], "gateway4": "10.0.0.2"}, {"br9", "eno1"}),
        "down": ({"up": False}, {"br9", "br9.5"}),
        "smaller": ({"mtu": 1400}, {"br9", "br9.5", "eno9"}),
        "default PVID": ({"vlan": {"default_pvid": 5}}, {"br9", "eno9", "vnet0"}),
    }
    for what, (options, links) in touched.items():
        assert restore(plan(wanted(name="br9", **options), observed(there))).back.links == links, what


def test_the_default_route_of_another_link_comes_back() -> None:
    there = observed()
    desired = wanted(name="br9", addresses=["10.0.0.1/24"], gateway4="10.0.0.2")
    done, then = plan(desired, there), goal(desired, there)
    told = [step.arguments for step in plan(restore(done), observed(then)).steps if step.verb == "route"]
    assert told == [{"route": there.state.routes[0], "add": True}]


def test_a_tap_whose_guest_is_gone_does_not_come_back() -> None:
    done = plan(wanted(name="br9", vlan={"default_pvid": 5}), observed())
    left = {name: link for name, link in state().links.items() if name != "vnet0"}
    assert not plan(restore(done), observed(dataclasses.replace(state(), links=left))).changed


@pytest.mark.parametrize(
    ("options", "client", "leads"),
    [
        ({"addresses": ["10.0.0.1/24"]}, "10.0.0.77", True),
        ({"addresses": ["10.0.0.1/24"]}, "10.0.1.77", False),
        ({"addresses": ["10.0.0.1/24"], "routes": [{"to": "10.0.1.0/24", "via": "10.0.0.2"}]}, "10.0.1.77", True),
        ({"addresses": ["10.0.0.1/24"]}, "2001:db8::1", False),
        ({"addresses": ["10.0.0.1/24"], "gateway4": "10.0.0.2"}, "192.0.2.99", True),
        ({"addresses": ["10.0.0.1/24"]}, None, False),
    ],
)
def test_where_the_answers_to_the_client_might_go(options: dict, client: str, leads: bool) -> None:
    assert leads_to(plan(wanted(name="br9", **options), observed()), client) is leads
