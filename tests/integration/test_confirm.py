# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody gets locked out: each way to cut the host off, and after the time-out it is as it was, byte for byte."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess

import pytest
from bridge_host import BridgeHost, difference
from host import ROOT
from test_ansible import BIN, ansible
from virtlab.lab import Lab
from virtlab.settings import LabError
from virtlab.system import children, wait_for

DRILLS = int(os.environ.get("VIRTNET_DRILLS", "1"))  # how often each is repeated
TIMEOUT = 6
TAKE_OVER = {"name": "br0", "ports": ["host0"], "inherit": True, "persist": "networkd", "confirm_timeout": TIMEOUT}
OVER_SSH = {"SSH_CONNECTION": "192.0.2.6 40000 192.0.2.12 22"}


def command(lab: Lab, words: str, *more: str) -> list[str]:
    return [str(BIN / "ansible"), "-i", str(lab.inventory), "h2", "-m", "virtnet.kvm.linux_bridge", "-a", words, *more]


def said(**options: object) -> str:
    return " ".join(
        f"{name}={','.join(value) if isinstance(value, list) else value}" for name, value in options.items()
    )


def wait_until_over(bridges: BridgeHost) -> None:
    """The agent has done its work, one way or the other."""
    words = "systemctl list-units --plain --no-legend 'virtnet-confirm-*'"
    wait_for("the agent's end", lambda: not bridges.run(words), TIMEOUT + 40, 0.2)


def as_before(bridges: BridgeHost, before: str) -> None:
    with contextlib.suppress(LabError):
        wait_for("the way back", lambda: not difference(before, bridges.snapshot()), 10, 0.3)
    assert not difference(before, bridges.snapshot())
    pong = ansible(bridges.lab, "ansible", "h2", "-m", "ping")
    assert "pong" in pong, pong


def locked_out(lab: Lab, bridges: BridgeHost, words: str, *more: str) -> None:
    before = bridges.snapshot()
    out = ansible(lab, *[str(word) for word in ("ansible", *command(lab, words, *more)[3:])])
    assert "FAILED" in out and '"rolled_back": true' in out, out
    wait_until_over(bridges)
    as_before(bridges, before)


@pytest.mark.parametrize("drill", range(DRILLS))
def test_wrong_address(lab: Lab, bridges: BridgeHost, drill: int) -> None:
    locked_out(lab, bridges, said(**TAKE_OVER, addresses="192.0.2.77/24"))


@pytest.mark.parametrize("drill", range(DRILLS))
def test_wrong_gateway(lab: Lab, bridges: BridgeHost, drill: int) -> None:
    """Seen from behind the router."""
    proxy = f"ProxyCommand=nsenter --target={lab.machine('outside').leader()} --net nc %h %p"
    extra = f"-F {lab.folder}/ssh_config -o '{proxy}' -o ControlMaster=auto -o ControlPersist=60s -o ControlPath={lab.folder}/ssh/far-%C"
    locked_out(lab, bridges, said(**TAKE_OVER, gateway4="192.0.2.99"), "-e", f'ansible_ssh_common_args="{extra}"')


@pytest.mark.parametrize("drill", range(DRILLS))
def test_cable_pulled(lab: Lab, bridges: BridgeHost, drill: int) -> None:
    before = bridges.snapshot()
    running = start(command(lab, said(**TAKE_OVER)))
    wait_for("the bridge", lambda: "br0" in bridges.links(), 30, 0.02)
    subprocess.run(["ip", "-n", lab.namespace, "link", "set", "vb-h2", "down"], check=True)
    try:
        wait_until_over(bridges)
    finally:
        subprocess.run(["ip", "-n", lab.namespace, "link", "set", "vb-h2", "up"], check=True)
    out = running.communicate(timeout=120)[0]
    assert '"rolled_back": true' in out, out
    as_before(bridges, before)


@pytest.mark.parametrize("drill", range(DRILLS))
def test_controller_killed(lab: Lab, bridges: BridgeHost, drill: int) -> None:
    before = bridges.snapshot()
    running = start(command(lab, said(**TAKE_OVER)))
    wait_for("the bridge", lambda: "br0" in bridges.links(), 30, 0.02)
    for pid in family(running.pid):
        os.kill(pid, signal.SIGKILL)
    running.wait()
    wait_until_over(bridges)
    as_before(bridges, before)


