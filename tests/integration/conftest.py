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

from host import Host
from virtlab.lab import Lab
from virtlab.settings import RELEASES

HOSTS = 2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test once a release."""
    if "release" in metafunc.fixturenames:
        metafunc.parametrize("release", RELEASES, scope="session")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A release's tests stay together on one worker, whose lab it is."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec and "release" in callspec.params:
            item.add_marker(pytest.mark.xdist_group(callspec.params["release"]))


@pytest.fixture(scope="session")
def lab(release: str) -> Iterator[Lab]:
    one = Lab(f"test-{release}")
    one.up(HOSTS, release)
    yield one
    if not os.environ.get("VIRTNET_KEEP_LAB"):
        one.down()


@pytest.fixture(scope="session")
def installed(lab: Lab) -> Iterator[Host]:
    host = Host(lab, lab.machine("h1"))
    host.install()
    yield host
    host.close()


@pytest.fixture
def host(installed: Host) -> Host:
    installed.clean()
    return installed
