# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backends as one: whose a file is, and all files with a bridge's in place of its former ones. Pure."""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping

from .._core.table import Options
from .model import Boot, File, Files, Kept, owner


class Renderer(typing.Protocol):
    """What a backend brings: the same functions in each."""

    UNKEPT: frozenset[str]

    def owns(self, path: str) -> bool: ...
    def render(self, kept: Kept, files: Mapping[str, File], in_charge: Mapping[str, str]) -> Files: ...
    def yielding(self, files: Files, taken: set[str]) -> Files: ...
    def refused(self, kept: Kept) -> str | None: ...
    def links(self, path: str, text: str) -> list[str]: ...
    def devices(self, path: str, text: str) -> list[str]: ...
    def broken(self, path: str, text: str) -> str | None: ...
    def options(self, files: Mapping[str, File], link: str, charge: str) -> Options: ...
    def sizes(self, files: Mapping[str, File], link: str) -> Options: ...


@functools.cache
def renderers() -> Mapping[str, Renderer]:
    """Each backend by its name; loaded here, since with `persist: none` nobody asks for one, and to load them takes a while."""
    from . import ifupdown, netplan, networkd, networkmanager

    return {
        "netplan": typing.cast(Renderer, netplan),
        "networkd": typing.cast(Renderer, networkd),
        "networkmanager": typing.cast(Renderer, networkmanager),
        "ifupdown": typing.cast(Renderer, ifupdown),
    }


def of(path: str) -> str:
    """The backend that a file is of."""
    return next(name for name, renderer in renderers().items() if renderer.owns(path))


def links(path: str, text: str) -> list[str]:
    """The links that a file is for."""
    return renderers()[of(path)].links(path, text)


def devices(path: str, text: str) -> list[str]:
    """The links that a file makes."""
    return renderers()[of(path)].devices(path, text)


def made(files: Mapping[str, File]) -> frozenset[str]:
    """The links that our files make."""
    return frozenset(name for path, file in files.items() if owner(file.text) for name in devices(path, file.text))


def replaced(boot: Boot, bridges: Mapping[str, Kept | None]) -> Files:
    """All files with these bridges' in place of their former ones (None: with none), whichever backend kept those. What
    somebody else says of a link of ours is kept beside as a backup; once the link is nobody's again, it is back."""
    result = _rendered(boot, dict(boot.files), bridges)
    if any(port.get("parent") for kept in bridges.values() if kept for port in kept.ports):
        result = _rendered(boot, result, bridges)  # the parent's file may be that of a bridge that came later
    taken = {name for path, file in result.items() if owner(file.text) for name in links(path, file.text)}
    for renderer in renderers().values():
        result = renderer.yielding(result, taken)
    return result


def _rendered(boot: Boot, files: Files, bridges: Mapping[str, Kept | None]) -> Files:
    former = _by_owner(files)
    for bridge, kept in bridges.items():
        for path in former.get(bridge, ()):
            if owner(files[path].text) == bridge:  # not one that another of these has just taken over
                del files[path]
        if kept:
            files.update(renderers()[boot.backend].render(kept, files, boot.in_charge))
    return files


def _by_owner(files: Mapping[str, File]) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for path, file in files.items():
        found.setdefault(owner(file.text), []).append(path)
    return found


def broken(files: Mapping[str, File], backend: str) -> tuple[str, str] | None:
    """The first file of this backend that can't be understood, and why."""
    renderer = renderers()[backend]
    for path in sorted(files):
        why = renderer.broken(path, files[path].text) if renderer.owns(path) else None
        if why:
            return path, why
    return None
