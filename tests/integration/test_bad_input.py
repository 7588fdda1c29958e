# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: one clear error that names the option, the value and the way out; nothing changed; never a traceback."""

from __future__ import annotations

import pytest
from host import Host

NAT = {"name": "net", "mode": "nat"}


def subnet(**options: object) -> dict:
    return {**NAT, "subnets": [{"address": "10.70.0.1/24", **options}]}


def ranges(*spans: tuple[str, str]) -> dict:
    return subnet(dhcp={"ranges": [{"start": start, "end": end} for start, end in spans]})


def xml(body: str) -> dict:
    return {"name": "net", "xml": f"<network><name>net</name>{body}</network>"}


# what: (options, words that the message has)
CASES = {
    "no prefix": ({**NAT, "address": "10.70.0.1"}, ["address", "10.70.0.1", "prefix is missing", "10.70.0.1/24"]),
    "no address": ({**NAT, "address": "host/24"}, ["address", "host/24", "no IP address"]),
    "octal": ({**NAT, "address": "10.70.0.01/24"}, ["leading zero"]),
    "prefix too long": ({**NAT, "address": "10.70.0.1/33"}, ["'33'", "no prefix"]),
    "reservation outside": (subnet(dhcp={"hosts": [{"mac": "52:54:00:00:00:01", "ip": "10.71.0.5"}]}), ["10.71.0.5", "outside"]),
    "reservation of the host's own address": (subnet(dhcp={"hosts": [{"mac": "52:54:00:00:00:01", "ip": "10.70.0.1"}]}), ["host's own"]),
    "reservation for nobody": (subnet(dhcp={"hosts": [{"ip": "10.70.0.5"}]}), ["10.70.0.5", "neither mac nor name"]),
    "two reservations of one MAC": (
        subnet(dhcp={"hosts": [{"mac": "52:54:00:00:00:01", "ip": "10.70.0.5"}, {"mac": "52:54:00:00:00:01", "ip": "10.70.0.6"}]}),
        ["two reservations", "52:54:00:00:00:01"],
    ),
    "range outside": (ranges(("10.70.0.5", "10.71.0.5")), ["10.71.0.5", "not inside"]),
    "range backwards": (ranges(("10.70.0.9", "10.70.0.5")), ["backwards"]),
    "ranges overlap": (ranges(("10.70.0.5", "10.70.0.9"), ("10.70.0.8", "10.70.0.20")), ["overlap"]),
    "bad MAC": (subnet(dhcp={"hosts": [{"mac": "52:54:00:00:00", "ip": "10.70.0.5"}]}), ["mac", "52:54:00:00:00", "no MAC address"]),
    "multicast MAC": ({**NAT, "address": "10.70.0.1/24", "mac_address": "01:00:5e:00:00:01"}, ["multicast"]),
    "bad lease time": (subnet(dhcp={"ranges": [{"start": "10.70.0.5", "end": "10.70.0.9", "lease_time": "soon"}]}), ["lease_time", "soon"]),
    "subnets overlap": ({**NAT, "subnets": [{"address": "10.70.0.1/24"}, {"address": "10.70.0.129/25"}]}, ["overlap"]),
    "overlaps a running network": ({**NAT, "address": "10.99.0.129/25"}, ["10.99.0.1/24", "other"]),
    "overlaps a host link": ({**NAT, "address": "192.0.2.129/25"}, ["192.0.2.0/24", "host0"]),
    "bridge of another network": ({**NAT, "address": "10.70.0.1/24", "bridge": "virbr9"}, ["virbr9", "other"]),
    "bridge is a host link": ({**NAT, "address": "10.70.0.1/24", "bridge": "host0"}, ["host0", "mode: bridge"]),
    "bridge name too long": ({**NAT, "address": "10.70.0.1/24", "bridge": "a-very-long-name"}, ["16 characters", "15"]),
    "slash in the name": ({**NAT, "name": "a/b", "address": "10.70.0.1/24"}, ["name", "slash"]),
    "long name": ({**NAT, "name": "n" * 200, "address": "10.70.0.1/24"}, ["200 characters", "128"]),
    "entity": ({"name": "net", "xml": "<!DOCTYPE network [<!ENTITY e 'net'>]><network><name>&e;</name></network>"}, ["xml", "entity"]),
    "file entity": ({"name": "net", "xml": "<!DOCTYPE network [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><network><name>&e;</name></network>"}, ["entity"]),
    "unknown element": (xml("<brigde name='br0'/>"), ["brigde", "unknown"]),
    "unknown attribute": (xml("<bridge nmae='br0'/>"), ["nmae", "unknown"]),
    "not well-formed": ({"name": "net", "xml": "<network><name>net</network>"}, ["not well-formed"]),
    "another root": ({"name": "net", "xml": "<domain/>"}, ["domain", "network"]),
    "another name": ({"name": "net", "xml": "<network><name>other</name></network>"}, ["other", "net"]),
    "bad value in XML": (xml("<ip address='10.70.0.300' prefix='24'/>"), ["10.70.0.300"]),
    "xml and options": ({**xml(""), "mode": "nat"}, ["xml", "mode", "exclude"]),
    "address and subnets": ({**subnet(), "address": "10.70.0.1/24"}, ["address", "subnets", "exclude"]),
    "dhcp alone": ({**NAT, "dhcp": True}, ["dhcp needs address"]),
    "two of one name": ({"networks": [{"name": "net", "mode": "isolated"}, {"name": "net", "mode": "isolated"}]}, ["net", "more than once"]),
    "networks and name": ({"name": "net", "networks": []}, ["networks", "name", "exclude"]),
    "purge alone": ({**NAT, "address": "10.70.0.1/24", "purge": True}, ["purge", "networks"]),
    "no name": ({"mode": "isolated"}, ["name is missing"]),
    "reverse zone of a /25": ({**NAT, "subnets": [{"address": "10.70.0.1/25", "local_ptr": True}]}, ["local_ptr", "multiple of 8"]),
    "nat without address": (NAT, ["mode nat needs an address"]),
    "bridge without bridge": ({"name": "net", "mode": "bridge"}, ["mode bridge needs"]),
    "address in mode bridge": ({"name": "net", "mode": "bridge", "bridge": "br0", "address": "10.70.0.1/24"}, ["address", "mode bridge"]),
    "nat options in mode route": ({"name": "net", "mode": "route", "address": "10.70.0.1/24", "forward": {"nat": {"ipv6": True}}}, ["forward.nat", "route"]),
    "route with host bits": ({**NAT, "address": "10.70.0.1/24", "routes": [{"to": "10.9.0.1/16", "via": "10.70.0.2"}]}, ["host bits", "10.9.0.0/16"]),
    "route by nobody": ({**NAT, "address": "10.70.0.1/24", "routes": [{"to": "10.9.0.0/16", "via": "10.71.0.2"}]}, ["10.71.0.2", "can't be reached"]),
    "two portgroups of one name": ({**NAT, "address": "10.70.0.1/24", "portgroups": [{"name": "a"}, {"name": "a"}]}, ["portgroups", "twice"]),
    "two default portgroups": ({**NAT, "address": "10.70.0.1/24", "portgroups": [{"name": "a", "default": True}, {"name": "b", "default": True}]}, ["default"]),
    "port without target": ({**NAT, "address": "10.70.0.1/24", "dns": {"srvs": [{"service": "a", "protocol": "tcp", "port": 5}]}}, ["no target"]),
    "name of a TXT record": ({**NAT, "address": "10.70.0.1/24", "dns": {"txts": [{"name": "a,b", "value": "x"}]}}, ["TXT"]),
    "metadata without namespace": ({**NAT, "address": "10.70.0.1/24", "metadata": "<a/>"}, ["metadata", "namespace"]),
    "another uuid": ({"name": "other", "mode": "nat", "address": "10.99.0.1/24", "uuid": "11111111-2222-3333-4444-555555555555"}, ["uuid", "can't change"]),
    "unknown mode": ({**NAT, "mode": "magic"}, ["mode", "magic"]),
    "no such libvirt": ({**NAT, "address": "10.70.0.1/24", "uri": "qemu+unix:///system?socket=/nowhere"}, ["no connection", "/nowhere", "systemctl start"]),
    "in a batch": ({"networks": [{"name": "good", "mode": "isolated"}, {**NAT, "address": "10.70.0.1"}]}, ["network net", "prefix"]),
}  # fmt: skip


