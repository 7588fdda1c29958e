# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkManager itself: what it is in charge of, and handing it links that are up already.

`nmcli connection up` of a bridge that is there would let go of all its ports, guests' taps among them, and flush its
addresses first (nm_device_cleanup). What it finds when it starts, and has a note of, it takes as it is.
"""

from __future__ import annotations

import pathlib
import time
from collections.abc import Iterable, Mapping, Sequence

from .._core import command
from .._core import files as core_files
from . import ini, networkmanager
from .model import BACKUP, owner

UNIT = "NetworkManager"
_NOTES = pathlib.Path("/run/NetworkManager/devices")
_FOLDERS = (
    "/run/NetworkManager/system-connections",
    networkmanager.FOLDER,
    "/usr/lib/NetworkManager/system-connections",
)
_SETTLE_SECONDS = 20


def runs() -> bool:
    return command.is_active(UNIT)


def paths() -> Iterable[pathlib.Path]:
    """The files that may be changed."""
    home = pathlib.Path(networkmanager.HOME)
    return [*pathlib.Path(networkmanager.FOLDER).glob("*"), *home.glob(f"*{BACKUP}")]


def charge(link: str) -> str | None:
    """The file of the profile that a link runs; none where NetworkManager only watches it."""
    note = core_files.read(str(_NOTES / str(_index(link))))
    told = {key: value for _section, key, value in ini.values(note[0])} if note else {}
    return _profiles().get(told.get("connection-uuid", "-")) if told.get("managed") == "true" else None


def _index(link: str) -> int:
    content = core_files.read(f"/sys/class/net/{link}/ifindex")
    return int(content[0]) if content else 0


def _profiles() -> dict[str, str]:
    """{uuid: path}; a file in /run goes before one in /etc."""
    found: dict[str, str] = {}
    for folder in _FOLDERS:
        for path in sorted(pathlib.Path(folder).glob("*")):
            content = core_files.read(str(path)) if path.is_file() else None
            if content:
                found.setdefault(networkmanager.id_of(content[0]), str(path))
    return found


def lacking() -> dict[str, str]:
    return {}


def tell(paths: Sequence[str], links: Sequence[str], devices: Sequence[str]) -> None:
    """It is stopped, which changes no link, its notes are changed to the new profiles, and it is started."""
    del paths
    profiles = {link: (networkmanager.id_of(text), bool(owner(text))) for text in _texts() for link in _links(text)}
    command.run("systemctl", "stop", UNIT)
    try:
        for link in links:
            if _index(link):
                _note(link, profiles, devices)
    finally:
        command.run("systemctl", "start", UNIT)


def _texts() -> list[str]:
    """Ours last, which is what counts."""
    read = [content[0] for path in _profiles().values() if (content := core_files.read(path))]
    return sorted(read, key=lambda text: bool(owner(text)))


def _links(text: str) -> list[str]:
    return networkmanager.links("", text)


def _note(link: str, profiles: Mapping[str, tuple[str, bool]], devices: Sequence[str]) -> None:
    path = str(_NOTES / str(_index(link)))
    if link not in profiles:
        core_files.delete(path)
        return
    owned = str(link in devices).lower()
    core_files.write(path, f"[device]\nmanaged=true\nconnection-uuid={profiles[link][0]}\nnm-owned={owned}\n")


def settle(links: Sequence[str]) -> None:
    """Wait until it has come to rest with these links."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        states = dict(line.split(":", 1) for line in _devices() if line.count(":") == 1)
        waiting = ("connecting", "deactivating", "unavailable")
        if not any(states.get(link, "").startswith(waiting) for link in links) and _started():
            return
        time.sleep(0.1)


def _devices() -> list[str]:
    return command.run("nmcli", "-t", "-f", "DEVICE,STATE", "device").splitlines()


def _started() -> bool:
    return command.run("nmcli", "-t", "-f", "STARTUP", "general").strip() == "started"


def is_unmanaged(name: str) -> bool:
    """Its own IPv6 settings of a link that it lets go of stay as they are."""
    del name
    return False
