# Copyright (c) 2026, the virtnet.kvm contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done, decided from what is wanted and what is there. Pure.

In the order of mildness: nothing; autostart; the definition; live updates; start or stop; restart with nobody connected;
restart and plug the guests back in. Never more than `restart` allows, and always the whole of one network's change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from .._core.errors import InputError, MissingError
from .._core.plan import Item, Plan, Step
from .._core.table import differing
from . import xml
from .model import (
    ABSENT,
    ACTIVE,
    IF_UNUSED,
    INACTIVE,
    NEVER,
    Definition,
    Desired,
    Form,
    Guest,
    Network,
    Observed,
    Want,
)
from .options import carry_over, with_options

# Each rank with its reason.
FREE = 10  # what goes makes room for what comes: addresses, bridge names
FORGET = 11
DEFINE = 20  # before anything is stopped: a definition that libvirt refuses costs nobody a link
AUTOSTART = 25  # only what is defined can start by itself
UPDATE = 30
STOP = 40  # every stop before the first start: two networks may swap what they hold
START = 50
PLUG = 60


def plan(desired: Desired, observed: Observed) -> Plan:
    """Every step of one call; raises InputError where something is refused."""
    wants = list(desired.wants)
    if desired.purge:
        named = {want.name for want in wants}
        strangers = [net for net in observed.networks.values() if net.name not in named and net.ours]
        wants += [Want(name=network.name, state=ABSENT, force=desired.force) for network in strangers]
    items = [_item(want, observed.networks.get(want.name), observed) for want in wants]
    if not any(want.back for want in wants):
        _refuse(items, observed)
    return Plan(tuple(items))


def touched(desired: Desired, observed: Observed) -> set[str]:
    """The networks whose guests have to be known, since a step may cut them off or finds them cut off."""
    names = set()
    for item in plan(bold(desired), observed).items:
        if item.facts.get("restart_required") or any(step.verb in ("stop", "start") for step in item.steps):
            names.add(item.subject)
    return names


def bold(desired: Desired) -> Desired:
    """The same with force: to plan before it is known who is connected."""
    return dataclasses.replace(
        desired, wants=tuple(dataclasses.replace(want, force=True) for want in desired.wants), force=True
    )


def _item(want: Want, network: Network | None, observed: Observed) -> Item:
    if want.back:
        return _back(want.back, network, observed)
    if want.state == ABSENT:
        return _absent(want, network)
    if network is None and want.source is None:
        raise InputError(
            f"network {want.name} does not exist, and no option says what it should be:"
            " describe it (mode, address, ... or xml), or say state: absent"
        )
    form = _form(want, network)
    steps = _definition_steps(want, network, form)
    autostart = network.autostart if network else False
    if want.autostart is not None and want.autostart != autostart:
        autostart = want.autostart
        steps.append(
            Step(AUTOSTART, want.name, "autostart", "autostart" if autostart else "no autostart", {"on": autostart})
        )
    running, more, facts = _running(want, network, form, observed)
    after = Network(
        want.name, network.uuid if network else "", running, form, autostart, network.guests if network else None
    )
    return Item(want.name, network, after, (*steps, *more), {"restart_required": False, "guests": [], **facts})


# The definition


def _form(want: Want, network: Network | None) -> Form:
    """The definition as it will be stored, with the XML that says it."""
    if want.source is None:
        return network.kept  # type: ignore[union-attr]
    definition, ours = want.source, network.ours if network else True
    if network:
        definition = carry_over(definition, network.kept.definition)
        if network.uuid != definition.options.get("uuid"):
            raise InputError(
                f"network {want.name}: uuid: it has {network.uuid}, which libvirt can't change;"
                " leave uuid out, or remove the network first"
            )
        definition = _with_metadata(definition, network.kept.definition)
        if network.config and network.config.definition == definition:
            return network.config
    if want.source_xml is None:
        return Form(definition, xml.write(want.name, definition, ours), ours)
    return Form(definition, xml.amend(want.source_xml, want.name, definition, ours), ours)


def _with_metadata(wanted: Definition, there: Definition) -> Definition:
    """Foreign metadata stays, but for the elements that the user says anew."""
    pieces = {
        **xml.fragments(there.options.get("metadata", "")),
        **xml.fragments(wanted.options.get("metadata", "")),
    }
    return with_options(wanted, {"metadata": xml.join(pieces)} if pieces else {})