def family(pid: int) -> list[int]:
    """A process and all that it has started; Ansible's workers have sessions of their own."""
    return [pid, *(one for child in children(pid) for one in family(child))]


def start(words: list[str]) -> subprocess.Popen:
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.long
@pytest.mark.parametrize("drill", range(DRILLS))
def test_module_killed_between_any_two_steps(bridges: BridgeHost, drill: int) -> None:
    before = bridges.snapshot()
    for step in range(1, 40):
        answer = bridges.ask(fault={"step": step, "kind": "kill module"}, environment=OVER_SSH, **TAKE_OVER)
        if not answer.get("killed"):
            break
        wait_until_over(bridges)
        wait_for("the way back", lambda: not difference(before, bridges.snapshot()), 15, 0.3)
    assert step > 8 and answer["confirm"], answer
    wait_until_over(bridges)  # nobody confirms this one
    as_before(bridges, before)


@pytest.mark.parametrize("how", ["no systemd-run", "no place", "no python"])
def test_agent_unable_to_start(bridges: BridgeHost, how: str) -> None:
    """Then nothing is changed at all."""
    breaks, mends = {
        "no systemd-run": ("mv /usr/bin/systemd-run /root/", "mv /root/systemd-run /usr/bin/"),
        "no place": ("rm -rf /var/lib/virtnet-kvm; touch /var/lib/virtnet-kvm", "rm -f /var/lib/virtnet-kvm"),
        "no python": (
            "mkdir -p /run/systemd/system/virtnet-confirm-.service.d;"
            " printf '[Service]\\nExecStartPre=/bin/false\\n' > /run/systemd/system/virtnet-confirm-.service.d/no.conf;"
            " systemctl daemon-reload",
            "rm -rf /run/systemd/system/virtnet-confirm-.service.d; systemctl daemon-reload",
        ),
    }[how]
    before = bridges.snapshot()
    bridges.run(breaks)
    try:
        answer = bridges.ask(environment=OVER_SSH, **TAKE_OVER)
    finally:
        bridges.run(mends)
    assert answer.get("failed") and "nothing was changed" in answer["msg"] and "confirm_timeout: 0" in answer["msg"], (
        answer
    )
    assert not difference(before, bridges.snapshot())


def test_a_change_off_the_path_is_not_guarded(bridges: BridgeHost) -> None:
    bridges.veth("p0")
    answer = bridges.ask(environment=OVER_SSH, name="br0", ports=["p0"], persist="networkd")
    assert answer["changed"] and "confirm" not in answer


def test_what_a_crashed_run_left_is_settled_by_the_next(bridges: BridgeHost) -> None:
    before = bridges.snapshot()
    patient = {**TAKE_OVER, "confirm_timeout": 600}
    assert bridges.ask(environment=OVER_SSH, **patient)["confirm"]["timeout"] == 600  # and its controller is gone
    assert "unconfirmed" in bridges.ask(check=True, name="br5")["msg"]
    bridges.bridge(name="br5")
    assert bridges.links() == {"lo", "host0", "br5"}
    bridges.bridge(name="br5", state="absent")
    as_before(bridges, before)
    assert bridges.ask(environment=OVER_SSH, **patient)["confirm"]
    bridges.run("systemctl kill -s KILL 'virtnet-confirm-*'")  # its agent as well
    bridges.bridge(name="br5")
    bridges.bridge(name="br5", state="absent")
    as_before(bridges, before)
    assert bridges.run("ls -R /var/lib/virtnet-kvm 2>/dev/null || true") == ""


def test_a_failed_way_back_is_loud(bridges: BridgeHost) -> None:
    patient = {**TAKE_OVER, "confirm_timeout": 600}
    assert bridges.ask(environment=OVER_SSH, **patient)["confirm"]
    bridges.run("chattr +i /etc/systemd/network 2>/dev/null || mount --bind -o ro /etc/systemd/network /etc/systemd/network;"
                " mount -o remount,ro,bind /etc/systemd/network 2>/dev/null; true")  # fmt: skip
    try:
        answer = bridges.ask(name="br5")
    finally:
        bridges.run("umount /etc/systemd/network 2>/dev/null; chattr -i /etc/systemd/network 2>/dev/null; true")
    assert answer.get("failed") and answer["rolled_back"] is False and "could not be put back" in answer["msg"], answer
