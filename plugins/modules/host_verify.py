#!/usr/bin/python
# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove a host's declared networks by packets."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_verify
short_description: Prove declared networks by packets
version_added: 0.3.0
description:
  - Asks the host whether its declared networks are as declared, and sends packets. A network namespace on each network's bridge
    stands for a guest; it asks for a lease (and takes none), calls its host, and tries to reach outside, and each answer is
    compared with what the pattern promises. Forwarded ports are called from the host itself while their guest does not run.
  - Nothing is changed, and what was plugged in for the time of the test is gone afterwards.
author:
  - the virtnet.kvm contributors (@virtnet-kvm)
options:
  networks:
    description: The declared networks; those that were declared here last, when left out.
    type: list
    elements: dict
  outside:
    description: An address outside that answers pings; the host's default gateway, when left out.
    type: str
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
  - module: virtnet.kvm.host_plan
"""

EXAMPLES = r"""
- name: Send packets
  virtnet.kvm.host_verify:
    outside: 192.0.2.1
  register: host_proof

- name: Stop where one failed
  ansible.builtin.assert:
    that: host_proof.passed
"""

RETURN = r"""
passed:
  description: Whether no check failed.
  returned: success
  type: bool
checks:
  description: Each check.
  returned: success
  type: list
  elements: dict
  contains:
    network:
      description: The network.
      type: str
      returned: always
    check:
      description: What should be.
      type: str
      returned: always
    found:
      description: What was found.
      type: str
      returned: always
    ok:
      description: Whether it is so.
      type: bool
      returned: always
    skipped:
      description: Whether it can't be told here, which counts as no failure.
      type: bool
      returned: always
table:
  description: The same as lines that a person reads.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.virtnet.kvm.plugins.module_utils._core.flow import inform
from ansible_collections.virtnet.kvm.plugins.module_utils._host.verify import gather


def main() -> None:
    """One task."""
    inform(
        gather,
        argument_spec={
            "networks": {"type": "list", "elements": "dict"},
            "outside": {"type": "str"},
            "uri": {"type": "str", "default": "qemu:///system"},
        },
    )


if __name__ == "__main__":
    main()
