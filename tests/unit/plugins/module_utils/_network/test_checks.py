# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, in the words that the user reads. The rest of the list is in tests/integration/test_bad_input.py."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._network import checks, xml
from ansible_collections.virtnet.kvm.plugins.module_utils._network.desired import desired
from ansible_collections.virtnet.kvm.plugins.module_utils._network.model import Definition, Form, Network, Observed
from ansible_collections.virtnet.kvm.plugins.module_utils._network.options import definition
from hypothesis import given
from networks import definitions

SUBNET = "10.0.0.1/24"


def nat(**subnet: object) -> Definition:
    return definition({"mode": "nat", "subnets": [{"address": SUBNET, **subnet}]})


def hosts(*items: dict) -> Definition:
    return nat(dhcp={"hosts": list(items)})


MAC = "52:54:00:00:00:01"
REFUSED = [
    (hosts({"mac": MAC, "ip": "10.1.0.1"}), "10.1.0.1 is outside"),
    (hosts({"mac": MAC, "ip": "10.0.0.1"}), "host's own address"),
    (hosts({"id": "0:1", "ip": "10.0.0.2"}), "in IPv4 it goes by mac"),
    (hosts({"mac": MAC, "id": "0:1", "ip": "10.0.0.2"}), "both mac and id"),
    (nat(dhcp={"bootp": {"file": "x"}}), "bootp needs"),
    (nat(dhcp={"ranges": [{"start": "10.0.0.9", "end": "10.0.0.5"}]}), "runs backwards"),
    (definition({"mode": "nat", "subnets": [{"address": "10.0.0.1/8", "dhcp": {"ranges": [{"start": "10.0.0.2", "end": "10.9.0.0"}]}}]}), "65535"),
    (definition({"mode": "nat", "subnets": [
        {"address": "10.0.0.1/24", "dhcp": {"ranges": [{"start": "10.0.0.2", "end": "10.0.0.3"}]}},
        {"address": "10.1.0.1/24", "dhcp": {"ranges": [{"start": "10.1.0.2", "end": "10.1.0.3"}]}}]}), "one of a family"),
    (definition({"mode": "isolated", "forward": {"dev": "eth0"}}), "forwards nothing"),
    (definition({"mode": "nat", "forward": {"interfaces": ["a", "b"]}, "subnets": [{"address": SUBNET}]}), "one device at most"),
    (definition({"mode": "vepa"}), "forward.dev"),
    (definition({"mode": "hostdev"}), "forward.pf"),
    (definition({"mode": "vepa", "forward": {"dev": "a"}, "bridge": "br0"}), "has none"),
    (definition({"mode": "nat", "subnets": [{"address": SUBNET}], "dns": {"forwarders": [{}, {"domain": ""}]}}), "address or domain"),
    (definition({"title": "x"}), "too old"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "words"), REFUSED)
def test_refused(wanted: Definition, words: str | None) -> None:
    found = list(checks.definition_problems(wanted, frozenset({"name"})))
    assert not found if words is None else any(words in problem for problem in found), found


@given(definitions())
def test_what_anyone_may_mean_is_taken(options: dict) -> None:
    wanted = desired({"name": "n", **options}).wants[0].source
    assert not list(checks.definition_problems(wanted, None))


@pytest.mark.parametrize("name", ["a/b", ".", "..", " ", "a\nb", "n" * 129])
def test_names(name: str) -> None:
    assert list(checks.name_problems(name))
    assert not list(checks.name_problems("a net-1.x"))


def test_unknown_to_this_libvirt_and_known_to_it() -> None:
    wanted = xml.read("<network><name>n</name><new/><bridge odd='1'/></network>").definition
    assert len(list(checks.definition_problems(wanted, frozenset({"bridge"})))) == 2
    assert not list(checks.definition_problems(wanted, frozenset({"new", "odd"})))


def network(name: str, address: str, bridge: str) -> Network:
    form = Form(definition({"mode": "nat", "bridge": bridge, "subnets": [{"address": address}]}), "")
    return Network(name, "", form, form, True)


def test_collisions() -> None:
    other = network("other", "10.0.0.129/25", "virbr7")
    observed = Observed(
        {},
        {"other": other},
        links=("eth0", "virbr7"),
        host_subnets=(("eth0", "10.0.0.0/16"), ("virbr7", "10.0.0.128/25")),
    )
    ground = checks.ground(observed, {"other": other})
    found = list(checks.collision_problems("n", nat(), ground))
    assert len(found) == 2 and "running network other" in found[0] and "link eth0" in found[1]
    taken = definition({"mode": "nat", "bridge": "virbr7"})
    assert "bridge of network other" in next(checks.collision_problems("n", taken, ground))
    taken = definition({"mode": "nat", "bridge": "eth0"})
    assert "a link of this host" in next(checks.collision_problems("n", taken, ground))
    gone = checks.ground(observed, {})
    assert not list(checks.collision_problems("n", definition({"mode": "nat", "bridge": "virbr8"}), gone))
    # the bridge of one that goes
    assert not list(checks.collision_problems("n", definition({"mode": "nat", "bridge": "virbr7"}), gone))


@pytest.mark.parametrize("lease, fine", [("119s", False), ("2m", True), ("infinite", True)])
def test_leases_that_libvirt_takes(lease: str, fine: bool) -> None:
    span = {"start": "10.0.0.2", "end": "10.0.0.9", "lease_time": lease}
    wanted = definition({"mode": "nat", "subnets": [{"address": "10.0.0.1/24", "dhcp": {"ranges": [span]}}]})
    assert (not list(checks.definition_problems(wanted, None))) is fine
