# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes how long each task took, a line of JSON a task, into the file that TASK_TIMES names."""

from __future__ import annotations

DOCUMENTATION = r"""
name: task_times
type: aggregate
short_description: Write task times to a file
description: For the benchmarks of this collection.
"""

import json
import os
import time

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """From a task's start to its host's result; a loop counts as one."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.started = time.perf_counter()

    def v2_runner_on_ok(self, result):
        with open(os.environ["TASK_TIMES"], "a") as file:
            changed = bool(result._result.get("changed"))
            seconds = time.perf_counter() - self.started
            file.write(json.dumps({"task": result._task.get_name(), "seconds": seconds, "changed": changed}) + "\n")
