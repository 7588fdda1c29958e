# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The with-block that arms before a change and leaves the last word to the controller's fresh connection."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import sys
import time
import typing
import uuid
from collections.abc import Iterator

from .._core import command
from .._core.errors import InputError, MissingError, RollbackFailed, SystemFailure, VirtnetError
from . import agent, undo
from .store import ROOT, WITHDRAWN, Pending, every

START_SECONDS = 30
SETTLE_SECONDS = 60

_PROGRAM = (
    "import sys; sys.path.insert(0, {code!r}); "
    "from ansible_collections.virtnet.kvm.plugins.module_utils._confirm import agent; "
    "from ansible_collections.virtnet.kvm.plugins.module_utils.{home} import back; "
    "sys.exit(agent.main({folder!r}, back.restore))"
)


@contextlib.contextmanager
def armed(
    snapshot: typing.Any, timeout: int, home: str, before: undo.Before | None = None
) -> Iterator[dict[str, typing.Any]]:
    """Armed for as long as the block lasts, and beyond it until somebody has the last word.

    `home` is the domain whose `back.restore(snapshot)` puts back; `before`, the boot files that a boot in between is to find
    as they were. Gives what the result has to tell the controller. Raises
    MissingError, with nothing changed, where the agent can't start.
    """
    pending = Pending(ROOT / uuid.uuid4().hex[:12])
    try:
        pending.save(snapshot, timeout, before or {})
        _start(pending, home)
    except (SystemFailure, OSError) as error:
        pending.forget()
        raise MissingError(
            f"nothing was changed: the change touches the link that carries this connection, and the agent that would"
            f" put it back does not start here ({error}). Find out why, or say confirm_timeout: 0 to go unguarded"
        ) from error
    try:
        yield {"confirm": {"folder": str(pending.folder), "unit": pending.unit, "timeout": timeout}}
    except RollbackFailed:
        raise  # the agent will try again when the time is over
    except VirtnetError as error:
        _refuse_late(pending, error)
        raise


def _refuse_late(pending: Pending, error: VirtnetError) -> None:
    """Nothing is left to be put back, unless the agent has begun to do so, since the time was over."""
    try:
        word = pending.decide(WITHDRAWN)
    except FileNotFoundError:  # see settle()
        raise SystemFailure(
            "another run on this host took this one for crashed, and has put back what it had changed; run one after the other",
            rolled_back=True,
        ) from error
    if word == WITHDRAWN:
        with contextlib.suppress(SystemFailure):
            command.run("systemctl", "stop", pending.unit)
        pending.forget()
        return
    timeout, outcome = pending.timeout, _wait_for_outcome(pending) or {}
    if not outcome.get("rolled_back"):
        raise RollbackFailed(
            f"the change was not confirmed in time, and could not be put back: {outcome.get('msg', 'no answer')}. Look at"
            f" the host; {pending.folder} holds what was there before",
            rolled_back=False,
        ) from error
    pending.forget()
    raise SystemFailure(
        f"the change was not done and confirmed within {timeout} s, so the host has put back what was there before",
        rolled_back=True,
    ) from error


def _start(pending: Pending, home: str) -> None:
    program = _PROGRAM.format(code=_code(pending), home=home, folder=str(pending.folder))
    properties = ("TimeoutStopSec=60", f"TimeoutStartSec={START_SECONDS}", "KillMode=mixed", "OOMScoreAdjust=-900")
    command.run(
        "systemd-run", "--quiet", "--collect", f"--unit={pending.unit}", "--service-type=notify",
        *(f"--property={one}" for one in properties), "--description=Puts the network back unless it is confirmed",
        sys.executable, "-c", program, seconds=START_SECONDS + 10,
    )  # fmt: skip


def _code(pending: Pending) -> str:
    """Where the agent finds this very code: a copy of the archive that Ansible sent, which is gone with the module."""
    root = pathlib.Path(__file__.split(f"{os.sep}ansible_collections{os.sep}", maxsplit=1)[0])
    if root.is_dir():
        return str(root)
    copy = pending.folder / "code.zip"
    shutil.copy(root, copy)
    return str(copy)


def settle(restore: agent.Restore, dry: bool) -> None:
    """Changes that a crashed run left unconfirmed are put back before anything new is looked at."""
    for pending in every():
        outcome = pending.outcome()
        if outcome and outcome.get("rolled_back"):
            if not dry:
                pending.forget()
        elif not dry:
            _settle(pending, restore)
        elif outcome:
            raise InputError(_not_put_back(pending, outcome))
        else:
            raise InputError(
                "an unconfirmed change of another run is waiting on this host, and will be put back within"
                f" {pending.timeout} s; run again after that (unit {pending.unit})"
            )


def _settle(pending: Pending, restore: agent.Restore) -> None:
    """What the agent has failed at is tried once more; what stood in its way may be gone."""
    with contextlib.suppress(SystemFailure):  # there is none, or it is just dying
        command.run("systemctl", "kill", "--signal=USR1", "--kill-who=main", pending.unit)
    outcome = _wait_for_outcome(pending)
    if outcome is None or outcome.get("rolled_back") is False:
        agent.put_back(pending, pending.load(), restore)
        outcome = pending.outcome() or {}
    if not outcome.get("rolled_back"):
        raise RollbackFailed(_not_put_back(pending, outcome), rolled_back=False)
    pending.forget()


def _not_put_back(pending: Pending, outcome: typing.Mapping[str, typing.Any]) -> str:
    return (
        f"an unconfirmed change of an earlier run could not be put back: {outcome.get('msg', 'no answer')}. Look at the host;"
        f" {pending.folder} holds what was there before. Remove that once the host is as you want it"
    )


def _wait_for_outcome(pending: Pending) -> dict[str, typing.Any] | None:
    """What the agent tells, None if it is dead; a folder that is gone was put back and forgotten, or confirmed, meanwhile."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while pending.folder.exists() and time.monotonic() < deadline:
        lives = command.is_active(pending.unit)  # before the look: its last act is to tell
        outcome = pending.outcome()
        if outcome is not None:
            return outcome
        if not lives and pending.folder.exists():
            return None
        time.sleep(0.1)
    return {} if pending.folder.exists() else {"rolled_back": True}
