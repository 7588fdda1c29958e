# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options as data: argument spec, normal form, differences."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._core import kinds, table
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._core.table import Field

FIELDS = (
    Field("on", kinds.BOOLEAN, default=False),
    Field("names", kinds.TEXT, many=True),
    Field("order", kinds.TEXT, many=True, ordered=True),
    Field("inner", fields=(Field("number", kinds.integer(0, 9), required=True), Field("word", kinds.choice("a", "b")))),
    Field("items", many=True, key=("id",), fields=(Field("id", kinds.integer(0, 99)), Field("mac", kinds.MAC))),
)

CASES = [
    ({}, {}),
    ({"on": False, "names": [], "inner": None}, {}),
    ({"on": "yes", "unknown": 1}, {"on": True}),
    ({"names": ["b", "a"], "order": ["b", "a"]}, {"names": ["a", "b"], "order": ["b", "a"]}),
    ({"names": "b, a", "items": {"id": 1}}, {"names": ["a", "b"], "items": [{"id": 1}]}),
    ({"inner": {"number": "7"}}, {"inner": {"number": 7}}),
    (
        {"items": [{"id": 2}, {"id": 1, "mac": "52:54:00:AA:00:00"}]},
        {"items": [{"id": 1, "mac": "52:54:00:aa:00:00"}, {"id": 2}]},
    ),
]


@pytest.mark.parametrize(("values", "normal"), CASES)
def test_normal(values: dict, normal: dict) -> None:
    assert table.normal(FIELDS, values) == normal
    assert table.normal(FIELDS, normal) == normal


def test_normal_names_the_place_of_a_bad_value() -> None:
    with pytest.raises(InputError, match=r"items\[1\].mac: 'x': this is no MAC"):
        table.normal(FIELDS, {"items": [{"id": 1}, {"id": 2, "mac": "x"}]})


def test_normal_keeps_what_the_system_holds() -> None:
    assert table.normal(FIELDS, {"inner": {"number": 70}}, strict=False) == {"inner": {"number": 70}}


def test_argument_spec() -> None:
    assert table.argument_spec(FIELDS) == {
        "on": {"type": "bool"},
        "names": {"type": "list", "elements": "str"},
        "order": {"type": "list", "elements": "str"},
        "inner": {"type": "dict", "options": {
            "number": {"type": "int", "required": True}, "word": {"type": "str", "choices": ["a", "b"]}}},
        "items": {"type": "list", "elements": "dict", "options": {"id": {"type": "int"}, "mac": {"type": "str"}}},
    }  # fmt: skip


def test_differing() -> None:
    assert table.differing({"a": 1, "b": 2, "d": 0}, {"a": 1, "b": 3, "c": 4}) == ["b", "c", "d"]
