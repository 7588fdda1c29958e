# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only importer of libvirt: plain values in and out, one connection a call."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
import typing
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from .._core.errors import ConnectionLost, MissingError, SystemFailure, VirtnetError
from .._core.lxml import require

try:
    import libvirt
except ImportError:
    libvirt = None

RECONNECT_SECONDS = 20
SIDE_BY_SIDE = 4  # calls at once; libvirtd takes 5 of one connection
_METADATA_LIVE_SINCE = 9007000  # virNetworkSetMetadata came with libvirt 9.7.0
_BRIDGE_VLANS_SINCE = 11000000  # VLANs of a guest's interface on a plain Linux bridge came with libvirt 11.0.0

COMMANDS = {"modify": 1, "delete": 2, "add": 3}
# virNetworkUpdateSection
SECTIONS = {
    "ip-dhcp-host": 4,
    "ip-dhcp-range": 5,
    "forward-interface": 7,
    "portgroup": 9,
    "dns-host": 10,
    "dns-txt": 11,
    "dns-srv": 12,
}
_LIVE = 1
_METADATA = {"description": 0, "title": 1, "element": 2}


@dataclasses.dataclass(frozen=True)
class Entry:
    """A network in libvirt's list."""

    name: str
    active: bool
    persistent: bool
    autostart: bool


def is_installed() -> bool:
    """Whether libvirt's Python bindings are there."""
    return libvirt is not None


@dataclasses.dataclass(frozen=True)
class DomainEntry:
    """A guest in libvirt's list."""

    name: str
    uuid: str
    active: bool
    persistent: bool


@contextlib.contextmanager
def connect(uri: str) -> Iterator[Driver]:
    """A connection for as long as the block lasts."""
    if libvirt is None:
        raise MissingError(
            f"the Python bindings of libvirt are missing for {sys.executable}:"
            " install the package python3-libvirt on this host (Debian, Ubuntu, EL)"
        )
    require()
    libvirt.registerErrorHandler(lambda _context, _error: None, None)  # else each error is printed as well
    driver = Driver(uri)
    try:
        yield driver
    finally:
        driver.close()


