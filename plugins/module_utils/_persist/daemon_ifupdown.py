# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ifupdown itself: its state, and having it run what is new."""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
from collections.abc import Iterable, Sequence

from .._core import command
from .._core import files as core_files
from . import ifupdown
from .model import BACKUP, owner

UNIT = "networking"
_CLIENTS = ("dhclient", "dhcpcd", "udhcpc")
_SECONDS = 90  # for a lease
_LEASE_FILE = "/var/lib/dhcp/dhclient.{}.leases"
_STATE = "/run/network/ifstate"  # a line a link that is up, and a file beside it a link


def runs() -> bool:
    """Debian has it installed everywhere; it counts where it is in charge of more than the loopback link."""
    return command.is_active(UNIT) and any(_named())


def _named() -> list[str]:
    return [link for path in _files() for link in ifupdown.links("", path.read_text())]


def paths() -> Iterable[pathlib.Path]:
    """The files that may be changed."""
    main = pathlib.Path(ifupdown.MAIN)
    return [main, *pathlib.Path(ifupdown.FOLDER).glob("*"), *main.parent.glob(f"*{BACKUP}")]


def charges(links: Sequence[str]) -> dict[str, str]:
    """{link: the file with its stanza}."""
    named: dict[str, str] = {}
    for path in _files():
        for link in ifupdown.links("", path.read_text()):
            named.setdefault(link, str(path))
    return {link: named[link] for link in links if link in named}


def lacking() -> dict[str, str]:
    found = {}
    if not command.is_there("resolvconf") and not command.is_active("systemd-resolved"):
        found["dns"] = "it has nobody here to hand them to: install resolvconf, or openresolv"
    if not any(map(command.is_there, _CLIENTS)):
        found.update(dict.fromkeys(("dhcp4", "dhcp6"), f"no DHCP client is installed: {', '.join(_CLIENTS)}"))
    return found


def held() -> contextlib.AbstractContextManager[None]:
    """It need not be kept from anything."""
    return contextlib.nullcontext()


def tell(paths: Sequence[str], links: Sequence[str], devices: Sequence[str]) -> None:
    """Bring up what our stanzas say: all their lines may be repeated. A stanza of somebody else's is brought up where it
    has a DHCP client to start, or none of its addresses is there; and of all it is noted whether they are up."""
    del paths, devices
    texts = {str(path): path.read_text() for path in _files()}
    bridges = {name for text in texts.values() if (name := owner(text))}
    named = {link for text in texts.values() if not owner(text) for link in ifupdown.links("", text)}
    for link in links:
        if link not in bridges:
            _stop_client(link)
    for link in links:
        if link in bridges:
            _share_identity(link, links)
            command.run("ifup", "--force", link, seconds=_SECONDS)
        elif link not in named:
            _forget(link)
        elif any(_leases(text, link) for text in texts.values()):
            command.run("ifup", "--force", link, seconds=_SECONDS)
        elif not _has_its_addresses(link, texts.values()):
            # a route in the place of one of its own is an error to it, and stays
            command.run("ifup", "--force", "--ignore-errors", link, seconds=_SECONDS)
        else:
            _note_up(link)


def _files() -> list[pathlib.Path]:
    return [path for path in paths() if path.is_file() and not path.name.endswith(BACKUP)]


def _leases(text: str, link: str) -> bool:
    return any(line.split()[:2] == ["iface", link] and line.split()[-1] == "dhcp" for line in text.splitlines())


def _has_its_addresses(link: str, texts: Iterable[str]) -> bool:
    """Whether it has one of those that its stanzas name, or they name none."""
    named = [address for text in texts for address in ifupdown.addresses(text, link)]
    if not named:
        return True
    there = command.run("ip", "-o", "address", "show", "dev", link).split()
    return any(word.split("/")[0] in named for word in there)


def _note_up(link: str) -> None:
    """Only its note of what is up, by a stanza that does nothing."""
    with tempfile.NamedTemporaryFile("w", prefix="virtnet-") as file:
        file.write(f"iface {link} inet manual\n")
        file.flush()
        command.run("ifup", "--force", "--no-scripts", "-i", file.name, link)


def _forget(link: str) -> None:
    """Only that note; `ifdown` sets a link down by any stanza."""
    found = core_files.read(_STATE)
    if found:
        lines = [line for line in found[0].splitlines(keepends=True) if line.partition("=")[0] != link]
        core_files.write(_STATE, "".join(lines), found[1])
    core_files.delete(f"{_STATE}.{link}")
    if not pathlib.Path("/sys/class/net", link).exists():
        core_files.delete(_LEASE_FILE.format(link))


def _share_identity(link: str, links: Sequence[str]) -> None:
    """dhclient tells a server who it is by a number of its own, which it keeps once a link (RFC 4361): a bridge that is
    new is to be known by its port's, and so to keep the lease."""
    path = _LEASE_FILE.format(link)
    if core_files.read(path):
        return
    texts = [content[0] for one in links if (content := core_files.read(_LEASE_FILE.format(one)))]
    known = [line for text in texts for line in text.splitlines() if line.startswith("default-duid")]
    if known:
        core_files.write(path, f"{known[0]}\n")


def _stop_client(link: str) -> None:
    """Without giving the lease back: it may be the bridge's now."""
    for version, name in (("-4", "dhclient"), ("-6", "dhclient6")):
        note = pathlib.Path(f"/run/{name}.{link}.pid")
        if note.exists():
            with contextlib.suppress(Exception):
                command.run("dhclient", version, "-x", "-pf", str(note), link)


def settle(links: Sequence[str]) -> None:
    """It is done when it returns."""
    del links


def is_unmanaged(name: str) -> bool:
    """Nothing is taken away from a link that it leaves alone."""
    del name
    return False
