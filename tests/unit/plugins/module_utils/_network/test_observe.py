# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is on a network, from what libvirt tells of the running guests."""

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._network import observe
from ansible_collections.virtnet.kvm.plugins.module_utils._network.model import Form, Guest, Network
from ansible_collections.virtnet.kvm.plugins.module_utils._network.options import definition

DOMAIN = """<domain><name>web</name><uuid>u</uuid><devices>
  <interface type='{}'><mac address='52:54:00:00:00:01'/><source {}/><target dev='vnet0'/><port isolated='yes'/></interface>
</devices></domain>"""
PORT = "<networkport><uuid>p1</uuid><owner><name>web</name></owner><mac address='52:54:00:00:00:01'/></networkport>"


@dataclasses.dataclass
class Libvirt:
    """What libvirt would tell."""

    domain: str
    port: str = ""
    local: bool = False

    def running_domains_xml(self) -> list[str]:
        return [self.domain]

    def ports_xml(self, name: str) -> list[str]:
        return [self.port] if self.port else []


def guests(libvirt: Libvirt, live: dict, config: dict) -> tuple[Guest, ...]:
    forms = [Form(definition(one), "") for one in (live, config)]
    there = {"lab": Network("lab", "u", forms[0], forms[1], True)}
    return observe.with_guests(libvirt, there, {"lab"}, set())["lab"].guests  # type: ignore[arg-type, return-value]


NAT = {"mode": "nat", "bridge": "virbr7"}


@pytest.mark.parametrize("config", [NAT, {"mode": "nat", "bridge": "virbr8"}, {"mode": "bridge", "bridge": "br0"}])
def test_a_guest_on_the_bridge_that_runs_is_seen_whatever_is_stored(config: dict) -> None:
    (found,) = guests(Libvirt(DOMAIN.format("bridge", "bridge='virbr7'")), NAT, config)
    assert (found.guest, found.device, found.isolated) == ("web", "vnet0", True)


def test_a_guest_of_which_only_the_port_is_known() -> None:
    pool = {"mode": "hostdev", "forward": {"pf": "eth3"}}
    (found,) = guests(Libvirt(DOMAIN.format("hostdev", ""), PORT), pool, pool)
    assert (found.guest, found.mac, found.device, found.plugged) == ("web", "52:54:00:00:00:01", None, True)
