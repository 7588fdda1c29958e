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


def strike(kind):
    """Do what the fault is."""
    if kind == "kill module":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "kill libvirtd":
        show = ["systemctl", "show", "-P", "MainPID", "libvirtd"]
        os.kill(int(subprocess.run(show, capture_output=True, check=True).stdout), signal.SIGKILL)
    errors = importlib.import_module(f"{UTILS}._core.errors")
    if kind == "error":
        raise errors.SystemFailure("injected")


def faulty(module, fault):
    """Wrap each step (of a bridge: each rank of steps) so that the fault happens before the n-th one, or after the last."""
    domain = {"linux_bridge": "_bridge", "libvirt_domain_interface": "_interface"}.get(module, "_network")
    apply = importlib.import_module(f"{UTILS}.{domain}.apply")
    count = 0

    def wrap(function):
        def wrapped(*arguments):
            nonlocal count
            count += 1
            if count == fault["step"]:
                strike(fault["kind"])
            return function(*arguments)

        return wrapped

    # what is called without a table of verbs; of a bridge also once all is done
    places = {
        "_bridge": [(apply, "_do"), (getattr(apply, "undo", None), "written")],
        "_network": [(apply, "_plug")],
    }.get(domain, [])
    saved, verbs = [(home, name, getattr(home, name)) for home, name in places], dict(getattr(apply, "VERBS", {}))
    for home, name, function in saved:
        setattr(home, name, wrap(function))
    for verb, function in verbs.items():
        apply.VERBS[verb] = wrap(function)

    def undo():
        for home, name, function in saved:
            setattr(home, name, function)
        if verbs:
            apply.VERBS.update(verbs)

    return undo


def call(request):
    module = importlib.import_module(f"ansible_collections.virtnet.kvm.plugins.modules.{request['module']}")
    arguments = {**request["params"], "_ansible_check_mode": request["check"], "_ansible_diff": True}
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    undo = faulty(request["module"], request["fault"]) if request.get("fault") else lambda: None
    os.environ.pop("SSH_CONNECTION", None)
    os.environ.update(request.get("environment") or {})
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
