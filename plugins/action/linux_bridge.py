# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of commit-confirm: a change that touches its own path stays only when a fresh connection works."""

from __future__ import annotations

import contextlib
import json
import shlex
import time
import typing

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.virtnet.kvm.plugins.module_utils._bridge.options import CONFIRM_SECONDS
from ansible_collections.virtnet.kvm.plugins.module_utils._confirm import undo
from ansible_collections.virtnet.kvm.plugins.module_utils._confirm.store import CONFIRMED, ROOT

MODULE = "virtnet.kvm.linux_bridge"
PAUSE_SECONDS = 1.0
GRACE_SECONDS = 45  # what the host's agent may need to put everything back

# Says the last word, unless the host has said it already (see module_utils/_confirm/store.py); then tells what counts. It may
# be asked again, where the answer was lost.
CONFIRM = """\
cd {folder} 2>/dev/null || {{ echo '{{"gone": true}}'; exit 0; }}
set -C
echo {word} 2>/dev/null > verdict
if grep -qx {word} verdict; then
    echo '{{"confirmed": true}}'
else
    cat outcome 2>/dev/null || echo '{{"waiting": true}}'
fi
"""
# Once the answer is there: the agent has nothing to do any more, nor has the next boot.
TIDY = "rm -rf {undo}; systemctl stop {unit}; rm -rf {folder}"
LOOK = "cat {folder}/*/outcome 2>/dev/null || (ls {folder}/*/timeout >/dev/null 2>&1 && echo '{{\"waiting\": true}}') || echo '{{\"gone\": true}}'"


class ActionModule(ActionBase):
    """Runs the module, and confirms."""

    _supports_check_mode = True
    _supports_diff = True
    _supports_async = False

    def run(self, tmp: None = None, task_vars: dict[str, typing.Any] | None = None) -> dict[str, typing.Any]:
        result = super().run(tmp, task_vars)
        timeout = self._timeout()
        try:
            result.update(self._execute_module(module_name=MODULE, task_vars=task_vars))
        except AnsibleConnectionFailure as error:
            result.update(self._lost(error, timeout))
            return result
        pending = result.pop("confirm", None)
        if pending:
            self._confirm(result, pending)
        elif not result.get("failed"):
            result.setdefault("confirmed", None)
        return result

    def _timeout(self) -> int:
        try:
            return int(self._task.args.get("confirm_timeout", CONFIRM_SECONDS))
        except (TypeError, ValueError):
            return CONFIRM_SECONDS  # the module will say what is wrong with it

    def _confirm(self, result: dict[str, typing.Any], pending: dict[str, typing.Any]) -> None:
        folder = shlex.quote(pending["folder"])
        confirm = CONFIRM.format(word=CONFIRMED, folder=folder)
        # an answer that was lost had said so where the agent has tidied up since
        answer = self._ask(confirm, pending["timeout"] + GRACE_SECONDS, gone_after={"confirmed": True})
        if answer and answer.get("confirmed"):
            result["confirmed"] = True
            files = f"{folder}/{undo.SCRIPT} {undo.LINK} {undo.UNIT}"
            self._quietly(TIDY.format(undo=files, unit=shlex.quote(pending["unit"]), folder=folder))
            return
        self._forget(pending["folder"])
        result.update(failed=True, changed=False, confirmed=False, **_told(answer, pending["timeout"]))

    def _lost(self, error: AnsibleConnectionFailure, timeout: int) -> dict[str, typing.Any]:
        """The connection broke while the module ran: whether it had armed is seen from what it has left."""
        answer = self._ask(LOOK.format(folder=ROOT), timeout + GRACE_SECONDS) if timeout else None
        if answer is None or answer.get("gone"):
            raise error
        self._forget(f"{ROOT}/*")
        return {"failed": True, "changed": False, "confirmed": False, **_told(answer, timeout)}

    def _forget(self, folder: str) -> None:
        """The outcome was told; a failed one is kept for whoever looks at the host."""
        self._quietly(
            f"grep -q '\"rolled_back\": true' {folder}/outcome && rm -rf {folder} {undo.LINK} {undo.UNIT}"
            f" && rmdir {ROOT} {undo.HOME} 2>/dev/null || true"
        )

    def _quietly(self, command: str) -> None:
        """What the agent, or the next run, would do otherwise."""
        with contextlib.suppress(AnsibleConnectionFailure):
            self._low_level_execute_command(f"sh -c {shlex.quote(command)}")

    def _ask(
        self, command: str, seconds: float, gone_after: dict[str, typing.Any] | None = None
    ) -> dict[str, typing.Any] | None:
        """The answer over a connection that did not exist before; None where there is none in time. `gone_after` is what it means
        that nothing is there any more after an attempt without an answer."""
        deadline, lost = time.monotonic() + seconds, False
        while time.monotonic() < deadline:
            answer = self._ask_once(command)
            if answer and answer.get("gone") and lost and gone_after:
                return gone_after
            if answer and not answer.get("waiting"):
                return answer
            lost = lost or answer is None
            time.sleep(PAUSE_SECONDS)
        return None

    def _ask_once(self, command: str) -> dict[str, typing.Any] | None:
        try:
            self._connection.reset()
            done = self._low_level_execute_command(f"sh -c {shlex.quote(command)}")
            return json.loads(done["stdout"].strip().splitlines()[-1])
        except (AnsibleConnectionFailure, ValueError, IndexError):
            return None


def _told(answer: dict[str, typing.Any] | None, timeout: int) -> dict[str, typing.Any]:
    if answer is None:
        return {
            "rolled_back": False,
            "msg": f"no fresh connection to the host within {timeout + GRACE_SECONDS} s, although it should have put"
            " everything back by itself; look at it on its console",
        }
    if answer.get("rolled_back") is False:
        return {
            "rolled_back": False,
            "msg": "no fresh connection to the host came through after the change, and putting back what was there"
            f" failed: {answer.get('msg')}. Look at the host; {ROOT} holds what was there before",
        }
    return {
        "rolled_back": True,
        "msg": f"no fresh connection to the host came through within {timeout} s after the change, so the host has put"
        " back what was there before. Look for a wrong gateway, VLAN or port, or a cable",
    }
