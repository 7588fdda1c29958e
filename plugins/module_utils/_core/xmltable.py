# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of options with their places in XML: read, written, and told from what no row knows. Names no option."""

from __future__ import annotations

import dataclasses
import functools
import typing

from .lxml import etree
from .table import Field, Options

# Prefixes that a path may have.
NAMESPACES = {"dnsmasq": "http://libvirt.org/schemas/network/dnsmasq/1.0"}


@dataclasses.dataclass(frozen=True)
class Codec:
    """A value that is spread over several attributes: read gives None where they are absent."""

    read: typing.Callable[[typing.Any], typing.Any]
    write: typing.Callable[[typing.Any, typing.Any], None]
    attributes: tuple[str, ...] = ()
    children: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclasses.dataclass(frozen=True)
class Row(Field):
    """A field with its place: `path` is relative to the parent's element, such as bridge@name; @name alone is an
    attribute of that element itself, no attribute is the text.

    `section` is the virNetworkUpdate section that changes the list's items live. `chosen`: libvirt chooses when
    silent, so silence keeps what is there.
    """

    path: str = ""
    codec: Codec | None = None
    section: str = ""
    chosen: bool = False


# Reading


def read(rows: tuple[Row, ...], element: typing.Any) -> Options:
    """What stands there, as it is written; an option that is absent is not in it."""
    found: Options = {}
    for row in rows:
        value = _read_list(row, element) if row.many else _read_one(row, element)
        if value is not None:
            found[row.name] = value
    return found


def _read_one(row: Row, element: typing.Any) -> typing.Any:
    steps, attribute = steps_of(row.path)
    for step in steps:
        element = element.find(step)
        if element is None:
            return None
    return _read_item(row, element, attribute)


def _read_list(row: Row, element: typing.Any) -> list[typing.Any] | None:
    steps, attribute = steps_of(row.path)
    for step in steps[:-1]:
        element = element.find(step)
        if element is None:
            return None
    return [_read_item(row, one, attribute) for one in element.findall(steps[-1])]


def _read_item(row: Row, element: typing.Any, attribute: str) -> typing.Any:
    if row.codec:
        return row.codec.read(element)
    if row.fields:
        return read(row.fields, element)
    return element.get(attribute) if attribute else element.text


@functools.cache
def steps_of(path: str) -> tuple[tuple[str, ...], str]:
    """The elements of a path, and the attribute at its end ("" for none)."""
    elements, _at, attribute = path.partition("@")
    steps = []
    for step in elements.split("/") if elements else ():
        prefix, colon, local = step.partition(":")
        steps.append(f"{{{NAMESPACES[prefix]}}}{local}" if colon else step)
    return tuple(steps), attribute


# Writing


def write(rows: tuple[Row, ...], element: typing.Any, options: Options) -> None:
    """Put these options into the element."""
    for row in rows:
        value = options.get(row.name)
        if value is None:
            continue
        steps, attribute = steps_of(row.path)
        parent = _ensure(element, steps[:-1] if row.many else steps)
        for one in value if row.many else (value,):
            _write_item(row, etree.SubElement(parent, steps[-1]) if row.many else parent, attribute, one)


def _write_item(row: Row, element: typing.Any, attribute: str, value: typing.Any) -> None:
    if row.codec:
        row.codec.write(element, value)
    elif row.fields:
        write(row.fields, element, value)
    elif attribute:
        element.set(attribute, row.kind.render(value) if row.kind else str(value))
    else:
        element.text = value


def _ensure(element: typing.Any, steps: tuple[str, ...]) -> typing.Any:
    for step in steps:
        child = element.find(step)
        element = etree.SubElement(element, step) if child is None else child
    return element


def clear(row: Row, element: typing.Any) -> None:
    """Take the option off again, and the elements on its way that are empty then."""
    steps, attribute = steps_of(row.path)
    path = [element]
    for step in steps:
        child = path[-1].find(step)
        if child is None:
            return
        path.append(child)
    if attribute:
        path[-1].attrib.pop(attribute, None)
    elif row.codec:
        names = {name for name, _attributes in row.codec.children}
        for child in [one for one in path[-1] if one.tag in names]:
            path[-1].remove(child)
    else:
        path[-1].clear()
    for child in reversed(path[1:]):
        if len(child) or child.attrib:
            return
        child.getparent().remove(child)


def loose_text(element: typing.Any) -> list[str]:
    """What stands before, between and behind an element's children."""
    texts = (element.text, *(child.tail for child in element))
    return [text.strip() for text in texts if text and text.strip()]


def canonical(element: typing.Any) -> str:
    """Canonical XML 2.0 (https://www.w3.org/TR/xml-c14n2/) without the white space that libvirt re-indents; what stands
    beside text is text."""
    copy = etree.fromstring(etree.tostring(element, with_tail=False))
    for node in copy.iter(etree.Element):
        if len(node) and not loose_text(node):
            node.text = None
            for child in node:
                child.tail = None
    return typing.cast(bytes, etree.tostring(copy, method="c14n2")).decode()


def text(element: typing.Any, pretty: bool = True) -> str:
    """The element as XML."""
    return typing.cast(str, etree.tostring(element, encoding="unicode", pretty_print=pretty)).strip() + (
        "\n" if pretty else ""
    )
