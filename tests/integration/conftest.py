# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab a release, for the whole session; every test on both, and each starts from a host without networks."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lab"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

from bridge_host import BridgeHost
from declared_host import DeclaredHost
from host import Host
from kept_host import KeptHost
from virtlab.lab import Lab
from virtlab.settings import RELEASES

HOSTS = 2
# Which tests share a worker, and with it a lab a release; the others share one more.
PARTS = {
    "bridges": ("test_bridge", "test_bridge_bad_input"),
    "confirm": ("test_takeover", "test_confirm"),
    "guests": ("test_live", "test_restart", "test_faults", "test_states"),
    "interface": ("test_interface",),
    "sites": ("test_site", "test_coexistence"),
    "patterns": ("test_packets", "test_patterns"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test once a release."""
    if "release" in metafunc.fixturenames:
        metafunc.parametrize("release", RELEASES, scope="session")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Tests that share a lab stay together on one worker, whose lab it is; those with guests apart from the others.

    Those with packets stay in the order in which they are written: they go through what a host goes through.
    """
    for item in items:
        release = _release(item)
        if release:
            part = next((part for part, stems in PARTS.items() if item.path.stem in stems), _backend(item) or "plain")
            item.add_marker(pytest.mark.xdist_group(f"{release}-{part}"))
            if release != RELEASES[0]:
                item.add_marker("slow" if item.get_closest_marker("long") else "long")
        elif item.path.stem in ("test_lab", "test_bridge_vm"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        elif item.path.stem in ("test_interface_vm", "test_backend_vm"):
            item.add_marker(pytest.mark.xdist_group("later-vm"))
    yield
    places = [at for at, item in enumerate(items) if item.path.stem in PARTS["patterns"] and _release(item)]
    ordered = sorted((items[at] for at in places), key=lambda item: (item.path, _release(item), item.location[1]))
    for at, item in zip(places, ordered):
        items[at] = item


def _backend(item: pytest.Item) -> str:
    """The backend whose lab a test is in, which it shares with no other."""
    return _parameter(item, "lab_of")


def _release(item: pytest.Item) -> str:
    """The release that a test is for; empty where it is for none."""
    return _parameter(item, "release")


def _parameter(item: pytest.Item, name: str) -> str:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get(name, "") if callspec else ""


@pytest.fixture(scope="session")
def lab(release: str) -> Iterator[Lab]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    one = Lab(f"test-{release}-{worker}")
    one.up(HOSTS, release)
    yield one
    if not os.environ.get("VIRTNET_KEEP_LAB"):
        one.down()


@pytest.fixture(scope="session")
def later_vm() -> Iterator[Host]:
    """A virtual machine of a release whose libvirt knows VLANs of a plain bridge, and nftables."""
    one = Lab("test-later-vm")
    one.up(1, os.environ.get("VIRTNET_VM_RELEASE", "trixie"), "vm")
    host = Host(one, one.machine("h1"))
    host.run("modprobe bridge")  # or ip(8) lists a bridge without a name
    host.clean()
    host.install()
    yield host
    host.close()
    if not os.environ.get("VIRTNET_KEEP_LAB"):
        one.down()


@pytest.fixture(scope="module")
def first(lab_of: Lab) -> Iterator[tuple[KeptHost, str]]:
    host = KeptHost(lab_of)
    host.come_to_rest()
    host.install()
    yield host, host.everything()
    host.close()


@pytest.fixture
def kept(first: tuple[KeptHost, str]) -> Iterator[KeptHost]:
    """A host as its installer left it, before the test and after."""
    host, before = first
    host.settled_like(before)
    yield host
    host.settled_like(before)


@pytest.fixture(scope="session")
def installed(lab: Lab) -> Iterator[Host]:
    host = Host(lab, lab.machine("h1"))
    host.install()
    yield host
    host.close()


@pytest.fixture
def bridges(lab: Lab, release: str) -> Iterator[BridgeHost]:
    """A host whose only NIC, host0, is set up by networkd's file, and which has no bridge."""
    host = BridgeHost(lab, lab.machine("h2"))
    host.reset()
    host.install()
    yield host
    host.close()


@pytest.fixture(scope="session")
def declaring(lab: Lab) -> Iterator[DeclaredHost]:
    host = DeclaredHost(lab, lab.machine("h1"))
    host.bare()
    host.install()
    yield host
    host.close()


@pytest.fixture
def declared(declaring: DeclaredHost) -> DeclaredHost:
    """A host that has libvirt, and no network."""
    declaring.bare()
    return declaring


@pytest.fixture
def host(installed: Host) -> Host:
    installed.clean()
    return installed
