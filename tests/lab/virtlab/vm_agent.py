# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside a VM: takes commands from the lab over virtio-serial ports, so that they need no network.

A port carries one command at a time, both ways in lines of JSON, each with the command's id. From the lab: `run` (the
words; with `merged`, stderr goes where stdout goes), `stdin` (base64, or null for its end), `signal`, `ping`. To the lab:
`started`, `stdout` and `stderr` (base64), `exit` (as subprocess counts it), or `gone` when a ping asks for a command that is not
known here: the machine was rebooted or restored since. A line that makes no sense is what a cut connection left.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pathlib
import queue
import select
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

PIECE = 32768
HANG_UP_SECONDS = 1
LAST_PIECES = 32  # of what a command's children may go on writing after its end


class Port:
    """One port, and the command that runs on it."""

    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.writing = threading.Lock()
        self.command: Command | None = None

    def serve(self) -> None:
        # Edge-triggered: a port that nobody is connected to reads as hung up all the time.
        events = select.epoll()
        events.register(self.file, select.EPOLLIN | select.EPOLLET)
        rest = b""
        while True:
            events.poll()
            for piece in self.pieces():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    self.take(line)

    def pieces(self) -> Iterator[bytes]:
        """What has come, until there is no more for now."""
        while True:
            try:
                piece = os.read(self.file, 2 * PIECE)
            except BlockingIOError:
                return
            if piece:
                yield piece
            elif self.stays_hung_up():
                self.hang_up()
                return

    def stays_hung_up(self) -> bool:
        """The news that one client has gone may come after the first words of the next."""
        state = select.poll()
        state.register(self.file, select.POLLIN)
        time.sleep(HANG_UP_SECONDS)
        return any(event & select.POLLHUP for _file, event in state.poll(0))

    def take(self, line: bytes) -> None:
        try:
            request = json.loads(line)
        except ValueError:
            return
        if "run" in request:
            self.hang_up()
            self.write({"id": request["id"], "started": True})
            try:
                self.command = Command(self, request)
            except OSError as error:
                self.write({"id": request["id"], "stderr": base64.b64encode(f"{error}\n".encode()).decode()})
                self.write({"id": request["id"], "exit": 126})
        elif self.command is not None and self.command.id == request["id"]:
            self.command.take(request)
        elif "ping" in request:
            self.write({"id": request["id"], "gone": True})

    def hang_up(self) -> None:
        """Nobody waits for the command any more: it ends, as one does whose terminal is closed."""
        if self.command is not None:
            command, self.command = self.command, None
            command.kill(signal.SIGKILL)

    def write(self, answer: dict, command: Command | None = None) -> None:
        """Waits for as long as the other side reads, and drops the answer when the command was hung up on."""
        data = b"\n" + json.dumps(answer).encode() + b"\n"
        with self.writing:
            while data and command in (None, self.command):
                try:
                    data = data[os.write(self.file, data) :]
                except BlockingIOError:
                    select.select([], [self.file], [], 0.5)
                    time.sleep(0.01)


class Command:
    def __init__(self, port: Port, request: dict) -> None:
        self.port, self.id = port, request["id"]
        self.input: queue.Queue[bytes | None] = queue.Queue()
        stderr = subprocess.STDOUT if request["merged"] else subprocess.PIPE
        self.process = subprocess.Popen(
            request["run"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd="/",
            start_new_session=True,
        )
        self.ended = os.pidfd_open(self.process.pid)
        threading.Thread(target=self.feed, daemon=True).start()
        threading.Thread(target=self.follow, daemon=True).start()

    def take(self, request: dict) -> None:
        if "stdin" in request:
            self.input.put(None if request["stdin"] is None else base64.b64decode(request["stdin"]))
        elif "signal" in request:
            self.kill(request["signal"])

    def kill(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.process.returncode is None:  # what it started lives on
                os.killpg(self.process.pid, number)

    def feed(self) -> None:
        """The command's stdin, apart from the port: a command that does not read must not keep signals off."""
        with contextlib.suppress(BrokenPipeError), self.process.stdin as stdin:
            for piece in iter(self.input.get, None):
                stdin.write(piece)
                stdin.flush()

    def follow(self) -> None:
        """Pass on what it writes until it ends; its children may live on and keep the pipes open."""
        streams = {"stdout": self.process.stdout, "stderr": self.process.stderr}
        with selectors.DefaultSelector() as events:
            events.register(self.ended, selectors.EVENT_READ, "")
            for name, stream in streams.items():
                if stream:
                    os.set_blocking(stream.fileno(), False)
                    events.register(stream, selectors.EVENT_READ, name)
            while not self.pass_on_all(events):
                pass
            for key in list(events.get_map().values()):
                if key.data:
                    self.pass_on(key.data, key.fd, LAST_PIECES)
        self.port.write({"id": self.id, "exit": self.process.wait()}, self)
        self.input.put(None)
        os.close(self.ended)
        for stream in streams.values():
            if stream:
                stream.close()

    def pass_on_all(self, events: selectors.BaseSelector) -> bool:
        """What is there now; true once the command has ended."""
        ready = [key for key, _event in events.select()]
        for key in ready:
            if key.data and not self.pass_on(key.data, key.fd, 1):
                events.unregister(key.fileobj)
        return any(key.fd == self.ended for key in ready)

    def pass_on(self, name: str, file: int, pieces: int) -> bool:
        """False at the stream's end."""
        for _piece in range(pieces):
            try:
                piece = os.read(file, PIECE)
            except BlockingIOError:
                return True
            if not piece:
                return False
            self.port.write({"id": self.id, name: base64.b64encode(piece).decode()}, self)
        return True


def main() -> None:
    """The kernel makes the ports one after the other, possibly after this has begun."""
    known: set[str] = set()
    while True:
        for name in pathlib.Path("/sys/class/virtio-ports").glob("*/name"):
            path = f"/dev/{name.parent.name}"
            if path not in known and name.read_text().startswith("lab.") and os.path.exists(path):
                known.add(path)
                threading.Thread(target=Port(path).serve).start()
        time.sleep(0.1 if len(known) < 2 else 1)


if __name__ == "__main__":
    main()
