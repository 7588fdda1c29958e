# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Through the real Ansible over real SSH: ad hoc from the inventory, playbooks, check and diff."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

from host import ROOT, Host
from virtlab.lab import Lab

BIN = pathlib.Path(sys.executable).parent
PLAY = """
- hosts: kvm_hosts
  gather_facts: false
  module_defaults:
    group/virtnet.kvm.all: {uri: qemu:///system}
  tasks:
    - virtnet.kvm.libvirt_network:
        name: lab
        mode: nat
        address: 10.1.2.1/24
        dhcp: true
        dns: {hosts: [{ip: 10.1.2.9, hostnames: [www]}]}
    - virtnet.kvm.libvirt_network_info:
      register: found
    - ansible.builtin.assert:
        that: found.networks | map(attribute='name') | list == ['lab']
    - name: What was found, fed back
      virtnet.kvm.libvirt_network:
        networks: "{{ [found.networks[0].definition | combine({'name': 'lab'})] }}"
"""


def ansible(lab: Lab, program: str, *words: str) -> str:
    command = [str(BIN / program), "-i", str(lab.inventory), *words]
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


def test_ad_hoc(lab: Lab, host: Host) -> None:
    second = Host(lab, lab.machine("h2"))
    second.clean()
    words = ["kvm_hosts", "-m", "virtnet.kvm.libvirt_network", "-a", "name=lab mode=nat address=10.1.2.1/24 dhcp=true"]
    assert ansible(lab, "ansible", *words, "--check", "--diff").count("+mode: nat") == 2
    assert not host.names()
    assert ansible(lab, "ansible", *words).count("CHANGED") == 2
    assert ansible(lab, "ansible", *words).count("SUCCESS") == 2
    for one in (host, second):
        assert one.active() == {"lab"}
        assert "range start='10.1.2.2' end='10.1.2.254'" in one.xml("lab")
    out = ansible(lab, "ansible", "h1", "-m", "virtnet.kvm.libvirt_network", "-a", "name=lab mode=nat address=10.1.2.1")
    assert "FAILED" in out and "prefix is missing" in out
    second.clean()


def test_playbook_twice(lab: Lab, host: Host, tmp_path: pathlib.Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    first = ansible(lab, "ansible-playbook", str(tmp_path / "play.yml"), "--limit", "h1")
    assert "changed=1 " in first and "failed=0" in first, first
    second = ansible(lab, "ansible-playbook", str(tmp_path / "play.yml"), "--limit", "h1", "--diff")
    assert "changed=0 " in second and "failed=0" in second, second


def test_inventory_reaches_every_machine(lab: Lab) -> None:
    assert ansible(lab, "ansible", "all", "-m", "ping").count("pong") == 4