def _definition_steps(want: Want, network: Network | None, form: Form) -> list[Step]:
    there = network.config if network else None
    if there and there.definition == form.definition:
        return []
    return [Step(DEFINE, want.name, "define", "define", {"xml": form.xml})]


# Running


def _running(
    want: Want, network: Network | None, form: Form, observed: Observed
) -> tuple[Form | None, list[Step], dict[str, object]]:
    """(what will run, steps, facts)."""
    now = network.live if network else None
    if want.state == INACTIVE:
        if not now or not network:
            return None, [], {}
        _refuse_cut(want, network, "stop")
        return None, [Step(STOP, want.name, "stop", "stop")], {"guests": _names(network)}
    if not now or not network:
        if want.state != ACTIVE:
            return None, [], {}
        guests = (network.guests if network else None) or ()
        return (
            form,
            [Step(START, want.name, "start", "start"), *_plugs(want.name, None, form, guests)],
            {"guests": _names(network)},
        )
    calls = _updates(network.name, now, form, observed)
    if calls is not None:
        steps = [*calls, *_plugs(want.name, now, now, _loose(network))]
        goal = form if calls else now
        return (
            goal,
            steps,
            {"guests": sorted({guest.guest for guest in _loose(network)}), "differing": _differing(now, goal)},
        )
    names = _names(network)
    facts: dict[str, object] = {"guests": names, "differing": _differing(now, form)}
    if want.restart == NEVER or (want.restart == IF_UNUSED and names):
        return now, _plugs(want.name, now, now, _loose(network)), {**facts, "restart_required": True}
    return form, _restart(want.name, now, form, network.guests or (), {}), facts


def _updates(name: str, now: Form, goal: Form, observed: Observed) -> list[Step] | None:
    """The live updates that lead from the one to the other; None where only a restart does."""
    if now.definition == goal.definition:
        return []
    from . import live  # only here: a run with nothing to do is not to wait for its compilation

    if not live.matters(now.definition, goal.definition, observed.metadata_live):
        return []
    calls = live.updates(now.definition, goal.definition, now.xml, observed.metadata_live)
    if calls is None:
        return None
    return [Step(UPDATE, name, "update", call.action, dataclasses.asdict(call)) for call in calls]


def _restart(name: str, now: Form, goal: Form, guests: Sequence[Guest], start: Mapping[str, object]) -> list[Step]:
    return [
        Step(STOP, name, "stop", ""),
        Step(START, name, "start", "restart", start),
        *_plugs(name, now, goal, guests),
    ]


def _differing(now: Form, goal: Form) -> list[str]:
    return differing(now.definition.options, goal.definition.options)


# Guests


def _plugs(name: str, now: Form | None, form: Form, guests: Sequence[Guest]) -> list[Step]:
    """Plug these guests' interfaces in (again). `now` is what they hung in: a guest that is kept from others and did not
    have that from its network goes on so."""
    place = {"mode": form.definition.mode, "bridge": form.definition.bridge}
    isolates, isolated = _isolates(form), now is not None and _isolates(now)
    return [
        Step(
            PLUG,
            name,
            "plug",
            f"plug {guest.guest} {guest.mac}".rstrip(),
            {"guest": guest, "isolated": isolates or (guest.isolated and not isolated), **place},
        )
        for guest in guests
    ]


def _isolates(form: Form) -> bool:
    return bool(form.definition.options.get("isolate_ports"))


def _loose(network: Network) -> list[Guest]:
    """Those whose tap hangs in no bridge, since somebody restarted the network under them."""
    return [guest for guest in network.guests or () if not guest.plugged]


def _names(network: Network | None) -> list[str]:
    return sorted({guest.guest for guest in (network.guests if network else None) or ()})


def _refuse_cut(want: Want, network: Network, verb: str) -> None:
    names = _names(network)
    if names and not want.force:
        raise InputError(
            f"network {want.name}: refusing to {verb} it, since running guests are connected: {', '.join(names)}."
            " Shut them down, or say force: true",
            guests=names,
        )


