# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The house's rules, as tests: who may import what, who may read check mode, how large a thing may get."""

from __future__ import annotations

import ast
import inspect
import pathlib
import re

import pytest
import yaml
from ansible_collections.virtnet.kvm.plugins.module_utils._core.flow import Domain
from ansible_collections.virtnet.kvm.plugins.module_utils._persist.backends import renderers

ROOT = pathlib.Path(__file__).parents[2]
UTILS = ROOT / "plugins/module_utils"
FILES = sorted(UTILS.rglob("*.py"))
ROOMS = ("model", "options", "desired", "observe", "plan", "apply", "result")
DOMAINS = [UTILS / name for name in ("_network", "_bridge", "_interface", "_host")]

# Imports point one way: modules > flow > a domain > the drivers > the core.
ALLOWED = {
    "_core": {"_core"},
    "_kernel": {"_core", "_kernel"},
    "_libvirt": {"_core", "_libvirt"},
    "_network": {"_core", "_kernel", "_libvirt", "_network"},
    "_interface": {"_core", "_kernel", "_libvirt", "_interface"},
    "_bridge": {"_core", "_kernel", "_persist", "_confirm", "_bridge"},
    "_host": {"_core", "_kernel", "_libvirt", "_host"},
}
# One door to each system.
DOORS = {
    "pyroute2": "_kernel/",
    "libvirt": "_libvirt/driver.py",
    "lxml": "_core/lxml.py",
    "subprocess": "_core/command.py",
}
PURE = (
    "model",
    "options",
    "desired",
    "plan",
    "result",
    "live",
    "checks",
    "xml",
    "goal",
    "boot",
    "patterns",
    "firewall",
    "dnsmasq",
    "services",
)


def imports(path: pathlib.Path) -> list[tuple[str, int]]:
    """(dotted name, level) of everything that a file imports."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [
                (f"{node.module}.{alias.name}" if node.module else alias.name, node.level) for alias in node.names
            ]
    return found


def label(path: pathlib.Path) -> str:
    return str(path.relative_to(UTILS))


@pytest.mark.parametrize("path", FILES, ids=label)
def test_imports_point_one_way(path: pathlib.Path) -> None:
    room = label(path).split("/", maxsplit=1)[0]
    if room not in ALLOWED:
        return
    for name, level in imports(path):
        if level == 2:
            assert name.split(".")[0] in ALLOWED[room], name
        if level == 0 and room != "_core":
            assert not name.startswith("ansible"), name


@pytest.mark.parametrize("path", FILES, ids=label)
def test_one_door_to_each_system(path: pathlib.Path) -> None:
    for name, level in imports(path):
        for library, door in DOORS.items():
            if level == 0 and name.split(".")[0] == library:
                assert label(path).startswith(door), f"{label(path)} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=label)
def test_only_the_flow_reads_check_mode(path: pathlib.Path) -> None:
    if label(path) != "_core/flow.py":
        assert "check_mode" not in path.read_text() and "AnsibleModule" not in path.read_text()


@pytest.mark.parametrize("folder", DOMAINS, ids=lambda folder: folder.name)
def test_every_domain_has_the_same_rooms_with_the_same_signatures(folder: pathlib.Path) -> None:
    for room in ROOMS:
        assert (folder / f"{room}.py").exists(), room
    import importlib

    door = importlib.import_module(f"ansible_collections.virtnet.kvm.plugins.module_utils.{folder.name}.domain")
    for name, function in inspect.getmembers(Domain, inspect.isfunction):
        if name.startswith("_"):
            continue
        wanted = [word for word in inspect.signature(function).parameters if word != "self"]
        assert len(inspect.signature(getattr(door, name)).parameters) == len(wanted), name


@pytest.mark.parametrize("path", [path for path in FILES if path.stem in PURE and path.parent in DOMAINS], ids=label)
def test_the_pure_rooms_do_no_io(path: pathlib.Path) -> None:
    for name, level in imports(path):
        assert name.split(".")[0] not in ("os", "pathlib", "socket", "subprocess", "time"), name
        values = name.startswith("_kernel.values.")  # which are values, and nothing else
        assert values or not (level == 2 and name.split(".")[0] in ("_kernel", "_libvirt")), name


@pytest.mark.parametrize("path", FILES, ids=label)
def test_things_are_of_a_size_to_be_read(path: pathlib.Path) -> None:
    """Tables of options are as long as there are options."""
    lines = path.read_text().splitlines()
    assert len(lines) <= (500 if path.name == "options.py" else 360), len(lines)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno <= 45, f"{node.name} has {node.end_lineno - node.lineno} lines"
            assert not node.name[0].isalpha() or ast.get_docstring(node) or _is_inner(node), (
                f"{node.name} has no docstring"
            )


def _is_inner(node: ast.FunctionDef) -> bool:
    """Protocol stubs, the driver's short verbs and functions inside functions name themselves."""
    return len(node.body) <= 5


@pytest.mark.parametrize("path", sorted((ROOT / "plugins/modules").glob("*.py")), ids=lambda path: path.stem)
def test_a_module_is_documentation_and_main(path: pathlib.Path) -> None:
    tree = ast.parse(path.read_text())
    assert [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)] == ["main"]
    code = [node for node in tree.body if not isinstance(node, (ast.Assign, ast.Expr))]
    assert sum(node.end_lineno - node.lineno + 1 for node in code) <= 40


def test_every_module_is_in_the_action_group() -> None:
    group = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["all"]
    assert sorted(group) == sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))


def test_every_backend_has_its_scenario_and_none_has_steps_of_its_own() -> None:
    scenarios = {path.parent.name: path.parent for path in (ROOT / "extensions/molecule").glob("*/molecule.yml")}
    assert {name.removeprefix("bridge_") for name in scenarios if name.startswith("bridge_")} == set(renderers())
    texts = {name: [path.read_text() for path in sorted(scenarios[f"bridge_{name}"].iterdir())] for name in renderers()}
    assert len(set(map(tuple, texts.values()))) == 1
    assert "shared/bridge_converge.yml" in texts["networkd"][0] and "tasks:" not in texts["networkd"][0]


def test_the_tests_mirror_the_source() -> None:
    """A pure file has unit tests; what touches the system is tested on a real one."""
    for path in FILES:
        if path.stem in PURE and path.parent in DOMAINS and path.stem != "model":
            twin = ROOT / "tests/unit" / path.relative_to(ROOT).with_name(f"test_{path.name}")
            assert twin.exists(), twin


def test_no_bare_except_and_no_assert_in_plugins() -> None:
    for path in (ROOT / "plugins").rglob("*.py"):
        if path in (UTILS / "_confirm/agent.py", UTILS / "_core/flow.py"):
            continue  # who puts a host back does so whatever it was
        assert not re.search(r"^\s*(except:|except Exception|assert )", path.read_text(), re.MULTILINE), path
