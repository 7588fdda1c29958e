# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least that a module can be which has libvirt_network's options, reads the networks and answers as much.

It decides nothing. bench.py fills in the options, and tells its time beside ours: what is below it is Ansible's own.
"""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor

import libvirt
from ansible.module_utils.basic import AnsibleModule
from lxml import etree

SPEC: dict = {}


def main() -> None:
    gc.disable()
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    connection = libvirt.open("qemu:///system")
    for flag in (2, 4, 16):
        connection.listAllNetworks(flag)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, connection.listAllNetworks(0)))
    said = [{"name": one["name"], "mode": "isolated", "bridge": one["after"]["bridge"]} for one in found]
    module.exit_json(changed=False, networks=found, diff=[], invocation={"module_args": {"networks": said}})


def read(network: libvirt.virNetwork) -> dict:
    """As libvirt_network answers of a network with nothing to do."""
    live, _config = etree.fromstring(network.XMLDesc(0)), network.XMLDesc(1)
    told = {
        "state": "active",
        "autostart": True,
        "mode": "isolated",
        "bridge": live.find("bridge").get("name"),
        "mac_address": live.find("mac").get("address"),
        "uuid": live.findtext("uuid"),
    }
    facts = {"changed": False, "actions": [], "restart_required": False, "guests": []}
    return {"name": network.name(), **facts, "before": told, "after": told}


if __name__ == "__main__":
    main()
