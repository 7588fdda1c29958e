# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: a lab with one host, and the time of each task of a play, taken on the controller."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

from virtlab.lab import Lab


class Host:
    """One lab host, with the program that does the raw calls."""

    def __init__(self, kind: str, raw: str) -> None:
        os.environ["PATH"] = f"{ROOT}/.venv/bin:{os.environ['PATH']}"
        self.lab = Lab("bench")
        self.lab.up(1, "bookworm", kind)
        self.host = self.lab.machine("h1")
        self.host.put("/root/raw.py", raw)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="virtnet-bench-"))

    def times(self, play: str) -> dict[str, tuple[float, bool]]:
        """Seconds of each task of a play, and whether it changed anything."""
        times = self.folder / "times"
        times.unlink(missing_ok=True)
        environment = {
            **os.environ,
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/bench/callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "task_times",
            "ANSIBLE_LIBRARY": str(self.folder),
            "TASK_TIMES": str(times),
        }
        (self.folder / "play.yml").write_text(play)
        command = [ROOT / ".venv/bin/ansible-playbook", "-i", self.lab.inventory, self.folder / "play.yml"]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stdout[-3000:])
        lines = [json.loads(line) for line in times.read_text().splitlines()]
        return {line["task"]: (line["seconds"], line["changed"]) for line in lines}
