#!/usr/bin/python
# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what a host's declared networks mean on it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_plan
short_description: Tell what declared networks mean on a host
version_added: 0.3.0
description:
  - Takes the networks that are declared for a host (C(host_networks) of the role P(virtnet.kvm.host#role)), and tells what
    each module has to make of them, what of an earlier declaration has to go, and what the host lacks.
  - What can't be meant is refused, all of it in one message. Nothing is changed.
author:
  - the virtnet.kvm contributors (@virtnet-kvm)
options:
  networks:
    description: The declared networks, as the role P(virtnet.kvm.host#role) describes them.
    type: list
    elements: dict
    default: []
  guests:
    description: The declared guests with their interfaces, likewise.
    type: list
    elements: dict
    default: []
  keep:
    description:
      - Whether what was declared here before stays declared. A network or a guest of the same name is said anew.
      - Without it, O(networks) and O(guests) are all that is to be.
    type: bool
    default: false
  remove:
    description: With O(keep), what is no longer declared.
    type: dict
    suboptions:
      networks:
        description: Names of networks.
        type: list
        elements: str
      guests:
        description: Names of guests.
        type: list
        elements: str
extends_documentation_fragment:
  - virtnet.kvm.attributes
  - virtnet.kvm.attributes.libvirt
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: linux
    support: full
seealso:
  - module: virtnet.kvm.host_services
  - module: virtnet.kvm.linux_bridge
  - module: virtnet.kvm.libvirt_network
"""

EXAMPLES = r"""
- name: Look at what a declaration means here
  virtnet.kvm.host_plan:
    networks:
      - {name: lab, pattern: nat, address: 10.10.0.1/24}
  register: host_made
"""

RETURN = r"""
packages:
  description: The packages that the host lacks.
  returned: success
  type: list
  elements: str
daemons:
  description: The daemons of libvirt's that have to be started.
  returned: success
  type: list
  elements: str
bridges:
  description: What M(virtnet.kvm.linux_bridge) is to make.
  returned: success
  type: list
  elements: dict
networks:
  description: What M(virtnet.kvm.libvirt_network) is to make.
  returned: success
  type: list
  elements: dict
interfaces:
  description: What M(virtnet.kvm.libvirt_domain_interface) is to make.
  returned: success
  type: list
  elements: dict
leftovers:
  description: What was made for an earlier declaration and has to go, or back to where it was, for each of the three modules.
  returned: success
  type: dict
waiting:
  description: The networks and bridges among them that come into the place of what has to go, so that check mode can't ask for them.
  returned: success
  type: dict
declared:
  description: All networks that are declared now.
  returned: success
  type: list
  elements: dict
record:
  description: What M(virtnet.kvm.host_services) is to remember of it.
  returned: success
  type: dict
made:
  description: What it remembers of the last declaration; empty where nothing was declared.
  returned: success
  type: dict
"""

import functools

from ansible_collections.virtnet.kvm.plugins.module_utils._bridge import desired as bridges
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge import options as bridge_options
from ansible_collections.virtnet.kvm.plugins.module_utils._core.flow import inform
from ansible_collections.virtnet.kvm.plugins.module_utils._host.look import Taker, gather
from ansible_collections.virtnet.kvm.plugins.module_utils._interface import desired as interfaces
from ansible_collections.virtnet.kvm.plugins.module_utils._interface import options as interface_options
from ansible_collections.virtnet.kvm.plugins.module_utils._network import desired as networks
from ansible_collections.virtnet.kvm.plugins.module_utils._network import options as network_options


def main() -> None:
    """One task."""
    takers = {
        "bridges": Taker(bridge_options.spec(), bridges.desired),
        "networks": Taker(network_options.spec(), networks.desired),
        "interfaces": Taker(interface_options.spec(), interfaces.desired),
    }
    inform(
        functools.partial(gather, takers=takers),
        argument_spec={
            "networks": {"type": "list", "elements": "dict", "default": []},
            "guests": {"type": "list", "elements": "dict", "default": []},
            "keep": {"type": "bool", "default": False},
            "remove": {
                "type": "dict",
                "options": {name: {"type": "list", "elements": "str"} for name in ("networks", "guests")},
            },
            "uri": {"type": "str", "default": "qemu:///system"},
        },
    )


if __name__ == "__main__":
    main()