@pytest.fixture
def occupied(installed: Host) -> Host:
    """A host with one network; made once, since no test here may change it."""
    if installed.names() != {"other"}:
        installed.clean()
        installed.network(name="other", mode="nat", address="10.99.0.1/24", bridge="virbr9")
    return installed


@pytest.mark.parametrize("case", CASES)
def test_refused(occupied: Host, case: str) -> None:
    options, words = CASES[case]
    before = occupied.state()
    for check in (True, False):
        message = occupied.refused(check=check, **options)
        assert not [word for word in words if word not in message], message
        assert "\n" not in message.strip() and "Traceback" not in message
        assert occupied.state() == before


def test_no_permission(host: Host) -> None:
    out = as_somebody(host, "nobody", "python3")
    assert "no connection to libvirt" in out and "become" in out


def test_no_libvirtd(host: Host) -> None:
    units = "libvirtd.service libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket"
    host.run(f"systemctl stop {units}")
    try:
        message = host.refused(name="net", mode="isolated")
        assert "no connection to libvirt" in message and "systemctl start libvirtd" in message
    finally:
        host.run("systemctl start libvirtd.socket libvirtd")


def test_python_libvirt_missing(host: Host) -> None:
    """A Python that does not see Debian's packages."""
    out = as_somebody(host, "root", "python3 -S")
    assert "python3-libvirt" in out and "install" in out


def as_somebody(host: Host, user: str, python: str) -> str:
    arguments = '{"ANSIBLE_MODULE_ARGS": {"name": "net", "mode": "isolated"}}'
    module = "/opt/virtnet-test/ansible_collections/virtnet/kvm/plugins/modules/libvirt_network.py"
    code = (
        "import sys, runpy; from ansible.module_utils import basic; basic._ANSIBLE_PROFILE = 'legacy';"
        f" basic._ANSIBLE_ARGS = b'{arguments}'; runpy.run_path('{module}', run_name='__main__')"
    )
    command = [
        "setpriv",
        f"--reuid={user}",
        "--clear-groups",
        "env",
        "PYTHONPATH=/opt/virtnet-test",
        *python.split(),
        "-c",
        code,
    ]
    out = host.run(command, check=False)
    assert "Traceback" not in out and '"failed": true' in out, out
    return out
