# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's host for tests of declared networks: bare before each, and looked at as a whole."""

from __future__ import annotations

import ipaddress
import json
import pathlib
import re
import subprocess
import time

from bridge_host import BridgeHost, difference
from test_ansible import ansible

OUTSIDE = "198.18.0.10"

# Nothing that a test has left; whatever it did, and to whose rules.
BARE = r"""
for unit in firewalld ufw nftables; do systemctl --quiet is-active $unit && systemctl stop $unit; done
[ -x /etc/virtnet-kvm/beside ] && /etc/virtnet-kvm/beside down
units=$(systemctl list-units --all --plain --no-legend 'virtnet-*' | cut -d' ' -f1)
[ -n "$units" ] && systemctl disable --quiet --now $units 2> /dev/null
rm -rf /etc/virtnet-kvm /etc/sysctl.d/60-virtnet-kvm.conf /var/lib/virtnet-* /var/lib/private/virtnet-*
find /etc/systemd/system -name 'virtnet-*' -delete
find /etc/systemd/system -mindepth 1 -type d -empty -delete
nft flush ruleset
systemctl daemon-reload
systemctl reset-failed
true
"""
# libvirt makes its chains when it starts, and switches forwarding on with its first network: both are there before.
LIBVIRTS_OWN = r"""
systemctl restart libvirtd
virsh -q net-create /dev/stdin << EOX
<network><name>first</name><forward mode='nat'/><ip address='10.255.0.1' prefix='24'/>
<ip family='ipv6' address='fd00:255::1' prefix='64'/></network>
EOX
virsh -q net-destroy first
sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
"""
# Each part under a heading. Not: what comes with time (carrier, spanning tree, timers, counters; what the kernel does about an IPv6 address once a
# port is plugged in; the unit that runs for a moment whenever libvirt's networks change), and what is chosen anew (MAC, uuid).
PARTS = {
    "links": r"ip -d -o link | sed -E 's/^[0-9]+: //; s/[a-z_]+_timer +[0-9.]+//g; s/,?(NO-CARRIER|LOWER_UP),?//g;"
    r" s/(promiscuity|allmulti|state|ageing_time|fdb_n_learned|root_port|root_path_cost|designated_port|designated_cost|port_id|port_no) +[^ ]+//g;"
    r" s/(designated_root|designated_bridge|bridge_id) [^ ]+//g; s/topology_change(_ack|_detected)? [0-9]//g; s/altname [^ ]+//g;"
    r" s/link-netnsid [0-9]+//; s/(gso|gro|tso)_[a-z0-9_]+ [0-9]+//g; s/ +/ /g' | sort",
    "addresses": r"ip -o address | sed -E 's/^[0-9]+: //; s/ tentative//; s/ +/ /g' | grep -v ' fe80' | sort",
    "routes": r"for v in -4 -6; do ip $v route show table all; done"
    r" | grep -v -e fe80 -e multicast -e anycast -e '^local .*:' | sed -E 's/ linkdown//; s/ +/ /g; s/ $//' | sort",
    "rules": "nft -s list ruleset",
    "units": "systemctl list-unit-files --no-legend | grep -v -e '^run-' -e transient; systemctl list-units --plain --no-legend 'virtnet-*' |"
    " awk '{print $1, $3}' | grep -v -e beside.service -e beside-again;"
    " systemctl --failed --plain --no-legend 'virtnet-*' | grep -v -e beside.service -e beside-again;"
    " find /etc/systemd/system -printf '%p %l\n' | sort",
    "files": r"find /etc /var/lib/virtnet* /var/lib/private /var/lib/libvirt/dnsmasq /var/lib/libvirt/network 2>/dev/null"
    r" ! -path '/etc/libvirt/qemu/networks/*.xml' ! -name '*.leases' ! -name '*.status' ! -name '*.macs' -printf '%M %p %l\n' | sort;"
    r" find /etc /var/lib/virtnet* ! -path '/etc/libvirt/qemu/networks/*.xml' -type f -exec sha256sum {} + 2>/dev/null | sort -k2",
    "networks": "virsh -q net-list --all; for f in /etc/libvirt/qemu/networks/*.xml; do [ -e $f ] && cat $f; done;"
    " for n in $(virsh -q net-list --name); do virsh -q net-dumpxml $n; done | grep -v '<uuid>'",
    "settings": "sysctl -a 2>/dev/null | grep -E 'ip_forward |[.]forwarding|accept_ra ' | grep -v mc_forwarding",
}
CALL = """
import socket, sys, time
for _turn in range(6):
    try:
        sys.exit(socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).close())
    except OSError:
        time.sleep(0.5)
sys.exit(1)
"""
_MAC = re.compile(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b")


class DeclaredHost(BridgeHost):
    """One KVM host of a lab, with its declared networks."""

    def bare(self) -> None:
        self.run(BARE)
        self.clean()
        self.reset()
        self.run(LIBVIRTS_OWN)

    def whole(self) -> str:
        """Everything of the host that declared networks could touch."""
        script = "\n".join(f"echo '== {name}'\n{script}" for name, script in PARTS.items())
        nic = json.loads(self.run(f"ip -j link show {self.machine.NIC}"))[0]["address"]
        text = _MAC.sub(lambda found: "NIC" if found[0] == nic else "MAC", self.run(script))
        text = re.sub(r"<uuid>[^<]+</uuid>|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
        return "\n".join(line.rstrip() for line in text.splitlines())

    def becomes(self, wanted: str, seconds: float = 15) -> str:
        """The lines in which the host still differs after this time: addresses need a moment to be there again."""
        end = time.monotonic() + seconds
        while True:
            differs = difference(wanted, self.whole())
            if not differs or time.monotonic() > end:
                return differs
            time.sleep(0.3)

    def settled_whole(self) -> str:
        """The whole, once two looks in a row see the same."""
        last = self.whole()
        for _turn in range(20):
            time.sleep(0.7)
            now = self.whole()
            if now == last:
                return now
            last = now
        raise AssertionError("the host does not come to rest")

    # The role's tasks, without Ansible

    def ok(self, module: str, **params) -> dict:
        answer = self.module(module, **params)
        assert not answer.get("failed"), answer["msg"]
        return answer

    def declare(self, *networks: dict) -> None:
        """What the role does, task by task."""
        guarded = {"persist": "auto", "confirm_timeout": 0}
        made = self.ok("host_plan", networks=list(networks))
        left = made["leftovers"]
        if left["networks"]:
            self.ok("libvirt_network", networks=left["networks"])
        if left["bridges"]:
            self.ok("linux_bridge", bridges=left["bridges"], **guarded)
        self.ok("host_services", networks=made["declared"], record=made["record"])
        if made["bridges"]:
            self.ok("linux_bridge", bridges=made["bridges"], **guarded)
        if made["networks"]:
            self.ok("libvirt_network", networks=made["networks"])

    def proof(self) -> list[str]:
        """The checks that fail, as lines of verify's table."""
        answer = self.ok("host_verify", outside=OUTSIDE)
        return [
            f"{row['network']}: {row['check']}: {row['found']}"
            for row in answer["checks"]
            if not row["ok"] or row["skipped"]
        ]

    def leads_in(self, bridge: str, guest: str, to: int, port: int) -> bool:
        """Whether the LAN's client gets through a port of the host to a guest, in whose place a namespace listens."""
        gateway = ipaddress.ip_interface(guest).network[1]
        self.run(
            "ip netns add stand-in; ip link add stand-in type veth peer name eth0 netns stand-in"
            f"; ip link set stand-in master {bridge} up; ip -n stand-in link set eth0 up"
            f"; ip -n stand-in address add {guest} dev eth0; ip -n stand-in route add default via {gateway}"
        )
        listen = ["timeout", "20", "ip", "netns", "exec", "stand-in", "python3", "-m", "http.server", str(to)]
        heard = subprocess.Popen(self.machine.inside(listen), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        call = ["python3", "-c", CALL, self.machine.address, str(port)]
        try:
            return self.lab.machine("client").run(call).returncode == 0
        finally:
            self.run("ip link delete stand-in; ip netns pids stand-in | xargs -r kill; ip netns delete stand-in")
            heard.wait(20)

    # Through Ansible

    def play(self, playbook: str, folder: pathlib.Path, networks: list[dict] | None = None, *words: str) -> str:
        """A playbook of the collection's, on this host."""
        if networks is not None:
            (folder / "vars.json").write_text(json.dumps({"host_networks": networks}))
            words = ("-e", f"@{folder}/vars.json", *words)
        return ansible(
            self.lab, "ansible-playbook", f"virtnet.kvm.{playbook}", "-e", f"virtnet_hosts={self.name}", *words
        )


def recap(out: str) -> dict[str, int]:
    """The numbers at the end of a playbook's output, of its one host."""
    line = out[out.index("PLAY RECAP") :].splitlines()[1]
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line)}
