# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of linux_bridge."""

from __future__ import annotations


class ModuleDocFragment:
    """In the order of the option table."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - The bridge; at most 15 characters, as the kernel takes them.
    type: str
  state: &state
    description:
      - V(present) makes it as described. The default.
      - V(absent) removes it; its addresses and routes go back to the physical port that they came from.
    type: str
    choices: [present, absent]
  up: &up
    description:
      - Whether it is up; a bridge that is described is up unless V(false) is said.
    type: bool
  mtu: &mtu
    description:
      - Bytes. Its ports have it as well, but for guests' taps and ports with an O(ports) MTU of their own.
      - As long as nobody says one, a bridge has that of its smallest port.
    type: int
  mac_address: &mac_address
    description:
      - Its MAC address. A new bridge with O(inherit) has its NIC's, another one what the kernel chooses.
    type: str
  stp: &stp
    description:
      - Spanning tree (IEEE 802.1D), done by the kernel.
    type: dict
    suboptions:
      enabled:
        description:
          - Whether it takes part.
        type: bool
      priority:
        description:
          - Its priority as a root; lower wins.
        type: int
      forward_delay:
        description:
          - Seconds of listening, and of learning.
        type: float
      hello_time:
        description:
          - Seconds between two BPDUs.
        type: float
      max_age:
        description:
          - Seconds until a silent root counts as gone.
        type: float
  ageing_time: &ageing_time
    description:
      - Seconds until a silent MAC address is forgotten.
    type: float
  vlan: &vlan
    description:
      - VLANs on the bridge.
    type: dict
    suboptions:
      filtering:
        description:
          - Whether frames are filtered and tagged by VLAN.
        type: bool
      protocol:
        description:
          - The tag's protocol.
        type: str
        choices: [802.1Q, 802.1ad, 802.1q]
      default_pvid:
        description:
          - The VLAN of untagged frames on new ports; 0 for none. When it changes, the kernel moves the bridge and all ports that
            have the old one, guests' among them.
        type: int
      stats:
        description:
          - Whether frames are counted by VLAN.
        type: bool
      self:
        description:
          - The VLANs of the bridge itself, that is of the host.
        type: dict
        suboptions:
          pvid:
            description:
              - The VLAN of untagged frames that come in.
            type: int
          tagged:
            description:
              - VLANs, as numbers and ranges such as V(30-40), whose frames keep their tag.
            type: list
            elements: raw
          untagged:
            description:
              - The same, whose frames leave without a tag.
            type: list
            elements: raw
  multicast: &multicast
    description:
      - Multicast snooping (IGMP and MLD).
    type: dict
    suboptions:
      snooping:
        description:
          - Whether it snoops.
        type: bool
      querier:
        description:
          - Whether it asks by itself.
        type: bool
      router:
        description:
          - Whether a router is behind the bridge itself; 0 never, 1 when one is heard, 2 always.
        type: int
      query_use_ifaddr:
        description:
          - Whether it asks with its own address instead of 0.0.0.0.
        type: bool
      stats:
        description:
          - Whether IGMP and MLD are counted.
        type: bool
      hash_max:
        description:
          - How many groups it can know.
        type: int
      igmp_version:
        description:
          - Version of IGMP.
        type: int
      mld_version:
        description:
          - Version of MLD.
        type: int
      last_member_count:
        description:
          - Questions after a leave.
        type: int
      startup_query_count:
        description:
          - Questions at the start.
        type: int
      last_member_interval:
        description:
          - Seconds between questions after a leave.
        type: float
      membership_interval:
        description:
          - Seconds until a silent group is left.
        type: float
      querier_interval:
        description:
          - Seconds until a silent querier counts as gone.
        type: float
      query_interval:
        description:
          - Seconds between questions.
        type: float
      query_response_interval:
        description:
          - Seconds that an answer may take.
        type: float
      startup_query_interval:
        description:
          - Seconds between questions at the start.
        type: float
  group_fwd_mask: &group_fwd_mask
    description:
      - Which link-local frames (01-80-C2-00-00-0X) are forwarded; a bit each.
    type: int
  addresses: &addresses
    description:
      - Its addresses with their prefixes; exact for what an administrator set, while leases and the kernel's own are left alone.
      - A lease that is listed is no lease any more. Of IPv6 link-local addresses, those such as V(fe80::1/64) can be said; one whose
        interface identifier needs more than 32 bits looks like the kernel's own, and is left alone.
    type: list
    elements: str
  dhcp4: &dhcp4
    description:
      - Whether it asks for an IPv4 address by DHCP; needs a daemon, see O(persist).
    type: bool
  dhcp6: &dhcp6
    description:
      - Whether it asks for an IPv6 address by DHCP; needs a daemon.
    type: bool
  accept_ra: &accept_ra
    description:
      - Whether it takes IPv6 router advertisements; needs a daemon.
    type: bool
  dns: &dns
    description:
      - DNS, as the daemon in charge keeps it.
    type: dict
    suboptions:
      servers:
        description:
          - Addresses of servers.
        type: list
        elements: str
      search:
        description:
          - Domains in which short names are looked up.
        type: list
        elements: str
  gateway4: &gateway4
    description:
      - The IPv4 default route's router. The route takes the place of one without a metric over another link.
    type: str
  gateway6: &gateway6
    description:
      - The IPv6 default route's router.
    type: str
  routes: &routes
    description:
      - Routes over the bridge; exact, but for routes that a daemon makes.
    type: list
    elements: dict
    suboptions:
      to:
        description:
          - The destination with its prefix; V(0.0.0.0/0) or V(::/0) for a default route.
        type: str
        required: true
      via:
        description:
          - The router; without one the destination is on the link.
        type: str
      metric:
        description:
          - Its metric.
        type: int
      table:
        description:
          - Its table; main where it is left out.
        type: int
  ports: &ports
    description:
      - Its ports, each by its name, or as a dictionary with a C(name). The list is exact, unless O(purge_ports=false); a running
        guest's tap stays in any case, unless it is named with C(state=absent). Left out, the ports stay as they are.
      - Flags by the names of C(bridge(8)), as booleans C(isolated), C(hairpin), C(guard), C(root_block), C(learning), C(flood),
        C(mcast_flood), C(bcast_flood), C(mcast_to_unicast), C(neigh_suppress), C(fastleave), C(vlan_tunnel), and as numbers
        C(cost), C(priority), C(mcast_router).
      - C(vlans) is a dictionary of C(pvid), C(untagged) and C(tagged), the latter two lists of numbers and ranges such as
        V(30-40); exact where it is said.
      - C(mtu) and C(mac_address) are the port's own.
      - C(type) makes a port that is not there. V(vlan) has C(parent), C(id) and C(protocol); V(bond) has C(ports), C(mode), C(miimon)
        (milliseconds), C(updelay), C(downdelay), C(xmit_hash_policy) and C(lacp_rate); V(dummy) has nothing; V(vxlan) has C(id), C(local),
        C(remote), C(dstport), C(ttl) and C(parent); V(veth) has C(peer). Such a port goes with its place in the bridge.
      - A bond's C(ports) are exact. What a port is made of (C(parent), C(peer), C(id), C(protocol), C(dstport), C(local), C(remote)) is
        not changed afterwards, but refused.
    type: list
    elements: raw
  inherit: &inherit
    description:
      - Take over the addresses and routes (of every table), DNS and MAC address of the first port that has addresses.
      - Without it, addresses and routes of a port are gone, since the boot configuration keeps none of them; with O(persist=none) they
        stay on the port.
    type: bool
  purge_ports: &purge_ports
    description:
      - Whether ports that are not listed are taken off; V(true) where it is left out.
    type: bool
  persist:
    description:
      - Who keeps the configuration for the next boot.
      - V(auto) takes the daemon that is in charge, and fails where none can be told. V(none) changes only what runs.
      - What a backend has no word for is refused by name. To let V(networkmanager) take what is there, NetworkManager is stopped
        for the moment of the change, which takes no link down.
    type: str
    choices: [auto, networkd, networkmanager, ifupdown, netplan, none]
    default: auto
  confirm_timeout:
    description:
      - Seconds. When the change touches the link that carries the connection, or adds an address or a route that answers to the
        controller might take, the host arms a timer before, and puts everything back when the controller has not reached it over a
        fresh connection by then. V(0) does not guard.
    type: int
    default: 60
  bridges:
    description:
      - Several bridges, in one call; when one fails, all are put back. What an item does not say itself of O(bridges[].state) and
        O(bridges[].purge_ports) it has from the task.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The bridge.
        type: str
        required: true
      state: *state
      up: *up
      mtu: *mtu
      mac_address: *mac_address
      stp: *stp
      ageing_time: *ageing_time
      vlan: *vlan
      multicast: *multicast
      group_fwd_mask: *group_fwd_mask
      addresses: *addresses
      dhcp4: *dhcp4
      dhcp6: *dhcp6
      accept_ra: *accept_ra
      dns: *dns
      gateway4: *gateway4
      gateway6: *gateway6
      routes: *routes
      ports: *ports
      inherit: *inherit
      purge_ports: *purge_ports
"""
