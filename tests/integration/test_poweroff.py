# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The power gone in the middle of a change: after the next boot the host is there, as it was or as it was to be."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator

import pytest
from bridge_host import BridgeHost, difference
from kept_host import BOOT_FILES
from virtlab.boot import BACKENDS
from virtlab.lab import Lab
from virtlab.system import wait_for

pytestmark = pytest.mark.slow
DRILLS = int(os.environ.get("VIRTNET_DRILLS", "4"))
LONGEST = 1.2  # seconds; a change takes less
TAKE_OVER = {"name": "br0", "ports": ["host0"], "inherit": True, "persist": "auto", "confirm_timeout": 0}
FILES = f"{BOOT_FILES}; true"
LOOK = r"ip -br address | sed 's/@[^ ]*//; s/ \+/ /g' | sort; ip route; ip -6 route | grep -v fe80"


@pytest.fixture(scope="module", params=BACKENDS)
def lab_of(request: pytest.FixtureRequest) -> Iterator[Lab]:
    lab = Lab(f"test-off-{request.param}"[:21])
    lab.up(1, os.environ.get("VIRTNET_RELEASE", "bookworm"), backend=request.param)
    yield lab
    if not os.environ.get("VIRTNET_KEEP_LAB"):
        lab.down()


def booted(lab: Lab) -> BridgeHost:
    host = BridgeHost(lab, lab.machine("h1"))
    wait_for("the host's address", lambda: reached(lab, host), 40, 0.5)
    host.install()
    return host


def reached(lab: Lab, host: BridgeHost) -> bool:
    return lab.machine("client").run(["ping", "-c1", "-W1", host.machine.address], stdout=-3).returncode == 0


def pull_the_plug(lab: Lab) -> BridgeHost:
    machine = lab.machine("h1")
    machine.kill()
    machine.start()
    machine.wait_until_up()
    return booted(lab)


def test_in_the_middle(lab_of: Lab) -> None:
    host = booted(lab_of)
    old = host.run(FILES)
    assert host.ask(**TAKE_OVER)["changed"]
    new = host.run(FILES)
    assert host.ask(name="br0", state="absent", persist="auto")["changed"]
    assert not difference(old, host.run(FILES))
    seen = set()
    for drill in range(DRILLS):
        running = threading.Thread(target=lambda one=host: quietly(one))
        running.start()
        time.sleep(random.uniform(0.05, LONGEST))
        host = pull_the_plug(lab_of)
        running.join()
        found = host.run(FILES)
        assert found in (old, new), f"{drill}: {difference(old, found)}"
        seen.add(found == new)
        assert ("br0" in host.links()) == (found == new)
        assert host.ask(**TAKE_OVER)["changed"] == (found == old)
        host.ask(name="br0", state="absent", persist="auto")
        assert not difference(old, host.run(FILES))
    print(f"old and new were seen: {seen}")


def quietly(host: BridgeHost) -> None:
    """Until the host is gone under it."""
    try:
        host.ask(**TAKE_OVER)
    except (OSError, ValueError, AssertionError):
        return


def test_before_it_is_confirmed(lab_of: Lab) -> None:
    host = pull_the_plug(lab_of)  # as a boot makes it
    old, looked = host.run(FILES), host.run(LOOK)
    here = {"SSH_CONNECTION": f"192.0.2.99 50000 {host.machine.address} 22"}
    armed = host.ask(**{**TAKE_OVER, "confirm_timeout": 90}, environment=here)
    assert armed["confirm"]["folder"], armed
    host = pull_the_plug(lab_of)
    assert not difference(old, host.run(FILES)) and not difference(looked, host.run(LOOK))
    assert '"rolled_back": true' in host.run(f"cat {armed['confirm']['folder']}/outcome")
    assert not host.ask(name="br0", state="absent", persist="auto")["changed"]
    assert not host.run("ls -d /var/lib/virtnet-kvm /etc/systemd/system/virtnet-undo.service 2>/dev/null; true")
