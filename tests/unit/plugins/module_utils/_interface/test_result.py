# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user reads."""

from __future__ import annotations

from ansible_collections.virtnet.kvm.plugins.module_utils._interface.plan import plan
from ansible_collections.virtnet.kvm.plugins.module_utils._interface.result import result
from interfaces import MAC, done, guest, interface, live, observed, wanted

RUNS = guest([interface()], [live(interface())])


def test_a_check_tells_what_the_real_run_tells() -> None:
    before = observed(RUNS)
    first = plan(wanted(mac=MAC(1), link_state="down", mtu=1400), before)
    told = result(first, None)
    assert told == result(first, done(first, before))
    assert told["changed"] and told["interfaces"] == [{
        "guest": "g", "mac": MAC(1), "changed": True, "actions": ["update link_state, mtu"],
        "restart_required": True, "pending": ["mtu"],
        "before": {"mac": MAC(1), "network": "na", "model": "virtio"},
        "after": {"mac": MAC(1), "network": "na", "model": "virtio", "link_state": "down", "mtu": 1400,
                  "live": {"mtu": None}},
    }]  # fmt: skip
    assert "mtu: 1400" in told["diff"][0]["after"] and "mtu" not in told["diff"][0]["before"]


def test_what_libvirt_picks_is_left_out_until_it_is_there() -> None:
    before = observed(RUNS)
    first = plan(wanted(network="nb"), before)
    one = result(first, None)["interfaces"][0]
    assert one["mac"] is None and one["before"] is None and one["after"] == {"network": "nb", "model": "virtio"}
    one = result(first, done(first, before))["interfaces"][0]
    assert one["mac"] == one["after"]["mac"] and one["mac"].startswith("52:54:00:ff")


def test_what_went_has_no_after() -> None:
    before = observed(RUNS)
    first = plan(wanted(network="na", state="absent"), before)
    for told in (result(first, None), result(first, done(first, before))):
        assert told["interfaces"][0]["after"] is None and told["interfaces"][0]["mac"] == MAC(1)
    nothing = result(plan(wanted(network="nb", state="absent"), before), None)
    assert not nothing["changed"] and nothing["diff"] == []


def test_an_interface_that_only_runs_or_is_only_stored() -> None:
    one = result(plan(wanted(mac=MAC(1), state="absent"), observed(guest([interface()], []))), None)["interfaces"][0]
    assert one["before"]["live"] is None
    one = result(plan(wanted(mac=MAC(1), state="absent"), observed(guest([], [live(interface())]))), None)[
        "interfaces"
    ][0]
    assert one["before"] == {"mac": MAC(1), "live": {"model": "virtio", "network": "na"}}
