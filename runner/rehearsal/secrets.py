"""The secrets that a rehearsal holds as plain texts: nothing that is shown of it may hold them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from runner.base import redact
from runner.base.jsonvalue import JsonValue
from runner.model.blueprint import Blueprint
from runner.model.rehearsal import Rehearsal
from runner.rehearsal import names


def redactor(rehearsal: Rehearsal, blueprint: Blueprint) -> redact.Redactor:
    """Return a redactor that knows the secret inputs and outputs that a rehearsal gives."""
    made = redact.Redactor()
    for value in _given(rehearsal, blueprint):
        made.learn(text_of(value))
    return made


def text_of(value: JsonValue) -> str:
    """Return a secret value as the text that it is kept as."""
    return value if isinstance(value, str) else json.dumps(value)


def _given(rehearsal: Rehearsal, blueprint: Blueprint) -> Iterator[JsonValue]:
    action = blueprint.actions.get(rehearsal.action)
    if action is None:
        return
    given = rehearsal.given
    yield from (value for name, value in given.inputs.items() if name in action.inputs and action.inputs[name].secret)
    everything = names.known(action)
    for node, results in given.results.items():
        found = names.find(node, everything)
        declared = {} if found is None else found.phase.outputs
        for stated in (part for result in results for part in (result.outputs, result.found) if part):
            yield from (value for name, value in stated.items() if name in declared and declared[name].secret)
