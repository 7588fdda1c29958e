# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab: its namespace, its LAN, its machines; raised, made so, and taken down without a trace.

What a lab consists of is derived from its name alone (the namespace `virtnet-NAME`, the folder /run/virtnet-lab/NAME),
so a lab that was killed half-way is found and cleaned without any record of it.
"""

from __future__ import annotations

import fcntl
import json
import pathlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from . import inventory
from .image import ensure_key, ensure_tree
from .machine import Machine
from .settings import CLIENT, CONTROL, FIRST_HOST, LAN4, LAN6, LAST_HOST, OUTSIDE, RELEASES, ROUTER, STATE, LabError
from .system import kill, run, say, unmount

INOTIFY_INSTANCES = 8192  # each dnsmasq takes one and the limit counts all hosts of a user: 128 serves two hosts


class Lab:
    """One lab, by name."""

    def __init__(self, name: str) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,20}", name):
            raise LabError(f"--name {name}: take lower-case letters, digits and dashes, at most 21")
        self.name = name
        self.namespace = f"virtnet-{name}"
        self.folder = STATE / name
        self.inventory = self.folder / "inventory.yml"

    # What is there

    def exists(self) -> bool:
        return (self.folder / "lab.json").exists()

    def settings(self) -> dict:
        if not self.exists():
            raise LabError(f"there is no lab {self.name!r}; make it with: lab up --name {self.name}")
        return json.loads((self.folder / "lab.json").read_text())

    def machines(self) -> dict[str, Machine]:
        settings = self.settings()
        return {machine.name: machine for machine in self._wanted(settings["hosts"], settings["release"])}

    def machine(self, name: str) -> Machine:
        machines = self.machines()
        if name not in machines:
            raise LabError(f"no machine {name!r} in lab {self.name!r}; there are: {', '.join(machines)}")
        return machines[name]

    # Up and down

    def up(self, hosts: int, release: str) -> pathlib.Path:
        """Make the lab, or make it so: a machine that runs already is left alone."""
        if release not in RELEASES:
            raise LabError(f"--release {release}: there are {' and '.join(RELEASES)}")
        if not 1 <= hosts <= LAST_HOST - FIRST_HOST + 1:
            raise LabError(f"--hosts {hosts}: from 1 to {LAST_HOST - FIRST_HOST + 1}")
        tree = ensure_tree(release)
        with self._lock():
            if self.exists() and self.settings()["release"] != release:
                say(f"lab {self.name} is of another release: taking it down first")
                self._down()
            if not self.exists():
                self._down()  # what a killed lab may have left
            self._make_net()
            wanted = self._wanted(hosts, release)
            extra = [
                machine for machine in (self.machines().values() if self.exists() else ()) if machine not in wanted
            ]
            for machine in extra:
                machine.stop()
            fresh = [machine for machine in wanted if not machine.leader()]
            for machine in fresh:
                machine.start(tree)
            for machine in fresh:
                machine.wait_until_up()
            if fresh:
                say(f"{self.name}: {', '.join(machine.name for machine in fresh)} up ({release})")
            (self.folder / "lab.json").write_text(json.dumps({"hosts": hosts, "release": release}))
            inventory.write(self, wanted, ensure_key())
        return self.inventory

    def down(self) -> None:
        with self._lock():
            self._down()
        (STATE / f"{self.name}.lock").unlink(missing_ok=True)
        if STATE.exists() and not any(STATE.iterdir()):
            STATE.rmdir()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        STATE.mkdir(parents=True, exist_ok=True)
        with open(STATE / f"{self.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _down(self) -> None:
        if self.folder.exists():
            inventory.close_connections(self.folder)
        for machine_folder in self.folder.glob("*/root") if self.folder.exists() else ():
            self._machine(machine_folder.parent.name, "any", 0, "any").kill()
        if self._has_namespace():
            for pid in run(["ip", "netns", "pids", self.namespace]).split():
                kill(int(pid))
            run(["ip", "netns", "delete", self.namespace])
        # A killed container's mounts go with its namespace, a moment later; ours are taken off deepest first.
        for mount in sorted(self._mounts(), reverse=True):
            unmount(mount)
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _mounts(self) -> list[str]:
        mounts = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        return [mount for mount in mounts if mount == str(self.folder) or mount.startswith(f"{self.folder}/")]

    def _has_namespace(self) -> bool:
        return pathlib.Path(f"/run/netns/{self.namespace}").exists()

    # The LAN

    def _make_net(self) -> None:
        instances = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
        if int(instances.read_text()) < INOTIFY_INSTANCES:
            instances.write_text(str(INOTIFY_INSTANCES))
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            run(["mount", "-t", "tmpfs", "-o", "mode=755,size=70%", "virtnet-lab", str(self.folder)])
        if not self._has_namespace():
            run(["ip", "netns", "add", self.namespace])
            for line in (
                "link set lo up",
                "link add lan0 type bridge forward_delay 0",
                "link add out0 type bridge forward_delay 0",
                f"address add {LAN4.format(CONTROL)}/24 dev lan0",
                f"-6 address add {LAN6.format(CONTROL)}/64 dev lan0 nodad",
                "link set lan0 up",
                "link set out0 up",
            ):
                run(["ip", "-n", self.namespace, *line.split()])

    def _wanted(self, hosts: int, release: str) -> list[Machine]:
        others = (("router", ROUTER), ("client", CLIENT), ("outside", OUTSIDE))
        return [self._machine(name, name, number, release) for name, number in others] + [
            self._machine(f"h{index + 1}", "host", FIRST_HOST + index, release) for index in range(hosts)
        ]

    def _machine(self, name: str, role: str, number: int, release: str) -> Machine:
        return Machine(
            name=name, role=role, number=number, release=release, namespace=self.namespace, folder=self.folder / name
        )
