#!/usr/bin/python
# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a libvirt network so."""

from __future__ import annotations

DOCUMENTATION = r"""
module: libvirt_network
short_description: Manage libvirt networks
version_added: 0.1.0
description:
  - Defines, changes, starts, stops and removes libvirt networks, one or many in one call.
  - The options describe the whole network. What is left out has libvirt's default. What only libvirt chooses (UUID, MAC
    address, name of the bridge) is kept from what is there.
  - With no option that describes the network, its definition is left alone, and only whether it runs and autostarts is managed.
  - A change is made live where libvirt can do that. What it cannot do live is left to O(restart).
  - When something fails in the middle, what was there before is put back, guests' connections included.
author:
  - the virtnet.kvm contributors (@virtnet-kvm)
extends_documentation_fragment:
  - virtnet.kvm.attributes
  - virtnet.kvm.attributes.libvirt
  - virtnet.kvm.libvirt_network
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
    support: full
requirements:
  - python3-pyroute2, where guests are plugged back in after a restart
seealso:
  - module: virtnet.kvm.libvirt_network_info
  - name: Network XML format
    description: What the options mean to libvirt.
    link: https://libvirt.org/formatnetwork.html
"""

EXAMPLES = r"""
- name: A NAT network that gives out addresses
  virtnet.kvm.libvirt_network:
    name: lab
    mode: nat
    address: 10.1.2.1/24
    dhcp: true

- name: The same with a reservation and a name, changed live while guests run
  virtnet.kvm.libvirt_network:
    name: lab
    mode: nat
    subnets:
      - address: 10.1.2.1/24
        dhcp:
          ranges: [{start: 10.1.2.100, end: 10.1.2.199}]
          hosts: [{mac: "52:54:00:00:00:05", name: web1, ip: 10.1.2.5}]
    dns:
      hosts: [{ip: 10.1.2.5, hostnames: [www]}]

- name: Several networks in one call, and nothing else of ours
  virtnet.kvm.libvirt_network:
    networks:
      - {name: sealed, mode: isolated, address: 10.66.0.1/24, dhcp: true}
      - {name: lan, mode: bridge, bridge: br0}
    purge: true

- name: A change that libvirt can't make live, guests plugged back in
  virtnet.kvm.libvirt_network:
    name: lab
    mode: nat
    address: 10.1.3.1/24
    dhcp: true
    restart: always

- name: Gone, unless running guests are connected
  virtnet.kvm.libvirt_network:
    name: lab
    state: absent
"""

RETURN = r"""
networks:
  description: An item a network, in the order of the task.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the network.
      type: str
      returned: always
    changed:
      description: Whether this network was changed.
      type: bool
      returned: always
    actions:
      description: What was done, in order.
      type: list
      elements: str
      returned: always
      sample: [define, update ip-dhcp-host add]
    restart_required:
      description: Whether what is stored takes effect only after a restart, which O(restart) did not allow.
      type: bool
      returned: always
    guests:
      description: The running guests whose link an action touched, or a restart would touch.
      type: list
      elements: str
      returned: always
    before:
      description: The network before, in the options' own words; V(null) where there was none. C(live) holds what ran otherwise.
      type: dict
      returned: always
    after:
      description: The network after, likewise. In check mode without the values that only libvirt can choose.
      type: dict
      returned: always
rolled_back:
  description: Whether what was there before the failure is back.
  returned: when a change failed
  type: bool
"""

from ansible_collections.virtnet.kvm.plugins.module_utils._core.flow import manage
from ansible_collections.virtnet.kvm.plugins.module_utils._network import domain
from ansible_collections.virtnet.kvm.plugins.module_utils._network.options import spec


def main() -> None:
    """One task."""
    manage(domain, argument_spec=spec())


if __name__ == "__main__":
    main()
