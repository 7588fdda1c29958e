# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who keeps the boot configuration of this host, what it holds, and telling it."""

from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Mapping, Sequence

from .._core import command
from .._core import files as core_files
from .._core.errors import InputError
from . import networkd
from .model import Boot, File

_LINKS = pathlib.Path("/run/systemd/netif/links")
_SETTLE_SECONDS = 20
ONLY_AT_START = 256
_REST_SECONDS = 0.3  # it learns of what the kernel did after the fact
# Where it says "configuring", possibly for ever, the seconds after which it has come to rest: an IPv6 address can't be asked for
# duplicates before a port has a cable; and 252 loses count of a port that leaves a bridge while that goes.
_UNSURE = {"without a cable": 1, "online": 3}


def read(persist: str, links: Mapping[str, int]) -> Boot | None:
    """The boot configuration of these links (name and number); None for `persist: none`."""
    if persist == "none":
        return None
    boot = look(links)
    if boot is None and persist == "auto":
        raise InputError(
            "persist: auto: no daemon that could keep the configuration is in charge here (systemd-networkd does not run);"
            " say persist: none to change only what runs"
        )
    if boot is None:
        raise InputError("persist: networkd: systemd-networkd does not run here; start it, or say persist: none")
    return boot


def look(links: Mapping[str, int]) -> Boot | None:
    """The same, where networkd runs; None where it does not."""
    if not command.is_active("systemd-networkd"):
        return None
    found = _all_files()
    charge = {name: path for name, index in links.items() if (path := _in_charge(index))}
    options = {}
    for name in links:
        path = networkd.path_of(name)
        file = found.get(path) or (_file(charge[name]) if name in charge else None)
        if file:
            options[name] = networkd.options(file.text)
    made = frozenset(
        name for file in found.values() if networkd.owner(file.text) for name in networkd.netdev_names(file.text)
    )
    return Boot("networkd", options, charge, found, made, (core_files.read("/etc/machine-id") or ("", 0))[0].strip())


def _in_charge(index: int) -> str | None:
    """The file by which networkd has set a link up; its own note says it (sd-network)."""
    return _notes(index).get("NETWORK_FILE")


def _notes(index: int) -> dict[str, str]:
    with contextlib.suppress(OSError):
        return dict(line.split("=", 1) for line in (_LINKS / str(index)).read_text().splitlines() if "=" in line)
    return {}


def _all_files() -> dict[str, File]:
    folder, found = pathlib.Path(networkd.FOLDER), {}
    for path in [*folder.glob("*"), *folder.glob("*.d/virtnet-*.conf")]:
        if path.is_file():
            file = _file(str(path))
            if file:
                found[str(path)] = file
    return found


def _file(path: str) -> File | None:
    content = core_files.read(path)
    return File(*content) if content else None


def files(paths: Mapping[str, File]) -> dict[str, File]:
    """What is there now, if any boot file was touched."""
    return _all_files() if paths else {}


def put(path: str, file: File | None) -> None:
    """Write a boot file, or remove it."""
    if file:
        core_files.write(path, file.text, file.mode)
    else:
        core_files.delete(path)
        with contextlib.suppress(OSError):
            parent = pathlib.Path(path).parent
            if parent.name.endswith(".d"):
                parent.rmdir()


def tell(devices: Sequence[str]) -> None:
    """Let the daemon read its files; it acts on them after this returns. `devices` are links that it is to make, and
    finds already made: from systemd 256 on it gives up on those, and waits for ever with their routes and ports, unless
    it finds them when it starts. A start keeps what is there."""
    if devices and _version() >= ONLY_AT_START:
        command.run("systemctl", "restart", "systemd-networkd")
    else:
        command.run("networkctl", "reload")


def _version() -> int:
    """systemd's, from its first line: systemd 252 (252.39-1)."""
    return int(command.run("networkctl", "--version").split()[1])


def settle(links: Sequence[str]) -> None:
    """Wait until the daemon has come to rest with these links. One that it gave up on, since it acted on our change of
    the kernel before it knew of our files, is set up anew."""
    deadline, again = time.monotonic() + _SETTLE_SECONDS, set()
    good_since = None
    while time.monotonic() < deadline:
        states = {name: _state(name) for name in links}
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
    return _state(name) == "unmanaged"


def _state(name: str) -> str | None:
    """The daemon's word for how far it is with a link; "behind" where it has not taken our file for it yet."""
    try:
        index = int((pathlib.Path("/sys/class/net") / name / "ifindex").read_text())
    except (OSError, ValueError):
        return None
    notes = _notes(index)
    ours = networkd.path_of(name)
    wanted = pathlib.Path(ours).exists()
    if notes.get("ADMIN_STATE") != "failed" and wanted != (notes.get("NETWORK_FILE") == ours):
        return "behind" if wanted or notes else None
    if notes.get("ADMIN_STATE") == "configuring":
        if notes.get("CARRIER_STATE") == "no-carrier":
            return "without a cable"
        if notes.get("ONLINE_STATE") == "online":
            return "online"
    return notes.get("ADMIN_STATE")
