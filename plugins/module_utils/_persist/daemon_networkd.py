# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd-networkd itself: what it is in charge of, and telling it."""

from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Callable, Iterable, Sequence

from .._core import command
from . import networkd

UNIT = "systemd-networkd"
PathOf = Callable[[str], str]
ONLY_AT_START = 256

_LINKS = pathlib.Path("/run/systemd/netif/links")
_SETTLE_SECONDS = 20
_REST_SECONDS = 0.3  # it learns of what the kernel did after the fact
# Where it says "configuring", possibly for ever, the seconds after which it has come to rest: an IPv6 address can't be asked for
# duplicates before a port has a cable; and 252 loses count of a port that leaves a bridge while that goes.
_UNSURE = {"without a cable": 1, "online": 3}


def runs() -> bool:
    return command.is_active(UNIT)


def paths() -> Iterable[pathlib.Path]:
    """The files that may be changed."""
    folder = pathlib.Path(networkd.FOLDER)
    return [*folder.glob("*"), *folder.glob("*.d/virtnet-*.conf")]


def charges(links: Sequence[str]) -> dict[str, str]:
    """{link: the file by which networkd has set it up}; its own note says it (sd-network)."""
    return {link: path for link in links if (path := _notes(_index(link)).get("NETWORK_FILE"))}


def lacking() -> dict[str, str]:
    return {}


def _index(link: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int((pathlib.Path("/sys/class/net") / link / "ifindex").read_text())
    return 0


def _notes(index: int) -> dict[str, str]:
    with contextlib.suppress(OSError):
        return dict(line.split("=", 1) for line in (_LINKS / str(index)).read_text().splitlines() if "=" in line)
    return {}


def held() -> contextlib.AbstractContextManager[None]:
    """It need not be kept from anything."""
    return contextlib.nullcontext()


def tell(paths: Sequence[str], links: Sequence[str], devices: Sequence[str]) -> None:
    """Let the daemon read its files; it acts on them after this returns. `devices` are links that it is to make, and
    finds already made: from systemd 256 on it gives up on those, and waits for ever with their routes and ports, unless
    it finds them when it starts. A start keeps what is there."""
    del paths, links
    if devices and _version() >= ONLY_AT_START:
        command.run("systemctl", "restart", "systemd-networkd")
    else:
        command.run("networkctl", "reload")


def _version() -> int:
    """systemd's, from its first line: systemd 252 (252.39-1)."""
    return int(command.run("networkctl", "--version").split()[1])


def settle(links: Sequence[str], path_of: PathOf = networkd.path_of) -> None:
    """Wait until the daemon has come to rest with these links. One that it gave up on, since it acted on our change of
    the kernel before it knew of our files, is set up anew."""
    deadline, again = time.monotonic() + _SETTLE_SECONDS, set()
    good_since = None
    while time.monotonic() < deadline:
        states = {name: _state(name, path_of) for name in links}
        for name, state in states.items():
            if state == "failed" and name not in again:
                again.add(name)
                command.run("networkctl", "reconfigure", name)
        good = all(state in (None, "configured", "unmanaged", *_UNSURE) for state in states.values())
        good_since = (good_since or time.monotonic()) if good else None
        rest = max([_REST_SECONDS, *(_UNSURE[state] for state in states.values() if state in _UNSURE)])
        if good_since and time.monotonic() - good_since > rest:
            return
        time.sleep(0.05)


def is_unmanaged(name: str) -> bool:
    """Whether the daemon leaves a link alone."""
    return _notes(_index(name)).get("ADMIN_STATE") == "unmanaged"


def _state(name: str, path_of: PathOf) -> str | None:
    """The daemon's word for how far it is with a link; "behind" where it has not taken our file for it yet."""
    index = _index(name)
    if not index:
        return None
    notes = _notes(index)
    ours = path_of(name)
    wanted = pathlib.Path(ours).exists()
    if notes.get("ADMIN_STATE") != "failed" and wanted != (notes.get("NETWORK_FILE") == ours):
        return "behind" if wanted or notes else None
    if notes.get("ADMIN_STATE") == "configuring":
        if notes.get("CARRIER_STATE") == "no-carrier":
            return "without a cable"
        if notes.get("ONLINE_STATE") == "online":
            return "online"
    return notes.get("ADMIN_STATE")
