# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a task takes, beside its floors (the ping task, raw libvirt-python) and its peer (community.libvirt).

Medians of several runs in one sitting, on one lab host. Task times are taken by a callback on the controller, each in a
play of its own, so that assembling and sending the module is part of them; `again` is the same task once more in that
play, for which Ansible need not assemble it anew (nor for the play's other hosts). raw is the time of the whole process,
`bound` the ping and 1.5 times that. With --least, the least that a module with these options can take (least.py).
"""

from __future__ import annotations

import argparse
import importlib
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import zipfile

from timing import ROOT, Host

RUNS = {1: 5, 10: 5, 100: 5, 1000: 1}
UTILS = "ansible_collections.virtnet.kvm.plugins.module_utils"
OURS = (ROOT / "tests/bench/ours.yml").read_text()
LEAST = OURS.replace("virtnet.kvm.libvirt_network", "least").replace("Ours", "Least")
# What is told, and above it the column's head.
NOTHING = {
    "raw nothing": "raw",
    "ours nothing": "ours",
    "bound": "bound",
    "ours again": "again",
    "bound again": "bound",
    "peer nothing": "peer",
}
FRESH = {"raw fresh": "raw", "ours fresh": "ours", "ratio": "ratio", "peer fresh": "peer"}


class Bench(Host):
    """One lab host, and the ways to make networks on it."""

    def __init__(self) -> None:
        super().__init__("nspawn", (ROOT / "tests/bench/raw.py").read_text())
        options = importlib.import_module(f"{UTILS}._network.options").spec()
        text = (ROOT / "tests/bench/least.py").read_text().replace("SPEC: dict = {}", f"SPEC = {options!r}")
        (self.folder / "least.py").write_text(text)

    def raw(self, what: str, count: int, kind: str) -> float:
        """Seconds of the whole process, taken on the host."""
        timed = f"TIMEFORMAT=%R; time python3 /root/raw.py {what} {count} {kind}"
        done = self.host.run(["bash", "-c", timed], stderr=subprocess.PIPE, text=True)
        return float(done.stderr.split()[-1])

    def play(self, what: str, count: int, kind: str) -> dict[str, tuple[float, bool]]:
        """Seconds of each task, and whether it changed anything."""
        networks = json.dumps([network(what, number, kind) for number in range(count)])
        # the networks stand in the play, as users write them
        return self.times((ROOT / f"tests/bench/{what}.yml").read_text().replace("NETWORKS", networks))

    def row(self, count: int, kind: str) -> dict[str, float]:
        """Medians of all ways."""
        found: dict[str, list[float]] = {}
        for _run in range(RUNS[count]):
            self.raw("clean", 0, kind)
            found.setdefault("raw fresh", []).append(self.raw("fresh", count, kind))
            found.setdefault("raw nothing", []).append(self.raw("nothing", count, kind))
            self.raw("clean", 0, kind)
            for what in ("fresh", "nothing"):
                tasks = self.play("ours", count, kind)
                assert tasks["Ours"][1] is (what == "fresh") and not tasks["Ours again"][1], tasks
                found.setdefault("ping", []).append(tasks["Ping"][0])
                found.setdefault("ping again", []).append(tasks["Ping again"][0])
                found.setdefault(f"ours {what}", []).append(tasks["Ours"][0])
                found.setdefault("ours again", []).append(tasks["Ours again"][0])
        row = {name: statistics.median(values) for name, values in found.items()}
        row["bound"], row["bound again"] = (row[ping] + 1.5 * row["raw nothing"] for ping in ("ping", "ping again"))
        return {**row, "ratio": row["ours fresh"] / row["raw fresh"]}

    def least(self, count: int) -> None:
        """What Ansible itself takes, of networks that are there."""
        networks = json.dumps([network("ours", number, "isolated") for number in range(count)])
        runs = [self.times(LEAST.replace("NETWORKS", networks)) for _run in range(RUNS[count])]
        told = {name: statistics.median(run[name][0] for run in runs) for name in runs[0]}
        print("    ".join(f"{name.lower()} {seconds:.3f}" for name, seconds in told.items()), flush=True)

    def peer(self, count: int, kind: str) -> dict[str, float]:
        self.raw("clean", 0, kind)
        found = {}
        for what in ("fresh", "nothing"):
            tasks = self.play("peer", count, kind)
            found[f"peer {what}"] = sum(
                seconds for name, (seconds, _changed) in tasks.items() if name.startswith("Peer")
            )
        self.raw("clean", 0, kind)
        return found


def network(what: str, number: int, kind: str) -> dict:
    name = f"bench{number:04}"
    net = f"100.{64 + number // 250}.{number % 250}"
    if what == "peer":
        body = f"<bridge name='vb{number:04}'/>" if kind == "isolated" else (
            f"<forward mode='nat'/><ip address='{net}.1' prefix='24'>"
            f"<dhcp><range start='{net}.2' end='{net}.254'/></dhcp></ip>"
        )  # fmt: skip
        return {"name": name, "xml": f"<network><name>{name}</name>{body}</network>"}
    return {
        "name": name,
        "mode": kind,
        **({"bridge": f"vb{number:04}"} if kind == "isolated" else {"address": f"{net}.1/24", "dhcp": True}),
    }


def ensure_peer() -> None:
    """community.libvirt out of the community package, beside our own collection."""
    collections = next((ROOT / ".venv/lib").glob("python*/site-packages/ansible_collections"))
    if (collections / "community/libvirt").exists():
        return
    print("fetching community.libvirt (once)", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        pip = [ROOT / ".venv/bin/pip", "download", "--quiet", "--no-deps", "-d", folder, "-r", "requirements/peer.txt"]
        subprocess.run(pip, cwd=ROOT, check=True)
        with zipfile.ZipFile(next(pathlib.Path(folder).glob("ansible-*"))) as wheel:
            prefix = "ansible_collections/community/libvirt/"
            wheel.extractall(collections.parent, [name for name in wheel.namelist() if name.startswith(prefix)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", default="1,10,100,1000", help="how many networks (default: 1,10,100,1000)")
    parser.add_argument("--kinds", default="isolated,nat", help="isolated (no address), nat (with DHCP); nat up to 100")
    parser.add_argument("--least", action="store_true", help="tell also the least that a module could take (isolated)")
    parser.add_argument("--no-peer", action="store_true", help="leave the peer out, which takes minutes")
    arguments = parser.parse_args()
    if not arguments.no_peer:
        ensure_peer()
    bench = Bench()
    print(f"{'':28}|{'nothing to do':^54}|{'fresh':^36}")
    heads = ["".join(f"{head:>9}" for head in part.values()) for part in (NOTHING, FRESH)]
    print(f"{'networks':14}{'count':>6}{'ping':>8}|{'|'.join(heads)}")
    for kind in arguments.kinds.split(","):
        for count in (int(word) for word in arguments.counts.split(",")):
            if kind == "nat" and count > 100:
                continue
            row = bench.row(count, kind)
            if arguments.least and kind == "isolated":
                bench.least(count)
            row.update(bench.peer(count, kind) if count <= 100 and not arguments.no_peer else {})
            told = ["".join(f"{row.get(name, float('nan')):>9.3f}" for name in part) for part in (NOTHING, FRESH)]
            print(f"{kind:14}{count:>6}{row['ping']:>8.3f}|{'|'.join(told)}", flush=True)
    bench.raw("clean", 0, "isolated")
    bench.lab.down()


if __name__ == "__main__":
    main()
