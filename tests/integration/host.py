# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's host as tests see it: the modules run on it, and other eyes look at it (virsh, ip, bridge, files)."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import tempfile
import time

import ansible
from virtlab import guest as lab_guest
from virtlab.lab import Lab
from virtlab.machine import Machine

ROOT = pathlib.Path(__file__).parents[2]
REMOTE = "/opt/virtnet-test"
WATCHED = (
    "find /etc/libvirt/qemu/networks /var/lib/libvirt/dnsmasq /var/lib/libvirt/network /run/libvirt/network"
    " -type f ! -name '*.pid' -exec sha256sum {} + 2>/dev/null | sort -k2; iptables-save | grep -v '^#' | sed 's/\\[.*\\]//';"
    " ip6tables-save | grep -v '^#' | sed 's/\\[.*\\]//'; ip -br address | awk '{$2=\"\"; print}' | sort; ip route | sort | sed 's/ linkdown//'"
)


class Host:
    """One KVM host of a lab."""

    def __init__(self, lab: Lab, machine: Machine) -> None:
        self.lab, self.machine, self.name = lab, machine, machine.name
        self.release = machine.release
        self._runner: subprocess.Popen | None = None

    # Running things

    def run(self, command: str | list[str], check: bool = True, stdin: str | None = None) -> str:
        words = ["sh", "-c", command] if isinstance(command, str) else command
        done = self.machine.run(words, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.stdout}")
        return done.stdout.strip()

    def virsh(self, *words: str, check: bool = True, stdin: str | None = None) -> str:
        return self.run(["virsh", "-q", *words], check=check, stdin=stdin)

    def define(self, xml: str) -> None:
        self.virsh("net-define", "/dev/stdin", stdin=xml)

    def create(self, xml: str) -> None:
        self.virsh("net-create", "/dev/stdin", stdin=xml)

    # The modules

    def install(self) -> None:
        """Put the collection and Ansible's module_utils where the runner finds them."""
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder).chmod(0o755)  # it is read by a user who may nothing, too
            self._collect(pathlib.Path(folder))
            self.run(["rm", "-rf", REMOTE])
            self.machine.put_tree(pathlib.Path(folder), REMOTE)

    def _collect(self, target: pathlib.Path) -> None:
        collection = target / "ansible_collections/virtnet/kvm/plugins"
        for folder in ("modules", "module_utils"):
            shutil.copytree(ROOT / "plugins" / folder, collection / folder)
        library = pathlib.Path(ansible.__file__).parent
        skip = shutil.ignore_patterns("__pycache__", "facts", "powershell", "csharp")
        shutil.copytree(library / "module_utils", target / "ansible/module_utils", ignore=skip)
        for package in ("ansible", "ansible_collections", "ansible_collections/virtnet"):
            (target / package / "__init__.py").touch()
        (target / "ansible/release.py").write_text((library / "release.py").read_text())
        if (library / "_internal").exists():
            shutil.copytree(library / "_internal", target / "ansible/_internal", ignore=skip)
        shutil.copy(pathlib.Path(__file__).parent / "runner.py", target / "runner.py")

    def module(
        self,
        module: str = "libvirt_network",
        /,
        *,
        check: bool = False,
        fault: dict | None = None,
        environment: dict | None = None,
        **params,
    ) -> dict:
        """The module's result, whatever it is; None-like death of the module gives {"killed": True}."""
        if self._runner is None or self._runner.poll() is not None:
            self._start_runner()
        request = {"module": module, "params": params, "check": check, "fault": fault, "environment": environment}
        self._runner.stdin.write(json.dumps(request) + "\n")
        self._runner.stdin.flush()
        line = self._runner.stdout.readline()
        if not line:
            self._runner.wait()
            return {"killed": True}
        answer = json.loads(line)
        assert "traceback" not in answer, answer["traceback"]
        return answer

    def network(self, check: bool = False, fault: dict | None = None, **params) -> dict:
        """One network's result; fails with the module's own message."""
        answer = self.module(check=check, fault=fault, **params)
        assert not answer.get("failed"), answer["msg"]
        return answer["networks"][0] if answer["networks"] else answer

    def refused(self, **params) -> str:
        """The message of a task that has to fail."""
        answer = self.module(**params)
        assert answer.get("failed"), answer
        return answer["msg"]

    def info(self, name: str | None = None) -> list[dict]:
        return self.module("libvirt_network_info", **({"name": name} if name else {}))["networks"]

    def _start_runner(self) -> None:
        inside = self.machine.inside(["env", f"PYTHONPATH={REMOTE}", "python3", f"{REMOTE}/runner.py"])
        self._runner = subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self) -> None:
        if self._runner and self._runner.poll() is None:
            self._runner.stdin.close()
            self._runner.wait(10)

    # Other eyes

    def xml(self, name: str, inactive: bool = False) -> str:
        return self.virsh("net-dumpxml", *(["--inactive"] if inactive else []), name)

    def state(self, status: bool = True) -> str:
        """Everything that a check mode must not touch: XML on disk, live XML, dnsmasq's files, firewall, links.

        Without status: not the notes that libvirtd keeps for itself about what runs, which a restart writes anew.
        """
        live = "".join(self.xml(name) for name in self.virsh("net-list", "--name").split())
        listing = self.virsh("net-list", "--all")
        watched = WATCHED if status else WATCHED.replace(" /run/libvirt/network", "")
        return "\n".join([self.run(watched), live, listing])

    def names(self) -> set[str]:
        return set(self.virsh("net-list", "--all", "--name").split())

    def active(self) -> set[str]:
        return set(self.virsh("net-list", "--name").split())

    def clean(self) -> None:
        """No guest and no network left."""
        for name in self.virsh("list", "--all", "--name").split():
            self.virsh("destroy", name, check=False)
            self.virsh("undefine", name, check=False)
        for name in self.names():
            self.virsh("net-destroy", name, check=False)
            self.virsh("net-undefine", name, check=False)
        for link in json.loads(self.run("ip -j link show type bridge") or "[]"):
            self.run(["ip", "link", "delete", link["ifname"]])

    # Guests

    def guest(self, name: str, *networks: str, mac: str | None = None, portgroup: str | None = None) -> str:
        """Start a guest and wait for its lease; gives its address."""
        macs = [mac] + [None] * len(networks)
        lab_guest.start(
            self.machine, name, [lab_guest.interface(net, macs[i], portgroup) for i, net in enumerate(networks)]
        )
        return lab_guest.wait_for_lease(self.machine, name)

    def speak(self, guest: str, command: str, seconds: float = 60) -> str:
        done = lab_guest.speak(self.machine, guest, command, seconds)
        return (done.stdout + done.stderr).decode(errors="replace").strip()

    def tap(self, guest: str) -> str:
        return self.virsh("domiflist", guest).split()[0]

    def master(self, device: str) -> str | None:
        return json.loads(self.run(f"ip -j link show {device}"))[0].get("master")

    def pinger(self, address: str) -> Pinger:
        return Pinger(self, address)


class Pinger:
    """Pings ten times a second for as long as the block lasts, and counts what was lost."""

    def __init__(self, host: Host, address: str) -> None:
        self.host, self.address = host, address
        self.lost, self.sent, self.longest_gap = 0, 0, 0.0

    def __enter__(self) -> Pinger:
        words = self.host.machine.inside(["ping", "-D", "-i", "0.1", "-W", "2", self.address])
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        return self

    def __exit__(self, *_error) -> None:
        time.sleep(0.5)
        # SIGINT to the ping itself, which then prints its summary; nsenter only waits for it
        subprocess.run(["pkill", "-INT", "-P", str(self.process.pid)], check=False)
        self.process.send_signal(2)
        text, _errors = self.process.communicate(timeout=10)
        answers = [line for line in text.splitlines() if "bytes from" in line]
        stamps = [float(line[1 : line.index("]")]) for line in answers]
        numbers = {int(line.split("icmp_seq=")[1].split()[0]) for line in answers}
        self.sent = max(numbers, default=0)  # what came after was under way when the ping was stopped
        self.lost = self.sent - len(numbers)
        self.longest_gap = max((two - one for one, two in zip(stamps, stamps[1:])), default=0.0)
