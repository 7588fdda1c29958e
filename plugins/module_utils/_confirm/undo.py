# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot files that are to be as before if the host goes down now: while they are written, and until a change is confirmed.

What was there is kept beside a script that puts it back, which a unit runs at the next boot before any network: with the
power gone in the middle, the host has its old configuration, whole. The script's own place makes it count; it comes last
and goes first.
"""

from __future__ import annotations

import contextlib
import pathlib
import shlex
import shutil
from collections.abc import Iterator, Mapping

from .._core import files

HOME = "/var/lib/virtnet-kvm"
WRITING = f"{HOME}/undo/writing"
SCRIPT = "restore"
UNIT = "/etc/systemd/system/virtnet-undo.service"
LINK = "/etc/systemd/system/sysinit.target.wants/virtnet-undo.service"

Before = Mapping[str, "tuple[str, int] | None"]  # {path: its text and mode; None: there was no such file}

_UNIT = f"""\
# Written by virtnet.kvm, for as long as a change is under way; see {HOME}.
[Unit]
Description=Puts back a boot configuration that was being changed (virtnet.kvm)
DefaultDependencies=no
RequiresMountsFor={HOME} /etc
After=local-fs.target systemd-remount-fs.service
Before=network-pre.target systemd-networkd.service NetworkManager.service networking.service shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
ConditionPathExistsGlob={HOME}/*/*/{SCRIPT}
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for one in {HOME}/*/*/{SCRIPT}; do sh "$one"; done; ls {HOME}/*/*/{SCRIPT} > /dev/null 2>&1 || rm -f {UNIT} {LINK}'
"""


def script(folder: str, before: Before) -> str:
    """The POSIX shell script that puts these files back. A change whose last word was said is left alone."""
    lines = [
        "# Written by virtnet.kvm: the boot configuration as it was.",
        f"cd {shlex.quote(folder)} || exit 1",
        f"grep -qs confirmed verdict && {{ rm -f {SCRIPT}; exit; }}",
    ]
    for number, (path, content) in enumerate(before.items()):
        target = shlex.quote(path)
        if content is None:
            lines.append(f"rm -f {target} || failed=1")
        else:
            draft, folder_ = shlex.quote(f"{path}.virtnet-new"), shlex.quote(str(pathlib.PurePath(path).parent))
            put = f"cp {number} {draft} && chmod {content[1]:o} {draft} && mv {draft} {target}"
            lines.append(f"{{ mkdir -p {folder_} && {put}; }} || failed=1")
    if any(path.startswith("/etc/netplan/") for path in before):
        lines.append("netplan generate")  # it has run already, at the start of systemd
    lines.append('[ -z "$failed" ] || exit 1')  # and once more at the next boot
    told = "[ -e timeout ] && echo rollback > verdict && echo '{\"rolled_back\": true}' > outcome"
    return "\n".join([*lines, f"rm -f {SCRIPT}", told, "sync", ""])


def arm(folder: str, before: Before) -> None:
    """From now on a boot puts these files back; raises SystemFailure."""
    if not before:
        return
    for number, content in enumerate(before.values()):
        if content:
            files.write(f"{folder}/{number}", content[0], 0o600)
    files.write(UNIT, _UNIT)
    files.link(UNIT, LINK)
    files.write(f"{folder}/{SCRIPT}", script(folder, before), 0o600)


def disarm(folder: str) -> None:
    """The files stay as they are."""
    files.delete(f"{folder}/{SCRIPT}")
    forget(folder)


def forget(folder: str) -> None:
    """Remove the folder, and the unit once nobody needs it."""
    shutil.rmtree(folder, ignore_errors=True)
    if not any(pathlib.Path(HOME).glob(f"*/*/{SCRIPT}")):
        files.delete(LINK)
        files.delete(UNIT)


@contextlib.contextmanager
def writing(before: Before) -> Iterator[None]:
    """All of the files or none of them. Where it fails, what was armed first stays until all is put back."""
    if not pathlib.Path(WRITING, SCRIPT).exists():
        arm(WRITING, before)
    yield
    if before:
        written()


def written() -> None:
    """All files are as they are to be, or as they were again."""
    disarm(WRITING)
    files.prune(WRITING, HOME)
