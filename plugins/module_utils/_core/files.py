# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only writer of files: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile

from .errors import SystemFailure


def write(path: str, text: str, mode: int = 0o644) -> None:
    """Write a new file and put it in the old one's place in one move; raises SystemFailure."""
    target = pathlib.Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".virtnet-", dir=target.parent)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            pathlib.Path(draft).replace(target)
            _sync(target.parent)
        except OSError:
            with contextlib.suppress(OSError):
                pathlib.Path(draft).unlink()
            raise
    except OSError as error:
        raise SystemFailure(f"writing {path}: {error.strerror}") from error


def link(target: str, path: str) -> None:
    """Make a symbolic link, where it is not there; raises SystemFailure."""
    try:
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            pathlib.Path(path).symlink_to(target)
    except OSError as error:
        raise SystemFailure(f"linking {path}: {error.strerror}") from error


def delete(path: str) -> None:
    """Remove a file, where it is there; raises SystemFailure."""
    try:
        target = pathlib.Path(path)
        if target.is_symlink() or target.exists():
            target.unlink()
            _sync(target.parent)
    except OSError as error:
        raise SystemFailure(f"removing {path}: {error.strerror}") from error


def _sync(folder: pathlib.Path) -> None:
    """What happened in a folder is on the disk (fsync(2)): else two changes may get there in the other order."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def prune(path: str, *roots: str) -> None:
    """Remove the folders above a file that are empty now, up to these roots, which go too; others' folders stay."""
    for folder in pathlib.Path(path).parents:
        if not any(folder == pathlib.Path(root) or pathlib.Path(root) in folder.parents for root in roots):
            return
        try:
            folder.rmdir()
        except OSError:
            return  # not empty, or gone already


def read(path: str) -> tuple[str, int] | None:
    """(text, mode), or None where there is no such file; raises SystemFailure where it can't be read."""
    try:
        file = pathlib.Path(path)
        return file.read_text(), file.stat().st_mode & 0o7777
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SystemFailure(f"reading {path}: {error}") from error
