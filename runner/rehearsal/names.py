"""The nodes of an action as a rehearsal names them: `dump`, `snapshot/data-1`, `revert/snapshot`, `defer`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from runner.model.blueprint import Action, Call, Phase

UNDO = ("revert", "cleanup")


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What a name stands for.

    Attributes:
        call: What is called.
        phase: The phase that it is, or undoes.
        key: The key of the instance; empty where it is none.
        is_group: Whether it stands for all instances of a phase with `foreach`.
    """

    call: Call
    phase: Phase
    key: str
    is_group: bool


def known(action: Action) -> dict[str, tuple[Call, Phase]]:
    """Return everything that an action calls, by name; instances are named after a slash behind it."""
    found: dict[str, tuple[Call, Phase]] = {}
    for phase in action.phases:
        found[phase.name] = (phase, phase)
        for kind, undo in zip(UNDO, (phase.revert, phase.cleanup), strict=True):
            if undo is not None:
                found[f"{kind}/{phase.name}"] = (undo, phase)
    if action.defer is not None:
        found["defer"] = (action.defer, action.defer)
    return found


def find(name: str, everything: Mapping[str, tuple[Call, Phase]]) -> Named | None:
    """Return what a name stands for; None for a phase that does not exist, or an instance of one that has none."""
    if name in everything:
        call, phase = everything[name]
        return Named(call=call, phase=phase, key="", is_group=phase.foreach is not None)
    parts = name.split("/")
    length = 2 if parts[0] in UNDO else 1
    found = everything.get("/".join(parts[:length]))
    if found is None or len(parts) != length + 1 or not parts[-1] or found[1].foreach is None:
        return None
    return Named(call=found[0], phase=found[1], key=parts[-1], is_group=False)
