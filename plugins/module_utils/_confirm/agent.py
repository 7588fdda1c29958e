# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's half of commit-confirm: waits, and puts everything back unless the controller has confirmed.

Runs as a transient systemd unit of its own, from a copy of the code, so it outlives the module, the SSH session and
libvirtd. It tells systemd that it is ready only when all that it needs is loaded: what can start can also put back.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import sys
import threading
import time
import typing

from .store import CONFIRMED, ROLLBACK, WITHDRAWN, Pending

TRIES = 5
PAUSE_SECONDS = 1.0

Restore = typing.Callable[[typing.Any], None]


def main(folder: str, restore: Restore) -> int:
    """Wait for the word; 0 where all is well."""
    pending = Pending(pathlib.Path(folder))
    snapshot, woken = pending.load(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda *_ignored: woken.set())
    _ready()
    woken.wait(pending.timeout)
    word = pending.decide(ROLLBACK)
    if word in (CONFIRMED, WITHDRAWN):
        pending.forget()
        return 0
    return put_back(pending, snapshot, restore)


def put_back(pending: Pending, snapshot: typing.Any, restore: Restore) -> int:
    """Restore, again and again where it fails, and leave the outcome for whoever asks."""
    failure = ""
    for number in range(TRIES):
        try:
            restore(snapshot)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next try may get further
            failure = f"{type(error).__name__}: {error}"
            time.sleep(PAUSE_SECONDS * (number + 1))
        else:
            pending.tell(rolled_back=True)
            return 0
    pending.tell(rolled_back=False, msg=failure)
    sys.stderr.write(f"putting back failed: {failure}\n")
    return 1


def _ready() -> None:
    """sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as notify:
            notify.connect("\0" + address[1:] if address.startswith("@") else address)
            notify.send(b"READY=1")
