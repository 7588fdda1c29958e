# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only way to another program."""

from __future__ import annotations

import shutil
import subprocess

from .errors import SystemFailure

SECONDS = 60
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"  # a user's may lack the first


def is_there(program: str) -> bool:
    """Whether this host has a program."""
    return shutil.which(program, path=_PATH) is not None


def is_active(*units: str) -> bool:
    """Whether one of these units of systemd runs; a pattern stands for those that are loaded (systemctl(1), is-active)."""
    try:
        run("systemctl", "--quiet", "is-active", *units)
    except SystemFailure:
        return False
    return True


def run(*words: str, seconds: float = SECONDS) -> str:
    """The program's stdout; raises SystemFailure with what it said when it fails."""
    try:
        done = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SystemFailure(f"{' '.join(words)}: {error}") from error
    if done.returncode:
        raise SystemFailure(f"{' '.join(words)}: {done.stderr.strip() or f'status {done.returncode}'}")
    return done.stdout
