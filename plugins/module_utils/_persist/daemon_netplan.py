# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netplan itself: what it has made for the daemon behind it, and having that daemon take it.

`netplan apply` would disconnect NetworkManager's devices, and reconfigure every link of networkd's: `generate` changes none.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterable, Sequence

from .._core import command
from . import daemon_networkd, daemon_networkmanager, definitions, netplan


def runs() -> bool:
    """Where it is installed and has something to say."""
    if not command.is_there("netplan") or not any(path.suffix == definitions.SUFFIX for path in paths()):
        return False
    return daemon_networkd.runs() or daemon_networkmanager.runs()


def paths() -> Iterable[pathlib.Path]:
    """The files that may be changed."""
    return list(pathlib.Path(definitions.FOLDER).glob("*"))


def charges(links: Sequence[str]) -> dict[str, str]:
    """{link: the file that it has made for it}, where the daemon behind it goes by that."""
    found: dict[str, str] = {}
    for daemon, for_networkmanager in ((daemon_networkmanager, True), (daemon_networkd, False)):
        made = {link: netplan.rendered_path(link, for_networkmanager) for link in links}
        made = {link: path for link, path in made.items() if pathlib.Path(path).exists()}
        found.update({link: path for link, path in daemon.charges(list(made)).items() if path == made[link]})
    return found


def lacking() -> dict[str, str]:
    told = command.run("netplan", "info")
    return {
        f"ports.type {kind}": f"this version of netplan knows no {word}"
        for kind, word in (("dummy", "dummy-devices"), ("veth", "virtual-ethernets"))
        if word not in told and word.replace("-devices", "-interfaces") not in told and kind not in told
    }


def held() -> contextlib.AbstractContextManager[None]:
    """Where NetworkManager is behind it."""
    return daemon_networkmanager.held() if daemon_networkmanager.runs() else contextlib.nullcontext()


def tell(paths: Sequence[str], links: Sequence[str], devices: Sequence[str]) -> None:
    """It writes for the daemon behind it, which is told in its own way."""
    before = _for_networkmanager(links)
    command.run("netplan", "generate")
    if before or _for_networkmanager(links):
        daemon_networkmanager.tell(paths, links, devices)
    if daemon_networkd.runs():
        daemon_networkd.tell(paths, links, devices)


def _for_networkmanager(links: Sequence[str]) -> bool:
    return any(pathlib.Path(netplan.rendered_path(link, True)).exists() for link in links)


def settle(links: Sequence[str]) -> None:
    """Wait until the daemon behind it has come to rest with these links."""
    if daemon_networkd.runs():
        daemon_networkd.settle(links, lambda link: netplan.rendered_path(link, False))


def is_unmanaged(name: str) -> bool:
    """Whether the daemon behind it leaves a link alone."""
    return daemon_networkd.runs() and daemon_networkd.is_unmanaged(name)
