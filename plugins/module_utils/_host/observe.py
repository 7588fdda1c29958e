# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is there: our files, the units, the kernel's settings, and which rules are in force."""

from __future__ import annotations

import contextlib
import pathlib
import typing

from .._core import command, files
from .._core.errors import MissingError, SystemFailure
from . import units
from .firewall import TABLE
from .model import Desired, File, Observed, State
from .services import ACCEPT_RA, SETTINGS, remembered, target

_FROM_ROUTER = 0x00010000 | 0x00040000  # RTF_DEFAULT, RTF_ADDRCONF
_NETWORKS = pathlib.Path("/run/libvirt/network")


def observe(driver: typing.Any, desired: Desired) -> Observed:
    """All that one call needs; raises MissingError where the host can't have what is wanted."""
    del driver
    found = _files()
    state = State(found, settings=_settings(found))
    wanted = target(desired, Observed(state))
    if not (found or wanted.files):
        return Observed(State(settings={}))
    _require("nft", "nftables")
    if units.DNSMASQ_FILE in wanted.files:
        _require("dnsmasq", "dnsmasq-base (Debian, Ubuntu) or dnsmasq (EL)")
    configs = [pathlib.Path(path).stem for path in {*found, *wanted.files} if "/dnsmasq/" in path]
    names = [units.FIREWALL_UNIT, units.BESIDE_UNIT, units.WATCH_UNIT, *map(units.DNSMASQ_UNIT.format, sorted(configs))]
    state = State(found, _units(names), state.settings, (_own_stamp(), _stamp_beside(found)))
    return Observed(state, _others_forward(desired, state))


def _require(program: str, package: str) -> None:
    if not command.is_there(program):
        raise MissingError(f"{program} is missing on this host: install the package {package}")


def _files() -> dict[str, File]:
    folder = pathlib.Path(units.FOLDER)
    paths = [str(path) for path in [*folder.glob("*"), *folder.glob("dnsmasq/*.conf")] if path.is_file()]
    paths += [*units.UNITS, units.DNSMASQ_FILE, units.SETTINGS, units.RECORD]
    return {path: File(*read) for path in paths if (read := files.read(path)) is not None}


def _units(names: list[str]) -> dict[str, bool]:
    """Whether each unit runs and will run after a boot, for those that there are."""
    told = command.run("systemctl", "show", "--property=Id,ActiveState,UnitFileState", *names)
    found = {}
    for block in told.strip().split("\n\n"):
        one = dict(line.split("=", 1) for line in block.splitlines())
        if one["UnitFileState"] or one["ActiveState"] == "active":
            ends = one["Id"] == units.BESIDE_UNIT  # when it has done its work
            good = one["ActiveState"] != "failed" if ends else one["ActiveState"] == "active"
            found[one["Id"]] = good and one["UnitFileState"] == "enabled"
    return found


def _settings(found: typing.Mapping[str, File]) -> dict[str, str]:
    """The kernel's, with those of the links that hear routers: now, or when they were first declared."""
    before = remembered(State(dict(found))).get("settings", {})
    hearing = {ACCEPT_RA.format(link) for link in links_of_routers((files.read("/proc/net/ipv6_route") or ("", 0))[0])}
    values = {}
    for key in (*sorted(hearing | (before.keys() - set(SETTINGS.values()))), *SETTINGS.values()):
        with contextlib.suppress(OSError):  # a kernel without IPv6, a link that is gone
            values[key] = pathlib.Path("/proc/sys", *key.split("/" if "/" in key else ".")).read_text().strip()
    return values


def links_of_routers(table: str) -> set[str]:
    """The links with a default route that the kernel has from a router itself, in /proc/net/ipv6_route (linux/ipv6_route.h)."""
    lines = [line.split() for line in table.splitlines()]
    return {line[9] for line in lines if len(line) == 10 and int(line[8], 16) & _FROM_ROUTER == _FROM_ROUTER}


def _own_stamp() -> str:
    """The stamp of the rules in force in our table; empty where there is none."""
    with contextlib.suppress(SystemFailure):
        for line in command.run("nft", "list", "table", "inet", TABLE).splitlines():
            if line.strip().startswith("chain rules-"):
                return line.split()[1]
        return "without a stamp"
    return ""


def _stamp_beside(found: typing.Mapping[str, File]) -> str:
    mark = found.get(f"{units.FOLDER}/mark")
    with contextlib.suppress(SystemFailure):
        if mark and units.BESIDE in found:
            command.run(units.BESIDE, "check")
            return mark.text.strip()
    return ""


def _others_forward(desired: Desired, state: State) -> frozenset[int]:
    """The IP versions that Docker needs, or a network of libvirt's that was not declared."""
    ours = {one.name for one in desired.networks} | set(remembered(state).get("networks", {}))
    if pathlib.Path("/sys/class/net/docker0").exists():
        return frozenset(SETTINGS)
    strangers = [path for path in _NETWORKS.glob("*.xml") if path.stem not in ours]
    texts = [(files.read(str(path)) or ("", 0))[0] for path in strangers]
    passing = [text for text in texts if "<forward " in text]
    six = any("family='ipv6'" in text for text in passing)
    return frozenset(([4] if passing else []) + ([6] if six else []))
