"""What a run would do, told before it does it: a plan together with everything that is known of the world by then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from runner.app import application, prepare
from runner.base import diagnostic
from runner.base.jsonvalue import JsonValue
from runner.engine.request import Request
from runner.locations import read_only
from runner.model import load
from runner.model.blueprint import Action
from runner.params import inputs, locations
from runner.plan import measure, outlook
from runner.plan.knowledge import Knowledge
from runner.registry import estimates


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """An outlook, and what the checks found besides errors."""

    outlook: outlook.Outlook
    warnings: Sequence[diagnostic.Diagnostic]


def of_order(app: application.Application, order: prepare.Order) -> Foreseen:
    """Look ahead at what a person might ask for; inputs may be missing, and no repository is opened.

    Raises:
        InvalidDocument: If the blueprint is not valid.
        UsageError: If there is no such action, or an input has a wrong value.
    """
    blueprint, warnings = prepare.load_checked(app, order.blueprint)
    plan, action = prepare.compile_action(app, blueprint, order.action)
    return Foreseen(outlook=_measured(app, outlook.look(plan, known(app, order, action))), warnings=warnings)


def known(
    app: application.Application, order: prepare.Order, action: Action, given: Mapping[str, JsonValue] | None = None
) -> Knowledge:
    """Return what is known when nothing but an order is; `given` are values of inputs, stronger than their defaults.

    Raises:
        UsageError: If an input has a wrong value, or does not exist.
    """
    values, problems = inputs.resolve(
        action.inputs,
        values=given or {},
        sets=order.sets,
        set_files=order.set_files,
        files=order.input_files,
        environment=app.environment,
        blueprint_dir=order.blueprint.absolute().parent,
        cwd=Path.cwd(),
    )
    wrong = [problem for problem in problems if problem.code != "KB510"]
    if wrong:
        raise inputs.as_error(wrong)
    roots: dict[str, object] = {}
    if order.object is not None:
        roots["object"] = prepare.object_named(order.object)
    if order.location is not None:
        roots["profile"] = prepare.profile_of(app.target(order.location)) or {}
    missing = tuple(str(problem.context["input"]) for problem in problems)
    return Knowledge(inputs=values, missing=missing, roots=roots)


def of_request(app: application.Application, request: Request) -> outlook.Outlook:
    """Look ahead at a run that could start now."""
    return _measured(app, _look(request))


def refuse_doomed(request: Request) -> None:
    """Refuse a run of which is known that it fails: with these inputs it reads what is not there.

    Raises:
        InvalidDocument: RT102, with everything that makes it fail.
        EnvironmentProblem: RT311 if it exports to a location that may only be read.
    """
    ahead = _look(request)
    _refuse_to_write(ahead, locations.from_json(request.location))
    dooms = list(ahead.dooms())
    if not dooms:
        return
    blueprint, _ = load.parse_blueprint(request.blueprint_text, request.plan.file)
    assert blueprint is not None, "the blueprint of a request is valid"
    found = [
        diagnostic.Diagnostic(
            code=problem.code, message=problem.message, span=blueprint.span(pointer), hint=problem.hint
        )
        for pointer, problem in dooms
    ]
    raise diagnostic.InvalidDocument(diagnostic.in_order(found))


def _refuse_to_write(ahead: outlook.Outlook, target: locations.Target) -> None:
    exports = [each for each in ahead.phases if each.node.exports and not each.node.tolerate]
    if target.spec.get("readOnly") and any(each.decision is outlook.Decision.RUNS for each in exports):
        raise read_only.refusal(target.label)


def _look(request: Request) -> outlook.Outlook:
    all_known = Knowledge(
        inputs=request.inputs,
        roots={
            "artifactsIn": request.artifacts_in,
            "object": request.object or {},
            "profile": request.profile or {},
        },
    )
    return outlook.look(request.plan, all_known)


def _measured(app: application.Application, found: outlook.Outlook) -> outlook.Outlook:
    return measure.measured(found, app.registry, estimates.Budget(app.clock))
