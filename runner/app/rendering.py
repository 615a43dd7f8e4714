"""Templates with given roots: those of a blueprint, or a single one; nothing is run and nothing contacted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from runner.app import application, foresee, prepare
from runner.base import errors, secret, suggest
from runner.base.jsonvalue import JsonValue
from runner.params import template_roots
from runner.params.template_roots import TemplateRoots
from runner.plan import foretell, rendering
from runner.plan.knowledge import Knowledge, NotYet, look_at, phases, roots
from runner.plan.plan import Plan
from runner.templates import bare, template


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A template, or a bare expression, that a person wants to see rendered."""

    text: str
    is_expression: bool = False


def of_blueprint(
    app: application.Application, order: prepare.Order, params: Path | None, phase: str | None
) -> rendering.Rendering:
    """Render the arguments of an action, or of one of its phases.

    Raises:
        InvalidDocument: If the blueprint is not valid.
        UsageError: If a root, an input or the phase does not exist, or has a wrong value.
    """
    plan, known = _known(app, order, _roots(params))
    names = [node.name for node in (*plan.nodes, *([plan.defer] if plan.defer else []))]
    if phase is not None and phase not in names:
        raise errors.UsageError(f'there is no phase "{phase}"', hint=suggest.hint(phase, names))
    return rendering.rendered(plan, known, phase)


def of_text(app: application.Application, order: prepare.Order | None, params: Path | None, text: Text) -> JsonValue:
    """Return what one template yields, secrets masked.

    Args:
        app: The application.
        order: The blueprint whose inputs it may read; None for what the parameters hold alone.
        params: The file with the template roots.
        text: What to render.

    Raises:
        RunnerError: KB401 to KB405 or KB702 as the template raises it; KB404 for what is not given.
    """
    given = _roots(params)
    if order is None:
        known: Mapping[str, Any] = {"inputs": given.inputs, "phases": given.phases, **given.others}
    else:
        plan, knowledge = _known(app, order, given)
        known = roots(knowledge, phases(knowledge, [node.id for node in plan.nodes]))
    try:
        value = bare.value(text.text, known) if text.is_expression else template.parse(text.text).render(known)
        look_at(value)
    except NotYet as missing:
        raise errors.UsageError(
            f"{missing.source.path} is not given",
            code="KB404",
            hint="write it into the file of --params, or give the input with --set",
        ) from None
    return foretell.masked(value)


def _roots(params: Path | None) -> TemplateRoots:
    return TemplateRoots() if params is None else template_roots.read(params, Path.cwd())


def _known(app: application.Application, order: prepare.Order, given: TemplateRoots) -> tuple[Plan, Knowledge]:
    blueprint, _ = prepare.load_checked(app, order.blueprint)
    plan, action = prepare.compile_action(app, blueprint, order.action)
    template_roots.check_phases(given, [node.name for node in plan.nodes])
    known = foresee.known(app, order, action, given.inputs)
    return plan, structs.replace(known, phases=_phases(plan, given), roots={**known.roots, **given.others})


def _phases(plan: Plan, given: TemplateRoots) -> dict[str, object]:
    """Return the data of phases with the outputs that are declared secret as placeholders."""
    hidden = {node.name: {name for name, each in node.outputs.items() if each.secret} for node in plan.nodes}
    return {name: _hide(data, hidden[name], name) for name, data in given.phases.items()}


def _hide(data: object, names: set[str], phase: str) -> object:
    if not isinstance(data, Mapping):
        return data
    return {
        key: {name: _placeholder(phase, name, value) if name in names else value for name, value in item.items()}
        if key == "outputs" and isinstance(item, Mapping)
        else _hide(item, names, phase)
        for key, item in data.items()
    }


def _placeholder(phase: str, name: str, value: object) -> secret.Secret:
    return secret.Secret(f"phases.{phase}.outputs.{name}", lambda: str(value))
