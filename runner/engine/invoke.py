"""One attempt, in a worker thread: render the arguments, decode them, call the function, judge what came back."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

from msgspec import structs

from runner.base import cancel as cancels
from runner.base import clock, errors, files
from runner.base import span as spans
from runner.engine import events, known_secrets, outcome, roots
from runner.engine.phase_context import Context
from runner.engine.session import Session
from runner.model import load
from runner.plan.plan import PlanNode
from runner.registry import argdecode, args, context
from runner.registry.function import FunctionSpec
from runner.templates import render

Result = TypeVar("Result")


def attempt(
    session: Session, node: PlanNode, number: int, cancel: cancels.CancelToken, warn: Callable[[str], None]
) -> events.Event:
    """Make one attempt; whatever happens becomes the event that it returns."""

    def call() -> events.Event:
        spec = session.host.registry.get(node.function)
        ctx = Context(session, node, number, cancel, warn)
        returned = spec.call(ctx, _arguments(session, node, spec))
        if isinstance(returned, context.Gate):
            return _gated(node, number, returned)
        outputs = outcome.outputs_of(spec, node, returned, session.directory.sealed)
        known_secrets.learn_outputs(session, node)
        return events.Succeeded(node=node.id, attempt=number, outputs=outputs)

    result = _guarded(session, node, call)
    if isinstance(result, events.ErrorValue) and result.kind == "unknown":
        session.logger.warning("attempt.in_doubt", phase=node.id, attempt=number, error=result.message)
        return events.InDoubt(node=node.id, attempt=number)
    if isinstance(result, events.ErrorValue):
        return events.AttemptFailed(node=node.id, attempt=number, error=result)
    return result


def look_for(session: Session, node: PlanNode, cancel: cancels.CancelToken) -> events.LookedFor | events.ErrorValue:
    """Ask the function's `find` what earlier attempts created; an error does not tell that there is nothing."""

    def call() -> events.LookedFor:
        spec = session.host.registry.get(node.function)
        ctx = Context(session, node, session.state.nodes[node.id].attempt, cancel, lambda _: None)
        if spec.find is None:
            raise errors.RunnerError(f"{spec.name} cannot look for what it created any more", code="RT901")
        found = spec.find(ctx, _arguments(session, node, spec), ctx.token)
        outputs = None if found is None else outcome.outputs_of(spec, node, found, session.directory.sealed)
        return events.LookedFor(node=node.id, outputs=outputs)

    return _guarded(session, node, call)


def _arguments(session: Session, node: PlanNode, spec: FunctionSpec) -> args.Arguments:
    return argdecode.decode(spec, render.render_arguments(node.arguments, roots.roots(session, node)))


def _gated(node: PlanNode, number: int, gate: context.Gate) -> events.Gated:
    match gate:
        case context.Approval():
            until = clock.isoformat(gate.expires_at) if gate.expires_at else None
            return events.Gated(node=node.id, attempt=number, gate="approval", message=gate.message, until=until)
        case context.Until():
            return events.Gated(
                node=node.id, attempt=number, gate="until", message="", until=clock.isoformat(gate.moment)
            )
    raise errors.RunnerError(f"{node.function} returned a gate of an unknown kind", code="RT901")


def commit_guarded(session: Session, call: Callable[[], events.Committed]) -> events.Event:
    """Make the commit's call; a failure becomes its event."""
    result = _guarded(session, None, call)
    return events.CommitFailed(error=result) if isinstance(result, events.ErrorValue) else result


def _guarded(session: Session, node: PlanNode | None, call: Callable[[], Result]) -> Result | events.ErrorValue:
    """Turn every failure into a value: the driver, not this thread, decides what becomes of the run."""
    try:
        return call()
    except errors.RunnerError as error:
        _place(session, node, error)
        return error_value(session, error)
    except Exception as error:  # noqa: BLE001 - whatever is not ours is a defect, and must end as one
        problem = _of_the_machine(session, error)
        if problem is not None:
            return error_value(session, problem)
        session.logger.warning("function.defect", phase=node and node.id, traceback=traceback.format_exc())
        return _clean(
            session,
            events.ErrorValue(
                code="RT901",
                kind="internal",
                message=f"{node.function if node else 'the commit'} has a defect: {type(error).__name__}: {error}",
                hint=f"report it with the log of the run: runner logs {session.directory.id}",
            ),
        )


def _of_the_machine(session: Session, error: Exception) -> errors.RunnerError | None:
    """Tell a full disk or a missing permission, which any write to the run's directory may meet, from a defect."""
    if not isinstance(error, OSError):
        return None
    return files.problem_of(error, error.filename or session.directory.path)


def _place(session: Session, node: PlanNode | None, error: errors.RunnerError) -> None:
    """Say where in the blueprint the argument or artifact stands that could not be rendered or decoded."""
    argument = error.context.get("argument")
    if argument is None or error.span is not None:
        return
    plan = session.request.plan
    if node is not None:
        place = f"{node.pointer}/args"
    else:
        place = spans.pointer(["actions", plan.action, "outputArtifacts", error.context["artifact"], "keyValue"])
    error.span = span_of(session, place + argument)


def span_of(session: Session, pointer: str) -> spans.Span | None:
    """Return a place in the blueprint of the run."""
    blueprint, _ = load.parse_blueprint(session.request.blueprint_text, session.request.plan.file)
    return None if blueprint is None else blueprint.span(pointer)


def error_value(session: Session, error: errors.RunnerError) -> events.ErrorValue:
    """Turn an exception into the value that is journalled, without the secrets that were revealed."""
    return _clean(session, events.error_value(error))


def _clean(session: Session, error: events.ErrorValue) -> events.ErrorValue:
    """Remove revealed secrets from what the other side said."""
    clean = session.host.redactor.clean
    return structs.replace(
        error,
        message=clean(error.message),
        details=clean(error.details),
        context={name: clean(value) for name, value in error.context.items()},
    )
