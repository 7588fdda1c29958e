# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the playbook `site` takes on many hosts with nothing to do, beside a play of as many ping tasks on the same hosts.

Medians of several runs in one sitting; the time is that of the whole ansible-playbook, with --forks for all hosts.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

from timing import ROOT
from virtlab.lab import Lab

NETWORKS = [
    {"name": "lan", "pattern": "bridged", "bridge": "br0", "nic": "host0"},
    {"name": "lab", "pattern": "nat", "address": "10.10.0.1/24", "forwards": [{"port": 2222, "to": "10.10.0.5:22"}]},
    {"name": "sealed", "pattern": "isolated", "address": "10.66.0.1/24", "host_access": False},
    {"name": "edge", "pattern": "custom_nat", "bridge": "br-edge", "address": "192.168.50.1/24"},
]


class Fleet:
    """So many lab hosts, and the plays that run on them."""

    def __init__(self, hosts: int) -> None:
        self.lab = Lab("fleet-bench")
        self.lab.up(hosts, "bookworm")
        self.hosts = hosts
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="virtnet-bench-"))
        (self.folder / "vars.json").write_text(json.dumps({"host_networks": NETWORKS, "virtnet_hosts": "kvm_hosts"}))

    def play(self, *words: str) -> tuple[float, str]:
        """(seconds, output) of a play; fails where it does."""
        environment = {**os.environ, "PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}"}
        command = ["ansible-playbook", "-i", str(self.lab.inventory), "--forks", str(self.hosts), *words]
        start = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stdout[-3000:])
        return time.monotonic() - start, done.stdout

    def site(self) -> tuple[float, int]:
        """(seconds, tasks that a host ran) of `site`, which finds nothing to do."""
        seconds, out = self.play("virtnet.kvm.site", "-e", f"@{self.folder}/vars.json")
        recaps = re.findall(r"ok=(\d+)\s+changed=(\d+)", out)
        assert len(recaps) == self.hosts and {changed for _ok, changed in recaps} == {"0"}, out
        return seconds, int(recaps[0][0])

    def pings(self, count: int) -> float:
        tasks = [{"ansible.builtin.ping": {}}] * count
        play = self.folder / "pings.yml"
        play.write_text(json.dumps([{"hosts": "kvm_hosts", "gather_facts": False, "tasks": tasks}]))
        return self.play(str(play))[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=16)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    fleet = Fleet(arguments.hosts)
    try:
        first, _out = fleet.play("virtnet.kvm.site", "-e", f"@{fleet.folder}/vars.json")
        print(f"site, first run     {first:7.2f} s on {arguments.hosts} hosts")
        sites, pings = [], []
        for _run in range(arguments.runs):
            seconds, tasks = fleet.site()
            sites.append(seconds)
            pings.append(fleet.pings(tasks))
        site, ping = statistics.median(sites), statistics.median(pings)
        print(f"site, nothing to do {site:7.2f} s for {tasks} tasks a host")
        print(f"as many pings       {ping:7.2f} s; site takes {site / ping:.2f} times that")
    finally:
        fleet.lab.down()


if __name__ == "__main__":
    main()
