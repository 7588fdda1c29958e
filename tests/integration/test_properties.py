# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated networks on real libvirtd: whatever anyone may mean is held as it was meant, and is never changed twice."""

from __future__ import annotations

from host import Host
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from networks import definitions


def settled(host: Host, state: str, options: dict) -> None:
    """Applied, unchanged again; as it stands in info, and as libvirt's own XML, unchanged too."""
    host.network(name="net", state=state, restart="always", **options)
    again = host.network(name="net", state=state, restart="always", **options)
    assert not again["changed"], (options, again)
    found = host.info("net")[0]
    assert found["drift"] == {}
    fed_back = host.network(name="net", state=state, restart="always", **found["definition"])
    assert not fed_back["changed"], (found["definition"], fed_back)
    by_xml = host.network(name="net", state=state, restart="always", xml=host.xml("net", inactive=True))
    assert not by_xml["changed"], by_xml


# shrinking a failure on a real host takes minutes; the example as found is small enough
PHASES = (Phase.explicit, Phase.generate)


@settings(max_examples=40, phases=PHASES)
@given(st.data())
def stored(host: Host, data: st.DataObject) -> None:
    settled(host, "inactive", data.draw(definitions()))


@settings(max_examples=12, phases=PHASES)
@given(st.data())
def running(host: Host, data: st.DataObject) -> None:
    settled(host, "active", data.draw(definitions()))


def test_stored_networks(host: Host) -> None:
    """Each example turns the one before it into itself."""
    stored(host)


def test_running_networks(host: Host) -> None:
    host.run("ip link add br-own type bridge && ip link set br-own up")
    running(host)
