# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every error that a user can meet. One line each: what is wrong, where, and the way out."""

from __future__ import annotations


class VirtnetError(Exception):
    """What the user is told, with what the task's result carries beside it."""

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.facts = facts


class InputError(VirtnetError):
    """An option's value that can't be meant; found before anything was changed."""


class MissingError(VirtnetError):
    """Something that the host lacks: a library, a daemon, a permission."""


class SystemFailure(VirtnetError):
    """The daemon or the kernel said no."""


class ConnectionLost(SystemFailure):
    """The daemon went away in the middle."""


class NotTaken(SystemFailure):
    """A change was accepted, and yet it is not there."""


class RollbackFailed(VirtnetError):
    """A change failed, and what was there before could not be put back whole."""
