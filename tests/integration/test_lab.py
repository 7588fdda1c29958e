# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself, through its command: what it promises to those who stand on it."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from host import ROOT
from virtlab.system import processes_rooted_in

NAME = "test-lab"
FOLDER = pathlib.Path("/run/virtnet-lab") / NAME


def lab(*words: str, check: bool = True) -> subprocess.CompletedProcess:
    verb, *rest = words
    command = [str(ROOT / "tests/lab/lab"), verb, "--name", NAME, *rest]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


@pytest.fixture
def one_host() -> Iterator[None]:
    lab("down")
    assert lab("up", "--hosts", "1").stdout.splitlines()[-1] == str(FOLDER / "inventory.yml")
    yield
    lab("down")


def traces() -> list[str]:
    """Everything that a lab could leave behind."""
    mounts = [line for line in pathlib.Path("/proc/mounts").read_text().splitlines() if NAME in line]
    namespaces = [path.name for path in pathlib.Path("/run/netns").glob(f"*{NAME}")]
    found = subprocess.run(["pgrep", "-af", str(FOLDER)], stdout=subprocess.PIPE, text=True, check=False).stdout
    processes = [line for line in found.splitlines() if "pgrep" not in line]
    processes += [f"process {pid}" for pid in processes_rooted_in(f"{FOLDER}/")]
    return [*mounts, *namespaces, *processes, *([str(FOLDER)] if FOLDER.exists() else [])]


def test_what_a_command_says_comes_through(one_host: None) -> None:
    done = lab("run", "h1", "--", "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)
    assert "no machine 'h9'" in lab("run", "h9", "--", "true", check=False).stderr


def test_everybody_reaches_the_outside(one_host: None) -> None:
    for machine in ("h1", "client", "router"):
        for address in ("198.18.0.10", "2001:db8:2::a", "www.outside.example"):
            lab("run", machine, "--", "ping", "-c5", "-i0.3", "-W2", address)


def test_up_again_changes_nothing_and_more_hosts_are_added(one_host: None) -> None:
    before = lab("run", "h1", "--", "cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat").stdout
    lab("up", "--hosts", "2")
    assert (
        lab("run", "h1", "--", "cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat").stdout.split()[22]
        == before.split()[22]
    )
    assert lab("run", "h2", "--", "hostname").stdout == "h2\n"
    lab("up", "--hosts", "1")
    assert "h2" not in lab("status").stdout
    lab("up", "--hosts", "2")
    lab("run", "h2", "--", "ping", "-c1", "-W2", "192.0.2.11")


def test_a_reboot_keeps_the_disk(one_host: None) -> None:
    lab("run", "h1", "--", "sh", "-c", "echo kept > /root/note; ip link add gone type bridge")
    lab("reboot", "h1")
    assert lab("run", "h1", "--", "cat", "/root/note").stdout == "kept\n"
    assert lab("run", "h1", "--", "ip", "link", "show", "gone", check=False).returncode == 1
    lab("run", "h1", "--", "ping", "-c1", "-W2", "198.18.0.10")
    lab("reboot", "router")
    lab("run", "h1", "--", "ping", "-c1", "-W5", "198.18.0.10")


def test_down_leaves_nothing(one_host: None) -> None:
    assert traces()
    lab("down")
    assert not traces()
    assert "there is no lab" in lab("status", check=False).stderr


@pytest.mark.parametrize("after", [0.2, 0.6, 1.0])
def test_a_lab_killed_half_way_is_cleaned_up(after: float) -> None:
    lab("down")
    command = [str(ROOT / "tests/lab/lab"), "up", "--name", NAME, "--hosts", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        time.sleep(after)
        os.killpg(process.pid, signal.SIGKILL)
    if after == 0.6:
        lab("up", "--hosts", "1")
        lab("run", "h1", "--", "ping", "-c1", "-W2", "198.18.0.10")
    lab("down")
    assert not traces()


def test_bad_words_are_refused() -> None:
    for words in (("up", "--hosts", "0"), ("up", "--release", "sid"), ("run", "h1")):
        assert lab(*words, check=False).returncode in (1, 2)
