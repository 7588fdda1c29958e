# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself, through its command: what it promises to those who stand on it."""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from host import ROOT
from virtlab.lab import Lab
from virtlab.system import processes_rooted_in
from virtlab.vm import VirtualMachine

NAME, VM_NAME = "test-lab", "test-vm"
FOLDER = pathlib.Path("/run/virtnet-lab") / NAME


def lab(*words: str, check: bool = True, name: str = NAME) -> subprocess.CompletedProcess:
    verb, *rest = words
    command = [str(ROOT / "tests/lab/lab"), verb, "--name", name, *rest]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


@pytest.fixture
def one_host() -> Iterator[None]:
    lab("down")
    assert lab("up", "--hosts", "1").stdout.splitlines()[-1] == str(FOLDER / "inventory.yml")
    yield
    lab("down")


@pytest.fixture(scope="module")
def settled_vm() -> Iterator[VirtualMachine]:
    """One VM for all tests, since it takes its time."""
    one = Lab(VM_NAME)
    one.down()
    assert lab("up", "--kind", "vm", "--hosts", "1", name=VM_NAME).stdout.splitlines()[-1] == str(one.inventory)
    machine = one.machine("h1")
    assert isinstance(machine, VirtualMachine)
    yield machine
    lab("down", name=VM_NAME)
    assert not traces(VM_NAME)


@pytest.fixture
def vm(settled_vm: VirtualMachine) -> VirtualMachine:
    settled_vm.restore()
    return settled_vm


