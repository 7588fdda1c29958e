# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option table, and what is carried over."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.virtnet.kvm.plugins.doc_fragments.libvirt_network import ModuleDocFragment
from ansible_collections.virtnet.kvm.plugins.module_utils._core.errors import InputError
from ansible_collections.virtnet.kvm.plugins.module_utils._network.options import (
    carry_over,
    definition,
    spec,
)


@pytest.mark.parametrize(("wanted", "there", "kept"), [
    ({"mode": "nat"}, {"mode": "route", "bridge": "virbr3", "uuid": "u"}, {"bridge", "uuid"}),
    ({"mode": "nat", "bridge": "virbr4"}, {"mode": "nat", "bridge": "virbr3"}, set()),
    ({"mode": "nat"}, {"mode": "bridge", "bridge": "br0", "uuid": "u"}, {"uuid"}),
    ({"mode": "bridge", "bridge": "br0"}, {"mode": "nat", "bridge": "virbr0", "uuid": "u", "mac_address": "m"}, {"uuid"}),
])  # fmt: skip
def test_carry_over(wanted: dict, there: dict, kept: set[str]) -> None:
    one, two = (definition(options, strict=False) for options in (wanted, there))
    assert set(carry_over(one, two).options) - set(one.options) == kept


@pytest.mark.parametrize("options", [
    {"routes": [{"to": "10.0.0.1/24", "via": "10.1.0.1"}]},
    {"dns": {"txts": [{"name": "a b", "value": "c"}]}},
    {"forward": {"addresses": ["03:00"]}},
    {"vlan": {"tags": [{"id": 4096}]}},
])  # fmt: skip
def test_refused(options: dict) -> None:
    with pytest.raises(InputError):
        definition(options)


def test_the_documentation_says_every_option() -> None:
    """validate-modules compares them as well; this takes a second less to say which."""
    said = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert set(spec()) - {"uri"} == set(said)
    compare(spec(), said)


def compare(arguments: dict, said: dict) -> None:
    for name, argument in arguments.items():
        if name == "uri":
            continue
        assert said[name]["type"] == argument["type"], name
        assert said[name].get("choices") == argument.get("choices"), name
        assert set(said[name].get("suboptions", {})) == set(argument.get("options", {})), name
        compare(argument.get("options", {}), said[name].get("suboptions", {}))
