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
from .boot import BACKENDS
from .image import ensure_key, ensure_tree
from .machine import Machine
from .nspawn import Container
from .settings import (
    CLIENT,
    CONTROL,
    FIRST_HOST,
    KINDS,
    LAN4,
    LAN6,
    LAST_HOST,
    OUTSIDE,
    RELEASES,
    ROUTER,
    STATE,
    LabError,
)
from .system import kill, run, say, unmount
from .vm import VirtualMachine
from .vm_disk import ensure_image

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
        return {machine.name: machine for machine in self._wanted(**settings)}

    def machine(self, name: str) -> Machine:
        machines = self.machines()
        if name not in machines:
            raise LabError(f"no machine {name!r} in lab {self.name!r}; there are: {', '.join(machines)}")
        return machines[name]

    # Up and down

    def up(self, hosts: int, release: str, kind: str = "nspawn", backend: str = "networkd") -> pathlib.Path:
        """Make the lab, or make it so: a machine that runs already is left alone. The kind is what the hosts are, the
        backend who keeps their boot configuration."""
        _check(hosts, release, kind, backend)
        (ensure_image if kind == "vm" else ensure_tree)(release)  # the long part, before anything stands
        with self._lock():
            for what, value in (("release", release), ("kind", kind), ("backend", backend)):
                if self.exists() and self.settings()[what] != value:
                    say(f"lab {self.name} is of another {what}: taking it down first")
                    self._down()
            if not self.exists():
                self._down()  # what a killed lab may have left
            self._make_net()
            wanted = self._wanted(hosts, release, kind, backend)
            extra = [
                machine for machine in (self.machines().values() if self.exists() else ()) if machine not in wanted
            ]
            for machine in extra:
                machine.stop()
            fresh = [machine for machine in wanted if not machine.is_running()]
            for machine in fresh:
                machine.start()
            for machine in fresh:
                machine.wait_until_up()
            settings = {"hosts": hosts, "release": release, "kind": kind, "backend": backend}
            if fresh:
                say(f"{self.name}: {', '.join(machine.name for machine in fresh)} up ({release}, {kind})")
            (self.folder / "lab.json").write_text(json.dumps(settings))
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
        for mark, kind in (("root", Container), ("ports", VirtualMachine)):
            for found in self.folder.glob(f"*/{mark}"):
                self._machine(kind, found.parent.name, "any", 0, "any").kill()
        if self._has_namespace():
            for pid in self._inside():
                kill(pid, lambda one: one in self._inside())
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

    def _inside(self) -> list[int]:
        return [int(pid) for pid in run(["ip", "netns", "pids", self.namespace]).split()]

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

    # The machines

    def _wanted(self, hosts: int, release: str, kind: str, backend: str) -> list[Machine]:
        others = (("router", ROUTER), ("client", CLIENT), ("outside", OUTSIDE))
        host = VirtualMachine if kind == "vm" else Container
        return [self._machine(Container, name, name, number, release) for name, number in others] + [
            self._machine(host, f"h{index + 1}", "host", FIRST_HOST + index, release, backend) for index in range(hosts)
        ]

    def _machine(
        self, kind: type[Machine], name: str, role: str, number: int, release: str, backend: str = "networkd"
    ) -> Machine:
        folder = self.folder / name
        return kind(
            name=name,
            role=role,
            number=number,
            release=release,
            backend=backend,
            namespace=self.namespace,
            folder=folder,
        )


def _check(hosts: int, release: str, kind: str, backend: str) -> None:
    for option, value, known in (
        ("release", release, RELEASES),
        ("kind", kind, KINDS),
        ("backend", backend, tuple(BACKENDS)),
    ):
        if value not in known:
            raise LabError(f"--{option} {value}: there are {' and '.join(known)}")
    if not 1 <= hosts <= LAST_HOST - FIRST_HOST + 1:
        raise LabError(f"--hosts {hosts}: from 1 to {LAST_HOST - FIRST_HOST + 1}")
