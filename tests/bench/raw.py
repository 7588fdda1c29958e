# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: plain libvirt-python doing the calls that the module does, in one process, with no question asked.

raw.py fresh|nothing|clean N MODE
"""

import sys

import libvirt


def xml(number, mode):
    """The network that the benchmark's playbook describes; libvirt itself finds names for 256 bridges at most."""
    name = f"bench{number:04}"
    if mode == "isolated":
        return f"<network><name>{name}</name><bridge name='vb{number:04}'/></network>"
    net = f"100.{64 + number // 250}.{number % 250}"
    return (
        f"<network><name>{name}</name><forward mode='nat'/><ip address='{net}.1' prefix='24'>"
        f"<dhcp><range start='{net}.2' end='{net}.254'/></dhcp></ip></network>"
    )


def read(connection):
    """One bulk read: which are there, and what they are."""
    for flag in (2, 4, 16):
        connection.listAllNetworks(flag)
    for network in connection.listAllNetworks(0):
        network.XMLDesc(0)
        network.XMLDesc(1)


what, count, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
connection = libvirt.open("qemu:///system")
if what == "clean":
    for network in connection.listAllNetworks(0):
        if network.isActive():
            network.destroy()
        network.undefine()
else:
    read(connection)
if what == "fresh":
    networks = [connection.networkDefineXML(xml(number, mode)) for number in range(count)]
    for network in networks:
        network.setAutostart(True)
    for network in networks:
        network.create()
    read(connection)
