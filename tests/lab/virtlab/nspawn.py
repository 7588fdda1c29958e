# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kind `nspawn`: a systemd-nspawn container with an overlay of its own over the release's tree."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import socket
import subprocess

from . import boot
from .image import ensure_tree
from .machine import Machine
from .settings import LabError
from .system import (
    alive,
    children,
    command_line,
    is_rooted_in,
    kill,
    processes_naming,
    processes_rooted_in,
    resume,
    run,
    unmount,
    wait_for,
)

BOOT_SECONDS = 90

# Looking through all processes of a busy machine costs more than most commands that are then run.
_LEADERS: dict[pathlib.Path, int] = {}

# systemd-nspawn that may not make units of its own ends with status 133 when its machine wants to reboot.
# Each machine has a cgroup of its own: else the systemds of all share one tree, and stop each other's units of one name.
KEEP_BOOTING = """\
for tree in {trees}; do
    if [ -e $tree/cgroup.procs ]; then mkdir -p $tree/{cgroup} && echo $$ > $tree/{cgroup}/cgroup.procs; fi
done
while "$@"; [ $? -eq 133 ]; do :; done
"""
CGROUP_TREES = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")


@dataclasses.dataclass(frozen=True)
class Container(Machine):
    """Everything of it is in its folder: the overlay's upper tree, and the console's log."""

    NIC = "host0"
    GUEST_PATIENCE = 1

    @property
    def root(self) -> pathlib.Path:
        return self.folder / "root"

    def start(self) -> None:
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if not os.path.ismount(self.root):
            layers = f"lowerdir={ensure_tree(self.release)},upperdir={self._upper},workdir={self.folder}/work"
            run(["mount", "-t", "overlay", "-o", layers, "virtnet-lab", str(self.root)])
        if not (self.folder / "upper/etc/hosts").exists():  # a disk keeps what is on it
            self._configure()
        self.kill()  # what a machine that died by itself has left
        bridge = "out0" if self.role == "outside" else "lan0"
        extra = ["--network-veth-extra=router-out:out0"] if self.role == "router" else []
        command = [
            "sh", "-c", KEEP_BOOTING.format(trees=" ".join(CGROUP_TREES), cgroup=self._cgroup), "lab-machine",
            "nsenter", f"--net=/run/netns/{self.namespace}",
            "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--capability=all",
            f"--directory={self.root}", f"--machine={self.name}", f"--hostname={self.name}",
            f"--network-bridge={bridge}", *extra, "--bind=/dev/net/tun", "--console=pipe", "--link-journal=no",
        ]  # fmt: skip
        with open(self.folder / "console.log", "wb") as log:
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
            )  # fmt: skip

    def wait_until_up(self) -> None:
        wait_for(f"{self.name}'s boot (its console: {self.folder}/console.log)", self._is_up, BOOT_SECONDS)
        if self.role == "router":
            # nspawn can't plug an extra veth into a bridge by itself
            run(["ip", "-n", self.namespace, "link", "set", "router-out", "master", "out0", "up"])

    def _is_up(self) -> bool:
        if not self.leader():
            if not processes_naming(self._mark):
                raise LabError(f"{self.name} did not start; its console: {self.folder}/console.log")
            return False
        state = self.run(["systemctl", "is-system-running"], stderr=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
        return state.strip() in (b"running", b"degraded")

    def stop(self) -> None:
        self.kill()
        if os.path.ismount(self.root):
            unmount(str(self.root))
        run(["rm", "-rf", str(self.folder)])

    def kill(self) -> None:
        """The loop that boots it first, else it boots again; then its cables, which the kernel would take off later."""
        for program in ("sh ", "systemd-nspawn "):
            for pid in self._running(program):
                kill(pid, self._is_ours)
        for pid in processes_rooted_in(self._upper):  # the first is init, and the kernel ends the others with it
            kill(pid, lambda one: is_rooted_in(one, self._upper))
        for link in self.cables():
            subprocess.run(["ip", "-n", self.namespace, "link", "delete", link], stderr=subprocess.DEVNULL, check=False)
        wait_for(f"the end of {self.name}'s processes", self._remove_cgroup, 20)

    @property
    def _cgroup(self) -> str:
        return f"{self.namespace}-{self.name}"

    def _remove_cgroup(self) -> bool:
        tops = [pathlib.Path(tree, self._cgroup) for tree in CGROUP_TREES]
        for top in tops:
            for folder, _folders, _files in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):  # its last process is not quite gone
                    os.rmdir(folder)  # noqa: PTH106
        return not any(top.exists() for top in tops)

    def reboot(self) -> None:
        before = self.leader()
        self.run(["systemctl", "reboot"])
        wait_for(f"{self.name} going down", lambda: self._is_gone(before), BOOT_SECONDS, 0.2)
        self.wait_until_up()

    def _is_gone(self, leader: int | None) -> bool:
        """systemd stops all before it ends them; an nsenter stops itself with its child, and would never bury it."""
        if self.leader() not in (leader, None):
            return True
        for pid in processes_naming(f"--target={leader} "):
            resume(pid)
        return False

    def leader(self) -> int | None:
        """The container's first process, or None while there is none."""
        known = _LEADERS.get(self.root)
        if known and alive(known) and is_rooted_in(known, self._upper):  # its number may be another container's by now
            return known
        found = self._find_leader()
        if found:
            _LEADERS[self.root] = found
        return found

    def _find_leader(self) -> int | None:
        for nspawn in self._running("systemd-nspawn "):
            for pid in children(nspawn):
                inner = children(pid)  # nspawn keeps an outer child in between while it sets things up
                if os.path.exists(f"/proc/{pid}/root/run/systemd/system") and alive(pid):
                    return pid
                if inner and alive(inner[0]) and os.path.exists(f"/proc/{inner[0]}/root/run/systemd/system"):
                    return inner[0]
        return None

    def cables(self) -> list[str]:
        return [f"vb-{self.name}"] + (["router-out"] if self.role == "router" else [])

    def _running(self, program: str) -> list[int]:
        return [pid for pid in processes_naming(self._mark) if command_line(pid).startswith(program)]

    def _is_ours(self, pid: int) -> bool:
        return self._mark in command_line(pid)

    @property
    def _upper(self) -> str:
        return f"{self.folder}/upper"

    @property
    def _mark(self) -> str:
        """What the command lines of its programs have, and no other's."""
        return f"--directory={self.root} "

    def is_running(self) -> bool:
        return self.leader() is not None

    def connect(self, path: str) -> socket.socket:
        there = f"/proc/{self.leader()}/root{path}"
        if not os.path.exists(there):
            raise FileNotFoundError(f"no socket at {path} on {self.name}")
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(there)
        return connection

    def _door(self) -> list[str]:
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]
        return ["nsenter", f"--target={self.leader()}", *spaces]

    def _configure(self) -> None:
        for path, text in self.files().items():
            target = self.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            target.chmod(boot.mode(path))
        if self.role != "host":
            for unit in ("libvirtd.service", "libvirtd.socket", "libvirtd-ro.socket", "libvirtd-admin.socket"):
                target = self.root / "etc/systemd/system" / unit
                target.unlink(missing_ok=True)
                target.symlink_to("/dev/null")
        for unit in [path for path in self.files() if path.endswith(".service")]:
            wants = self.root / "etc/systemd/system/multi-user.target.wants" / os.path.basename(unit)
            wants.parent.mkdir(parents=True, exist_ok=True)
            wants.unlink(missing_ok=True)
            wants.symlink_to(f"/{unit}")
