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
from .services import SETTINGS, remembered, target

_NETWORKS = pathlib.Path("/run/libvirt/network")


def observe(driver: typing.Any, desired: Desired) -> Observed:
    """All that one call needs; raises MissingError where the host can't have what is wanted."""
    del driver
    found = _files()
    state = State(found, settings=_settings())
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


def _settings() -> dict[str, str]:
    found = {}
    for key in SETTINGS.values():
        with contextlib.suppress(OSError):  # a kernel without IPv6
            found[key] = pathlib.Path("/proc/sys", *key.split(".")).read_text().strip()
    return found


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
