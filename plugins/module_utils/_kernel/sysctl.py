# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's switches that netlink does not reach."""

from __future__ import annotations

import contextlib
import pathlib

_CONF = pathlib.Path("/proc/sys/net")


def promote_secondaries(link: str) -> None:
    """Let the next address of a subnet stay when its first one is removed; else the kernel removes them all, and every
    route that needs them (ip-sysctl, promote_secondaries; systemd sets the same for all links)."""
    with contextlib.suppress(FileNotFoundError):
        (_CONF / "ipv4/conf" / link / "promote_secondaries").write_text("1")


def usual_link_local(link: str) -> None:
    """Let the kernel make the link's IPv6 address again as it does for a new link; a daemon that had it as a port of a
    bridge has switched that off (addr_gen_mode)."""
    with contextlib.suppress(OSError):
        usual = (_CONF / "ipv6/conf/default/addr_gen_mode").read_text()
        (_CONF / "ipv6/conf" / link / "addr_gen_mode").write_text(usual)
