# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks from inside a network namespace that stands for a guest. Runs as a program of its own: standard library only."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import sys
import time
import typing

_DISCOVER, _OFFER = 1, 2
_COOKIE = b"\x63\x82\x53\x63"
_MASK, _SERVER, _TYPE, _ROUTER = 1, 54, 53, 3


def discover(link: str, seconds: float) -> dict[str, typing.Any]:
    """Ask for a lease and take none (RFC 2131, DHCPDISCOVER): the first offer, or nothing."""
    mac = _mac(link)
    call = os.urandom(4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode() + b"\0")
        client.bind(("", 68))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            client.sendto(_message(call, mac), ("255.255.255.255", 67))
            client.settimeout(1)
            with contextlib.suppress(OSError):
                answer = client.recv(2048)
                if answer[4:8] == call and answer[236:240] == _COOKIE:
                    return _offer(answer)
    return {}


def _mac(link: str) -> bytes:
    with open(f"/sys/class/net/{link}/address") as file:
        return bytes.fromhex(file.read().strip().replace(":", ""))


def _message(call: bytes, mac: bytes) -> bytes:
    """Asks for a broadcast answer, since there is no address yet that it could come to."""
    head = struct.pack("!BBBB4sHH16s16s192s", 1, 1, 6, 0, call, 0, 0x8000, b"", mac.ljust(16, b"\0"), b"")
    return head + _COOKIE + bytes([_TYPE, 1, _DISCOVER, 55, 2, _MASK, _ROUTER, 255])


def _offer(answer: bytes) -> dict[str, typing.Any]:
    options, at = {}, 240
    while at + 1 < len(answer) and answer[at] != 255:
        if answer[at] == 0:
            at += 1
            continue
        length = answer[at + 1]
        options[answer[at]] = answer[at + 2 : at + 2 + length]
        at += 2 + length
    if options.get(_TYPE) != bytes([_OFFER]):
        return {}
    return {
        "address": socket.inet_ntoa(answer[16:20]),
        "mask": socket.inet_ntoa(options.get(_MASK, b"\xff\xff\xff\0")),
        "server": socket.inet_ntoa(options[_SERVER]) if _SERVER in options else None,
        "router": socket.inet_ntoa(options[_ROUTER][:4]) if options.get(_ROUTER) else None,
    }


def listen(address: str, port: int, protocol: str, seconds: float) -> dict[str, typing.Any]:
    """Wait for somebody to call; who it was."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.settimeout(seconds)
        try:
            if protocol == "udp":
                return {"from": server.recvfrom(64)[1][0]}
            server.listen()
            return {"from": server.accept()[1][0]}
        except OSError:
            return {}


VERBS: dict[str, typing.Callable[..., dict[str, typing.Any]]] = {"discover": discover, "listen": listen}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(VERBS[sys.argv[1]](**json.loads(sys.argv[2]))))
