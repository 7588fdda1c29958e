# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two KVM hosts, one playbook, real guests; ends with what the packets prove."""

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

from virtlab import guest
from virtlab.lab import Lab
from virtlab.machine import Machine
from virtlab.settings import OUTSIDE, OUTSIDE4, LabError

HOSTS = ("h1", "h2")
WEB_MAC, WEB_IP = "52:54:00:00:10:0a", "10.10.0.10"
WWW = OUTSIDE4.format(OUTSIDE)
PINGED = {"host": "10.10.0.1", "outside": WWW}
CHANGED = {
    "www": "10.10.0.77",
    "reservations": [
        {"mac": WEB_MAC, "name": "web", "ip": WEB_IP},
        {"mac": "52:54:00:00:10:0b", "name": "next", "ip": "10.10.0.11"},
    ],
}


class Demo:
    """The steps, in order, and the rows of the closing table."""

    def __init__(self) -> None:
        self.lab = Lab("demo")
        self.rows: list[tuple[str, str, str, bool]] = []

    def run(self) -> int:
        started = time.monotonic()
        say("raising the lab: two KVM hosts, a LAN with a router, an outside net behind it")
        self.lab.up(len(HOSTS), "bookworm")
        self.hosts = [self.lab.machine(name) for name in HOSTS]
        for host in self.hosts:
            clear(host)

        say("the playbook, for the first time")
        for host, (changed, failed) in self.playbook().items():
            self.prove(host, "first run", f"changed={changed} failed={failed}", changed == 1 and not failed)
        say("the same playbook again")
        for host, (changed, failed) in self.playbook().items():
            self.prove(host, "second run", f"changed={changed} failed={failed}", changed == 0 and not failed)

        say("a guest on each network of each host (emulated CPUs: some 20 s)")
        with ThreadPoolExecutor() as pool:
            addresses = dict(pool.map(self.start_guests, self.hosts))
        for host, (web, vault) in addresses.items():
            self.prove(host, "guest web has its reserved address", web, web == WEB_IP)
            self.prove(host, "guest vault has an address of its network", vault, vault.startswith("10.66.0."))
        for host in self.hosts:
            self.prove_reach(host)

        say("a reservation and a DNS name change while the guests ping ten times a second")
        self.prove_live()
        say("and once more the same: nothing to do")
        for host, (changed, failed) in self.playbook(CHANGED).items():
            self.prove(host, "third run", f"changed={changed} failed={failed}", changed == 0 and not failed)
        return self.table(time.monotonic() - started)

    def playbook(self, variables: dict | None = None) -> dict[str, tuple[int, int]]:
        """(changed, failed) of each host."""
        command = [ROOT / ".venv/bin/ansible-playbook", "-i", self.lab.inventory, "tests/demo/networks.yml", "--diff"]
        extra = ["-e", json.dumps(variables)] if variables else []
        done = subprocess.run([*command, *extra], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout)
        recap = re.findall(r"^(\w+)\s+:.* changed=(\d+) +unreachable=(\d+) +failed=(\d+)", done.stdout, re.MULTILINE)
        return {host: (int(changed), int(gone) + int(failed)) for host, changed, gone, failed in recap}

    def start_guests(self, host: Machine) -> tuple[str, tuple[str, str]]:
        guest.start(host, "web", [guest.interface("lab", WEB_MAC, None)])
        guest.start(host, "vault", [guest.interface("sealed", None, None)])
        return host.name, (guest.wait_for_lease(host, "web"), guest.wait_for_lease(host, "vault"))

    def prove_reach(self, host: Machine) -> None:
        """Who is seen outside, and by which address: from the packets on the outside machine's own NIC."""
        seen = self.sources(lambda: speak(host, "web", f"ping -c 3 -i 0.2 -q {WWW}"))
        self.prove(host.name, "web's packets outside have the host's address", ",".join(seen), seen == {host.address})
        seen = self.sources(lambda: speak(host, "vault", f"ping -c 3 -i 0.2 -W 1 -q {WWW}"))
        self.prove(host.name, "vault's packets outside", ",".join(seen) or "none", not seen)
        answer = speak(host, "web", "wget -qO- http://www.outside.example/")
        self.prove(host.name, "web reads a page outside, by its name", answer, answer == "hello from outside")

    def sources(self, act) -> set[str]:
        outside = self.lab.machine("outside")
        words = ["timeout", "8", "tcpdump", "-lni", "host0", "-c", "50", "icmp[icmptype] == icmp-echo"]
        with ThreadPoolExecutor() as pool:
            capture = pool.submit(outside.run, words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            time.sleep(1)
            act()
            time.sleep(0.5)
            outside.run(["pkill", "-INT", "tcpdump"])
            return set(re.findall(r"IP (\S+) > ", capture.result().stdout))

    def prove_live(self) -> None:
        for host in self.hosts:
            name = speak(host, "web", "nslookup www.lab.example 10.10.0.1")
            self.prove(host.name, "www.lab.example, before", last_address(name), WEB_IP in name)
            for name, address in PINGED.items():
                speak(host, "web", f"ping -i 0.1 {address} > /tmp/ping-{name} 2>&1 &")
        taps = {host.name: tap(host) for host in self.hosts}
        time.sleep(1)
        for host, (changed, failed) in self.playbook(CHANGED).items():
            self.prove(host, "changed live", f"changed={changed} failed={failed}", changed == 1 and not failed)
        time.sleep(1)
        for host in self.hosts:
            speak(host, "web", "killall -INT ping; sleep 0.2")
            sent, lost = pings(host, "host")
            self.prove(
                host.name, "web's pings of its host lost meanwhile", f"{lost} of {sent}", lost == 0 and sent > 20
            )
            # libvirt takes its firewall rules off and on again for a change of DHCP, whoever asks for it
            sent, lost = pings(host, "outside")
            self.prove(host.name, "web's pings outside lost meanwhile", f"{lost} of {sent}", lost < 10 and sent > 20)
            self.prove(host.name, "web's tap kept its place", taps[host.name], tap(host) == taps[host.name])
            name = speak(host, "web", "nslookup www.lab.example 10.10.0.1")
            self.prove(host.name, "www.lab.example, after", last_address(name), CHANGED["www"] in name)
            xml = host.run(["virsh", "net-dumpxml", "lab"], stdout=subprocess.PIPE, text=True).stdout
            self.prove(host.name, "the new reservation, live", "10.10.0.11", "ip='10.10.0.11'" in xml)

    def prove(self, host: str, what: str, seen: str, holds: bool) -> None:
        self.rows.append((host, what, seen, holds))

    def table(self, seconds: float) -> int:
        rows = [("host", "what", "seen", "")] + [
            (*row[:3], "ok" if row[3] else "FAILED") for row in sorted(self.rows, key=lambda row: row[0])
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        print()
        for row in rows:
            print("  ".join(word.ljust(width) for word, width in zip(row, widths)).rstrip())
        failed = sum(not row[3] for row in self.rows)
        print(
            f"\n{len(self.rows) - failed} of {len(self.rows)} hold, in {seconds:.0f} s. The lab is up for you to look around:"
        )
        print(f"  .venv/bin/ansible -i {self.lab.inventory} kvm_hosts -m virtnet.kvm.libvirt_network_info")
        print("  make demo-down   takes it down")
        return 1 if failed else 0


def clear(host: Machine) -> None:
    """From an earlier demo; the hosts are its own."""
    host.run(["sh", "-c", "for g in $(virsh -q list --all --name); do virsh -q destroy $g; virsh -q undefine $g; done;"
              " for n in $(virsh -q net-list --all --name); do virsh -q net-destroy $n; virsh -q net-undefine $n; done"],
             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip


def speak(host: Machine, name: str, command: str) -> str:
    return guest.speak(host, name, command).stdout.decode(errors="replace").strip()


def tap(host: Machine) -> str:
    words = [
        "sh",
        "-c",
        "virsh -q domiflist web | { read tap rest; echo $tap in $(basename $(readlink /sys/class/net/$tap/master)); }",
    ]
    return host.run(words, stdout=subprocess.PIPE, text=True).stdout.strip()


def pings(host: Machine, name: str) -> tuple[int, int]:
    """(sent, lost); those after the last answer were under way when the ping was stopped."""
    answered = [int(number) for number in re.findall(r"seq=(\d+)", speak(host, "web", f"cat /tmp/ping-{name}"))]
    sent = max(answered, default=-1) + 1
    return sent, sent - len(set(answered))


def last_address(answer: str) -> str:
    return (re.findall(r"\d+\.\d+\.\d+\.\d+", answer) or ["no answer"])[-1]


def say(text: str) -> None:
    print(f"== {text}", flush=True)


if __name__ == "__main__":
    os.environ["PATH"] = f"{ROOT}/.venv/bin:{os.environ['PATH']}"
    try:
        sys.exit(Demo().run())
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(1)
