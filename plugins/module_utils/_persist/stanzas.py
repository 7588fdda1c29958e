# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""interfaces(5): its stanzas, and putting some of them to sleep and awake again. Pure."""

from __future__ import annotations

_ASIDE = "#virtnet.kvm# "
_INSTEAD = "#virtnet.kvm# in its place:"

WORDS = (
    "iface", "auto", "mapping", "source", "source-directory", "no-auto-down", "no-scripts", "rename", "template",
)  # fmt: skip
WITH_OPTIONS = ("iface", "mapping", "template")


def stanzas(text: str) -> list[tuple[list[str], list[int]]]:
    """The words of each stanza's first line, and the numbers of its lines, without what is behind its last option."""
    found: list[tuple[list[str], list[int]]] = []
    continued = False
    for number, line in enumerate(text.splitlines()):
        words = line.split()
        if continued:
            found[-1][1].append(number)
        elif not words or line.lstrip().startswith("#"):
            continue
        elif words[0] in WORDS or words[0].startswith("allow-"):
            found.append((words, [number]))
        elif found and found[-1][0][0] in WITH_OPTIONS:
            found[-1][1].append(number)
        else:
            found.append((words, [number]))
        continued = line.endswith("\\") and bool(found)
    return found


def asleep(text: str, taken: set[str]) -> str:
    """The text with the stanzas of these links as comments; an `auto` of several links goes on for the others."""
    lines = text.splitlines()
    changed: dict[int, list[str]] = {}
    for words, numbers in stanzas(text):
        if words[0] in WITH_OPTIONS and len(words) > 1 and words[1] in taken:
            changed.update({number: [_ASIDE + lines[number]] for number in numbers})
        elif (words[0] == "auto" or words[0].startswith("allow-")) and set(words[1:]) & taken:
            left = [word for word in words[1:] if word not in taken]
            changed[numbers[0]] = [_ASIDE + lines[numbers[0]]]
            changed[numbers[0]] += [_INSTEAD, " ".join([words[0], *left])] if left else []
    if not changed:
        return text
    return "".join(f"{one}\n" for number, line in enumerate(lines) for one in changed.get(number, [line]))


def awake(text: str) -> str:
    """The text with all such comments as stanzas again."""
    if _ASIDE.rstrip() not in text:
        return text
    result, instead = [], False
    for line in text.splitlines():
        if instead:
            instead = False
        elif line == _INSTEAD:
            instead = True
        else:
            result.append(line[len(_ASIDE) :] if line.startswith(_ASIDE) else line)
    return "".join(f"{line}\n" for line in result)
