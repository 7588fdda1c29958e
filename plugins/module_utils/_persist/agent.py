# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who keeps the boot configuration of this host, what it holds, and telling it."""

from __future__ import annotations

import contextlib
import functools
import pathlib
import socket
import typing
from collections.abc import Iterable, Mapping, Sequence

from .._core import files as core_files
from .._core.errors import InputError
from . import backends
from .model import Boot, File, Files


class Daemon(typing.Protocol):
    """What a backend's daemon can be asked and told: the same functions in each."""

    def runs(self) -> bool: ...
    def paths(self) -> Iterable[pathlib.Path]: ...
    def charges(self, links: Sequence[str]) -> dict[str, str]: ...
    def lacking(self) -> dict[str, str]: ...
    def held(self) -> contextlib.AbstractContextManager[None]: ...
    def tell(self, paths: Sequence[str], links: Sequence[str], devices: Sequence[str]) -> None: ...
    def settle(self, links: Sequence[str]) -> None: ...
    def is_unmanaged(self, name: str) -> bool: ...


@functools.cache
def _daemons() -> Mapping[str, Daemon]:
    """Each backend's by its name; loaded when the first is asked for, as the backends are."""
    from . import daemon_ifupdown, daemon_netplan, daemon_networkd, daemon_networkmanager

    return {
        "netplan": typing.cast(Daemon, daemon_netplan),  # before those behind it
        "networkd": typing.cast(Daemon, daemon_networkd),
        "networkmanager": typing.cast(Daemon, daemon_networkmanager),
        "ifupdown": typing.cast(Daemon, daemon_ifupdown),
    }


def read(persist: str, links: Iterable[str], *, keeps: bool) -> Boot | None:
    """The boot configuration of these links; None for `persist: none`. Raises InputError where nobody would keep it, or it
    is not clear who: of a bridge that is gone (`keeps` is False, and no link is left) nobody has to."""
    if persist == "none":
        return None
    running = [name for name, daemon in _daemons().items() if daemon.runs()]
    if persist != "auto" and persist not in running:
        raise InputError(f"persist: {persist}: it does not run here; start it, or say persist: none")
    if not running:
        raise InputError(
            "persist: auto: no daemon that could keep the configuration is in charge here (neither systemd-networkd,"
            " NetworkManager nor ifupdown runs); say persist: none to change only what runs"
        )
    charges = _charges(running, links)
    backend = persist
    if persist == "auto":
        backend = _the_one(running, charges) if keeps or charges else running[0]
    boot = _boot(backend, charges)
    broken = backends.broken(boot.files, backend)
    if broken:
        raise InputError(f"persist: {backend}: {broken[0]} can't be understood: {broken[1]}; mend it first")
    return boot


def look(links: Iterable[str]) -> Boot | None:
    """The same for whoever only looks; None where nobody keeps anything."""
    running = [name for name, daemon in _daemons().items() if daemon.runs()]
    return _boot(running[0], _charges(running, links)) if running else None


def _charges(running: Sequence[str], links: Iterable[str]) -> dict[str, tuple[str, str]]:
    """{link: (backend, file)} of those that somebody is in charge of."""
    found: dict[str, tuple[str, str]] = {}
    links = list(links)
    for name in running:
        told = _daemons()[name].charges([link for link in links if link not in found])
        found.update({link: (name, path) for link, path in told.items()})
    return {link: found[link] for link in links if link in found}


def _the_one(running: Sequence[str], charges: Mapping[str, tuple[str, str]]) -> str:
    """The backend in charge of the links; of any link of the host where it has none of these yet."""
    who = _who(charges) or _who(_charges(running, sorted(name for _index, name in socket.if_nameindex())))
    if len(who) > 1:
        told = ", ".join(f"{link} is {name}'s" for name, link in sorted(who.items()))
        raise InputError(f"persist: auto: several daemons are in charge here ({told}); say which one is to keep it")
    if who:
        return next(iter(who))
    if len(running) > 1:
        raise InputError(
            f"persist: auto: {' and '.join(running)} run here, and none is in charge of a link; say which one is to keep it"
        )
    return running[0]


def _who(charges: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """{backend: a link that it is in charge of}; of what lasts, where anything does."""
    lasting = {name: link for link, (name, path) in charges.items() if _lasts(name, path)}
    return lasting or {name: link for link, (name, _path) in charges.items()}


def _lasts(backend: str, path: str) -> bool:
    """What NetworkManager makes up for a NIC that nobody has told it of is in /run, and keeps nothing; netplan's own is there,
    too."""
    return backend == "netplan" or not path.startswith("/run/")


def _boot(backend: str, charges: Mapping[str, tuple[str, str]]) -> Boot:
    found = _all_files()
    options = {}
    for link, (name, path) in charges.items():
        told = backends.renderers()[name].options({**_at(path), **found}, link, path)
        options[link] = told
    return Boot(
        backend=backend,
        options=options,
        in_charge={link: path for link, (_name, path) in charges.items()},
        files=found,
        made=backends.made(found),
        seed=(core_files.read("/etc/machine-id") or ("", 0))[0].strip(),
        lacking=_daemons()[backend].lacking(),
    )


def _all_files() -> Files:
    found: Files = {}
    for daemon in _daemons().values():
        for path in daemon.paths():
            if path.is_file():
                found.update(_at(str(path)))
    return found


def _at(path: str) -> Files:
    content = core_files.read(path)
    return {path: File(*content)} if content else {}


def files(paths: Iterable[str]) -> Files:
    """These files, as they are now."""
    return {path: file for one in paths for path, file in _at(one).items()}


def before(paths: Iterable[str]) -> dict[str, tuple[str, int] | None]:
    """The same as plain values, with None for what is not there."""
    return {path: core_files.read(path) for path in sorted(paths)}


def put(path: str, file: File | None) -> None:
    """Write a boot file, or remove it."""
    if file:
        core_files.write(path, file.text, file.mode)
    else:
        core_files.delete(path)
        with contextlib.suppress(OSError):
            parent = pathlib.Path(path).parent
            if parent.name.endswith(".d") and parent.name != "interfaces.d":
                parent.rmdir()


def held(backend: str) -> contextlib.AbstractContextManager[None]:
    """A daemon that would act on half a change does not, meanwhile."""
    daemon = _daemons()[backend]
    return daemon.held() if daemon.runs() else contextlib.nullcontext()


def tell(backend: str, paths: Sequence[str], links: Sequence[str], devices: Sequence[str]) -> None:
    """Let a daemon know of its changed files, and of the links that they are for. `devices` are those that they make."""
    _daemons()[backend].tell(paths, links, devices)


def settle(backend: str, links: Sequence[str]) -> None:
    """Wait until the daemon has come to rest with these links."""
    _daemons()[backend].settle(links)


def is_unmanaged(backend: str, link: str) -> bool:
    """Whether the daemon leaves a link alone."""
    return _daemons()[backend].is_unmanaged(link)
