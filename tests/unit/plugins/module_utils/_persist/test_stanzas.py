# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""interfaces(5): stanzas go to sleep and awake again, byte for byte."""

from __future__ import annotations

import pytest
from ansible_collections.virtnet.kvm.plugins.module_utils._persist import stanzas

# what: (the text, the text with the stanzas of `a` asleep)
CASES = {
    "one of two": (
        "auto a b\niface a inet dhcp\niface b inet dhcp\n",
        "#virtnet.kvm# auto a b\n#virtnet.kvm# in its place:\nauto b\n#virtnet.kvm# iface a inet dhcp\niface b inet dhcp\n",
    ),
    "allowed": ("allow-hotplug a\niface a inet6 auto\n", "#virtnet.kvm# allow-hotplug a\n#virtnet.kvm# iface a inet6 auto\n"),
    "a mapping": (
        "mapping a\n  script /x\n  map q\niface q inet dhcp\n",
        "#virtnet.kvm# mapping a\n#virtnet.kvm#   script /x\n#virtnet.kvm#   map q\niface q inet dhcp\n",
    ),
    "comments inside": (
        "# mine\n\niface a inet static\n\t# the old one\n\taddress 192.0.2.1/24\n\n# next\niface b inet dhcp\n",
        "# mine\n\n#virtnet.kvm# iface a inet static\n\t# the old one\n#virtnet.kvm# \taddress 192.0.2.1/24\n\n# next\n"
        "iface b inet dhcp\n",
    ),
    "lines that go on": (
        "auto b \\\n  a\niface a inet static\n  dns-nameservers 192.0.2.1 \\\n    192.0.2.2\n",
        "#virtnet.kvm# auto b \\\n#virtnet.kvm#   a\n#virtnet.kvm# in its place:\nauto b\n#virtnet.kvm# iface a inet static\n"
        "#virtnet.kvm#   dns-nameservers 192.0.2.1 \\\n#virtnet.kvm#     192.0.2.2\n",
    ),
    "no newline at the end": ("iface a inet dhcp", "#virtnet.kvm# iface a inet dhcp"),
    "other newlines": ("auto a\r\niface a inet dhcp\r\n", "#virtnet.kvm# auto a\r\n#virtnet.kvm# iface a inet dhcp\r\n"),
    "a form feed": ("# x\x0cy\niface a inet dhcp\n", "# x\x0cy\n#virtnet.kvm# iface a inet dhcp\n"),
    "nothing of it": ("source /x/*\nauto lo\niface lo inet loopback\n", "source /x/*\nauto lo\niface lo inet loopback\n"),
    "another's option": ("iface b inet manual\n  up ip link set a up\n", "iface b inet manual\n  up ip link set a up\n"),
    "nothing at all": ("", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_asleep_and_awake(what: str) -> None:
    text, asleep = CASES[what]
    assert stanzas.asleep(text, {"a"}) == asleep
    assert stanzas.awake(asleep) == text
    assert stanzas.asleep(asleep, {"a"}) == asleep


def test_options_go_on() -> None:
    text = "auto a\niface a inet static\n  # x\n  address \\\n    192.0.2.1/24\n  mtu 1400 \\\n\nup true\n"
    (_auto, _first), (words, numbers) = stanzas.stanzas(text)
    assert words == ["iface", "a", "inet", "static"]
    assert stanzas.options(text, numbers) == [["address", "192.0.2.1/24"], ["mtu", "1400"], ["up", "true"]]
