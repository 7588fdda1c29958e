# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the kernel that no dump answers: whose a tap is, and what kinds of links it can make."""

from __future__ import annotations

import ctypes
import os
import pathlib
import re
import socket

from .netlink import AlreadyThere, KernelError, Netlink
from .values import Link

_ONLY_WITH_VLANS = "IFLA_BR_VLAN_DEFAULT_PVID"
_PARENT = "probe"
_CLONE_NEWNET = 0x40000000


def guests(taps: set[str]) -> dict[str, str]:
    """{tap: guest} of running guests: the program that holds the tap says the guest's name on its command line."""
    found: dict[str, str] = {}
    for process in pathlib.Path("/proc").glob("[0-9]*") if taps else ():
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if not any("qemu" in word for word in words[:1]):
                continue
            held = {tap for info in (process / "fdinfo").iterdir() for tap in _tap(info)}
        except OSError:
            continue  # it ended meanwhile
        found.update(dict.fromkeys(held & taps, _guest_name(words)))
    return found


def _tap(info: pathlib.Path) -> list[str]:
    return re.findall(r"^iff:\s*(\S+)", info.read_text(), re.MULTILINE)


def _guest_name(words: list[str]) -> str:
    """qemu's -name, as libvirt says it (guest=NAME,...) or as a person does (NAME)."""
    for word, value in zip(words, words[1:]):
        if word == "-name":
            match = re.search(r"guest=([^,]+)", value)
            return match[1] if match else value.split(",")[0]
    return words[0]


def own_connection() -> tuple[str, str, int] | None:
    """(the client's address, the host's address, the host's port) of this very SSH connection; None without one.

    sshd says it in SSH_CONNECTION (ssh(1)); sudo takes that away, so the programs above this one are asked as well.
    """
    own = os.environ.get("SSH_CONNECTION")
    if own:
        return _ends(own)
    pid = os.getppid()
    while pid > 1:
        try:
            process = pathlib.Path("/proc") / str(pid)
            for word in (process / "environ").read_bytes().split(b"\0"):
                if word.startswith(b"SSH_CONNECTION="):
                    return _ends(word.decode().partition("=")[2])
            pid = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            return None
    return None


def _ends(connection: str) -> tuple[str, str, int]:
    """Of: client address, client port, server address, server port."""
    client, _port, server, port = connection.split()
    return client.split("%")[0], server.split("%")[0], int(port)


def incapable(kinds: set[str]) -> dict[str, str]:
    """Those of these kinds of links (and `vlan filtering`) that this kernel can't make, with its own words.

    Tried in a network namespace that nobody sees, by a child process that ends with it: the host's own is not touched.
    """
    if not kinds:
        return {}
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(send, "\n".join(f"{kind}\t{why}" for kind, why in _tried(kinds)).encode())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return dict(line.split("\t", 1) for line in text.splitlines())


def _tried(kinds: set[str]) -> list[tuple[str, str]]:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        return []  # the kernel's own refusal will have to do
    from . import write  # here, since most runs need nothing that is to be tried

    netlink, failed = Netlink(), []
    netlink.batch([write.make_link(Link(_PARENT, kind="bridge", mtu=0), {})])
    for kind in sorted(kinds - {"vlan filtering"}):
        try:
            netlink.batch([write.make_link(_example(kind), {_PARENT: socket.if_nametoindex(_PARENT)})])
        except AlreadyThere:
            continue
        except KernelError as error:
            failed.append((kind, str(error).split(": ", 1)[1]))
    if "vlan filtering" in kinds:
        failed += _without_filtering(netlink)
    return failed


def _example(kind: str) -> Link:
    data = {"vlan": {"IFLA_VLAN_ID": 1}, "vxlan": {"IFLA_VXLAN_ID": 1, "IFLA_VXLAN_PORT": 8472}}.get(kind, {})
    return Link(f"probe-{kind}", kind=kind, mtu=0, parent=_PARENT if kind == "vlan" else None, data=dict(data))


def _without_filtering(netlink: Netlink) -> list[tuple[str, str]]:
    """A kernel without it shows vlan_filtering all the same, but not the default PVID (br_fill_info)."""
    from . import read

    bridge = read.links(netlink, frozenset({_ONLY_WITH_VLANS})).get(_PARENT)
    if bridge and _ONLY_WITH_VLANS in bridge.data:
        return []
    return [("vlan filtering", "it was built without CONFIG_BRIDGE_VLAN_FILTERING")]
