# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Domain XML to interfaces and back. What no option knows is kept to the letter."""

from __future__ import annotations

import collections.abc
import typing

from .._core import xmltable
from .._core.errors import InputError
from .._core.lxml import etree
from .._core.table import Options, differing, normal
from .model import Interface, Network, Side
from .options import GIVEN, NETWORK, ROWS, SOURCE, TABLE, held

PciAddress = tuple[int, int, int, int]


def side(text: str) -> Side:
    """What runs of a guest, or what is stored of it."""
    root = etree.fromstring(text)
    return Side(
        xml=text,
        interfaces=tuple(interface(element) for element in root.iterfind("devices/interface")),
        os_boot=root.find("os/boot") is not None,
        boot_orders=tuple(
            (int(boot.get("order")), _device(boot.getparent())) for boot in root.iterfind("devices//boot")
        ),
    )


def _device(element: typing.Any) -> str:
    mac = element.find("mac")
    target = element.find("target")
    words = [mac.get("address")] if mac is not None else [target.get("dev")] if target is not None else []
    return " ".join([element.tag, *(word for word in words if word)])


def interface(element: typing.Any) -> Interface:
    """One interface. Live, one on a network says the network's bridge too, and its type may be the bridge's."""
    values = xmltable.read(TABLE, element)
    kind = element.get("type")
    if values.get("network") is not None:
        kind = "network"
    if kind != "bridge":
        values.pop("bridge", None)
    mac = element.find("mac")
    return Interface(
        "" if mac is None else mac.get("address").lower(), kind, held(values), xmltable.text(element, pretty=False)
    )


def network(name: str, text: str, active: bool) -> Network:
    """What a network's XML says that its interfaces get."""
    root = etree.fromstring(text)
    values = normal(NETWORK, xmltable.read(NETWORK, root), strict=False)
    plain = "isolated" if root.find("forward") is None else "nat"
    # but its bandwidth, which is that of the bridge; a portgroup's is each guest's (virNetworkPortDef in bridge_driver.c)
    own: Options = {name: values[name] for name in GIVEN if name in values and name != "bandwidth"}
    given: dict[str | None, Options] = {None: own}
    for group in values.get("portgroups", ()):
        given[group["name"]] = {**own, **{name: group[name] for name in GIVEN if name in group}}
        if group.get("default"):
            given[None] = given[group["name"]]
    mode = values.get("mode", plain)
    return Network(name, active, mode, given, values.get("bridge") if mode == "bridge" else None)


# Interfaces


def new(goal: Options, mac: str | None) -> str:
    """An interface that is not there yet; without a MAC address libvirt picks one."""
    element = etree.Element("interface")
    if mac:
        etree.SubElement(element, "mac", address=mac)
    _amend(element, {}, goal)
    return xmltable.text(element, pretty=False)


def amended(text: str, there: Options, goal: Options) -> str:
    """The same interface with what differs between the two."""
    element = etree.fromstring(text)
    _amend(element, there, goal)
    return xmltable.text(element, pretty=False)


def _amend(element: typing.Any, there: Options, goal: Options) -> None:
    names = differing(there, goal)
    if "network" in names or "bridge" in names:
        _replug(element, goal)
    rest = [name for name in names if name not in ("network", "bridge")]
    for name in rest:
        xmltable.clear(ROWS[name], element)
    xmltable.write(TABLE, element, {name: goal[name] for name in rest if name in goal})


def _replug(element: typing.Any, goal: Options) -> None:
    """Another source; what libvirt noted of the old one goes."""
    kind = "network" if goal.get("network") else "bridge"
    element.set("type", kind)
    source = etree.Element("source", {name: goal[name] for name in SOURCE if name in goal})
    old = element.find("source")
    if old is None:
        element.append(source)
    else:
        element.replace(old, source)


def cleaned(text: str) -> str:
    """A running interface as it would be stored: without what libvirt noted while it runs."""
    element = etree.fromstring(text)
    for tag in ("alias", "backend"):
        for child in element.findall(tag):
            element.remove(child)
    kind = interface(element).kind
    element.set("type", kind)
    source = element.find("source")
    if kind == "network" and source is not None:
        for name in set(source.attrib) - {"network", "portgroup"}:
            del source.attrib[name]
    target = element.find("target")
    if target is not None and "target" not in interface(element).options:
        element.remove(target)
    return xmltable.text(element, pretty=False)


# Domains


def domain(text: str, replaced: collections.abc.Mapping[str, str | None], added: collections.abc.Sequence[str]) -> str:
    """The domain's XML with these interfaces in place of those of the same MAC address (None: gone), and these too."""
    root = etree.fromstring(text)
    devices = root.find("devices")
    for element in devices.findall("interface"):
        mac = element.find("mac").get("address").lower()
        if mac not in replaced:
            continue
        xml = replaced[mac]
        if xml is None:
            devices.remove(element)
        else:
            other = etree.fromstring(xml)
            other.tail = element.tail
            devices.replace(element, other)
    there = devices.findall("interface")
    at = devices.index(there[-1]) + 1 if there else len(devices)
    for number, xml in enumerate(added):
        devices.insert(at + number, etree.fromstring(xml))
    return xmltable.text(root)


def fresh(text: str, known: collections.abc.Collection[str], source: tuple[str, str]) -> Interface | None:
    """The interface on this network (or bridge) whose MAC address libvirt has just picked."""
    kind, name = source
    return next((one for one in side(text).interfaces if one.mac not in known and one.options.get(kind) == name), None)


def placed(text: str, domain_text: str) -> str:
    """The stored interface as it can be plugged into what runs: in the same place of the PCI bus where that is there
    and free, so that the guest finds it under the same name after its next start; otherwise wherever libvirt likes."""
    element = etree.fromstring(text)
    address = element.find("address")
    root = etree.fromstring(domain_text)
    if address is not None and not _is_free(_pci(address), root):
        element.remove(address)
    return xmltable.text(element, pretty=False)


def _is_free(wanted: PciAddress | None, root: typing.Any) -> bool:
    buses = {int(one.get("index")) for one in root.iterfind("devices/controller[@type='pci']")}
    taken = {_pci(address) for address in root.iterfind("devices/*/address")}
    return wanted is not None and wanted[1] in buses and wanted not in taken


def _pci(address: typing.Any) -> PciAddress | None:
    if address.get("type") != "pci":
        return None
    domain, bus, slot, function = (int(address.get(name, "0"), 0) for name in ("domain", "bus", "slot", "function"))
    return (domain, bus, slot, function)


def check_orders(guest: str, text: str) -> None:
    """Raises InputError for boot orders that libvirt would refuse."""
    found = side(text)
    if found.boot_orders and found.os_boot:
        raise InputError(
            f"guest {guest}: boot_order: the guest boots by <os><boot dev=...>, which excludes boot orders of devices;"
            " give its disks boot orders instead of it first"
        )
    owners: dict[int, str] = {}
    for order, device in found.boot_orders:
        if order in owners:
            raise InputError(
                f"guest {guest}: boot_order: {order} is that of {owners[order]} already; take another one for {device}"
            )
        owners[order] = device
