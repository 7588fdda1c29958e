# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that describe a libvirt network."""

from __future__ import annotations


class ModuleDocFragment:
    """Written once; an item of O(networks) takes the same options by way of a YAML anchor."""

    DOCUMENTATION = r"""
options:
  name: &name
    description:
      - Name of the network.
      - May be left out with O(xml), which then says it.
    type: str
  state: &state
    description:
      - V(active) is defined as described, and running. The default.
      - V(present) is defined as described, running or not.
      - V(inactive) is defined as described, and stopped.
      - V(absent) is neither defined nor running.
      - An item of O(networks) takes the task's own O(state) when it says none.
    type: str
    choices: [active, present, inactive, absent]
  autostart: &autostart
    description:
      - Whether the network starts together with the host.
      - Default is V(true) for O(state=active) and O(state=present); with O(state=inactive) it is left as it is.
    type: bool
  mode: &mode
    description:
      - How guests get out. V(nat) with the host's address, V(route) with their own, V(open) like V(route) but without any
        firewall rule of libvirt's, V(isolated) not at all.
      - V(bridge) puts guests on a bridge of the host (O(bridge)). V(private), V(vepa) and V(passthrough) put them on NICs
        through macvtap, V(hostdev) gives them virtual functions of a NIC.
      - Default is V(isolated), as in libvirt.
    type: str
    choices: [nat, route, open, isolated, bridge, private, vepa, passthrough, hostdev]
  bridge: &bridge
    description:
      - Name of the bridge. libvirt makes it, and picks a name when none is said; for O(mode=bridge) it is the existing one.
    type: str
  address: &address
    description:
      - The host's address on the network, with its prefix, such as V(10.1.2.1/24).
      - The short form of one item of O(subnets).
    type: str
  dhcp: &dhcp
    description:
      - Whether all addresses of O(address)'s subnet but the host's own are given out by DHCP.
      - libvirt takes ranges of at most 65535 addresses. Of a larger subnet the first ones are given out.
    type: bool
  subnets: &subnets
    description: The subnets of the network.
    type: list
    elements: dict
    suboptions:
      address:
        description: The host's address on it, with its prefix. A netmask behind the slash is understood as well.
        type: str
        required: true
      dhcp:
        description: What DHCP gives out. libvirt serves one subnet of each family.
        type: dict
        suboptions:
          ranges:
            description: Ranges of addresses.
            type: list
            elements: dict
            suboptions:
              start:
                description: The first address.
                type: str
                required: true
              end:
                description: The last address.
                type: str
                required: true
              lease_time: &lease_time
                description:
                  - How long a lease lasts, in seconds, or with a unit (V(300s), V(30m), V(12h)), at least two minutes; or V(infinite).
                  - Default is dnsmasq's own, one hour.
                type: str
          hosts:
            description: Reservations.
            type: list
            elements: dict
            suboptions:
              mac:
                description: MAC address of the guest (IPv4).
                type: str
              name:
                description: Name of the guest.
                type: str
              ip:
                description: The address that it gets.
                type: str
                required: true
              id:
                description: DUID of the guest (IPv6).
                type: str
              lease_time: *lease_time
          bootp:
            description: What guests boot from over the network.
            type: dict
            suboptions:
              file:
                description: The file.
                type: str
                required: true
              server:
                description: The server; default is this host.
                type: str
      tftp_root:
        description: Folder on the host that is served by TFTP.
        type: str
      local_ptr:
        description: Whether reverse look-ups of the subnet's addresses are answered here only. Default is V(false).
        type: bool
  forward: &forward
    description: Details of how guests get out.
    type: dict
    suboptions:
      dev:
        description: The only link that guests get out by, or the first of O(forward.interfaces).
        type: str
      driver:
        description: Driver of the virtual functions (O(mode=hostdev)).
        type: str
        choices: [vfio, kvm]
      managed:
        description: Whether libvirt detaches the functions from the host by itself (O(mode=hostdev)). Default is V(false).
        type: bool
      interfaces:
        description: The NICs that guests are put on, in the order in which they are taken.
        type: list
        elements: str
      pf:
        description: The physical function whose virtual functions are used.
        type: str
      addresses:
        description: PCI addresses of the virtual functions, such as V(0000:03:00.1).
        type: list
        elements: str
      nat:
        description: Details of O(mode=nat).
        type: dict
        suboptions:
          addresses:
            description: The source addresses that guests appear with; default is the host's own.
            type: dict
            suboptions:
              start:
                description: The first address.
                type: str
                required: true
              end:
                description: The last address.
                type: str
                required: true
          ports:
            description: The source ports that guests appear with; default is 1024 to 65535.
            type: dict
            suboptions:
              start:
                description: The first port.
                type: int
                required: true
              end:
                description: The last port.
                type: int
                required: true
          ipv6:
            description: Whether IPv6 is translated too. Default is V(false).
            type: bool
  bridge_options: &bridge_options
    description: Details of the bridge.
    type: dict
    suboptions:
      stp:
        description: Whether the bridge speaks the spanning tree protocol. Default is V(true).
        type: bool
      delay:
        description: Forward delay in seconds. Default is V(0).
        type: int
      mac_table_manager:
        description: Who fills the bridge's table of MAC addresses. Default is V(kernel), which learns.
        type: str
        choices: [kernel, libvirt]
      zone:
        description: firewalld's zone of the bridge.
        type: str
  domain: &domain
    description: The DNS domain of the network.
    type: dict
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      local_only:
        description: Whether names in it are never asked from other servers. Default is V(false).
        type: bool
      register:
        description: Whether systemd-resolved of the host is told of it (libvirt 10.1 and newer). Default is V(false).
        type: bool
  dns: &dns
    description: The network's DNS server.
    type: dict
    suboptions:
      enabled:
        description: Whether there is one. Default is V(true).
        type: bool
      forward_plain_names:
        description: Whether names without a dot are asked from other servers. Default is V(true).
        type: bool
      forwarders:
        description: The servers that other names are asked from, in this order.
        type: list
        elements: dict
        suboptions:
          domain:
            description: The domain that this server is asked for.
            type: str
          address:
            description: Address of the server.
            type: str
      hosts:
        description: Names of addresses.
        type: list
        elements: dict
        suboptions:
          ip:
            description: The address.
            type: str
            required: true
          hostnames:
            description: Its names.
            type: list
            elements: str
            required: true
      txts:
        description: TXT records.
        type: list
        elements: dict
        suboptions:
          name:
            description: Name of the record.
            type: str
            required: true
          value:
            description: Its value.
            type: str
            required: true
      srvs:
        description: SRV records.
        type: list
        elements: dict
        suboptions:
          service:
            description: The service.
            type: str
            required: true
          protocol:
            description: The protocol.
            type: str
            required: true
            choices: [tcp, udp]
          domain:
            description: The domain; default is the network's.
            type: str
          target:
            description: The host that serves.
            type: str
          port:
            description: Its port. Default is V(0).
            type: int
          priority:
            description: The lower, the sooner it is taken. Default is V(0).
            type: int
          weight:
            description: Share among those of one priority. Default is V(0).
            type: int
  routes: &routes
    description: Routes that the host gets to nets behind guests.
    type: list
    elements: dict
    suboptions:
      to:
        description: The net, with its prefix.
        type: str
        required: true
      via:
        description: The guest's address that it is reached through.
        type: str
        required: true
      metric:
        description: The route's metric. Default is V(1).
        type: int
  mtu: &mtu
    description: The network's MTU in bytes; default is the kernel's.
    type: int
  mac_address: &mac_address
    description: MAC address of the bridge; libvirt picks one when none is said.
    type: str
  uuid: &uuid
    description: UUID of the network; libvirt picks one when none is said. That of an existing network can't be changed.
    type: str
  title: &title
    description: A short title (libvirt 9.7 and newer).
    type: str
  description: &description
    description: A description (libvirt 9.7 and newer).
    type: str
  isolate_ports: &isolate_ports
    description: Whether guests are kept from reaching each other. Default is V(false).
    type: bool
  ipv6: &ipv6
    description: Whether guests may speak IPv6 to each other though the network has no IPv6 address. Default is V(false).
    type: bool
  trust_guest_rx_filters: &trust_guest_rx_filters
    description: Whether the host follows a guest's change of its MAC address and filters. Default is V(false).
    type: bool
  vlan: &vlan
    description: The VLANs of guests (where the connection supports them, such as Open vSwitch and SR-IOV).
    type: dict
    suboptions: &vlan_options
      trunk:
        description: Whether several VLANs arrive tagged. Always so for more than one tag.
        type: bool
      tags:
        description: The VLANs.
        type: list
        elements: dict
        suboptions:
          id:
            description: Number of the VLAN, 0 to 4095.
            type: int
            required: true
          native_mode:
            description: Whether this is the trunk's native VLAN, and how its frames travel.
            type: str
            choices: [tagged, untagged]
  virtualport: &virtualport
    description: The profile of a virtual switch's port.
    type: dict
    suboptions: &virtualport_options
      type:
        description: Kind of the switch.
        type: str
        choices: ['802.1Qbg', '802.1Qbh', openvswitch, midonet]
      parameters:
        description: The parameters, by libvirt's own names.
        type: dict
        suboptions:
          managerid:
            description: For 802.1Qbg, 0 to 255.
            type: int
          typeid:
            description: For 802.1Qbg, 0 to 16777215.
            type: int
          typeidversion:
            description: For 802.1Qbg, 0 to 255.
            type: int
          instanceid:
            description: For 802.1Qbg, a UUID.
            type: str
          profileid:
            description: For 802.1Qbh and Open vSwitch.
            type: str
          interfaceid:
            description: For Open vSwitch and midonet, a UUID.
            type: str
  bandwidth: &bandwidth
    description: Limits of the traffic; of all guests together for a network, of each guest for a portgroup.
    type: dict
    suboptions: &bandwidth_options
      inbound:
        description: Traffic to guests.
        type: dict
        suboptions:
          average: &average
            description: Average rate in kibibytes a second.
            type: int
          peak: &peak
            description: Peak rate in kibibytes a second.
            type: int
          burst: &burst
            description: Amount in kibibytes that may pass at peak rate.
            type: int
          floor:
            description: Rate in kibibytes a second that is guaranteed.
            type: int
      outbound:
        description: Traffic from guests.
        type: dict
        suboptions:
          average: *average
          peak: *peak
          burst: *burst
  portgroups: &portgroups
    description: Classes of guest interfaces.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the portgroup.
        type: str
        required: true
      default:
        description: Whether guests that name none are in it. Default is V(false).
        type: bool
      trust_guest_rx_filters:
        description: As for the network, which it overrules.
        type: bool
      vlan:
        description: As for the network.
        type: dict
        suboptions: *vlan_options
      virtualport:
        description: As for the network.
        type: dict
        suboptions: *virtualport_options
      bandwidth:
        description: As for the network, but of each guest.
        type: dict
        suboptions: *bandwidth_options
  dnsmasq_options: &dnsmasq_options
    description:
      - Lines for dnsmasq's own configuration, in this order. libvirt does not look at them.
    type: list
    elements: str
  metadata: &metadata
    description:
      - Elements for the network's metadata, each in a namespace of its own.
      - Elements in other namespaces that are there already are kept.
    type: str
  xml: &xml
    description:
      - The whole network as libvirt's XML, instead of all the options from O(mode) down.
    type: str
  restart: &restart
    description:
      - What may happen to a running network for a change that libvirt cannot make live. It is either made whole or not at all.
      - V(never) only stores it, and the result says RV(networks[].restart_required).
      - V(if_unused) restarts the network where no guest is connected. The default.
      - V(always) restarts it, and plugs every guest's interface back in.
    type: str
    choices: [never, if_unused, always]
  force: &force
    description:
      - Whether a network with running guests may be stopped or removed. Otherwise the task fails and names them.
      - Default is V(false).
    type: bool
  networks:
    description:
      - Several networks in one call, each with the options of a single one. All or nothing, when one fails, those already
        changed are put back.
    type: list
    elements: dict
    suboptions:
      name: *name
      state: *state
      autostart: *autostart
      mode: *mode
      bridge: *bridge
      address: *address
      dhcp: *dhcp
      subnets: *subnets
      forward: *forward
      bridge_options: *bridge_options
      domain: *domain
      dns: *dns
      routes: *routes
      mtu: *mtu
      mac_address: *mac_address
      uuid: *uuid
      title: *title
      description: *description
      isolate_ports: *isolate_ports
      ipv6: *ipv6
      trust_guest_rx_filters: *trust_guest_rx_filters
      vlan: *vlan
      virtualport: *virtualport
      bandwidth: *bandwidth
      portgroups: *portgroups
      dnsmasq_options: *dnsmasq_options
      metadata: *metadata
      xml: *xml
      restart: *restart
      force: *force
  purge:
    description:
      - Whether networks that this collection made on the host and that O(networks) does not list are removed.
    type: bool
    default: false
"""
