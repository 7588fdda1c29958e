# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module here has in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes, and how libvirt is reached."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Changes nothing in check mode, and predicts what the real run does.
    support: full
  diff_mode:
    description: Says what would differ or does differ, before and after.
    support: full
  platform:
    description: Where it runs.
    platforms: linux
    support: full
"""

    LIBVIRT = r"""
requirements:
  - python >= 3.9
  - python3-libvirt
  - python3-lxml
options:
  uri:
    description:
      - How libvirt is reached; monolithic libvirtd or the modular daemons.
    type: str
    default: qemu:///system
"""