def said(machine: VirtualMachine, script: str) -> str:
    done = machine.run(["sh", "-ec", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def traces(name: str = NAME) -> list[str]:
    """Everything that a lab could leave behind."""
    folder = pathlib.Path("/run/virtnet-lab") / name
    mounts = [line for line in pathlib.Path("/proc/mounts").read_text().splitlines() if name in line]
    namespaces = [path.name for path in pathlib.Path("/run/netns").glob(f"*{name}")]
    found = subprocess.run(["pgrep", "-af", str(folder)], stdout=subprocess.PIPE, text=True, check=False).stdout
    processes = [line for line in found.splitlines() if "pgrep" not in line]
    processes += [f"process {pid}" for pid in processes_rooted_in(f"{folder}/")]
    return [*mounts, *namespaces, *processes, *([str(folder)] if folder.exists() else [])]


def test_what_a_command_says_comes_through(one_host: None) -> None:
    done = lab("run", "h1", "--", "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)
    assert "no machine 'h9'" in lab("run", "h9", "--", "true", check=False).stderr


def test_everybody_reaches_the_outside(one_host: None) -> None:
    for machine in ("h1", "client", "router"):
        for address in ("198.18.0.10", "2001:db8:2::a", "www.outside.example"):
            lab("run", machine, "--", "ping", "-c5", "-i0.3", "-W2", address)


def test_up_again_changes_nothing_and_more_hosts_are_added(one_host: None) -> None:
    before = lab("run", "h1", "--", "cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat").stdout
    lab("up", "--hosts", "2")
    assert (
        lab("run", "h1", "--", "cat", "/proc/sys/kernel/random/boot_id", "/proc/1/stat").stdout.split()[22]
        == before.split()[22]
    )
    assert lab("run", "h2", "--", "hostname").stdout == "h2\n"
    lab("up", "--hosts", "1")
    assert "h2" not in lab("status").stdout
    lab("up", "--hosts", "2")
    lab("run", "h2", "--", "ping", "-c1", "-W2", "192.0.2.11")


def test_a_reboot_keeps_the_disk(one_host: None) -> None:
    lab("run", "h1", "--", "sh", "-c", "echo kept > /root/note; ip link add gone type bridge")
    lab("reboot", "h1")
    assert lab("run", "h1", "--", "cat", "/root/note").stdout == "kept\n"
    assert lab("run", "h1", "--", "ip", "link", "show", "gone", check=False).returncode == 1
    lab("run", "h1", "--", "ping", "-c1", "-W2", "198.18.0.10")
    lab("reboot", "router")
    lab("run", "h1", "--", "ping", "-c1", "-W5", "198.18.0.10")


def test_a_reboot_ends_whoever_stands_on_the_host(one_host: None) -> None:
    command = [str(ROOT / "tests/lab/lab"), "run", "--name", NAME, "h1", "--", "sh", "-c", "echo here; sleep 999"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as standing:
        assert standing.stdout.readline() == "here\n"
        lab("reboot", "h1")
        assert standing.wait(10)
    lab("run", "h1", "--", "ping", "-c1", "-W2", "198.18.0.10")


def test_down_leaves_nothing(one_host: None) -> None:
    assert traces()
    lab("down")
    assert not traces()
    assert "there is no lab" in lab("status", check=False).stderr


def kill_half_way(after: float, *words: str) -> None:
    """Kill an `up` after so many seconds."""
    command = [str(ROOT / "tests/lab/lab"), "up", "--name", NAME, "--hosts", "1", *words]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        time.sleep(after)
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("after", [0.2, 0.6, 1.0])
def test_a_lab_killed_half_way_is_cleaned_up(after: float) -> None:
    lab("down")
    kill_half_way(after)
    if after == 0.6:
        lab("up", "--hosts", "1")
        lab("run", "h1", "--", "ping", "-c1", "-W2", "198.18.0.10")
    lab("down")
    assert not traces()


def test_bad_words_are_refused() -> None:
    for words in (("up", "--hosts", "0"), ("up", "--release", "sid"), ("up", "--kind", "lxc"), ("run", "h1")):
        assert lab(*words, check=False).returncode in (1, 2)


@pytest.mark.slow
def test_a_vm_is_a_host_like_any(vm: VirtualMachine) -> None:
    done = lab("run", "h1", "--", "sh", "-c", "echo out; echo err >&2; exit 7", check=False, name=VM_NAME)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)
    assert "h1       up" in lab("status", name=VM_NAME).stdout
    assert said(vm, "systemctl is-system-running; systemd-detect-virt --vm; hostname").split()[-1] == "h1"
    for address in ("198.18.0.10", "2001:db8:2::a", "www.outside.example"):
        said(vm, f"ping -c3 -i0.3 -W2 {address}")
    command = [sys.executable, "-m", "ansible", "adhoc", "-i", str(Lab(VM_NAME).inventory), "kvm_hosts", "-m", "ping"]
    found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
    assert found.count("pong") == 1, found


@pytest.mark.slow
def test_a_vm_has_two_nics_and_what_the_container_lacks(vm: VirtualMachine) -> None:
    """A bond of both NICs and a bridge that filters VLANs; and the LAN carries tags from one NIC to the other."""
    addresses = said(vm, "ip -br address")
    assert "192.0.2.11/24" in addresses.split("nic0")[1].split("nic1")[0]
    assert addresses.split("nic1")[1].split() == ["UP"]
    assert said(vm, "networkctl --no-legend list").split("nic1")[1].split()[-1] == "unmanaged"
    said(vm, """
        ip link add br0 type bridge vlan_filtering 1; ip link add dummy0 type dummy; ip link set dummy0 master br0
        ip netns add other; ip link set nic1 netns other; ip -n other link set nic1 up
        ip link add link nic0 name tagged type vlan id 10; ip addr add 10.9.9.1/24 dev tagged; ip link set tagged up
        ip -n other link add link nic1 name tagged type vlan id 10; ip -n other addr add 10.9.9.2/24 dev tagged
        ip -n other link set tagged up
        ping -c3 -i0.3 -W2 -I tagged 10.9.9.2
    """)  # fmt: skip
    vm.restore()
    said(vm, """
        systemctl stop systemd-networkd.socket systemd-networkd
        ip link add bond0 type bond mode active-backup miimon 100
        for nic in nic0 nic1; do ip addr flush $nic; ip link set $nic down; ip link set $nic master bond0; done
        ip addr add 192.0.2.11/24 dev bond0; ip link set bond0 up
        ping -c5 -i0.3 -W2 -w20 192.0.2.1; ip link set nic0 down; ping -c5 -i0.3 -W2 -w20 192.0.2.1
    """)  # fmt: skip


@pytest.mark.slow
def test_a_vm_without_its_network_is_still_spoken_to(vm: VirtualMachine) -> None:
    said(vm, "ip link set nic0 down; systemctl stop ssh systemd-networkd")
    assert "nic0             DOWN" in lab("run", "h1", "--", "ip", "-br", "link", name=VM_NAME).stdout
    vm.run(["pkill", "-KILL", "-f", "lab-agent"], stderr=subprocess.DEVNULL)
    assert said(vm, "echo again") == "again\n"


@pytest.mark.slow
def test_restore_brings_back_disk_memory_and_the_right_time(vm: VirtualMachine) -> None:
    boot = said(vm, "cat /proc/sys/kernel/random/boot_id")
    said(vm, "touch /root/note; ip link add gone type bridge; ip link set nic0 down; sync")
    command = vm.inside(["sh", "-c", "echo started; sleep 99"])
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout.readline() == "started\n"
        vm.restore()
        assert "restored" in waiting.communicate(timeout=30)[1]
    found = said(vm, "cat /proc/sys/kernel/random/boot_id; ls /root; ip -br link; date +%s").split()
    assert boot.strip() in found and "note" not in found and "gone" not in found
    assert abs(int(found[-1]) - time.time()) < 5
    said(vm, "ping -c3 -i0.3 -W2 192.0.2.1")
    vm.run(["poweroff"], stderr=subprocess.DEVNULL)
    vm.kill()
    vm.restore()
    assert said(vm, "cat /proc/sys/kernel/random/boot_id") == boot


@pytest.mark.slow
def test_a_reboot_of_a_vm_keeps_the_disk(vm: VirtualMachine) -> None:
    said(vm, "echo kept > /root/note; ip link add gone type bridge")
    lab("reboot", "h1", name=VM_NAME)
    assert said(vm, "cat /root/note; ip -br link | grep -c gone || :").split() == ["kept", "0"]
    said(vm, "ping -c1 -W5 198.18.0.10")


@pytest.mark.slow
def test_many_speak_to_a_vm_at_once_and_files_get_there(vm: VirtualMachine, tmp_path: pathlib.Path) -> None:
    def echo(number: int) -> bool:
        text = f"{number} " * 10000
        done = vm.run(
            ["sh", "-c", "cat; sleep 0.1; exit $0", str(number)], input=text, stdout=subprocess.PIPE, text=True
        )
        return (done.stdout, done.returncode) == (text, number)

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert all(pool.map(echo, range(36)))
    assert said(vm, "sleep 99 > /dev/null & echo left").strip() == "left"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/file").write_bytes(bytes(range(256)) * 1000)
    vm.put_tree(tmp_path, "/opt/some/where")
    vm.put("/opt/some/text", "grün\n", 0o600)
    digest = hashlib.sha256((tmp_path / "sub/file").read_bytes()).hexdigest()
    assert digest in said(vm, "sha256sum /opt/some/where/sub/file")
    assert said(vm, "cat /opt/some/text; stat -c %a /opt/some/text").split() == ["grün", "600"]


@pytest.mark.slow
@pytest.mark.parametrize("after", [1.5, 6])
def test_a_lab_of_vms_killed_half_way_is_cleaned_up(after: float) -> None:
    lab("down")
    kill_half_way(after, "--kind", "vm")
    if after == 6:
        assert any("qemu-system" in line for line in traces())
        lab("up", "--hosts", "1")  # of containers now
        lab("run", "h1", "--", "ping", "-c1", "-W2", "198.18.0.10")
    lab("down")
    assert not traces()
