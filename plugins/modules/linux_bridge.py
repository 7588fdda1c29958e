#!/usr/bin/python
# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a Linux bridge so."""

from __future__ import annotations

DOCUMENTATION = r"""
module: linux_bridge
short_description: Manage Linux bridges
version_added: 0.2.0
description:
  - Makes, changes and removes Linux bridges with their ports, VLANs, addresses and routes, one or many in one call.
  - What is left out stays as it is. What is said is so afterwards, in the kernel at once and after the next boot.
  - A running guest's tap is never taken off the bridge, unless it is named with V(state=absent).
  - When something fails in the middle, what was there before is put back.
  - When a change touches the link that carries the connection to the host, the host puts everything back by itself unless
    the controller reaches it over a fresh connection afterwards; see O(confirm_timeout).
author:
  - the virtnet.kvm contributors (@virtnet-kvm)
extends_documentation_fragment:
  - virtnet.kvm.attributes
  - virtnet.kvm.linux_bridge
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
    support: full
requirements:
  - python >= 3.9
  - python3-pyroute2 >= 0.7.2
seealso:
  - module: virtnet.kvm.linux_bridge_info
  - module: virtnet.kvm.libvirt_network
    description: Puts guests on the bridge, with O(virtnet.kvm.libvirt_network#module:mode=bridge).
"""

EXAMPLES = r"""
- name: A bridge over the host's NIC, which takes over its addresses, routes, DNS and MAC
  virtnet.kvm.linux_bridge:
    name: br0
    ports: [eno1]
    inherit: true

- name: A bridge for guests alone, with an address of its own
  virtnet.kvm.linux_bridge:
    name: br-lab
    addresses: [10.20.0.1/24, "2001:db8:20::1/64"]

- name: A trunk, and a port in one VLAN
  virtnet.kvm.linux_bridge:
    name: br0
    vlan: {filtering: true, default_pvid: 0}
    ports:
      - name: eno1
        vlans: {tagged: [10, 20-29]}
      - name: eno2
        isolated: true
        vlans: {pvid: 10, untagged: [10]}

- name: Many bridges in one call, each on a VLAN of the same NIC
  virtnet.kvm.linux_bridge:
    bridges:
      - name: br10
        ports: [{name: eno1.10, type: vlan, parent: eno1, id: 10}]
      - name: br20
        ports: [{name: eno1.20, type: vlan, parent: eno1, id: 20}]

- name: Give everything back to the NIC
  virtnet.kvm.linux_bridge:
    name: br0
    state: absent
"""

RETURN = r"""
bridges:
  description: What became of each bridge, in the order of the options.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The bridge.
      type: str
      returned: always
    changed:
      description: Whether anything was to be done for it.
      type: bool
      returned: always
    actions:
      description: What was done, in order.
      type: list
      elements: str
      returned: always
      sample: [create bridge br0, add eno1 to br0]
    guests:
      description: The running guests on the bridge, which keep their links.
      type: list
      elements: str
      returned: always
    before:
      description: The bridge before, in the options' own words; V(null) where there was none.
      type: dict
      returned: always
    after:
      description: The bridge after, likewise. In check mode without what only the kernel can choose, such as the MAC address.
      type: dict
      returned: always
backups:
  description: The files of somebody else's that configured the same links, where they are kept now.
  returned: success
  type: list
  elements: str
confirmed:
  description: Whether a fresh connection has confirmed the change; V(null) where nothing had to be guarded.
  returned: success
  type: bool
rolled_back:
  description: Whether what was there before the failure is back.
  returned: when a change failed
  type: bool
"""

from ansible_collections.virtnet.kvm.plugins.module_utils._bridge import domain
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.options import spec
from ansible_collections.virtnet.kvm.plugins.module_utils._core.flow import manage


def main() -> None:
    """One task."""
    manage(domain, argument_spec=spec())


if __name__ == "__main__":
    main()
