#!/usr/bin/python
# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a guest's network interface so."""

from __future__ import annotations

DOCUMENTATION = r"""
module: libvirt_domain_interface
short_description: Manage network interfaces of libvirt guests
version_added: 0.3.0
description:
  - Plugs, changes and unplugs network interfaces of guests, one or many in one call.
  - A running guest is changed live and in what is stored of it, a stopped one in what is stored, a transient one live.
  - What is left out stays as it is. An empty value (V(''), V(0), V({})) takes an option off.
  - What libvirt cannot change live is stored, or the interface is plugged in anew, as O(replug) says.
  - When something fails in the middle, what was there before is put back.
author:
  - the virtnet.kvm contributors (@virtnet-kvm)
extends_documentation_fragment:
  - virtnet.kvm.attributes
  - virtnet.kvm.attributes.libvirt
  - virtnet.kvm.libvirt_domain_interface
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    platforms: linux
    support: full
seealso:
  - module: virtnet.kvm.libvirt_network
  - name: Domain XML format, network interfaces
    description: What the options mean to libvirt.
    link: https://libvirt.org/formatdomain.html#network-interfaces
"""

EXAMPLES = r"""
- name: An interface on a network; libvirt picks its MAC address
  virtnet.kvm.libvirt_domain_interface:
    guest: web1
    network: lab

- name: The cable out, live
  virtnet.kvm.libvirt_domain_interface:
    guest: web1
    network: lab
    link_state: down

- name: Moved to another network, live, with a filter against false addresses
  virtnet.kvm.libvirt_domain_interface:
    guest: web1
    mac: "52:54:00:00:00:05"
    network: dmz
    filter: clean-traffic
    filter_parameters: {IP: 192.0.2.5}

- name: Another model, for which the interface is plugged in anew
  virtnet.kvm.libvirt_domain_interface:
    guest: web1
    network: dmz
    model: e1000e
    replug: true

- name: Several guests in one call, all or nothing
  virtnet.kvm.libvirt_domain_interface:
    interfaces:
      - {guest: web1, network: backup, isolated: true}
      - {guest: web2, network: backup, isolated: true}
      - {guest: web2, bridge: br0, state: absent}
"""

RETURN = r"""
interfaces:
  description: An item an interface, in the order of the task.
  returned: success
  type: list
  elements: dict
  contains:
    guest:
      description: Name of the guest.
      type: str
      returned: always
    mac:
      description: MAC address of the interface; V(null) where there is none, and in check mode where libvirt would pick it.
      type: str
      returned: always
    changed:
      description: Whether this interface was changed.
      type: bool
      returned: always
    actions:
      description: What was done, in order.
      type: list
      elements: str
      returned: always
      sample: ['update link_state', replug]
    restart_required:
      description: Whether something is stored that the running guest has only after it was shut down and started.
      type: bool
      returned: always
    pending:
      description: The options of which that is so.
      type: list
      elements: str
      returned: always
    before:
      description:
        - The interface before, in the options' own words; V(null) where there was none. C(live) holds what ran otherwise than
          it was stored.
      type: dict
      returned: always
    after:
      description: The interface after, likewise. In check mode without a MAC address that libvirt would pick.
      type: dict
      returned: always
rolled_back:
  description: Whether what was there before the failure is back.
  returned: when a change failed
  type: bool
"""

from ansible_collections.virtnet.kvm.plugins.module_utils._core.flow import manage
from ansible_collections.virtnet.kvm.plugins.module_utils._interface import domain
from ansible_collections.virtnet.kvm.plugins.module_utils._interface.options import spec


def main() -> None:
    """One task."""
    manage(domain, argument_spec=spec())


if __name__ == "__main__":
    main()
