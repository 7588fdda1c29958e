# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a change says that fails after it was armed; the agent itself is for the integration tests."""

from __future__ import annotations

import pathlib
import shutil

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._confirm import guard
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError, RollbackFailed, SystemFailure


@pytest.fixture
def root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Where it is armed, without an agent."""
    for name, instead in (("ROOT", tmp_path / "confirm"), ("_start", lambda *_: None)):
        monkeypatch.setattr(guard, name, instead)
    monkeypatch.setattr(guard.undo, "arm", lambda *_: None)
    monkeypatch.setattr(guard.undo, "forget", lambda folder: shutil.rmtree(folder, ignore_errors=True))
    monkeypatch.setattr(guard.command, "run", lambda *_words, **_how: "")
    return tmp_path / "confirm"


def test_a_failure_is_withdrawn_and_told(root: pathlib.Path) -> None:
    with pytest.raises(SystemFailure, match="no such link"), guard.armed({}, 30, "_bridge"):
        raise SystemFailure("no such link")
    assert not list(root.glob("*"))


def test_put_back_by_another_run_meanwhile(root: pathlib.Path) -> None:
    with pytest.raises(SystemFailure, match="another run on this host") as caught, guard.armed({}, 30, "_bridge"):
        shutil.rmtree(root)
        raise SystemFailure("no such link")
    assert caught.value.facts["rolled_back"] is True


def test_what_an_agent_has_failed_at_is_tried_once_more_and_told(
    root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pending = guard.Pending(root / "0123456789ab")
    pending.save({}, 30, {})
    pending.tell(rolled_back=False, msg="no such device")
    monkeypatch.setattr(guard, "every", lambda: [pending] if pending.folder.exists() else [])
    monkeypatch.setattr(guard.command, "is_active", lambda _unit: False)
    monkeypatch.setattr(guard.agent.time, "sleep", lambda _seconds: None)

    def fails(_snapshot: object) -> None:
        raise SystemFailure("still no such device")

    with pytest.raises(InputError, match=r"could not be put back: no such device.*Remove that"):
        guard.settle(fails, dry=True)
    with pytest.raises(RollbackFailed, match="still no such device"):
        guard.settle(fails, dry=False)
    assert pending.folder.exists()
    guard.settle(lambda _snapshot: None, dry=False)
    assert not pending.folder.exists()
