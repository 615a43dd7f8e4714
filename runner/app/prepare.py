"""From what a person asks for to a request that can run: everything is checked before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import structs

from runner.app import application, restore_points, validate
from runner.base import diagnostic, errors, jsonvalue, secret, suggest
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.checks import run as checks
from runner.document import yamlread
from runner.engine import request as requests
from runner.engine.request import Request
from runner.model import load
from runner.model.blueprint import Action, Blueprint, Call, Level
from runner.model.restore_point import RestorePoint
from runner.params import inputs, locations
from runner.plan import compile as plans
from runner.plan.plan import Plan
from runner.registry import plugins
from runner.repository import points
from runner.templates import kinds, template


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asks for.

    Attributes:
        blueprint: The file.
        action: The action; None for `backup`, or the only one.
        sets: `NAME=VALUE` for inputs.
        set_files: `NAME=PATH` for inputs.
        input_files: YAML or JSON documents with inputs.
        location: Where exports are; None for the default repository.
        object: `KIND/NAMESPACE/NAME`.
        restore_from: `latest`, a restore point or a run; None for `latest` where the action takes in artifacts.
        overwrite: Whether existing data may be written over.
    """

    blueprint: Path
    action: str | None = None
    sets: tuple[str, ...] = ()
    set_files: tuple[str, ...] = ()
    input_files: tuple[Path, ...] = ()
    location: str | None = None
    object: str | None = None
    restore_from: str | None = None
    overwrite: bool = False


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A request that can run, and what the checks found besides errors."""

    request: Request
    target: locations.Target
    warnings: tuple[diagnostic.Diagnostic, ...]


def load_checked(app: application.Application, path: Path) -> tuple[Blueprint, list[diagnostic.Diagnostic]]:
    """Load a blueprint and run all checks; returns it with the warnings.

    Raises:
        InvalidDocument: RT102 if anything is wrong with it.
        EnvironmentProblem: RT902 if it calls a function of a plugin that cannot be loaded.
    """
    text, found = yamlread.read_file(path)
    if text is None:
        raise diagnostic.InvalidDocument(found)
    return _checked(app, text, str(path))


def _checked(app: application.Application, text: str, file: str) -> tuple[Blueprint, list[diagnostic.Diagnostic]]:
    blueprint, found = load.parse_blueprint(text, file)
    if blueprint is None or diagnostic.has_errors(found):
        raise diagnostic.InvalidDocument(validate.findings(app.registry, text, file))
    _refuse_broken_plugins(app, blueprint)
    found = [*found, *checks.check(blueprint, app.registry)]
    if diagnostic.has_errors(found):
        raise diagnostic.InvalidDocument(found)
    return blueprint, found


def compile_action(app: application.Application, blueprint: Blueprint, action: str | None) -> tuple[Plan, Action]:
    """Return the plan of one action of a checked blueprint.

    Raises:
        UsageError: RT101 if there is no such action.
        EnvironmentProblem: RT106 for a Kanister document.
    """
    if blueprint.level is Level.KANISTER:
        raise errors.EnvironmentProblem(
            f"{blueprint.file} is a Kanister blueprint; this version can validate it, but not run it",
            code="RT106",
            hint="write it with apiVersion: blueprint-runner.dev/v1",
        )
    chosen = choose_action(blueprint, action)
    plan, found = plans.compile_plan(blueprint, chosen.name, app.registry)
    if plan is None:
        raise diagnostic.InvalidDocument(found)
    return plan, chosen


def choose_action(blueprint: Blueprint, name: str | None) -> Action:
    """Return the action that is meant: the one named, else `backup`, else the only one."""
    if name is not None and name in blueprint.actions:
        return blueprint.actions[name]
    if name is not None:
        raise errors.UsageError(f'{blueprint.file} has no action "{name}"', hint=suggest.hint(name, blueprint.actions))
    if "backup" in blueprint.actions:
        return blueprint.actions["backup"]
    if len(blueprint.actions) == 1:
        return next(iter(blueprint.actions.values()))
    raise errors.UsageError(
        f"{blueprint.file} has several actions, none of them called backup",
        hint=f"choose with --action: {', '.join(blueprint.actions)}",
    )


def prepare(app: application.Application, order: Order) -> Prepared:
    """Turn an order into a request that can run.

    Raises:
        InvalidDocument: If the blueprint is not valid.
        RunnerError: As the parts raise it: unknown action, bad inputs, unknown location, no restore point.
    """
    blueprint, warnings = load_checked(app, order.blueprint)
    return _prepare(app, order, blueprint, warnings, None)


def prepare_restore(app: application.Application, order: Order, point: RestorePoint) -> Prepared:
    """Turn an order into a request for the blueprint that is stored in a restore point."""
    blueprint, warnings = _checked(app, point.blueprint_text, str(order.blueprint))
    return _prepare(app, order, blueprint, warnings, point)


def _prepare(
    app: application.Application,
    order: Order,
    blueprint: Blueprint,
    warnings: Sequence[diagnostic.Diagnostic],
    point: RestorePoint | None,
) -> Prepared:
    plan, action = compile_action(app, blueprint, order.action)
    values = _inputs(app, order, action)
    target = app.target(order.location)
    request = Request(
        plan=plan,
        blueprint_text=blueprint.text,
        inputs=values,
        object=object_named(order.object),
        profile=profile_of(target),
        location=target.to_json(),
        overwrite=order.overwrite,
    )
    _refuse_odd_text(request)
    if any(node.exports for node in plan.nodes):
        app.check_target(target)
    if point is None and (plan.input_artifacts or order.restore_from is not None):
        point = restore_points.select(
            app.open_repository(target),
            order.restore_from or points.LATEST,
            restore_points.Subject.of(request),
            plan.input_artifacts,
        )
    if point is not None:
        request = structs.replace(request, artifacts_in=point.artifacts, restore_point=point.id)
    request = structs.replace(request, plan=_with_group(request))
    return Prepared(request=request, target=target, warnings=tuple(warnings))


def _refuse_odd_text(request: Request) -> None:
    """Refuse paths and names that no journal and no restore point can hold.

    Raises:
        UsageError: RT101.
    """
    odd = jsonvalue.odd_text(requests.to_json(request))
    if odd is not None:
        raise errors.UsageError(
            f'"{odd}" is not UTF-8 text', hint="use names in UTF-8; a symbolic link may stand for a path with others"
        )


def _with_group(request: Request) -> Plan:
    """Return the plan with the name of its concurrency group in place of the template.

    Raises:
        RunnerError: KB404, KB405 or KB702 if the template yields no name.
    """
    plan = request.plan
    roots = {"inputs": request.inputs, "artifactsIn": request.artifacts_in, "object": request.object or {}}
    try:
        group = template.parse(plan.concurrency.group).render({**roots, "profile": request.profile or {}})
    except errors.RunnerError as error:
        error.context.setdefault("concurrency.group", plan.concurrency.group)
        raise
    if isinstance(group, secret.Secret):
        raise secret.SecretMisuse(
            f"the secret {group.label} would name a concurrency group", hint="use an input that is not secret"
        )
    return structs.replace(plan, concurrency=structs.replace(plan.concurrency, group=kinds.text_of(group)))


def _inputs(app: application.Application, order: Order, action: Action) -> Mapping[str, JsonValue | secret.Secret]:
    values, problems = inputs.resolve(
        action.inputs,
        sets=order.sets,
        set_files=order.set_files,
        files=order.input_files,
        environment=app.environment,
        blueprint_dir=order.blueprint.absolute().parent,
        cwd=Path.cwd(),
        prompt=app.prompt,
    )
    if problems:
        raise inputs.as_error(problems)
    return values


def object_named(text: str | None) -> JsonObject | None:
    """Read `KIND/NAMESPACE/NAME`.

    Raises:
        UsageError: RT101 if it is not of that form.
    """
    if text is None:
        return None
    parts = text.split("/")
    if len(parts) != 3 or not all(parts):
        raise errors.UsageError(f'"{text}" does not name an object', hint="write --object KIND/NAMESPACE/NAME")
    return dict(zip(("kind", "namespace", "name"), parts, strict=True))


def profile_of(target: locations.Target) -> JsonObject | None:
    """Return the facts of a location profile that templates may read; None for a location without one."""
    if "type" not in target.spec:
        return None
    return {"name": target.label, **{key: value for key, value in target.spec.items() if key != "passphraseFile"}}


def _refuse_broken_plugins(app: application.Application, blueprint: Blueprint) -> None:
    broken = [plugin for plugin in app.plugins if plugin.error]
    for action in blueprint.actions.values() if broken else ():
        for call in _calls(action):
            problem = plugins.missing(call.function, plugins.FUNCTIONS, broken)
            if problem is not None and app.registry.find(call.function) is None:
                raise problem


def _calls(action: Action) -> Iterator[Call]:
    for phase in (*action.phases, *([action.defer] if action.defer else [])):
        yield phase
        yield from (undo for undo in (phase.revert, phase.cleanup) if undo is not None)
