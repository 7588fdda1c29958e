# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands at one place of a lab: answers whoever gets through to it, and sends what it is told to send.

It gets a JSON line for each order and answers with one. Nothing of it is a file on the machine, and it ends with its
standard input, so a test that was killed leaves none behind. Every probe carries a token: what arrives is known by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import socket
import struct
import sys

MAGIC = b"virtnet-packet:"
TOKEN = 8
AGAIN_SECONDS = 0.3
ECHO = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
OUTGOING = 4


def plain(address: str) -> str:
    return address[7:] if address.startswith("::ffff:") else address.split("%")[0]


def token_in(data: bytes) -> str | None:
    start = data.find(MAGIC)
    return data[start + len(MAGIC) : start + len(MAGIC) + TOKEN].decode("ascii", "replace") if start >= 0 else None


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Agent:
    def __init__(self, name: str) -> None:
        self.name = name
        self.loop = asyncio.get_running_loop()
        self.arrived: list[dict] = []  # what came through to a socket here, past every firewall
        self.frames: list[dict] = []  # what was seen on a link here, before any firewall
        self.leases: list[dict] = []  # answers of DHCP servers
        self.waiting: dict[str, asyncio.Future] = {}
        self.ping = {family: self.open_ping(family) for family in ECHO}
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.wire.setblocking(False)
        self.loop.add_reader(self.wire, self.read_wire)

    # Orders

    async def serve(self) -> None:
        reader = asyncio.StreamReader(limit=1 << 24)
        await self.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            order = json.loads(line)
            number = order.pop("number")
            try:
                answer = await getattr(self, "do_" + order.pop("do"))(**order)
            except OSError as error:
                answer = {"error": str(error)}
            print(json.dumps({"number": number, "answer": answer}), flush=True)

    async def do_listen(self, tcp: list[int], udp: list[int]) -> dict:
        for port in tcp:
            server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=200)
            await asyncio.start_server(self.answer_tcp, sock=server)
        for port in udp:
            server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            server.bind(("::", port))
            server.setblocking(False)
            self.loop.add_reader(server, self.answer_udp, server)
        return {}

    async def do_probe(self, probes: list[dict], seconds: float) -> dict:
        tasks = {probe["token"]: asyncio.create_task(self.probe(probe)) for probe in probes}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=seconds)
        outcomes = {}
        for token, task in tasks.items():
            outcomes[token] = task.result() if task.done() else {"why": "no answer"}
            task.cancel()
        return outcomes

    async def do_seen(self) -> dict:
        seen = {"arrived": self.arrived, "frames": self.frames, "leases": self.leases}
        self.arrived, self.frames, self.leases = [], [], []
        return seen

    # Sending

    async def probe(self, probe: dict) -> dict:
        family = socket.AF_INET6 if ":" in probe["to"] else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as route:
                route.connect((probe["to"], 9))  # sends nothing, and fails where there is no route
        except OSError as error:
            return {"why": "no route", "error": str(error)}
        try:
            return await getattr(self, "probe_" + probe["kind"])(family, **probe)
        except OSError as error:
            return {"why": errno.errorcode.get(error.errno or 0, str(error))}
        except ValueError as error:  # the connection was closed without an answer
            return {"why": str(error)}

    async def probe_ping(self, family: int, token: str, to: str, **_rest: object) -> dict:
        done = self.waiting[token] = self.loop.create_future()
        body = MAGIC + token.encode() + b"."
        # an id of its own, else the firewall takes it for more of an earlier ping that it once let through
        own = int(token[:4], 16)
        number = 0
        while not done.done():
            number += 1
            head = struct.pack("!BBHHH", ECHO[family][0], 0, 0, own, number)
            if family == socket.AF_INET:
                head = head[:2] + struct.pack("!H", checksum(head + body)) + head[4:]
            self.ping[family].sendto(head + body, (to, 0))
            await asyncio.wait([done], timeout=AGAIN_SECONDS)
        return {"answer": done.result()}

    async def probe_udp(self, family: int, token: str, to: str, port: int, **_rest: object) -> dict:
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect((to, port))
            while True:
                client.send(MAGIC + token.encode())
                with contextlib.suppress(asyncio.TimeoutError):
                    return {
                        "answer": json.loads(await asyncio.wait_for(self.loop.sock_recv(client, 2000), AGAIN_SECONDS))
                    }

    async def probe_tcp(self, family: int, token: str, to: str, port: int, **_rest: object) -> dict:
        with socket.socket(family, socket.SOCK_STREAM) as client:
            client.setblocking(False)
            await self.loop.sock_connect(client, (to, port))
            await self.loop.sock_sendall(client, MAGIC + token.encode() + b"\n")
            return {"answer": json.loads(await self.loop.sock_recv(client, 2000))}

    # Answering, and noting what arrives

    def note(self, kind: str, token: str | None, source: str) -> None:
        if token:
            self.arrived.append({"kind": kind, "token": token, "source": plain(source)})

    async def answer_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            line = await asyncio.wait_for(reader.readline(), 5)
            source = writer.get_extra_info("peername")[0]
            self.note("tcp", token_in(line), source)
            writer.write(self.greeting(source))
            await writer.drain()
        writer.close()

    def answer_udp(self, server: socket.socket) -> None:
        data, control, _flags, peer = server.recvmsg(2000, 200)
        self.note("udp", token_in(data), peer[0])
        # from the very address that was asked, whichever of this machine's it is
        extra = [(level, kind, value[:16] + bytes(4)) for level, kind, value in control if kind == socket.IPV6_PKTINFO]
        with contextlib.suppress(OSError):
            server.sendmsg([self.greeting(peer[0])], extra, 0, peer)

    def greeting(self, source: str) -> bytes:
        return json.dumps({"at": self.name, "source": plain(source)}).encode() + b"\n"

    def open_ping(self, family: int) -> socket.socket:
        protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
        one = socket.socket(family, socket.SOCK_RAW, protocol)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        one.setblocking(False)
        self.loop.add_reader(one, self.read_ping, family, one)
        return one

    def read_ping(self, family: int, one: socket.socket) -> None:
        data, peer = one.recvfrom(2000)
        message = data[(data[0] & 15) * 4 :] if family == socket.AF_INET else data
        token = token_in(message)
        if message[0] == ECHO[family][0]:
            self.note("ping", token, peer[0])  # the kernel answers it
        elif message[0] == ECHO[family][1] and token in self.waiting and not self.waiting[token].done():
            self.waiting[token].set_result({"source": None})

    def read_wire(self) -> None:
        frame, (device, _protocol, direction, _kind, _address) = self.wire.recvfrom(2000)
        if direction == OUTGOING:
            return
        mac = ":".join(f"{byte:02x}" for byte in frame[6:12])
        token = token_in(frame)
        if token:
            self.frames.append({"token": token, "device": device, "mac": mac, "source": source_of(frame)})
        elif frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[34:38] == b"\x00\x43\x00\x44":
            self.leases.append({"mac": mac, "source": source_of(frame), "offered": socket.inet_ntoa(frame[58:62])})


def source_of(frame: bytes) -> str:
    if frame[12:14] == b"\x08\x00":
        return socket.inet_ntoa(frame[26:30])
    return socket.inet_ntop(socket.AF_INET6, frame[22:38]) if frame[12:14] == b"\x86\xdd" else ""


async def main() -> None:
    agent = Agent(sys.argv[1])
    print(json.dumps({"number": 0, "answer": {}}), flush=True)
    await agent.serve()


if __name__ == "__main__":
    asyncio.run(main())
