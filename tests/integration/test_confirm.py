# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody gets locked out: each way to cut the host off, and after the time-out it is as it was, byte for byte."""

from __future__ import annotations

import contextlib
import os

import drills
import pytest
from bridge_host import BridgeHost, difference
from test_ansible import ansible
from virtlab.lab import Lab
from virtlab.settings import LabError
from virtlab.system import wait_for

DRILLS = int(os.environ.get("VIRTNET_DRILLS", "1"))  # how often each is repeated
TIMEOUT = 6
TAKE_OVER = {"name": "br0", "ports": ["host0"], "inherit": True, "persist": "networkd", "confirm_timeout": TIMEOUT}


def as_before(bridges: BridgeHost, before: str) -> None:
    with contextlib.suppress(LabError):
        wait_for("the way back", lambda: not difference(before, bridges.snapshot()), 10, 0.3)
    assert not difference(before, bridges.snapshot())
    pong = ansible(bridges.lab, "ansible", "h2", "-m", "ping")
    assert "pong" in pong, pong


@pytest.mark.parametrize("drill", range(DRILLS))
def test_wrong_address(bridges: BridgeHost, drill: int) -> None:
    before = bridges.snapshot()
    drills.locked_out(bridges, {**TAKE_OVER, "addresses": ["192.0.2.77/24"]})
    as_before(bridges, before)


@pytest.mark.parametrize("drill", range(DRILLS))
def test_wrong_gateway(lab: Lab, bridges: BridgeHost, drill: int) -> None:
    """Seen from behind the router."""
    before = bridges.snapshot()
    drills.locked_out(bridges, {**TAKE_OVER, "gateway4": "192.0.2.99"}, *drills.from_outside(lab))
    as_before(bridges, before)


@pytest.mark.parametrize("drill", range(DRILLS))
def test_cable_pulled(bridges: BridgeHost, drill: int) -> None:
    before = bridges.snapshot()
    drills.cable_pulled(bridges, TAKE_OVER)
    as_before(bridges, before)


@pytest.mark.parametrize("drill", range(DRILLS))
def test_controller_killed(bridges: BridgeHost, drill: int) -> None:
    before = bridges.snapshot()
    drills.controller_killed(bridges, TAKE_OVER)
    as_before(bridges, before)


@pytest.mark.long
@pytest.mark.parametrize("drill", range(DRILLS))
def test_module_killed_between_any_two_steps(bridges: BridgeHost, drill: int) -> None:
    before = bridges.snapshot()
    for step in range(1, 40):
        if not drills.module_killed(bridges, TAKE_OVER, step):
            break
        wait_for("the way back", lambda: not difference(before, bridges.snapshot()), 15, 0.3)
    assert step > 8
    as_before(bridges, before)


@pytest.mark.parametrize("how", ["no systemd-run", "no place", "no python"])
def test_agent_unable_to_start(bridges: BridgeHost, how: str) -> None:
    before = bridges.snapshot()
    drills.unable_to_start(bridges, TAKE_OVER, how)
    assert not difference(before, bridges.snapshot())


def test_a_change_off_the_path_is_not_guarded(bridges: BridgeHost) -> None:
    bridges.veth("p0")
    answer = bridges.ask(environment=drills.over_ssh(bridges), name="br0", ports=["p0"], persist="networkd")
    assert answer["changed"] and "confirm" not in answer


def test_an_address_that_leads_the_answers_away_is_guarded(bridges: BridgeHost) -> None:
    """A net of another link with the controller's address in it."""
    bridges.veth("p0")
    before = bridges.snapshot()
    change = {
        "name": "br0",
        "ports": ["p0"],
        "addresses": ["192.0.2.5/29"],
        "persist": "networkd",
        "confirm_timeout": TIMEOUT,
    }
    drills.locked_out(bridges, change)
    as_before(bridges, before)


def test_a_gateway_of_another_bridge_is_guarded(lab: Lab, bridges: BridgeHost) -> None:
    """Seen from behind the router: it takes the place of the host's own."""
    bridges.veth("p0")
    before = bridges.snapshot()
    change = {"name": "br0", "ports": ["p0"], "addresses": ["10.20.0.1/24"], "gateway4": "10.20.0.2", "persist": "none"}
    drills.locked_out(bridges, {**change, "confirm_timeout": TIMEOUT}, *drills.from_outside(lab))
    as_before(bridges, before)


def test_what_a_crashed_run_left_is_settled_by_the_next(bridges: BridgeHost) -> None:
    before = bridges.snapshot()
    patient = {**TAKE_OVER, "confirm_timeout": 600}
    assert (
        bridges.ask(environment=drills.over_ssh(bridges), **patient)["confirm"]["timeout"] == 600
    )  # and its controller is gone
    assert "unconfirmed" in bridges.ask(check=True, name="br5")["msg"]
    bridges.bridge(name="br5")
    assert bridges.links() == {"lo", "host0", "br5"}
    bridges.bridge(name="br5", state="absent")
    as_before(bridges, before)
    assert bridges.ask(environment=drills.over_ssh(bridges), **patient)["confirm"]
    bridges.run("systemctl kill -s KILL 'virtnet-confirm-*'")  # its agent as well
    bridges.bridge(name="br5")
    bridges.bridge(name="br5", state="absent")
    as_before(bridges, before)
    assert bridges.run("ls -R /var/lib/virtnet-kvm 2>/dev/null || true") == ""


def test_a_failed_way_back_is_loud(bridges: BridgeHost) -> None:
    patient = {**TAKE_OVER, "confirm_timeout": 600}
    assert bridges.ask(environment=drills.over_ssh(bridges), **patient)["confirm"]
    bridges.run("chattr +i /etc/systemd/network 2>/dev/null || mount --bind -o ro /etc/systemd/network /etc/systemd/network;"
                " mount -o remount,ro,bind /etc/systemd/network 2>/dev/null; true")  # fmt: skip
    try:
        answer = bridges.ask(name="br5")
    finally:
        bridges.run("umount /etc/systemd/network 2>/dev/null; chattr -i /etc/systemd/network 2>/dev/null; true")
    assert answer.get("failed") and answer["rolled_back"] is False and "could not be put back" in answer["msg"], answer
