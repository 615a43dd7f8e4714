"""The commit of a run: its artifacts are rendered and its restore point is stored, or neither counts."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from runner.base import errors, ids, secret
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.engine import events, host, roots
from runner.engine.session import Session
from runner.engine.states import NodeStatus
from runner.plan.plan import NodeKind, PlanNode
from runner.templates import render

_PAUSES_S = (1.0, 4.0, 15.0)


def commit(session: Session) -> events.Committed:
    """Commit; may be called again after a crash and then finds what it had stored.

    Raises:
        RunnerError: What rendering or storing raised; then no restore point of this run exists.
    """
    artifacts = _artifacts(session)
    exports = _exports(session)
    point = _store(session, _draft(session, artifacts, exports)) if exports else None
    return events.Committed(artifacts=artifacts, restore_point=point)


def _artifacts(session: Session) -> dict[str, JsonValue]:
    context = roots.roots(session)
    rendered: dict[str, JsonValue] = {}
    for name, keys in session.request.plan.artifacts.items():
        try:
            values = render.render_arguments(keys, context)
        except errors.RunnerError as error:
            error.context["artifact"] = name
            raise
        rendered[name] = {key: _without_secrets(name, key, value) for key, value in values.items()}
    return rendered


def _without_secrets(name: str, key: str, value: object) -> JsonValue:
    if isinstance(value, secret.Secret):
        raise errors.PermanentError(
            f'the artifact "{name}" would store the secret {value.label} under "{key}"',
            code="KB701",
            hint="store a reference to the secret instead",
        )
    if isinstance(value, Mapping):
        return {inner: _without_secrets(name, f"{key}.{inner}", item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(name, key, item) for item in value]
    return value  # type: ignore[return-value]


def _exports(session: Session) -> tuple[host.ExportDraft, ...]:
    state = session.state
    return tuple(
        host.ExportDraft(phase=node.name, key=node.key, function=node.function, outputs=state.nodes[node.id].outputs)
        for node in map(state.by_id.__getitem__, state.in_order())
        if _is_export(node) and state.nodes[node.id].status is NodeStatus.SUCCEEDED
    )


def _is_export(node: PlanNode) -> bool:
    """Tell whether a node has made an export; a phase with `foreach` leaves that to its instances."""
    return node.exports and node.kind is NodeKind.PHASE and node.foreach is None


def _draft(session: Session, artifacts: JsonObject, exports: tuple[host.ExportDraft, ...]) -> host.PointDraft:
    return host.PointDraft(
        token=session.token("restore point"),
        run=ids.RunId(session.created.run),
        created=session.started_at,
        request=session.request,
        artifacts=artifacts,
        exports=exports,
    )


def _store(session: Session, draft: host.PointDraft) -> JsonObject:
    """Store the restore point, trying again while that can help; a failure counts only if it is not there after all."""
    for pause in (*_PAUSES_S, None):
        try:
            return session.services.store_restore_point(draft)
        except errors.RunnerError as error:
            if error.retryable and pause is not None:
                session.host.clock.wait(threading.Event(), pause)
            elif session.services.has_restore_point(draft.token):
                break
            else:
                raise
    return session.services.store_restore_point(draft)
