# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a lab keeps its things, and the addresses of its LAN."""

import os
import pathlib

CACHE = pathlib.Path(os.environ.get("VIRTNET_LAB_CACHE", "/var/cache/virtnet-lab"))
STATE = pathlib.Path("/run/virtnet-lab")
RELEASES = ("bookworm", "trixie")
KINDS = ("nspawn", "vm")

# The LAN, and the "outside" net behind its router. Both are documentation or benchmark ranges
# (RFC 5737, RFC 2544, RFC 3849), so they meet nobody's real addresses.
LAN4 = "192.0.2.{}"
LAN6 = "2001:db8:1::{:x}"
OUTSIDE4 = "198.18.0.{}"
OUTSIDE6 = "2001:db8:2::{:x}"
ROUTER, CLIENT, CONTROL, FIRST_HOST, LAST_HOST = 1, 5, 6, 11, 99
OUTSIDE = 10
DHCP_FIRST, DHCP_LAST = 150, 220
DOMAIN = "lan.example"


class LabError(Exception):
    """Something the user of the lab can act on; printed without a traceback."""
