# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What network XML and an interface's XML have in common, written once: rows of a table (networkcommon.rng of libvirt)."""

from __future__ import annotations

from . import kinds
from .table import Options
from .xmltable import Row

_LONG = kinds.integer(0, 4294967295)


def _settle_vlan(vlan: Options) -> Options:
    """More than one tag, or a native one, is a trunk whether said or not (netdev_vlan_conf.c)."""
    tags = vlan.get("tags", [])
    implied = len(tags) > 1 or any("native_mode" in tag for tag in tags)
    return {**vlan, "trunk": True} if implied else vlan


_BANDWIDTH_FIELDS = (
    Row("average", _LONG, default=0, path="@average"),
    Row("peak", _LONG, default=0, path="@peak"),
    Row("burst", _LONG, default=0, path="@burst"),
)
BANDWIDTH = Row(
    "bandwidth",
    path="bandwidth",
    fields=(
        Row("inbound", path="inbound", fields=(*_BANDWIDTH_FIELDS, Row("floor", _LONG, default=0, path="@floor"))),
        Row("outbound", path="outbound", fields=_BANDWIDTH_FIELDS),
    ),
)
VLAN = Row(
    "vlan",
    path="vlan",
    settle=_settle_vlan,
    fields=(
        Row("trunk", kinds.BOOLEAN, default=False, path="@trunk"),
        Row(
            "tags",
            many=True,
            key=("id",),
            path="tag",
            fields=(
                Row("id", kinds.integer(0, 4095), required=True, path="@id"),
                Row("native_mode", kinds.choice("tagged", "untagged"), path="@nativeMode"),
            ),
        ),
    ),
)
VIRTUALPORT = Row(
    "virtualport",
    path="virtualport",
    fields=(
        Row("type", kinds.choice("802.1Qbg", "802.1Qbh", "openvswitch", "midonet"), path="@type"),
        Row(
            "parameters",
            path="parameters",
            fields=(
                Row("managerid", kinds.integer(0, 255), path="@managerid"),
                Row("typeid", kinds.integer(0, 16777215), path="@typeid"),
                Row("typeidversion", kinds.integer(0, 255), path="@typeidversion"),
                Row("instanceid", kinds.UUID, path="@instanceid"),
                Row("profileid", kinds.TEXT, path="@profileid"),
                Row("interfaceid", kinds.UUID, path="@interfaceid"),
            ),
        ),
    ),
)
