# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a lab's host: takes calls as lines of JSON, runs the real modules' main(), answers with a line of JSON.

One process for many calls, since a start of Python and the imports would cost most of a test's time. A call may ask for
a fault: to be killed, or to have libvirtd killed, just before the n-th step of the plan.
"""

import contextlib
import importlib
import io
import json
import os
import signal
import subprocess
import sys

from ansible.module_utils import basic

UTILS = "ansible_collections.virtnet.kvm.plugins.module_utils"


def faulty(fault):
    """Wrap each step so that the fault happens before the n-th one."""
    apply = importlib.import_module(f"{UTILS}._network.apply")
    count = 0

    def before():
        nonlocal count
        count += 1
        if count == fault["step"]:
            if fault["kind"] == "kill module":
                os.kill(os.getpid(), signal.SIGKILL)
            if fault["kind"] == "kill libvirtd":
                pid = subprocess.run(
                    ["systemctl", "show", "-P", "MainPID", "libvirtd"], capture_output=True, check=True
                ).stdout
                os.kill(int(pid), signal.SIGKILL)
            if fault["kind"] == "error":
                errors = importlib.import_module(f"{UTILS}._core.errors")
                raise errors.SystemFailure("injected")

    def wrap(function):
        def wrapped(*arguments):
            before()
            return function(*arguments)

        return wrapped

    saved, saved_plug = dict(apply.VERBS), apply._plug
    for verb, function in saved.items():
        apply.VERBS[verb] = wrap(function)
    apply._plug = wrap(saved_plug)

    def undo():
        apply.VERBS.update(saved)
        apply._plug = saved_plug

    return undo


def call(request):
    module = importlib.import_module(f"ansible_collections.virtnet.kvm.plugins.modules.{request['module']}")
    arguments = {**request["params"], "_ansible_check_mode": request["check"], "_ansible_diff": True}
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    undo = faulty(request["fault"]) if request.get("fault") else lambda: None
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            module.main()
    finally:
        undo()
    return json.loads(output.getvalue())


for line in sys.stdin:
    try:
        answer = call(json.loads(line))
    except Exception:
        import traceback

        answer = {"traceback": traceback.format_exc()}
    print(json.dumps(answer), flush=True)
