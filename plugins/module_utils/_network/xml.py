# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network XML to options and back, driven by the option table; nothing in here names an option."""

from __future__ import annotations

import functools
import typing

from .._core import xmltable
from .._core.errors import InputError
from .._core.lxml import etree, require
from .._core.xmltable import Row, canonical
from .model import Definition, Form
from .options import DNSMASQ_NAMESPACE, MARK_NAMESPACE, TABLE, definition

MARK = f"{{{MARK_NAMESPACE}}}network"
_SILENT = {"network": ({"connections"}, {"name", "metadata"}), "network/forward/interface": ({"connections"}, set())}

Known = dict[str, tuple[set[str], set[str]]]


def parse(text: str) -> typing.Any:
    """The root element. Entities, DTDs and the network are never touched; raises InputError."""
    require()
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, huge_tree=False
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InputError(f"xml: not well-formed: {error}") from error
    if root.getroottree().docinfo.doctype:
        raise InputError("xml: a document type or an entity is not taken; write the XML without <!DOCTYPE>")
    if root.tag != "network":
        raise InputError(f"xml: the root is <{root.tag}>; it has to be <network>")
    return root


def read(text: str, strict: bool = False) -> Form:
    """What the XML says. Strict is for a user's XML: a value that can't be understood is an InputError."""
    root = parse(text)
    foreign, ours = _read_metadata(root, strict)
    try:
        values = xmltable.read(TABLE, root)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"xml: can't be understood: {error}") from error
    extras = tuple(sorted(_unknown(root, "network")))
    if foreign:
        values["metadata"] = foreign
    forward = root.find("forward")
    if forward is not None and values.get("mode") is None:
        values["mode"] = "nat"  # libvirt's default for a <forward> without a mode
    if values.get("mode") == "none":
        del values["mode"]
    return Form(definition(values, extras, strict), text, ours)


def name_of(text: str) -> str | None:
    """The network's name in this XML."""
    return typing.cast("str | None", parse(text).findtext("name"))


def read_addresses(text: str) -> list[str]:
    """The subnets' addresses in the order in which they stand in the XML."""
    row = next(row for row in TABLE if row.name == "subnets")
    values = xmltable.read((row,), parse(text))["subnets"]
    return [definition({"subnets": [{"address": one["address"]}]}).subnets[0]["address"] for one in values]


def write(name: str, wanted: Definition, ours: bool) -> str:
    """The XML that says this definition."""
    namespaces = {"dnsmasq": DNSMASQ_NAMESPACE} if "dnsmasq_options" in wanted.options else None
    root = etree.Element("network", nsmap=namespaces)
    etree.SubElement(root, "name").text = name
    xmltable.write(TABLE, root, wanted.options)
    if wanted.mode == "isolated":
        for forward in root.findall("forward"):
            forward.attrib.pop("mode", None)
            if not len(forward) and not forward.attrib:
                root.remove(forward)
    _write_metadata(root, wanted.options.get("metadata", ""), ours)
    return xmltable.text(root)


def amend(text: str, name: str, wanted: Definition, ours: bool) -> str:
    """A user's own XML, to the letter but for what only libvirt chooses, the metadata and our mark."""
    root = parse(text)
    for row in TABLE:
        if row.chosen and row.name in wanted.options:
            xmltable.write((row,), root, wanted.options)
    if root.find("name") is None:
        etree.SubElement(root, "name").text = name
    _write_metadata(root, wanted.options.get("metadata", ""), ours)
    return xmltable.text(root)


def item(row: Row, value: typing.Any) -> str:
    """One item of a list as XML, for virNetworkUpdate."""
    parent = etree.Element("parent")
    xmltable.write((row,), parent, {row.name: [value]})
    return xmltable.text(parent[0], pretty=False)


def fragments(text: str) -> dict[str, str]:
    """The elements of a piece of metadata in canonical XML, by their namespace; raises InputError."""
    return _fragments(parse(f"<network>{text}</network>") if text.strip() else etree.Element("network"))


def _fragments(root: typing.Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in root:
        namespace = etree.QName(element).namespace
        if not namespace:
            raise InputError(f"metadata: <{element.tag}> has no namespace; libvirt keeps only elements that have one")
        if namespace in found:
            raise InputError(f"metadata: two elements have the namespace {namespace}; libvirt keeps one of each")
        found[namespace] = canonical(element)
    loose = xmltable.loose_text(root)
    if loose:
        raise InputError(f"metadata: {loose[0]!r} stands in no element; libvirt keeps only elements")
    return found


def has_namespaces(fragment: str) -> bool:
    """Whether each element has one."""
    return all(etree.QName(element).namespace for element in etree.fromstring(fragment).iter(etree.Element))


def join(pieces: dict[str, str]) -> str:
    """Metadata from its elements, in the order of the alphabet."""
    return "".join(pieces[namespace] for namespace in sorted(pieces))


# Metadata


def _read_metadata(root: typing.Any, strict: bool) -> tuple[str, bool]:
    """The foreign elements in canonical XML, and whether our mark is among the others."""
    metadata = root.find("metadata")
    if metadata is None:
        return "", False
    if strict:
        _fragments(metadata)
    pieces = {etree.QName(child).namespace or child.tag: canonical(child) for child in metadata if child.tag != MARK}
    return join(pieces), metadata.find(MARK) is not None


def _write_metadata(root: typing.Any, foreign: str, ours: bool) -> None:
    for old in root.findall("metadata"):
        root.remove(old)
    if not foreign and not ours:
        return
    metadata = etree.SubElement(root, "metadata")
    if ours:
        metadata.append(etree.Element(MARK, nsmap={"virtnet": MARK_NAMESPACE}))
    if foreign:
        metadata.extend(list(parse(f"<network>{foreign}</network>")))


# What no row knows


@functools.cache
def _known() -> Known:
    known: Known = {path: (set(attributes), set(children)) for path, (attributes, children) in _SILENT.items()}
    _learn(TABLE, "network", known)
    return known


def _learn(rows: tuple[Row, ...], path: str, known: Known) -> None:
    for row in rows:
        steps, attribute = xmltable.steps_of(row.path)
        place = path
        for step in steps:
            known.setdefault(place, (set(), set()))[1].add(step)
            place = f"{place}/{step}"
        attributes, children = known.setdefault(place, (set(), set()))
        if attribute:
            attributes.add(attribute)
        if row.codec:
            attributes.update(row.codec.attributes)
            children.update(name for name, _attributes in row.codec.children)
            for name, names in row.codec.children:
                known[f"{place}/{name}"] = (set(names), set())
        _learn(row.fields, place, known)


def _unknown(element: typing.Any, path: str) -> list[str]:
    attributes, children = _known().get(path, (set(), set()))
    found = [f"{path} @{name}={value}" for name, value in element.attrib.items() if name not in attributes]
    for child in element:
        if child.tag not in children:
            found.append(f"{path} {canonical(child)}")
        elif path != "network" or child.tag not in ("metadata", "name"):
            found += _unknown(child, f"{path}/{child.tag}")
    return found
