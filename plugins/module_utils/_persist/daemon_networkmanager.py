# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkManager itself: what it is in charge of, and handing it links that are up already.

`nmcli connection up` of a bridge that is there would let go of all its ports, guests' taps among them, and flush its
addresses first (nm_device_cleanup). What it finds when it starts, and has a note of, it takes as it is.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .._core import command
from .._core import files as core_files
from .._core.errors import SystemFailure
from . import ini, networkmanager
from .model import BACKUP, owner

UNIT = "NetworkManager"
_HOLD = "virtnet-hold-{}.service"
_NOTES = pathlib.Path("/run/NetworkManager/devices")
_FOLDERS = (
    "/run/NetworkManager/system-connections",
    networkmanager.FOLDER,
    "/usr/lib/NetworkManager/system-connections",
)
_SETTLE_SECONDS = 20
_UNSURE_SECONDS = 3


def runs() -> bool:
    """Also while a run keeps it stopped."""
    return command.is_active(UNIT, _HOLD.format("*"))


def paths() -> Iterable[pathlib.Path]:
    """The files that may be changed."""
    home = pathlib.Path(networkmanager.HOME)
    return [*pathlib.Path(networkmanager.FOLDER).glob("*"), *home.glob(f"*{BACKUP}")]


def charges(links: Sequence[str]) -> dict[str, str]:
    """{link: the file of the profile that it runs}, without those that NetworkManager only watches."""
    notes = {link: _note_of(link) for link in links}
    profile_of = {
        link: note.get("connection-uuid", "") for link, note in notes.items() if note.get("managed") == "true"
    }
    profiles = _profiles() if profile_of else {}
    return {link: profiles[uuid] for link, uuid in profile_of.items() if uuid in profiles}


def _note_of(link: str) -> dict[str, str]:
    return _note_at(_index(link))


def _note_at(index: int) -> dict[str, str]:
    note = core_files.read(str(_NOTES / str(index)))
    return {key: value for _section, key, value in ini.values(note[0])} if note else {}


def _index(link: str) -> int:
    content = core_files.read(f"/sys/class/net/{link}/ifindex")
    return int(content[0]) if content else 0


def _profiles() -> dict[str, str]:
    """{uuid: path}, ours last; those that it made itself for what it only watches are none."""
    found = []
    for folder in _FOLDERS:
        for path in map(str, pathlib.Path(folder).glob(f"*{networkmanager.SUFFIX}")):
            content = core_files.read(path)
            if content and (".nmmeta", "external", "true") not in ini.values(content[0]):
                found.append((bool(owner(content[0])), path, networkmanager.id_of(path, content[0])))
    return {told: path for _ours, path, told in sorted(found)}


def lacking() -> dict[str, str]:
    return {}


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Stopped, which changes no link, for as long as they are changed: else it makes anew what is taken away. A unit that
    conflicts with it does so, and starts it again when this process is gone, however that came about."""
    unit = _HOLD.format(os.getpid())
    if command.is_active(unit):  # netplan's and its own
        yield
        return
    command.run(
        "systemd-run", "--quiet", "--collect", f"--unit={unit}", "--service-type=exec",
        f"--property=Conflicts={UNIT}.service", f"--property=After={UNIT}.service",
        f"--property=ExecStopPost=/usr/bin/systemctl --no-block start {UNIT}",
        "--description=Keeps NetworkManager stopped while links are changed (virtnet.kvm)",
        "/bin/sh", "-c", f"while [ -d /proc/{os.getpid()} ]; do sleep 0.2; done",
    )  # fmt: skip
    before = _noted()
    try:
        yield
    finally:
        now = _noted()
        with contextlib.suppress(SystemFailure):  # whoever started it meanwhile has ended this
            command.run("systemctl", "stop", unit)
        command.run("systemctl", "start", UNIT)
        _come_to_rest()
        for link, profile in now.items():
            if profile != before.get(link):
                _tidy(link, profile)


def _noted() -> dict[str, str]:
    """{link: uuid of its profile}, as its notes say."""
    return {name: _note_at(index).get("connection-uuid", "") for index, name in socket.if_nameindex()}


def _tidy(link: str, profile: str) -> None:
    """A link that runs somebody's own profile again has what the bridge had, too: a default route without a metric would
    hide the profile's own one from now on."""
    path = _profiles().get(profile)
    content = core_files.read(path) if path else None
    if content and not owner(content[0]):
        with contextlib.suppress(SystemFailure):  # it has been told all that it has to know
            command.run("nmcli", "device", "reapply", link)


def _come_to_rest() -> None:
    """A link without a carrier, as a bridge without ports is, it goes on to connect for minutes, and calls that its start:
    where nothing else is to come, it has come to rest when it has not changed for a while."""
    deadline, waiting = time.monotonic() + _SETTLE_SECONDS, ("connecting", "deactivating")
    told, since = "", 0.0
    while time.monotonic() < deadline:
        before, told = told, command.run("nmcli", "-t", "-f", "DEVICE,STATE", "device")
        since = since if told == before else time.monotonic()
        states = [line.rpartition(":") for line in told.splitlines()]
        busy = [name for name, _colon, state in states if state.startswith(waiting)]
        if not busy and command.run("nmcli", "-t", "-f", "STARTUP", "general").strip() == "started":
            return
        if busy and not any(map(_has_carrier, busy)) and time.monotonic() - since > _UNSURE_SECONDS:
            return
        time.sleep(0.1)


def _has_carrier(link: str) -> bool:
    """In the words of RFC 2863, as the kernel has them (operstates.rst)."""
    content = core_files.read(f"/sys/class/net/{link}/operstate")
    return content is not None and content[0].strip() not in ("down", "lowerlayerdown")


def tell(paths: Sequence[str], links: Sequence[str], devices: Sequence[str]) -> None:
    """Its notes are changed to the new profiles: what it finds so when it starts, it takes as it is."""
    del paths
    profiles = {link: told for told, path in _profiles().items() for link in _links(path)}
    for link in links:
        if _index(link):
            _note(link, profiles, devices)


def _links(path: str) -> list[str]:
    content = core_files.read(path)
    return networkmanager.links(path, content[0]) if content else []


def _note(link: str, profiles: Mapping[str, str], devices: Sequence[str]) -> None:
    path = str(_NOTES / str(_index(link)))
    if link not in profiles:
        core_files.delete(path)
        return
    owned = str(link in devices).lower()
    core_files.write(path, f"[device]\nmanaged=true\nconnection-uuid={profiles[link]}\nnm-owned={owned}\n")


def settle(links: Sequence[str]) -> None:
    """It has come to rest when it is let go of."""
    del links


def is_unmanaged(name: str) -> bool:
    """Its own IPv6 settings of a link that it lets go of stay as they are."""
    del name
    return False
