# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rooms that touch the system share: the socket to the kernel."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from .._kernel.netlink import Netlink


class Driver:
    """For as long as a task lasts."""

    def __init__(self) -> None:
        self.netlink = Netlink()

    def indices(self) -> dict[str, int]:
        """The kernel's numbers of all links, as they are now."""
        return {name: index for index, name in socket.if_nameindex()}

    def reconnect(self) -> None:
        """A netlink socket does not break."""


@contextlib.contextmanager
def connect() -> Iterator[Driver]:
    driver = Driver()
    try:
        yield driver
    finally:
        driver.netlink.close()
