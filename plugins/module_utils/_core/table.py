# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options as data: a row an option, from which the argument spec, the normal form and the comparison come.

Knows no domain. A domain adds to a row what only it needs (an XML path, a netlink attribute) by deriving from `Field`.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable, Mapping, Sequence

from .errors import InputError

Options = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of value: its type for Ansible, how it is brought into normal form, how it is written as text.

    `parse` takes text or a value, returns the normal value, and raises ValueError saying what would be right.
    """

    ansible: str
    parse: Callable[[typing.Any], typing.Any]
    render: Callable[[typing.Any], str] = str
    choices: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Field:
    """An option. With `fields` it is a dictionary, with `many` a list; `key` tells the items of a list apart.

    `default` is the value that means the same as silence; `ordered` says that the order of a list has a meaning;
    `settle` is for what several of a dictionary's options mean together.
    """

    name: str
    kind: Kind | None = None
    fields: tuple[typing.Any, ...] = ()
    many: bool = False
    ordered: bool = False
    key: tuple[str, ...] = ()
    default: typing.Any = None
    required: bool = False
    settle: Callable[[Options], Options] | None = None


def argument_spec(fields: Sequence[Field]) -> dict[str, typing.Any]:
    """Ansible's argument spec of these options."""
    return {field.name: _argument(field) for field in fields}


def _argument(field: Field) -> dict[str, typing.Any]:
    spec: dict[str, typing.Any] = {"type": "dict" if field.fields else typing.cast(Kind, field.kind).ansible}
    if field.kind and field.kind.choices:
        spec["choices"] = list(field.kind.choices)
    if field.fields:
        spec["options"] = argument_spec(field.fields)
    if field.many:
        spec["elements"], spec["type"] = spec["type"], "list"
    if field.required:
        spec["required"] = True
    return spec


def normal(fields: Sequence[Field], values: Mapping[str, typing.Any], where: str = "", strict: bool = True) -> Options:
    """The normal form: one spelling a value, nothing that says the default, lists sorted where order means nothing.

    A new dictionary; normal form twice is once. Raises InputError naming the option and its value. When not strict, a
    value that can't be understood is kept as it is: for what the system holds already, which is never refused.
    """
    result: Options = {}
    for field in fields:
        value = values.get(field.name)
        if value is not None:
            value = _normal_value(field, value, f"{where}{field.name}", strict)
            if value not in (None, {}, []) and value != field.default:
                result[field.name] = value
        if strict and field.required and field.name not in result:
            raise InputError(f"{where}{field.name} is missing")
    return result


def _normal_value(field: Field, value: typing.Any, where: str, strict: bool) -> typing.Any:
    if not field.many:
        return _normal_item(field, value, where, strict)
    if isinstance(value, str):  # as Ansible does with its own lists
        value = [part.strip() for part in value.split(",") if part.strip()]
    elif isinstance(value, (int, float, Mapping)):
        value = [value]
    items = [_normal_item(field, item, f"{where}[{number}]", strict) for number, item in enumerate(value)]
    items = [item for item in items if item not in (None, {})]
    return items if field.ordered else sorted(items, key=lambda item: _sort_key(field, item))


def _normal_item(field: Field, value: typing.Any, where: str, strict: bool) -> typing.Any:
    if field.fields:
        if not isinstance(value, Mapping):
            raise InputError(f"{where}: {value!r}: say a dictionary of {', '.join(one.name for one in field.fields)}")
        options = normal(field.fields, value, f"{where}.", strict)
        return field.settle(options) if field.settle else options
    try:
        return typing.cast(Kind, field.kind).parse(value)
    except (ValueError, TypeError) as error:
        if strict:
            raise InputError(f"{where}: {value!r}: {error}") from error
        return value


def _sort_key(field: Field, item: typing.Any) -> tuple[str, ...]:
    text = json.dumps(item, sort_keys=True)
    return (*(str(item.get(name, "")) for name in field.key), text) if field.key else (text,)


def keyed(field: Field, item: Mapping[str, typing.Any]) -> tuple[typing.Any, ...]:
    """What tells this item of a list from the others."""
    return tuple(item.get(name) for name in field.key)


def differing(before: Mapping[str, typing.Any], after: Mapping[str, typing.Any]) -> list[str]:
    """The names of the options that differ, in the order of the alphabet."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
