# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to cut a host off, while its bridge takes over the NIC; whether all is as before is for the caller to look at.

OPTIONS are those of linux_bridge; each drill ends when the host has no agent at work any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator

from bridge_host import BridgeHost
from host import ROOT
from test_ansible import BIN
from virtlab.lab import Lab
from virtlab.system import children, wait_for

CHANGE_SECONDS = 40  # the longest that a change takes until it shows


def over_ssh(host: BridgeHost) -> dict[str, str]:
    """The environment of a module whose connection goes through the NIC."""
    return {"SSH_CONNECTION": f"192.0.2.6 40000 {host.machine.address} 22"}


def from_outside(lab: Lab) -> list[str]:
    """Ansible's words to come from behind the router."""
    proxy = f"ProxyCommand=nsenter --target={lab.machine('outside').leader()} --net nc %h %p"
    extra = f"-F {lab.folder}/ssh_config -o '{proxy}' -o ControlMaster=auto -o ControlPersist=60s -o ControlPath={lab.folder}/ssh/far-%C"
    return ["-e", f'ansible_ssh_common_args="{extra}"']


def locked_out(host: BridgeHost, options: dict, *more: str) -> None:
    """The change itself takes the way away."""
    _rolled_back(_start(host, options, *more))
    wait_until_over(host, options)


def cable_pulled(host: BridgeHost, options: dict) -> None:
    """Its peer is set down once the bridge is there."""
    running = _start(host, options)
    _wait_for_the_bridge(host, options)
    cable = ["ip", "-n", host.lab.namespace, "link", "set", host.machine.cables()[0]]
    subprocess.run([*cable, "down"], check=True)
    try:
        wait_until_over(host, options)
    finally:
        subprocess.run([*cable, "up"], check=True)
    _rolled_back(running)


def controller_killed(host: BridgeHost, options: dict) -> None:
    running = _start(host, options)
    _wait_for_the_bridge(host, options)
    for pid in _family(running.pid):
        os.kill(pid, signal.SIGKILL)
    running.wait()
    wait_until_over(host, options)


def module_killed(host: BridgeHost, options: dict, step: int) -> bool:
    """Before a step; False where it has fewer steps, so that it came to its end, and nobody has confirmed that."""
    answer = host.ask(fault={"step": step, "kind": "kill module"}, environment=over_ssh(host), **options)
    assert answer.get("killed") or answer["confirm"], answer
    wait_until_over(host, options)
    return bool(answer.get("killed"))


@contextlib.contextmanager
def no_agent(host: BridgeHost, how: str) -> Iterator[None]:
    """The host's half of the confirmation can't start."""
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
    host.run(breaks)
    try:
        yield
    finally:
        host.run(mends)


def unable_to_start(host: BridgeHost, options: dict, how: str = "no systemd-run") -> None:
    """Then nothing is changed at all, which the message says, and the way out."""
    with no_agent(host, how):
        said = host.refused(environment=over_ssh(host), **options)
    assert "nothing was changed" in said and "confirm_timeout: 0" in said, said


def rebooted_while_armed(host: BridgeHost, options: dict) -> None:
    """The next boot is that of before, and the next run clears away what was left."""
    armed = host.ask(environment=over_ssh(host), **{**options, "gateway4": "192.0.2.99", "confirm_timeout": 300})
    assert armed["confirm"]["folder"], armed
    host.booted()
    assert options["name"] not in host.links()
    assert not host.ask(name=options["name"], state="absent", persist=options["persist"])["changed"]


def wait_until_over(host: BridgeHost, options: dict) -> None:
    """The agent has done its work, one way or the other."""
    words = "systemctl list-units --plain --no-legend 'virtnet-confirm-*'"
    wait_for("the agent's end", lambda: not host.run(words), options["confirm_timeout"] + CHANGE_SECONDS, 0.2)


def _wait_for_the_bridge(host: BridgeHost, options: dict) -> None:
    there = f"/sys/class/net/{options['name']}"
    wait_for("the bridge", lambda: host.machine.run(["test", "-e", there]).returncode == 0, CHANGE_SECONDS, 0.02)


def _start(host: BridgeHost, options: dict, *more: str) -> subprocess.Popen:
    command = [
        BIN / "ansible",
        "-i",
        host.lab.inventory,
        host.name,
        "-m",
        "virtnet.kvm.linux_bridge",
        "-a",
        json.dumps(options),
    ]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.Popen(
        [*map(str, command), *more],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _rolled_back(running: subprocess.Popen) -> None:
    out = running.communicate(timeout=240)[0]
    assert "FAILED" in out and '"rolled_back": true' in out and "Traceback" not in out, out


def _family(pid: int) -> list[int]:
    """A process and all that it has started; Ansible's workers have sessions of their own."""
    return [pid, *(one for child in children(pid) for one in _family(child))]


def _wrong_vlan(host: BridgeHost, options: dict) -> None:
    ports = [{"name": host.machine.NIC, "vlans": {"tagged": [99]}}]
    locked_out(host, {**options, "ports": ports, "vlan": {"filtering": True, "default_pvid": 0}})


EVERY: dict[str, Callable[[BridgeHost, dict], object]] = {
    # the NIC's own address is not the bridge's, now as after the next boot
    "wrong address": lambda host, options: locked_out(
        host, {**options, "inherit": False, "addresses": ["203.0.113.77/24"]}
    ),
    "wrong gateway": lambda host, options: locked_out(
        host, {**options, "gateway4": "192.0.2.99"}, *from_outside(host.lab)
    ),
    "wrong VLAN": _wrong_vlan,
    "cable pulled": cable_pulled,
    "controller killed": controller_killed,
    "module killed": lambda host, options: module_killed(host, options, random.randint(1, 12)),
    "agent unable to start": unable_to_start,
    "rebooted while armed": rebooted_while_armed,
}
