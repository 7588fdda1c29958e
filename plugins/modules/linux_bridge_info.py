#!/usr/bin/python
# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what Linux bridges are there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: linux_bridge_info
short_description: Look at Linux bridges
version_added: 0.2.0
description:
  - Tells what bridges a host has, in the same words that M(virtnet.kvm.linux_bridge) takes.
author:
  - the virtnet.kvm contributors (@virtnet-kvm)
options:
  name:
    description: The one bridge to look at; all of them where it is left out.
    type: str
extends_documentation_fragment:
  - virtnet.kvm.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: linux
    support: full
requirements:
  - python >= 3.9
  - python3-pyroute2 >= 0.7.2
seealso:
  - module: virtnet.kvm.linux_bridge
"""

EXAMPLES = r"""
- name: Look at all bridges
  virtnet.kvm.linux_bridge_info:
  register: found

- name: Feed one back, which changes nothing
  virtnet.kvm.linux_bridge: "{{ {'name': found.bridges[0].name} | combine(found.bridges[0].definition) }}"
"""

RETURN = r"""
bridges:
  description: The bridges, by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The bridge.
      type: str
      returned: always
    definition:
      description: What it is, in the words of M(virtnet.kvm.linux_bridge). Fed back to it, this changes nothing.
      type: dict
      returned: always
    guests:
      description: The taps of guests on it (C(interface)), and whose they are (C(guest)).
      type: list
      elements: dict
      returned: always
    dynamic_addresses:
      description: Addresses that DHCP or router advertisements gave it.
      type: list
      elements: str
      returned: always
    backend:
      description: Which daemon is in charge of it for the next boot; V(null) for none.
      type: str
      returned: always
"""

from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.info import gather
from ansible_collections.virtnet.kvm.plugins.module_utils._core.flow import inform


def main() -> None:
    """One task."""
    inform(gather, argument_spec={"name": {"type": "str"}})


if __name__ == "__main__":
    main()
