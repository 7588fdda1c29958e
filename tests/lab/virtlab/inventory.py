# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of a lab, for plain Ansible from an ordinary shell over real SSH."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import typing

from .system import command_line, kill, processes_naming

if typing.TYPE_CHECKING:
    from .lab import Lab
    from .machine import Machine

SSH_CONFIG = """\
Host *
    User root
    IdentityFile {folder}/key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
    ProxyCommand nsenter --net=/run/netns/{namespace} nc %h %p
"""

INVENTORY = """\
all:
  vars:
    ansible_user: root
    ansible_python_interpreter: /usr/bin/python3
    ansible_ssh_common_args: >-
      -F {folder}/ssh_config -o ControlMaster=auto -o ControlPersist=60s -o ControlPath={folder}/ssh/%C
    ansible_ssh_args: ""
    ansible_pipelining: true
  children:
    kvm_hosts:
      hosts:
{hosts}
    lan:
      hosts:
{others}
"""


def write(lab: Lab, machines: list[Machine], key: pathlib.Path) -> None:
    def entries(group: list[Machine]) -> str:
        return "\n".join(f"        {machine.name}: {{ansible_host: {machine.address}}}" for machine in group)

    (lab.folder / "ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(key, lab.folder / "key")
    (lab.folder / "key").chmod(0o600)
    (lab.folder / "ssh_config").write_text(SSH_CONFIG.format(folder=lab.folder, namespace=lab.namespace))
    hosts = entries([machine for machine in machines if machine.role == "host"])
    others = entries([machine for machine in machines if machine.role in ("router", "client")])
    lab.inventory.write_text(INVENTORY.format(folder=lab.folder, hosts=hosts, others=others))


def close_connections(folder: pathlib.Path) -> None:
    """End the SSH masters that Ansible keeps alive; they were opened for this lab alone."""
    for socket in (folder / "ssh").glob("*"):
        subprocess.run(
            ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "x"], stderr=subprocess.DEVNULL, check=False
        )
    for pid in processes_naming(f"{folder}/ssh/"):
        kill(pid, lambda one: f"{folder}/ssh/" in command_line(one))
