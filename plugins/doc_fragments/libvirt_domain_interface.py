# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that describe a guest's network interface."""

from __future__ import annotations


class ModuleDocFragment:
    """Written once; an item of O(interfaces) takes the same options by way of a YAML anchor."""

    DOCUMENTATION = r"""
options:
  guest: &guest
    description:
      - Name or UUID of the guest (libvirt's domain).
    type: str
  state: &state
    description:
      - V(present) is plugged in as described, V(absent) is unplugged. Default is V(present).
      - An item of O(interfaces) takes the task's own O(state) when it says none.
    type: str
    choices: [present, absent]
  mac: &mac
    description:
      - MAC address of the interface, which says which one is meant. Without it, the guest's one interface on O(network) or
        O(bridge) is meant.
      - A new interface has this one, or one that libvirt picks.
    type: str
  network: &network
    description:
      - The libvirt network that the interface is on. One that O(mac) finds on another network is moved.
    type: str
  bridge: &bridge
    description:
      - The bridge of the host that the interface is on, without a libvirt network.
    type: str
  portgroup: &portgroup
    description:
      - The network's portgroup. It is not changed live.
    type: str
  model: &model
    description:
      - Model of the NIC that the guest sees, such as V(virtio) or V(e1000e). It is not changed live.
      - A new interface is V(virtio).
    type: str
  vlan: &vlan
    description:
      - The VLANs of the interface (Open vSwitch, SR-IOV, and from libvirt 11.0 on a plain Linux bridge).
    type: dict
    suboptions:
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
    description: The profile of a virtual switch's port. It is not changed live.
    type: dict
    suboptions:
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
  filter: &filter
    description:
      - Name of libvirt's network filter for the interface, such as V(clean-traffic). An empty one takes it off, with its
        parameters.
    type: str
  filter_parameters: &filter_parameters
    description:
      - Parameters of the filter, by name, such as V(IP). A list says a parameter several times.
    type: dict
  link_state: &link_state
    description:
      - Whether the guest sees a cable in the NIC. Default of a new interface is V(up).
    type: str
    choices: [up, down]
  mtu: &mtu
    description:
      - MTU in bytes. V(0) is the network's. It is not changed live.
    type: int
  bandwidth: &bandwidth
    description: Limits of the traffic.
    type: dict
    suboptions:
      inbound:
        description: Traffic to the guest.
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
        description: Traffic from the guest.
        type: dict
        suboptions:
          average: *average
          peak: *peak
          burst: *burst
  isolated: &isolated
    description:
      - Whether the interface is kept from reaching others on the bridge that are isolated as well.
    type: bool
  target: &target
    description:
      - Name of the tap on the host; libvirt picks one (such as C(vnet0)) when it is empty. It is not changed live.
    type: str
  boot_order: &boot_order
    description:
      - Place among the devices that the guest boots from, from 1. V(0) is none. It is not changed live.
    type: int
  replug: &replug
    description:
      - What is done with a running guest for a change that libvirt cannot make live.
      - With V(false), it is stored, and the result says RV(interfaces[].restart_required); the guest has it after it was shut
        down and started.
      - With V(true), the interface is unplugged and plugged in again, for which the guest has to let go of it.
      - Default is V(false). An item of O(interfaces) takes the task's own O(replug) when it says none.
    type: bool
  interfaces:
    description:
      - Several interfaces in one call, of one guest or of several, each with the options of a single one. All or nothing,
        when one fails, those already changed are put back.
    type: list
    elements: dict
    suboptions:
      guest: *guest
      state: *state
      mac: *mac
      network: *network
      bridge: *bridge
      portgroup: *portgroup
      model: *model
      vlan: *vlan
      virtualport: *virtualport
      filter: *filter
      filter_parameters: *filter_parameters
      link_state: *link_state
      mtu: *mtu
      bandwidth: *bandwidth
      isolated: *isolated
      target: *target
      boot_order: *boot_order
      replug: *replug
"""
