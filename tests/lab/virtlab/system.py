# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's only door to the machine's programs and processes."""

from __future__ import annotations

import contextlib
import os
import pathlib
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from .settings import LabError

T = TypeVar("T")
KILL_SECONDS = 20


def run(command: list[str], *, stdin: bytes | None = None, cwd: str | None = None) -> str:
    """The command's stdout; LabError with its stderr when it fails."""
    done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


def wait_for(what: str, probe: Callable[[], T | None], seconds: float, pause: float = 0.05) -> T:
    """Ask again and again until the probe gives something true."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)


def unmount(path: str) -> None:
    """Take a mount off; a container that was just killed may hold it for a moment more."""
    wait_for(f"unmounting {path}", lambda: os.system(f"umount {path} 2>/dev/null") == 0, 10)


def children(pid: int) -> list[int]:
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command_line(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def processes_naming(word: str) -> list[int]:
    """Every process whose command line has this word: a killed lab leaves no other trace of its containers."""
    return [pid for pid in _processes() if pid != os.getpid() and word in command_line(pid)]


def processes_rooted_in(upper: str) -> list[int]:
    """Every process whose root is an overlay with this upper folder: a container's, which outlive a killed nspawn."""
    return [pid for pid in _processes() if is_rooted_in(pid, upper)]


def is_rooted_in(pid: int, upper: str) -> bool:
    try:
        with open(f"/proc/{pid}/mountinfo") as file:
            roots = [line for line in file if line.split()[4] == "/"]
    except OSError:
        return False
    return any(f"upperdir={upper}" in line for line in roots)


def _processes() -> list[int]:
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - half the price


def kill(pid: int, is_meant: Callable[[int], bool]) -> None:
    """Whoever has this number, if it is the one that is meant: on a busy machine a number is soon somebody else's."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if is_meant(pid):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            if not select.select([handle], [], [], KILL_SECONDS)[0]:
                raise LabError(f"process {pid}: not ended within {KILL_SECONDS} s")
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def resume(pid: int) -> None:
    """Wake whoever is stopped; to all others it is nothing."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def alive(pid: int) -> bool:
    try:
        status = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return status != "Z"


def say(text: str) -> None:
    """Progress goes to stderr: stdout is for results."""
    print(f"lab: {text}", file=sys.stderr, flush=True)