class Driver:
    """libvirtd, as far as networks and guests' interfaces go."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._networks: dict[str, typing.Any] = {}
        self._domains: dict[str, typing.Any] = {}
        self.port_flags: dict[str, dict[str, int]] = {}  # of taps that were unplugged in this task
        self._connection = self._open()

    @property
    def local(self) -> bool:
        """Whether libvirtd runs on this very host."""
        return not urlsplit(self.uri).hostname

    @property
    def metadata_live(self) -> bool:
        with _errors("asking libvirt's version"):
            return (
                hasattr(libvirt.virNetwork, "setMetadata") and self._connection.getLibVersion() >= _METADATA_LIVE_SINCE
            )

    @property
    def bridge_vlans(self) -> bool:
        with _errors("asking libvirt's version"):
            return typing.cast(bool, self._connection.getLibVersion() >= _BRIDGE_VLANS_SINCE)

    def reconnect(self) -> None:
        """Connect anew where the connection broke; libvirtd may need a moment to be back."""
        with contextlib.suppress(libvirt.libvirtError):
            if self._connection.isAlive() and self._connection.getLibVersion():
                return
        self.close()
        deadline = time.monotonic() + RECONNECT_SECONDS
        while True:
            try:
                self._connection = self._open()
                return
            except VirtnetError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)

    def close(self) -> None:
        self._networks, self._domains = {}, {}
        with contextlib.suppress(libvirt.libvirtError):
            self._connection.close()

    # Reading

    def networks(self) -> list[Entry]:
        """All networks; four calls, however many there are."""
        with _errors("listing networks"):
            every = self._connection.listAllNetworks(0)
            active, persistent, autostart = (
                {network.name() for network in self._connection.listAllNetworks(flag)} for flag in (2, 4, 16)
            )
        self._networks = {network.name(): network for network in every}
        return [Entry(name, name in active, name in persistent, name in autostart) for name in sorted(self._networks)]

    def network_xml(self, name: str, inactive: bool) -> str | None:
        """None where the network went away since it was listed."""
        with _errors(f"reading network {name}"):
            try:
                return typing.cast(str, self._networks[name].XMLDesc(1 if inactive else 0))
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_NO_NETWORK:
                    return None
                raise

    def definitions(self, entries: Sequence[Entry]) -> list[tuple[str | None, str | None]]:
        """What runs and what is stored of each. Many are asked for side by side: libvirtd answers several calls of one
        connection at once (max_client_requests in libvirtd.conf)."""
        if len(entries) <= SIDE_BY_SIDE:
            return [self._definition(entry) for entry in entries]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            return list(pool.map(self._definition, entries))

    def _definition(self, entry: Entry) -> tuple[str | None, str | None]:
        return (
            self.network_xml(entry.name, inactive=False) if entry.active else None,
            self.network_xml(entry.name, inactive=True) if entry.persistent else None,
        )

    def ports_xml(self, name: str) -> list[str]:
        with _errors(f"reading the ports of network {name}"):
            return [port.XMLDesc(0) for port in self._networks[name].listAllPorts(0)]

    def leases(self, name: str) -> list[dict[str, typing.Any]]:
        with _errors(f"reading the leases of network {name}"):
            return typing.cast("list[dict[str, typing.Any]]", self._networks[name].DHCPLeases(None, 0))

    def domain_names(self) -> set[str]:
        """All guests, running or not."""
        with _errors("listing guests"):
            return {domain.name() for domain in self._connection.listAllDomains(0)}

    def running_domains_xml(self) -> list[str]:
        with _errors("reading the running guests"):
            found = []
            for domain in self._connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                try:
                    found.append(domain.XMLDesc(0))
                except libvirt.libvirtError as error:  # it ended since it was listed
                    if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                        raise
            return found

    # Changing

    def define(self, name: str, xml: str) -> None:
        with _errors(f"defining network {name}"):
            self._networks[name] = self._connection.networkDefineXML(xml)

    def undefine(self, name: str) -> None:
        with _errors(f"removing network {name}"):
            self._networks[name].undefine()

    def start(self, name: str) -> None:
        with _errors(f"starting network {name}"):
            self._networks[name].create()

    def start_as(self, name: str, xml: str) -> None:
        """Start it with this XML, whatever its config says."""
        with _errors(f"starting network {name}"):
            self._networks[name] = self._connection.networkCreateXML(xml)

    def stop(self, name: str) -> None:
        with _errors(f"stopping network {name}"):
            self._networks[name].destroy()

    def autostart(self, name: str, wanted: bool) -> None:
        with _errors(f"setting autostart of network {name}"):
            self._networks[name].setAutostart(wanted)

    def update(self, name: str, command: str, section: str, index: int, xml: str) -> None:
        """virNetworkUpdate on what runs."""
        with _errors(f"changing network {name} live ({section} {command} {xml})"):
            self._networks[name].update(COMMANDS[command], SECTIONS[section], index, xml, _LIVE)

    def set_metadata(self, name: str, kind: str, text: str | None, namespace: str | None) -> None:
        """Metadata of what runs; None removes it."""
        with _errors(f"changing {kind} of network {name} live"):
            key = "virtnet" if namespace else None
            self._networks[name].setMetadata(_METADATA[kind], text, key, namespace, _LIVE)

    def reclaim_port(self, name: str, xml: str) -> None:
        """Tell libvirt that a running guest's interface is on this network (again)."""
        with _errors(f"counting a guest in on network {name}"):
            try:
                self._networks[name].portCreateXML(xml, libvirt.VIR_NETWORK_PORT_CREATE_RECLAIM)
            except libvirt.libvirtError as error:
                # A port of that UUID is there: it was counted all along.
                if "already exists" not in str(error):
                    raise

    # Guests

    def domains(self) -> list[DomainEntry]:
        """All guests; three calls, however many there are."""
        with _errors("listing guests"):
            every = self._connection.listAllDomains(0)
            active, persistent = (
                {domain.UUIDString() for domain in self._connection.listAllDomains(flag)}
                for flag in (libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE, libvirt.VIR_CONNECT_LIST_DOMAINS_PERSISTENT)
            )
        self._domains = {domain.name(): domain for domain in every}
        found = [(domain.name(), domain.UUIDString()) for domain in every]
        return [DomainEntry(name, uuid, uuid in active, uuid in persistent) for name, uuid in found]

    def domain_xml(self, name: str, inactive: bool) -> str | None:
        """What is stored (to be defined again: with its secrets), or what runs; None where the guest went away."""
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE if inactive else 0
        with _errors(f"reading guest {name}"):
            try:
                return typing.cast(str, self._domains[name].XMLDesc(flags))
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                    return None
                raise

    def is_running(self, name: str) -> bool:
        with _errors(f"asking for guest {name}"):
            return bool(self._domains[name].isActive())

    def define_domain(self, name: str, xml: str) -> None:
        with _errors(f"storing guest {name}"):
            self._domains[name] = self._connection.defineXML(xml)

    def plug_interface(self, name: str, xml: str) -> None:
        with _errors(f"plugging an interface into guest {name}"):
            try:
                self._domains[name].attachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)
            except libvirt.libvirtError as error:
                if "No more available PCI slots" in str(error):
                    raise SystemFailure(
                        f"plugging an interface into guest {name}: it runs without a free PCI slot (a q35 machine needs a"
                        " spare pcie-root-port); shut it down, run again, and start it"
                    ) from error
                raise

    def update_interface(self, name: str, xml: str) -> None:
        with _errors(f"changing an interface of guest {name} live"):
            self._domains[name].updateDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def unplug_interface(self, name: str, xml: str) -> None:
        """Asks for it: the guest has to let go, and libvirt waits some seconds for that, but not for ever."""
        with _errors(f"unplugging an interface of guest {name}"):
            self._domains[name].detachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def filters(self) -> list[str]:
        with _errors("listing network filters"):
            return [one.name() for one in self._connection.listAllNWFilters(0)]

    def _open(self) -> typing.Any:
        try:
            return libvirt.open(self.uri)
        except libvirt.libvirtError as error:
            raise MissingError(f"no connection to libvirt at {self.uri}: {error}. {_advice(error)}") from error


def _advice(error: typing.Any) -> str:
    text = str(error).lower()
    if "permission denied" in text or "authentication" in text or "polkit" in text or "access denied" in text:
        return "The task's user may not speak to it: use become, or put the user into the group libvirt"
    return "Is libvirtd (or virtnetworkd) installed and running there? Try: systemctl start libvirtd"


@contextlib.contextmanager
def _errors(what: str) -> Iterator[None]:
    try:
        yield
    except libvirt.libvirtError as error:
        lost = error.get_error_domain() == libvirt.VIR_FROM_RPC or error.get_error_code() == libvirt.VIR_ERR_NO_CONNECT
        kind = ConnectionLost if lost else SystemFailure
        raise kind(f"{what}: {error.get_error_message() or error}") from error
