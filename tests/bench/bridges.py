# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long bridges take, beside their floors: the ping task, ip -batch, plain pyroute2; and a loop of module calls.

Medians of several runs in one sitting, on one lab host. Task times are taken on the controller, as in bench.py. What
plain pyroute2 needs is told twice: inside of a program that runs already, and as a program of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess

from timing import Host

PLAY = """
- hosts: h1
  gather_facts: false
  tasks:
    - {name: Ping, ansible.builtin.ping: }
    - {name: Ours, virtnet.kvm.linux_bridge: {persist: PERSIST, bridges: BRIDGES}}
    - {name: Ping again, ansible.builtin.ping: }
    - {name: Ours again, virtnet.kvm.linux_bridge: {persist: PERSIST, bridges: BRIDGES}}
"""
LOOP = """
- hosts: h1
  gather_facts: false
  tasks:
    - {name: Loop, virtnet.kvm.linux_bridge: {persist: none, name: "bench{{ item }}"}, loop: "{{ range(COUNT) | list }}"}
"""
# The floors.
RAW = r"""
import subprocess, sys, time
from pyroute2 import IPRoute
what, count, parent = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if what == "batch":
    lines = [f"link add bench{n} up type bridge" for n in range(count)]
    if parent:
        lines += [f"link add link {parent} name bv{n} master bench{n} up type vlan id {n + 1}" for n in range(count)]
    start = time.perf_counter()
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)
else:
    ipr = IPRoute()
    start = time.perf_counter()
    if what == "dump":
        list(ipr.get_links()); list(ipr.get_addr())
    if what == "pyroute2":
        for n in range(count):
            ipr.link("add", ifname=f"bench{n}", kind="bridge", flags=1, change=1)
        if parent:
            index = {link.get_attr("IFLA_IFNAME"): link["index"] for link in ipr.get_links()}
            for n in range(count):
                ipr.link("add", ifname=f"bv{n}", kind="vlan", vlan_id=n + 1, link=index[parent], master=index[f"bench{n}"], flags=1, change=1)
print(time.perf_counter() - start)
"""
CLEAN = "ip -br link | grep -oE '^(bench|bv)[0-9]+' | sed 's/.*/link set & group 77/' | ip -batch - ; ip link delete group 77 2>/dev/null; true"


class Bench(Host):
    """One lab host, and the ways to make bridges on it; on a VM each with a VLAN of its second NIC as its port."""

    def __init__(self, kind: str, count: int, persist: str) -> None:
        self.count, self.persist, self.parent = count, persist, "nic1" if kind == "vm" else ""
        super().__init__(kind, RAW)
        # What udev does about a thousand links takes many times as long as to make them, in its own time.
        if self.parent:
            self.host.run(["udevadm", "control", "--stop-exec-queue"])

    def clean(self) -> None:
        if self.persist != "none":
            self.play([{"name": f"bench{number}", "state": "absent"} for number in range(self.count)])
        self.host.run(["sh", "-c", CLEAN])

    def play(self, bridges: list[dict]) -> dict[str, tuple[float, bool]]:
        """Seconds of each task, and whether it changed anything."""
        return self.times(PLAY.replace("PERSIST", self.persist).replace("BRIDGES", json.dumps(bridges)))

    def raw(self, what: str) -> tuple[float, float]:
        """Seconds inside the program, and of all of it."""
        timed = f"TIMEFORMAT=%R; time python3 /root/raw.py {what} {self.count} {self.parent!r}"
        done = self.host.run(["bash", "-c", timed], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if not done.stdout:
            raise SystemExit(done.stderr)
        return float(done.stdout), float(done.stderr.split()[-1])

    def once(self) -> dict[str, float]:
        """Seconds of each way."""
        found = {}
        for what in ("batch", "pyroute2"):
            self.clean()
            found[f"{what} fresh"], found[f"{what} fresh, all of the program"] = self.raw(what)
        self.clean()
        for what in ("fresh", "nothing"):
            tasks = self.play([self.bridge(number) for number in range(self.count)])
            assert tasks["Ours"][1] is (what == "fresh") and not tasks["Ours again"][1], tasks
            found[f"ours {what}"], found["ping"] = tasks["Ours"][0], tasks["Ping"][0]
            found["ours nothing, again"], found["ping, again"] = tasks["Ours again"][0], tasks["Ping again"][0]
        found["dump"], found["dump, all of the program"] = self.raw("dump")
        return found

    def bridge(self, number: int) -> dict:
        port = {"name": f"bv{number}", "type": "vlan", "parent": self.parent, "id": number + 1}
        return {"name": f"bench{number}", **({"ports": [port]} if self.parent else {})}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--kind", default="nspawn", choices=["nspawn", "vm"], help="vm: with a VLAN each (default: nspawn)"
    )
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--persist", default="none", help="who keeps them for the next boot (default: none)")
    parser.add_argument(
        "--loop", type=int, default=20, help="calls of the module in a loop, whose time is told for --count"
    )
    arguments = parser.parse_args()
    bench = Bench(arguments.kind, arguments.count, arguments.persist)
    runs = [bench.once() for _run in range(arguments.runs)]
    for name in sorted(runs[0]):
        print(f"{name:36}{statistics.median(run[name] for run in runs):8.3f} s")
    bench.clean()
    loop = bench.times(LOOP.replace("COUNT", str(arguments.loop)))["Loop"][0]
    print(f"{'loop fresh':36}{loop / arguments.loop * arguments.count:8.1f} s (from {arguments.loop} calls)")
    bench.clean()
    bench.lab.down()


if __name__ == "__main__":
    main()
