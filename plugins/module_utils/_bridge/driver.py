# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rooms that touch the system share: the socket to the kernel."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Iterator

from .._core.errors import SystemFailure
from .._kernel.netlink import Netlink
from .._persist import agent


class Indices(dict[str, int]):
    """The kernel's numbers of the links as they are now, each asked for when it is needed: if_nameindex(3) would have the kernel
    tell all about every link."""

    def __missing__(self, name: str) -> int:
        try:
            self[name] = socket.if_nametoindex(name)
        except OSError as error:
            raise SystemFailure(f"the link {name} is gone") from error
        return self[name]

    def __contains__(self, name: object) -> bool:
        try:
            return bool(self[str(name)])
        except SystemFailure:
            return False


class Driver:
    """For as long as a task lasts."""

    def __init__(self) -> None:
        self.netlink = Netlink()
        self._held: dict[str, contextlib.ExitStack] = {}

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