def _absent(want: Want, network: Network | None) -> Item:
    if network is None:
        return Item(want.name, None, None, (), {"restart_required": False, "guests": []})
    steps = []
    if network.live:
        _refuse_cut(want, network, "remove")
        steps.append(Step(FREE, want.name, "stop", "stop"))
    if network.config:
        steps.append(Step(FORGET, want.name, "undefine", "undefine"))
    return Item(want.name, network, None, tuple(steps), {"restart_required": False, "guests": _names(network)})


# Putting back


def _back(before: Network, network: Network | None, observed: Observed) -> Item:
    """Exactly what was there before a change that failed, its guests included, whatever it takes."""
    name, steps = before.name, []
    now_live, now_config = (network.live, network.config) if network else (None, None)
    if before.config and (not now_config or now_config.xml != before.config.xml):
        steps.append(Step(DEFINE, name, "define", "define", {"xml": before.config.xml}))
    if before.config and before.autostart != (network.autostart if network else False):
        steps.append(Step(AUTOSTART, name, "autostart", "autostart", {"on": before.autostart}))
    if now_config and not before.config:
        steps.append(Step(DEFINE if now_live else FORGET, name, "undefine", "undefine"))
    if now_live and not before.live:
        steps.append(Step(STOP, name, "stop", "stop"))
    if before.live:
        steps += _back_live(before, before.live, network, observed)
    return Item(name, network, before, tuple(steps), {"differing": []})


def _back_live(before: Network, goal: Form, network: Network | None, observed: Observed) -> list[Step]:
    name, guests = before.name, before.guests or (network.guests if network else None) or ()
    stored = before.config and before.config.definition == goal.definition
    start = {} if stored else {"xml": goal.xml}
    if not network or not network.live:
        return [Step(START, name, "start", "start", start), *_plugs(name, None, goal, guests)]
    calls = _updates(name, network.live, goal, observed)
    if calls is not None:
        return [*calls, *_plugs(name, goal, goal, _loose(network))]
    return _restart(name, goal, goal, guests, start)


# Refusals that need to know all


def _refuse(items: list[Item], observed: Observed) -> None:
    """Only what is about to be defined or started is looked at."""
    if not any(item.steps for item in items):
        return
    from . import checks  # only here, as `live` above

    after = {**observed.networks, **observed.others, **{item.subject: item.after for item in items}}
    taken = checks.ground(observed, {name: network for name, network in after.items() if network is not None})
    for item in items:
        verbs = {step.verb for step in item.steps}
        if "define" in verbs:
            definition = item.after.config.definition
            checks.refuse(item.subject, checks.name_problems(item.subject))
            checks.refuse(item.subject, checks.definition_problems(definition, observed.schema))
        running = item.after.live if item.after else None
        if "start" in verbs and running and _moves(item, running):
            checks.refuse(item.subject, checks.collision_problems(item.subject, running.definition, taken))
        elif "define" in verbs and item.before is None:
            definition = item.after.config.definition
            own = dataclasses.replace(definition, options={**definition.options, "subnets": []})
            checks.refuse(item.subject, checks.collision_problems(item.subject, own, taken))
        if "plug" in verbs:
            _refuse_plugging(item.subject, item.after, observed)


def _refuse_plugging(name: str, after: Network | None, observed: Observed) -> None:
    """Found out before a guest is unplugged that could not be plugged in again."""
    if after and after.kept.definition.options.get("bridge_options", {}).get("mac_table_manager") == "libvirt":
        raise InputError(
            f"network {name}: bridge_options.mac_table_manager: libvirt tells the bridge of a guest's address only when the guest"
            " starts, so nobody would reach guests that are plugged back in; say restart: never, and start them anew"
        )
    if observed.links is None:
        raise MissingError(
            f"network {name}: plugging guests back in has to be done on the KVM host itself, in its kernel;"
            " run the task there, or say restart: never"
        )
    if not observed.can_plug:
        raise MissingError(
            f"network {name}: plugging guests back in needs pyroute2: install the package python3-pyroute2 on this host"
            " (Debian, Ubuntu, EL), or say restart: never"
        )


def _moves(item: Item, running: Form) -> bool:
    """Whether it takes addresses or a bridge that it does not hold already."""
    now = item.before.live.definition if item.before and item.before.live else None
    return not now or now.subnets != running.definition.subnets or now.bridge != running.definition.bridge
