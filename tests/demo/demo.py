# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two KVM hosts, all seven patterns of networks.yml, real guests; ends with what the packets prove (proofs.py)."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/lab"))

from proofs import PROOFS, WWW, Site, output, speak
from virtlab import guest
from virtlab.lab import Lab
from virtlab.machine import Machine
from virtlab.settings import LabError
from virtlab.system import wait_for

NETWORKS = "tests/demo/networks.yml"
GUESTS = {"h1": ["mail", "web", "vault", "dns", "shop", "both"], "h2": ["mail", "web", "both"]}
NICS = {"both": ("eth0", "eth1")}
PINGED = {"host": "10.10.0.1", "outside": WWW}
CHANGED = {
    "www": "10.10.0.77",
    "reservations": [
        {"mac": "52:54:00:00:10:0a", "name": "web", "ip": "10.10.0.10"},
        {"mac": "52:54:00:00:10:0b", "name": "next", "ip": "10.10.0.11"},
    ],
}


class Demo:
    """The steps, in order, and the rows of the closing table."""

    def __init__(self) -> None:
        self.lab = Lab("demo")
        self.rows: dict[tuple[str, str], dict[str, tuple[str, bool]]] = {}

    def run(self) -> int:
        started = time.monotonic()
        say("raising the lab: two KVM hosts, a LAN with a router, an outside net behind it")
        again = self.lab.exists()
        self.lab.up(len(GUESTS), "bookworm")
        self.hosts = [self.lab.machine(name) for name in GUESTS]
        if again:
            say("taking away what an earlier demo has left")
            for host in self.hosts:
                remove_guests(host)
            self.playbook("teardown")

        for host in self.hosts:
            for name in GUESTS[host.name]:
                guest.define(host, name, [])
        self.site("first run", changes=True)
        say("the guests, all at once (emulated CPUs: up to two minutes)")
        with ThreadPoolExecutor() as pool:
            sites = list(pool.map(self.start_guests, self.hosts))
        self.site("second run, guests running", changes=False)

        say("each pattern's packets")
        for site in sites:
            for pattern, (name, proof) in PROOFS.items():
                for what, seen, holds in proof(site) if name in GUESTS[site.host.name] else ():
                    self.prove(site.host, pattern, what, seen, holds)
        self.change_live()
        self.verify()
        return self.table(time.monotonic() - started)

    def playbook(self, name: str, *words: str) -> tuple[str, dict[str, tuple[int, int]]]:
        """Its output, and (changed, failed) of each host."""
        say(f"ansible-playbook virtnet.kvm.{name} {' '.join(words)}")
        command = [f"{ROOT}/.venv/bin/ansible-playbook", "-i", str(self.lab.inventory), "-i", NETWORKS]
        command += ["--limit", "kvm_hosts", f"virtnet.kvm.{name}", *words]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout)
        recap = re.findall(r"^(\w+)\s+:.* changed=(\d+) +unreachable=(\d+) +failed=(\d+)", done.stdout, re.MULTILINE)
        if len(recap) != len(GUESTS) or (done.returncode and name != "verify"):
            raise LabError(f"virtnet.kvm.{name} failed, so there is nothing to prove")
        return done.stdout, {host: (int(changed), int(gone) + int(failed)) for host, changed, gone, failed in recap}

    def site(self, what: str, changes: bool, *words: str) -> None:
        _printed, recap = self.playbook("site", *words)
        for host in self.hosts:
            changed, failed = recap[host.name]
            holds = not failed and bool(changed) == changes
            self.prove(host, "site", what, f"changed={changed} failed={failed}", holds)

    def start_guests(self, host: Machine) -> Site:
        for name in GUESTS[host.name]:
            guest.boot(host, name)
        nics = [(name, nic) for name in GUESTS[host.name] for nic in NICS.get(name, ("eth0",))]
        return Site(self.lab, host, {(name, nic): guest.wait_for_lease(host, name, nic) for name, nic in nics})

    def change_live(self) -> None:
        """A reservation and a DNS name, while a guest pings ten times a second."""
        say("a reservation and a DNS name change while the guests ping ten times a second")
        self.name_is("10.10.0.10", "www.lab.example, before")
        for host in self.hosts:
            for name, address in PINGED.items():
                speak(host, "web", f"ping -i 0.1 {address} > /tmp/ping-{name} 2>&1 &")
            more_pings(host)
        self.site("changed live", True, "--diff", "-e", json.dumps(CHANGED))
        for host in self.hosts:
            more_pings(host)
            speak(host, "web", "killall -INT ping")
            # libvirt takes its firewall rules off and on again for a change of DHCP, whoever asks for it
            for name, bearable in (("host", 0), ("outside", 10)):
                sent, lost = pings(host, name)
                self.prove(host, "nat", f"pings of {name} lost meanwhile", f"{lost} of {sent}", lost <= bearable)
            reserved = "ip='10.10.0.11'" in output(host, "virsh", "net-dumpxml", "lab")
            self.prove(host, "nat", "the new reservation is live", "10.10.0.11" if reserved else "no", reserved)
        self.name_is(CHANGED["www"], "www.lab.example, after")
        self.site("the same again", False, "-e", json.dumps(CHANGED))

    def name_is(self, address: str, what: str) -> None:
        for host in self.hosts:
            answer = re.findall(r"\d+(?:\.\d+){3}", speak(host, "web", "nslookup www.lab.example 10.10.0.1"))
            seen = answer[-1] if answer else "no answer"
            self.prove(host, "nat", what, seen, seen == address)

    def verify(self) -> None:
        """The collection's own proof, beside ours."""
        words = ("-e", f"verify_outside={WWW}", "-e", json.dumps(CHANGED))
        printed, recap = self.playbook("verify", *words)
        shown = dict(re.findall(r"^ok: \[(\w+)\] => \{(.*?)^\}", printed, re.MULTILINE | re.DOTALL))
        for host in self.hosts:
            counts = [len(re.findall(rf'^ +"{word} ', shown.get(host.name, ""), re.MULTILINE)) for word in VERDICTS]
            seen = ", ".join(f"{count} {word}" for count, word in zip(counts, VERDICTS) if count)
            self.prove(host, "verify", "virtnet.kvm.verify", seen, bool(counts[0]) and recap[host.name] == (0, 0))

    def prove(self, host: Machine, pattern: str, what: str, seen: str, holds: bool) -> None:
        self.rows.setdefault((pattern, what), {})[host.name] = (seen, holds)

    def table(self, seconds: float) -> int:
        order = ["site", *PROOFS, "verify"]
        lines = [("pattern", "what", *GUESTS, "")]
        for (pattern, what), hosts in sorted(self.rows.items(), key=lambda row: order.index(row[0][0])):
            words = [hosts.get(name, ("", True))[0] for name in GUESTS]
            lines.append((pattern, what, *words, "ok" if all(holds for _seen, holds in hosts.values()) else "FAILED"))
        widths = [max(map(len, column)) for column in zip(*lines)]
        print()
        for line in lines:
            print("  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip())
        failed = sum(line[-1] == "FAILED" for line in lines)
        print(f"\n{len(self.rows) - failed} of {len(self.rows)} hold, in {seconds:.0f} s.", end=" ")
        print("The lab is up for you to look around:")
        print(f"  .venv/bin/ansible -i {self.lab.inventory} kvm_hosts -m virtnet.kvm.libvirt_network_info")
        print("  make demo-down   takes it down")
        return 1 if failed else 0


VERDICTS = ("ok", "not told", "FAILED")  # verify's own words


def remove_guests(host: Machine) -> None:
    script = "for g in $(virsh -q list --all --name); do virsh -q destroy $g; virsh -q undefine $g; done"
    host.run(["sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def pings(host: Machine, name: str) -> tuple[int, int]:
    """(sent, lost); those after the last answer were under way when the ping was stopped."""
    answered = [int(number) for number in re.findall(r"seq=(\d+)", speak(host, "web", f"cat /tmp/ping-{name}"))]
    sent = max(answered, default=-1) + 1
    return sent, sent - len(set(answered))


def more_pings(host: Machine) -> None:
    """Wait until both pings have had another ten answers."""
    before = {name: pings(host, name)[0] for name in PINGED}
    wait_for("answers to pings", lambda: all(pings(host, name)[0] >= before[name] + 10 for name in PINGED), 60, 0.5)


def say(text: str) -> None:
    print(f"== {text}", flush=True)


if __name__ == "__main__":
    os.environ["PATH"] = f"{ROOT}/.venv/bin:{os.environ['PATH']}"
    try:
        sys.exit(Demo().run())
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(1)
