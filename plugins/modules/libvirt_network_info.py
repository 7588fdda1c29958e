#!/usr/bin/python
# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what libvirt networks are there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: libvirt_network_info
short_description: Look at libvirt networks
version_added: 0.1.0
description:
  - Says what libvirt networks a host has, in the words of M(virtnet.kvm.libvirt_network), with their leases and the running
    guests on them.
  - Feeding RV(networks[].definition) back to M(virtnet.kvm.libvirt_network) changes nothing.
author:
  - the virtnet.kvm contributors (@virtnet-kvm)
extends_documentation_fragment:
  - virtnet.kvm.attributes
  - virtnet.kvm.attributes.libvirt
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It changes nothing.
  platform:
    platforms: linux
    support: full
options:
  name:
    description: Only the network of this name.
    type: str
seealso:
  - module: virtnet.kvm.libvirt_network
"""

EXAMPLES = r"""
- name: Look at all networks
  virtnet.kvm.libvirt_network_info:
  register: found

- name: Who is on the network lab
  ansible.builtin.debug:
    msg: "{{ (found.networks | selectattr('name', 'eq', 'lab') | first).guests }}"
"""

RETURN = r"""
networks:
  description: An item a network, in the order of the alphabet.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the network.
      type: str
      returned: always
    uuid:
      description: Its UUID.
      type: str
      returned: always
    state:
      description: V(active) or V(inactive).
      type: str
      returned: always
    persistent:
      description: Whether it is defined, or only runs.
      type: bool
      returned: always
    autostart:
      description: Whether it starts together with the host.
      type: bool
      returned: always
    bridge:
      description: Name of its bridge.
      type: str
      returned: always
    definition:
      description: Its definition in the options of M(virtnet.kvm.libvirt_network). One that options can't say stands in C(xml).
      type: dict
      returned: always
    drift:
      description: The options in which what runs differs from what is stored, with their running values.
      type: dict
      returned: always
    leases:
      description: The leases that its DHCP server has given out.
      type: list
      elements: dict
      returned: always
      contains:
        mac:
          description: MAC address of the guest.
          type: str
          returned: always
        ip:
          description: The address.
          type: str
          returned: always
        prefix:
          description: Its prefix.
          type: int
          returned: always
        hostname:
          description: Name that the guest gave.
          type: str
          returned: always
        client_id:
          description: Client identifier or DUID.
          type: str
          returned: always
        expires:
          description: When it ends, in seconds since 1970.
          type: int
          returned: always
    guests:
      description: The interfaces of running guests on it.
      type: list
      elements: dict
      returned: always
      contains:
        guest:
          description: Name of the guest.
          type: str
          returned: always
        mac:
          description: MAC address of the interface.
          type: str
          returned: always
        interface:
          description: The host's device of it.
          type: str
          returned: always
        portgroup:
          description: Its portgroup.
          type: str
          returned: always
    managed:
      description: Whether this collection made it.
      type: bool
      returned: always
    xml:
      description: The stored definition as libvirt's XML.
      type: str
      returned: always
"""

from ansible_collections.virtnet.kvm.plugins.module_utils._core.flow import inform
from ansible_collections.virtnet.kvm.plugins.module_utils._network.info import gather
from ansible_collections.virtnet.kvm.plugins.module_utils._network.options import URI


def main() -> None:
    """One task."""
    inform(gather, argument_spec={"name": {"type": "str"}, "uri": URI})


if __name__ == "__main__":
    main()
