#!/usr/bin/python
# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a host's own services for its declared networks so."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_services
short_description: Manage firewall, DHCP and forwarding of declared networks
version_added: 0.3.0
description:
  - Makes what a host itself does for its declared networks so, apart from bridges and libvirt networks. An nftables table of
    our own (C(inet virtnet)) shields custom and sealed networks, translates addresses and forwards ports. Chains of our own beside
    the rules of libvirt, Docker, ufw and firewalld let them through. A dnsmasq unit a custom network gives DHCP and DNS.
    Kernel settings let packets pass.
  - All of it is kept by systemd units, and is there again after a reboot, and after a restart of nftables, firewalld, ufw, Docker or
    libvirt.
  - Without networks it takes all of it away again.
author:
  - the virtnet.kvm contributors (@virtnet-kvm)
options:
  networks:
    description: The declared networks, as the role P(virtnet.kvm.host#role) describes them. The whole list, every time.
    type: list
    elements: dict
    required: true
  record:
    description: What M(virtnet.kvm.host_plan) says is to be remembered.
    type: dict
extends_documentation_fragment:
  - virtnet.kvm.attributes
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
  - systemd
  - nftables
  - dnsmasq, for custom networks
seealso:
  - module: virtnet.kvm.host_plan
"""

EXAMPLES = r"""
- name: A port of the host that leads to a guest
  virtnet.kvm.host_services:
    networks:
      - name: lab
        pattern: nat
        address: 10.10.0.1/24
        forwards:
          - {protocol: tcp, port: 2222, to: "10.10.0.5:22"}
"""

RETURN = r"""
services:
  description: What became of each service.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The service, such as V(firewall) or V(dhcp lab).
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
rolled_back:
  description: Whether what was there before the failure is back.
  returned: when a change failed
  type: bool
"""

from ansible_collections.virtnet.kvm.plugins.module_utils._core.flow import manage
from ansible_collections.virtnet.kvm.plugins.module_utils._host import domain


def main() -> None:
    """One task."""
    manage(
        domain,
        argument_spec={
            "networks": {"type": "list", "elements": "dict", "required": True},
            "record": {"type": "dict"},
        },
    )


if __name__ == "__main__":
    main()
