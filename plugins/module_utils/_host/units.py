# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that are the same on every host: units of systemd, and the script that finds room beside other firewalls."""

from __future__ import annotations

FOLDER = "/etc/virtnet-kvm"
SYSTEMD = "/etc/systemd/system"
SETTINGS = "/etc/sysctl.d/60-virtnet-kvm.conf"
RECORD = "/var/lib/virtnet-kvm/host.json"
BESIDE = f"{FOLDER}/beside"
TABLE_FILE = f"{FOLDER}/firewall.nft"

FIREWALL_UNIT = "virtnet-firewall.service"
BESIDE_UNIT = "virtnet-beside.service"
AGAIN_UNIT = "virtnet-beside-again.service"
WATCH_UNIT = "virtnet-beside.path"
DNSMASQ_UNIT = "virtnet-dnsmasq@{}.service"

# Whoever of them starts takes rules away, or puts theirs in front; the early ones are there before any network.
_EARLY = "nftables.service firewalld.service ufw.service"
_OTHERS = f"{_EARLY} docker.service libvirtd.service virtnetworkd.service"

# Not PartOf them: firewalld conflicts with nftables, and one's stop with the other's restart is no transaction.
_FIREWALL = f"""\
# Written by virtnet.kvm.
[Unit]
Description=Firewall of the declared networks (virtnet.kvm)
DefaultDependencies=no
After=local-fs.target {_EARLY}
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
ReloadPropagatedFrom={_EARLY}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=nft -f {TABLE_FILE}
ExecStartPost=systemctl --no-block restart {BESIDE_UNIT}
ExecReload={BESIDE} up
[Install]
WantedBy=multi-user.target
"""
# It does not stay active, so that it runs again whenever one of the others starts. A restart in its midst is no failure.
_BESIDE = f"""\
# Written by virtnet.kvm.
[Unit]
Description=Room for the declared networks beside other firewalls (virtnet.kvm)
After={FIREWALL_UNIT} {_OTHERS}
OnSuccess={AGAIN_UNIT}
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart={BESIDE} up
SuccessExitStatus=SIGTERM
Restart=on-failure
RestartSec=1
[Install]
WantedBy=multi-user.target {_OTHERS}
"""
_AGAIN = f"""\
# Written by virtnet.kvm.
[Unit]
Description=Another look beside other firewalls that started meanwhile (virtnet.kvm)
StartLimitIntervalSec=0
[Service]
Type=oneshot
ExecStart={BESIDE} again
"""
_WATCH = f"""\
# Written by virtnet.kvm.
[Unit]
Description=Networks that libvirt starts and stops, and ufw when it is enabled (virtnet.kvm)
[Path]
PathChanged=/run/libvirt/network
PathChanged=/etc/ufw/ufw.conf
Unit={BESIDE_UNIT}
TriggerLimitBurst=0
[Install]
WantedBy=multi-user.target
"""
_DNSMASQ = f"""\
# Written by virtnet.kvm.
[Unit]
Description=DHCP and DNS of the network %i (virtnet.kvm)
After=network.target
[Service]
ExecStartPre=dnsmasq --test --conf-file={FOLDER}/dnsmasq/%i.conf
ExecStart=dnsmasq --keep-in-foreground --conf-file={FOLDER}/dnsmasq/%i.conf --pid-file=
Restart=on-failure
DynamicUser=yes
StateDirectory=virtnet-dnsmasq-%i
AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_NET_ADMIN CAP_NET_RAW
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_NET_ADMIN CAP_NET_RAW
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
PrivateDevices=yes
PrivateTmp=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_PACKET AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
[Install]
WantedBy=multi-user.target
"""

UNITS = {
    f"{SYSTEMD}/{FIREWALL_UNIT}": _FIREWALL,
    f"{SYSTEMD}/{BESIDE_UNIT}": _BESIDE,
    f"{SYSTEMD}/{AGAIN_UNIT}": _AGAIN,
    f"{SYSTEMD}/{WATCH_UNIT}": _WATCH,
}
DNSMASQ_FILE = f"{SYSTEMD}/virtnet-dnsmasq@.service"
DNSMASQ = _DNSMASQ

