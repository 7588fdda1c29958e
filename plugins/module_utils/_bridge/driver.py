# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rooms that touch the system share: the socket to the kernel."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Iterator

from .._kernel.netlink import Netlink
from .._persist import agent


class Driver:
    """For as long as a task lasts."""

    def __init__(self) -> None:
        self.netlink = Netlink()
        self._held: dict[str, contextlib.ExitStack] = {}

    def indices(self) -> dict[str, int]:
        """The kernel's numbers of all links, as they are now."""
        return {name: index for index, name in socket.if_nameindex()}

    def hold(self, backends: Iterable[str]) -> None:
        """Keep their daemons from acting on half a change; where it fails, until it is put back."""
        for name in backends:
            if name not in self._held:
                stack = contextlib.ExitStack()
                stack.enter_context(agent.held(name))
                self._held[name] = stack

    def release(self) -> None:
        while self._held:
            self._held.popitem()[1].close()

    def reconnect(self) -> None:
        """A netlink socket does not break."""


@contextlib.contextmanager
def connect() -> Iterator[Driver]:
    driver = Driver()
    try:
        yield driver
    finally:
        driver.release()
        driver.netlink.close()
