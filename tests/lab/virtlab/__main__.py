# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Throwaway KVM hosts with a LAN, for tests, demos and benchmarks."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys

from . import guest
from .boot import BACKENDS
from .image import ensure_tree
from .lab import Lab
from .settings import KINDS, RELEASES, LabError
from .vm_disk import ensure_image

PROGRAMS = {
    "systemd-nspawn": "systemd-container", "debootstrap": "debootstrap", "nc": "netcat-openbsd", "cpio": "cpio",
    "ip": "iproute2", "ssh": "openssh-client", "nsenter": "util-linux", "xz": "xz-utils",
    "qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils", "mke2fs": "e2fsprogs",
}  # fmt: skip


def main() -> int:
    arguments = parse(sys.argv[1:])
    try:
        check_machine()
        return arguments.verb(arguments) or 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def check_machine() -> None:
    if os.geteuid() != 0:
        raise LabError("a lab needs root (containers and network namespaces): run it with sudo")
    missing = sorted(package for program, package in PROGRAMS.items() if not shutil.which(program))
    if missing:
        raise LabError(f"missing on this machine: apt-get install {' '.join(missing)}")


def up(arguments: argparse.Namespace) -> None:
    print(Lab(arguments.name).up(arguments.hosts, arguments.release, arguments.kind, arguments.backend))


def image(arguments: argparse.Namespace) -> None:
    print(ensure_image(arguments.release) if arguments.kind == "vm" else ensure_tree(arguments.release))


def down(arguments: argparse.Namespace) -> None:
    Lab(arguments.name).down()


def show_inventory(arguments: argparse.Namespace) -> None:
    lab = Lab(arguments.name)
    lab.settings()
    print(lab.inventory)


def status(arguments: argparse.Namespace) -> None:
    for machine in Lab(arguments.name).machines().values():
        print(f"{machine.name:8} {'up' if machine.is_running() else 'down':5} {machine.address:14} {machine.release}")


def run(arguments: argparse.Namespace) -> int:
    return Lab(arguments.name).machine(arguments.host).run(arguments.command).returncode


def reboot(arguments: argparse.Namespace) -> None:
    Lab(arguments.name).machine(arguments.host).reboot()


def start_guest(arguments: argparse.Namespace) -> None:
    host = Lab(arguments.name).machine(arguments.host)
    macs = arguments.mac + [None] * len(arguments.network)
    interfaces = [guest.interface(network, macs[i], arguments.portgroup) for i, network in enumerate(arguments.network)]
    guest.start(host, arguments.guest, interfaces)
    if not arguments.no_wait:
        print(guest.wait_for_lease(host, arguments.guest))


def guest_run(arguments: argparse.Namespace) -> int:
    host = Lab(arguments.name).machine(arguments.host)
    words = arguments.command
    try:
        done = guest.speak(host, arguments.guest, words[0] if len(words) == 1 else shlex.join(words), arguments.timeout)
    except (TimeoutError, OSError) as error:
        raise LabError(f"guest {arguments.guest} on {arguments.host} does not answer: {error}") from error
    sys.stdout.buffer.write(done.stdout)
    sys.stderr.buffer.write(done.stderr)
    return done.returncode


def parse(words: list[str]) -> argparse.Namespace:
    """What stands behind `--` is the command, untouched."""
    command: list[str] = []
    if "--" in words:
        command, words = words[words.index("--") + 1 :], words[: words.index("--")]
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, function, text: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=text, description=text)
        one.set_defaults(verb=function)
        one.add_argument("--name", default="lab", help="which lab (default: lab)")
        return one

    one = verb("up", up, "make the lab, or make it so; the last line of stdout is the inventory's path")
    one.add_argument("--hosts", type=int, default=2, help="how many KVM hosts (default: 2)")
    one.add_argument("--kind", choices=KINDS, default="nspawn", help="what a host is: a container (default) or a VM")
    one.add_argument("--release", choices=RELEASES, default="bookworm", help="Debian's release (default: bookworm)")
    text = "who keeps the hosts' boot configuration (default: networkd)"
    one.add_argument("--backend", choices=tuple(BACKENDS), default="networkd", help=text)
    one = verb("image", image, "build a release's image, if it is not there; the first up does it too")
    one.add_argument("--release", choices=RELEASES, default="bookworm", help="Debian's release (default: bookworm)")
    one.add_argument("--kind", choices=KINDS, default="nspawn", help="for containers (default) or VMs")
    verb("down", down, "take the lab down; nothing of it stays")
    verb("inventory", show_inventory, "print the inventory's path")
    verb("status", status, "a line a machine")
    one = verb("run", run, "run a command on a machine: lab run HOST -- COMMAND...")
    one.add_argument("host")
    one = verb("reboot", reboot, "reboot a machine and wait until it is up")
    one.add_argument("host")
    one = verb("guest", start_guest, "start a guest on a host; prints its address once it has a lease")
    one.add_argument("host")
    one.add_argument("guest")
    one.add_argument("--network", action="append", required=True, help="libvirt network; once an interface")
    one.add_argument("--mac", action="append", default=[], help="in the order of the networks")
    one.add_argument("--portgroup", help="portgroup of the interfaces")
    one.add_argument("--no-wait", action="store_true", help="do not wait for a lease")
    one = verb("guest-run", guest_run, "run a command inside a guest: lab guest-run HOST GUEST -- COMMAND...")
    one.add_argument("host")
    one.add_argument("guest")
    one.add_argument("--timeout", type=float, default=60, help="seconds (default: 60)")
    arguments = parser.parse_args(words)
    arguments.command = command
    if arguments.verb in (run, guest_run) and not command:
        parser.error("say the command behind --")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