BESIDE_SCRIPT = r"""#!/bin/sh
# Written by virtnet.kvm. Our own table, and room for the declared networks in the rules of others: a packet has to pass every
# firewall of a host, and libvirt, Docker, ufw and firewalld each bring their own.
#     beside up       everything in its place      beside down    all of it taken away
#     beside check    succeeds when everything is in its place
#     beside again    up, for who started while it ran
cd /etc/virtnet-kvm || exit 1
verb=$1
seen=/run/virtnet-beside # since libvirt's rules were seen
if [ "$verb" != again ]; then
    exec 9>> $seen.lock
    flock 9
fi
mark=$(cat mark)

have() { command -v "$1" > /dev/null; }
off() { [ "$verb" = check ] && exit 1; }

# jumps TOOL CHAIN OURS: where in the chain the jumps to ours stand, counted from 1
jumps() { "$1" -w -S "$2" | sed 1d | grep -nxe "-A $2 -j $3" | cut -d: -f1; }

# once TOOL CHAIN OURS first|last: one jump, and no packet passes in between without
once() {
    places=$(jumps "$1" "$2" "$3")
    if [ "$4" = first ]; then
        [ "$places" = 1 ] && return
        off
        [ "${places%%[!0-9]*}" = 1 ] || "$1" -w -I "$2" -j "$3"
        rest=1d
    else
        [ "$places" = "$("$1" -w -S "$2" | sed 1d | wc -l)" ] && return
        off
        "$1" -w -A "$2" -j "$3"
        rest='$d'
    fi
    for place in $(jumps "$1" "$2" "$3" | sed "$rest" | sort -rn); do "$1" -w -D "$2" "$place"; done
}

in_iptables() {
    for tool in iptables ip6tables; do
        have $tool || continue
        if ! $tool -w -C VIRTNET_END -m comment --comment "$mark" 2> /dev/null; then
            off
            $tool-restore -w --noflush < $tool.rules || return 1
        fi
        once $tool INPUT VIRTNET_IN first
        once $tool FORWARD VIRTNET_FWD first
        once $tool FORWARD VIRTNET_END last
    done
}

out_of_iptables() {
    for tool in iptables ip6tables; do
        have $tool || continue
        for pair in INPUT:VIRTNET_IN FORWARD:VIRTNET_FWD FORWARD:VIRTNET_END; do
            while $tool -w -D "${pair%:*}" -j "${pair#*:}" 2> /dev/null; do :; done
            $tool -w -F "${pair#*:}" 2> /dev/null && $tool -w -X "${pair#*:}"
        done
    done
}

own_table() {
    nft list chain inet virtnet "$(sed -n 's/^ *chain \(rules-[0-9a-f]*\) .*/\1/p' firewall.nft)" > /dev/null 2>&1 && return
    off
    nft -f firewall.nft
}

# libvirt's own rules are gone when somebody flushed the ruleset, and its networks neither reach out nor start. It makes its
# chains anew only when it starts (a reload does not); guests run on meanwhile.
mend_libvirt() {
    if libvirts_rules; then touch $seen; return; fi
    [ -e $seen ] && needs_rules || return 0
    for daemon in libvirtd virtnetworkd; do
        systemctl --quiet is-active $daemon $daemon.socket || continue
        off
        systemctl restart $daemon
        for _turn in $(seq 20); do libvirts_rules && return; sleep 0.2; done
    done
    rm -f $seen # not again before they were there once more
}

# One of libvirt's running networks is of a kind for which it makes rules.
needs_rules() {
    for network in /run/libvirt/network/*.xml; do
        [ -e "$network" ] || continue
        grep -qE "<forward .*mode='(bridge|open|private|vepa|passthrough|hostdev)'" "$network" || return 0
    done
    return 1
}

libvirts_rules() {
    nft list table ip libvirt_network > /dev/null 2>&1 || iptables -w -S LIBVIRT_FWI > /dev/null 2>&1
}

in_libvirts_table() {
    for family in ip ip6; do
        nft list chain $family libvirt_network forward > /dev/null 2>&1 || continue
        if ! nft list chain $family libvirt_network virtnet 2> /dev/null | grep -q "$mark"; then
            off
            nft -f libvirt-$family.nft || return 1
        fi
        first=$(nft list chain $family libvirt_network forward | grep -m1 jump)
        case "$first" in
            *"jump virtnet"*) ;;
            *) off; nft insert rule $family libvirt_network forward jump virtnet || return 1 ;;
        esac
    done
}

out_of_libvirts_table() {
    for family in ip ip6; do
        nft -a list chain $family libvirt_network forward 2> /dev/null | sed -n 's/.*jump virtnet # handle //p' |
            while read -r handle; do nft delete rule $family libvirt_network forward handle "$handle"; done
        nft delete chain $family libvirt_network virtnet 2> /dev/null
    done
}

zone_of() { firewall-cmd --get-zone-of-interface="$1" 2> /dev/null; }

# What we have put where, a line a bridge; - for one that libvirt puts into a zone.
noted() { sed -n "s/^$1 //p" $seen.zones; }
note() { sed -i "/^$1 /d" $seen.zones; [ -z "$2" ] || echo "$1 $2" >> $seen.zones; }

in_zones() {
    systemctl --quiet is-active firewalld || return 0
    usual=$(firewall-cmd --get-default-zone)
    touch $seen.zones
    while read -r bridge zone; do
        ours=$(noted "$bridge")
        case "$zone" in
            -) [ "$ours" = - ] || [ "$verb" = check ] || note "$bridge" -; continue ;;
            default) zone=$usual ;;
        esac
        now=$(zone_of "$bridge")
        [ "$now" = "$zone" ] && continue
        # a zone that somebody has chosen stays
        case "$now" in "" | "$usual" | "$ours") ;; *) [ "$ours" = - ] || continue ;; esac
        off
        firewall-cmd --quiet --zone="$zone" --change-interface="$bridge" && note "$bridge" "$zone"
    done < zones
    while read -r bridge zone; do
        grep -q "^$bridge " zones || out_of_zone "$bridge" "$zone"
    done < $seen.zones
}

# A bridge that libvirt has put into its zone, it takes out when it goes; but not before libvirt 10.
out_of_zone() {
    now=$(zone_of "$1")
    if [ "$2" = - ]; then
        [ -n "$now" ] && [ ! -e "/sys/class/net/$1" ]
    else
        [ "$now" = "$2" ]
    fi || return 0
    off
    firewall-cmd --quiet --zone="$now" --remove-interface="$1"
    note "$1" ""
}

out_of_zones() {
    [ -e $seen.zones ] && systemctl --quiet is-active firewalld || return 0
    while read -r bridge zone; do out_of_zone "$bridge" "$zone"; done < $seen.zones
}

everything() { own_table && mend_libvirt && in_iptables && in_libvirts_table && in_zones; }

# Once more where somebody flushed rules meanwhile.
up() {
    for _turn in 1 2 3 4 5; do
        everything
        (verb=check; everything) && return
    done
    return 1
}

# A start that is asked for while this runs is none. Whoever did that is about to start when this has ended: once that is done,
# it is seen whether everything is in its place.
again() {
    for _turn in $(seq 100); do
        systemctl show --property=Job,ActiveState SELF OTHERS | grep -q -e '^Job=[^0]' -e '=activating$' || break
        sleep 0.2
    done
    # `ufw enable` starts it without a unit, after it has written this
    [ -z "$(find /etc/ufw/ufw.conf -mmin -0.2 2> /dev/null)" ] || sleep 3
    "$0" check || systemctl --no-block start SELF
}

case "$verb" in
    up) up ;;
    again) again ;;
    check) everything ;;
    down) out_of_iptables; out_of_libvirts_table; out_of_zones; rm -f $seen $seen.* ;;
    *) echo "beside up | again | check | down" >&2; exit 2 ;;
esac
""".replace("OTHERS", _OTHERS).replace("SELF", BESIDE_UNIT)
