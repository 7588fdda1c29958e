# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's host for tests of bridges: put back to its first state before each, and looked at by ip(8) and bridge(8)."""

from __future__ import annotations

import contextlib
import difflib
import json
from collections.abc import Callable

from host import Host
from virtlab.settings import LAN6, LabError
from virtlab.system import wait_for

# Everything of a test, taken off; then networkd sets the NIC up from its own file again.
RESET = """
for unit in $(systemctl list-units --plain --no-legend 'virtnet-confirm-*' | cut -d' ' -f1); do
    systemctl kill -s KILL "$unit"; systemctl reset-failed "$unit" 2>/dev/null
done
rm -rf /var/lib/virtnet-kvm
for id in $(virsh -q list --name); do virsh -q destroy "$id"; done
ip -j -d link | python3 -c 'import json, sys
for link in json.load(sys.stdin):
    kind = link.get("linkinfo", {}).get("info_kind")
    made = kind in ("bridge", "vxlan", "dummy", "bond", "vlan", "macvlan", "tun") or kind == "veth" and link["ifname"] != "NIC"
    if made:
        print("link set", link["ifname"], "group", 77)' | ip -batch -
ip link delete group 77 2>/dev/null
cd /etc/systemd/network
rm -rf 05-virtnet-* *.network.d
for backup in *.virtnet-backup; do [ -e "$backup" ] && mv "$backup" "${backup%.virtnet-backup}"; done
for link in NIC nic1; do ip link set $link nomaster up mtu 1500 2>/dev/null; done
ip address flush dev NIC scope global
if [ -z "$(ip -6 address show dev NIC scope link)" ]; then
    for mode in 1 0; do sysctl -qw net.ipv6.conf.NIC.addr_gen_mode=$mode; done
fi
networkctl reload; networkctl reconfigure NIC; true
"""


class BridgeHost(Host):
    """One KVM host of a lab, with its bridges."""

    def reset(self) -> None:
        self.run(RESET.replace("NIC", self.machine.NIC))
        wait_for(f"{self.name}'s NIC", self._is_ready, 20 * self.machine.GUEST_PATIENCE)
        # A networkd that is not through would go on with what is taken over meanwhile; 252 may stay so without a reason.
        with contextlib.suppress(LabError):
            wait_for("networkd", lambda: "configuring" not in self.run("networkctl list --no-legend || true"), 5, 0.2)

    def _is_ready(self) -> bool:
        names = {one["local"] for one in self.link(self.machine.NIC)["addr_info"] if one.get("tentative") is None}
        routes = json.loads(self.run("ip -j route; true").splitlines()[0])
        own = {self.machine.address, LAN6.format(self.machine.number)}
        return own <= names and any(one["dst"] == "default" for one in routes)

    def bridge(self, check: bool = False, **params) -> dict:
        """One bridge's result; fails with the module's own message."""
        answer = self.ask(check=check, **params)
        assert not answer.get("failed"), answer["msg"]
        return answer["bridges"][0]

    def ask(self, check: bool = False, fault: dict | None = None, environment: dict | None = None, **params) -> dict:
        return self.module(
            "linux_bridge", check=check, fault=fault, environment=environment, **{"persist": "none", **params}
        )

    def refused(self, **params) -> str:
        answer = self.ask(**params)
        assert answer.get("failed"), answer
        return answer["msg"]

    def settled(self, **params) -> dict:
        """Done, as its check mode said before and unchanged after; what only the kernel chooses left aside."""
        told = self.ask(check=True, **params)
        done = self.ask(**params)
        assert not done.get("failed"), done["msg"]
        assert [one["actions"] for one in told["bridges"]] == [one["actions"] for one in done["bridges"]]
        assert [chosen(one["after"]) for one in told["bridges"]] == [chosen(one["after"]) for one in done["bridges"]]
        assert not self.ask(**params)["changed"], self.ask(check=True, **params)["bridges"]
        return done["bridges"][0]

    def put_back_at_each_step(self, look: Callable[[], object] | None = None, **params) -> tuple[int, dict]:
        """A fault before each step in turn, and after the last: all is as before each time. (how many there were, and the
        result of the run without one)"""
        look = look or self.snapshot
        before = look()
        for step in range(1, 40):
            answer = self.ask(fault={"step": step, "kind": "error"}, **params)
            if not answer.get("failed"):
                return step, answer
            assert answer["rolled_back"] and "injected" in answer["msg"], answer
            left = difference(str(before), str(look()))
            assert not left, f"{step}: {left}"
        raise AssertionError(f"still failing at step {step}")

    # Other eyes

    def link(self, name: str) -> dict:
        return json.loads(self.run(f"ip -j -d address show {name}"))[0]

    def links(self) -> set[str]:
        return {link["ifname"] for link in json.loads(self.run("ip -j link"))}

    def ports(self, bridge: str) -> set[str]:
        return {link["ifname"] for link in json.loads(self.run(f"ip -j link show master {bridge}") or "[]")}

    def addresses(self, name: str) -> set[str]:
        found = self.link(name)["addr_info"]
        return {f"{one['local']}/{one['prefixlen']}" for one in found if not one["local"].startswith("fe80")}

    def routes(self) -> str:
        """Every route of every table, but the kernel's own."""
        return self.run(
            "for v in -4 -6; do ip $v route show table all | grep -v 'proto kernel' | grep -v ^local; done | sed 's/ linkdown//' | sort"
        )

    def veth(self, *names: str) -> None:
        """A NIC that is there: one end of a cable whose other end is NAMEx."""
        for name in names:
            self.run(
                f"ip link add {name} type veth peer name {name}x && ip link set {name}x up && ip link set {name} up"
            )

    def snapshot(self) -> str:
        """All that a way back has to bring back: links, addresses, routes, boot files, byte for byte."""
        return self.run(
            # not: what comes with time (carrier, spanning tree, timers, lifetimes, link-local addresses)
            "ip -d link | sed -E 's/^[0-9]+: //; s/[a-z_]+_timer +[0-9.]+//g; s/(fdb_n_learned|promiscuity|allmulti|state|root_port|root_path_cost) +[^ ]+//g;"
            " s/(designated_port|designated_cost|port_id|port_no) +[^ ]+//g;"
            " s/,?(NO-CARRIER|LOWER_UP),?//g; s/designated_(root|bridge) [^ ]+//g; s/topology_change(_ack|_detected)? [0-9]//g' | grep -v altname;"
            " ip address | grep inet | grep -v fe80; for v in -4 -6; do ip $v route show table all; done"
            " | grep -v -e fe80 -e multicast | sed -E 's/ linkdown//; s/ expires [0-9]+sec//; s/ *$//' | sort;"
            " cd /etc/systemd/network; for f in *; do echo $f; stat -c %a $f; cat $f; done"
        )


def chosen(after: dict | None) -> dict | None:
    """Without what only the kernel can choose."""
    return after and {name: value for name, value in after.items() if name != "mac_address"}


def difference(before: str, after: str) -> str:
    """The lines that differ."""
    return "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", "", "", 0, ""))
