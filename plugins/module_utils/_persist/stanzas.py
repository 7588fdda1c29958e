# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""interfaces(5): its stanzas, and putting some of them to sleep and awake again. Pure."""

from __future__ import annotations

import functools

_ASIDE = "#virtnet.kvm# "
_INSTEAD = "#virtnet.kvm# in its place:"

WORDS = (
    "iface", "auto", "mapping", "source", "source-directory", "no-auto-down", "no-scripts", "rename", "template",
)  # fmt: skip
WITH_OPTIONS = ("iface", "mapping", "template")


@functools.cache
def stanzas(text: str) -> list[tuple[list[str], list[int]]]:
    """The words of each stanza's first line, and the numbers of its lines, without what is behind its last option. A line
    that ends with a backslash goes on in the next. Kept, since every bridge looks at all files; not to be changed."""
    found: list[tuple[list[str], list[int]]] = []
    continued = first = False
    for number, line in enumerate(text.split("\n")):
        words = _words(line)
        if continued:
            found[-1][1].append(number)
            found[-1][0].extend(words if first else ())
        elif not words or line.lstrip().startswith("#"):
            continue
        elif found and found[-1][0][0] in WITH_OPTIONS and not _is_first(words):
            found[-1][1].append(number)
            first = False
        else:
            found.append((words, [number]))
            first = True
        continued = _goes_on(line)
    return found


def _is_first(words: list[str]) -> bool:
    return words[0] in WORDS or words[0].startswith("allow-")


def _goes_on(line: str) -> bool:
    return line.rstrip("\r").endswith("\\")


def _words(line: str) -> list[str]:
    return (line.rstrip("\r")[:-1] if _goes_on(line) else line).split()


def options(text: str, numbers: list[int]) -> list[list[str]]:
    """The words of each option among these lines of a stanza."""
    lines, continued = text.split("\n"), False
    found: list[list[str]] = []
    for number in numbers:
        if continued:
            found[-1].extend(_words(lines[number]))
        else:
            found.append(_words(lines[number]))
        continued = _goes_on(lines[number])
    return [words for words in found[1:] if words]


def asleep(text: str, taken: set[str]) -> str:
    """The text with the stanzas of these links as comments; an `auto` of several links goes on for the others."""
    lines = text.split("\n")
    changed: dict[int, list[str]] = {}
    for words, numbers in stanzas(text):
        is_auto = words[0] == "auto" or words[0].startswith("allow-")
        if set(words[1:] if is_auto else words[1:2] if words[0] in WITH_OPTIONS else ()) & taken:
            changed.update({number: [_ASIDE + lines[number]] for number in numbers})
            left = [word for word in words[1:] if word not in taken] if is_auto else []
            changed[numbers[-1]] += [_INSTEAD, " ".join([words[0], *left])] if left else []
    return "\n".join(one for number, line in enumerate(lines) for one in changed.get(number, [line]))


def awake(text: str) -> str:
    """The text with all such comments as stanzas again."""
    result, instead = [], False
    for line in text.split("\n"):
        if instead:
            instead = False
        elif line == _INSTEAD:
            instead = True
        else:
            result.append(line[len(_ASIDE) :] if line.startswith(_ASIDE) else line)
    return "\n".join(result)
