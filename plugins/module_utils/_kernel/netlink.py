# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A netlink socket that sends many messages at once; the messages themselves are pyroute2's.

pyroute2's own socket waits for the answer to each message. Its API changed between 0.7 and 0.9; its messages did not.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.machinery
import importlib.util
import os
import socket
import struct
import sys
import types
import typing
from collections.abc import Iterable, Iterator

from .._core.errors import MissingError, SystemFailure
from . import attributes

HEADER = struct.Struct("=IHHII")  # struct nlmsghdr of linux/netlink.h
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_DUMP_INTERRUPTED = 0x10
_ACK_TLVS, _CAPPED = 0x200, 0x100
_SOL_NETLINK, _CAP_ACK, _EXT_ACK, _STRICT = 270, 10, 11, 12
_EXT_ACK_MESSAGE = 1
_BATCH = 100  # their answers have to fit into the receive buffer
_DUMP_TRIES = 5


class KernelError(SystemFailure):
    """What the kernel answered, in its own words."""


class AlreadyThere(KernelError):
    """EEXIST."""


class AlreadyGone(KernelError):
    """ESRCH of a route, EADDRNOTAVAIL of an address."""


Failure = type[KernelError]
_KINDS: dict[int, Failure] = {errno.EEXIST: AlreadyThere, errno.ESRCH: AlreadyGone, errno.EADDRNOTAVAIL: AlreadyGone}


class Request(typing.NamedTuple):
    """One message to the kernel, and what to call it when it fails; `fine` is a failure that is none."""

    what: str
    message: typing.Any
    type: int
    flags: int = 0
    fine: Failure | None = None


def messages(module: str, name: str) -> typing.Any:
    """A class of pyroute2.netlink.rtnl, without the price of the whole package.

    pyroute2's __init__ imports everything it has, which takes some four times as long as the messages alone. So the
    package is entered in sys.modules without running it, unless somebody has imported it already.
    """
    if "pyroute2" not in sys.modules:
        spec = importlib.util.find_spec("pyroute2")
        if spec is None or spec.submodule_search_locations is None:
            raise MissingError(
                f"pyroute2 is missing for {sys.executable}: install the package python3-pyroute2 on this host"
                " (Debian, Ubuntu, EL)"
            )
        package = types.ModuleType("pyroute2")
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = importlib.machinery.ModuleSpec("pyroute2", None, is_package=True)
        sys.modules["pyroute2"] = package
    return getattr(importlib.import_module(f"pyroute2.netlink.rtnl.{module}"), name)


class Netlink:
    """A socket to the kernel's routing tables and links (rtnetlink(7))."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        for option in (_CAP_ACK, _EXT_ACK, _STRICT):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((0, 0))
        self._number = 0

    def close(self) -> None:
        self._socket.close()

    def dump(self, request: Request) -> list[bytes]:
        """Every answer to a dump, with its header; see decoded(). Asked again where the kernel says that things moved meanwhile."""
        for _try in range(_DUMP_TRIES):
            with contextlib.suppress(InterruptedError):
                return list(self._dump(request))
        raise SystemFailure(f"{request.what}: the network changes faster than it can be read")

    def _dump(self, request: Request) -> Iterator[bytes]:
        self._socket.send(self._encode(request, _REQUEST | _DUMP))
        interrupted = False
        while True:
            data = self._receive()
            for kind_number, flags, number, start, end in _messages(data):
                if number != self._number:
                    continue
                interrupted |= bool(flags & _DUMP_INTERRUPTED)
                if kind_number == _NLMSG_ERROR:
                    raise _error(request.what, data, flags, start, end) or SystemFailure(request.what)
                if kind_number == _NLMSG_DONE:
                    if interrupted:
                        raise InterruptedError
                    return
                yield data[start:end]

    def batch(self, requests: Iterable[Request]) -> None:
        """Do all of them, in order, some hundred at a time; raises KernelError for the first that failed.

        The kernel goes on behind one that fails, so what depends on it has to be in another batch.
        """
        every = list(requests)
        for start in range(0, len(every), _BATCH):
            failed = self._batch(every[start : start + _BATCH])
            if failed is not None:
                raise failed

    def _batch(self, requests: list[Request]) -> KernelError | None:
        waiting, data = {}, b""
        for request in requests:
            data += self._encode(request, _REQUEST | _ACK | request.flags)
            waiting[self._number] = request
        self._socket.send(data)
        failures: dict[int, KernelError] = {}
        while waiting:
            data = self._receive()
            for kind_number, flags, number, start, end in _messages(data):
                if kind_number == _NLMSG_ERROR and number in waiting:
                    request = waiting.pop(number)
                    failure = _error(request.what, data, flags, start, end)
                    if failure and not (request.fine and isinstance(failure, request.fine)):
                        failures[number] = failure
        return failures[min(failures)] if failures else None

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(1 << 18)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise SystemFailure("the kernel's answers did not fit into the socket's buffer") from error
            raise

    def _encode(self, request: Request, flags: int) -> bytes:
        self._number += 1
        message = request.message
        message["header"] = {"type": request.type, "flags": flags, "sequence_number": self._number, "pid": 0}
        message.encode()
        return bytes(message.data)


def decoded(like: typing.Any, answer: bytes) -> typing.Any:
    """An answer as a message of pyroute2's, of the same class as another."""
    message = type(like)(answer)
    message.decode()
    return message


def _messages(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """(type, flags, number, start, end) of each message of a datagram."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, flags, number, _pid = HEADER.unpack_from(data, at)
        if length < HEADER.size:
            return
        yield kind, flags, number, at, at + length
        at += (length + 3) & ~3


def _error(what: str, data: bytes, flags: int, start: int, end: int) -> KernelError | None:
    """The answer to one message (struct nlmsgerr, with the kernel's own words behind it); None for success."""
    number = -struct.unpack_from("=i", data, start + HEADER.size)[0]
    if not number:
        return None
    told = attributes.places(data, start + 2 * HEADER.size + 4, end) if flags & _ACK_TLVS else {}
    reason = attributes.text(data, *told[_EXT_ACK_MESSAGE]) if _EXT_ACK_MESSAGE in told else ""
    return _KINDS.get(number, KernelError)(f"{what}: {reason or os.strerror(number)}")
