# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an armed change leaves on the host: a folder with the state before it, and who has the last word.

The word is a file that is made only once: the controller's fresh connection writes `confirmed`, the host's agent
`rollback`, the module itself `withdrawn` when it has put everything back; whoever is first has decided.
"""

from __future__ import annotations

import json
import pathlib
import typing

from .._core import files
from . import undo

ROOT = pathlib.Path("/var/lib/virtnet-kvm/confirm")
UNIT = "virtnet-confirm-{}.service"

CONFIRMED, ROLLBACK, WITHDRAWN = "confirmed", "rollback", "withdrawn"


class Pending:
    """One armed change, by its folder."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.unit = UNIT.format(folder.name)

    def save(self, snapshot: typing.Any, timeout: int, before: undo.Before) -> None:
        import pickle  # here, since most runs only look whether there is anything

        self.folder.mkdir(parents=True, mode=0o700)
        # Only root can write here, and the code that reads it is kept beside it.
        (self.folder / "snapshot").write_bytes(pickle.dumps(snapshot))
        files.write(str(self.folder / "timeout"), str(timeout))
        undo.arm(str(self.folder), before)

    def load(self) -> typing.Any:
        import pickle

        return pickle.loads((self.folder / "snapshot").read_bytes())

    @property
    def timeout(self) -> int:
        return int((self.folder / "timeout").read_text())

    def decide(self, word: str) -> str:
        """Say the last word, unless it was said already; gives what counts."""
        try:
            with open(self.folder / "verdict", "x") as verdict:
                verdict.write(f"{word}\n")
            return word
        except FileExistsError:
            return (self.folder / "verdict").read_text().strip()

    def tell(self, **outcome: typing.Any) -> None:
        if outcome.get("rolled_back"):
            files.delete(str(self.folder / undo.SCRIPT))
        files.write(str(self.folder / "outcome"), json.dumps(outcome) + "\n")

    def outcome(self) -> dict[str, typing.Any] | None:
        found = files.read(str(self.folder / "outcome"))
        return json.loads(found[0]) if found else None

    def forget(self) -> None:
        undo.forget(str(self.folder))
        files.prune(str(self.folder), str(ROOT.parent))


def every() -> list[Pending]:
    """All that was armed here and not forgotten yet."""
    return [Pending(folder) for folder in sorted(ROOT.glob("*")) if (folder / "timeout").exists()]
