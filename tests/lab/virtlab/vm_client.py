# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a command inside a VM and is to its caller what the command would be: vm_client.py FOLDER-OF-PORTS COMMAND...

A process of its own, like nsenter, so that callers treat it as they treat any process: pipes, signals, exit status. The
other end is vm_agent.py, which says how they talk.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import pathlib
import random
import secrets
import select
import signal
import socket
import sys
import time

PIECE = 32768
PING_SECONDS = 2
DEAF_SECONDS = 10
ATTEMPTS = 6


class Deaf(Exception):
    """Nobody at the port's other end: so a few are, now and then, after QEMU has loaded a snapshot."""


def main(folder: pathlib.Path, command: list[str]) -> int:
    with contextlib.ExitStack() as claimed:  # a deaf port stays ours for as long as we try others
        for _attempt in range(ATTEMPTS):
            lock, port = claim(folder)
            connection = socket.socket(socket.AF_UNIX)
            claimed.enter_context(lock)
            claimed.enter_context(connection)
            try:
                connection.connect(str(port))
                return Conversation(connection).run(command)
            except Deaf:
                continue
            except ConnectionError as error:
                print(f"lost the machine: {error}", file=sys.stderr)
                return 255
    print("lost the machine: nobody answers at its ports", file=sys.stderr)
    return 255


def claim(folder: pathlib.Path):
    """A port of our own: each takes one command at a time, whoever sends it."""
    locks = list(folder.glob("*.lock"))
    while True:
        for path in random.sample(locks, len(locks)):
            lock = open(path)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock, path.with_suffix(".port")
            lock.close()
        time.sleep(0.05)


class Conversation:
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.id = secrets.token_hex(8)
        self.rest = b""
        self.started = False

    def run(self, command: list[str]) -> int:
        one, two = os.fstat(1), os.fstat(2)
        self.send(run=command, merged=(one.st_dev, one.st_ino) == (two.st_dev, two.st_ino))
        signals = wake_on_signals()
        events = select.poll()
        events.register(signals, select.POLLIN)
        events.register(self.connection, select.POLLIN)
        asked, listening = time.monotonic(), False
        while True:
            if self.started and not listening:  # what is read goes to a command that runs
                events.register(0, select.POLLIN)
                listening = True
            if not self.started and time.monotonic() - asked > DEAF_SECONDS:
                raise Deaf
            ready = [file for file, _event in events.poll(PING_SECONDS * 1000)]
            if not ready:
                self.send(ping=True)
            if signals.fileno() in ready:
                for number in signals.recv(16):
                    self.send(signal=number)
            if 0 in ready and not self.pass_stdin():
                events.unregister(0)
            if self.connection.fileno() in ready:
                status = self.take()
                if status is not None:
                    return status

    def send(self, **what) -> None:
        self.connection.sendall(b"\n" + json.dumps({"id": self.id, **what}).encode() + b"\n")

    def pass_stdin(self) -> bool:
        """False at its end."""
        try:
            piece = os.read(0, PIECE)
        except OSError:
            piece = b""
        self.send(stdin=base64.b64encode(piece).decode() if piece else None)
        return bool(piece)

    def take(self) -> int | None:
        """The command's status once it has ended."""
        piece = self.connection.recv(4 * PIECE)
        if not piece:
            raise ConnectionResetError("it was switched off")
        *lines, self.rest = (self.rest + piece).split(b"\n")
        for line in lines:
            try:
                answer = json.loads(line)
            except ValueError:
                continue  # what the port's last user did not read
            if answer["id"] != self.id:
                continue
            if "gone" in answer:
                raise ConnectionResetError("it was rebooted or restored meanwhile")
            self.started = True
            if "exit" in answer:
                return answer["exit"]
            for name, file in (("stdout", 1), ("stderr", 2)):
                if name in answer:
                    write(file, base64.b64decode(answer[name]))
        return None


def wake_on_signals() -> socket.socket:
    """Signals as bytes to read: they are for the command inside, which ends us by its own end."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    return reader


def write(file: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(file, data) :]
    except BrokenPipeError:
        end_by(signal.SIGPIPE)


def end_by(number: int) -> None:
    """End as the command did, by the same signal."""
    with contextlib.suppress(OSError):  # SIGKILL has no handler to reset
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    code = main(pathlib.Path(sys.argv[1]), sys.argv[2:])
    if code < 0:
        end_by(-code)
    sys.exit(code)
