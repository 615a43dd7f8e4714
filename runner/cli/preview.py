"""What a run would do, before it does it: `exec --dry-run` and `plan`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.app import prepare
from runner.base import diagnostic, secret
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.cli import console as consoles
from runner.engine.request import Request
from runner.plan import explain, present


def warnings(console: consoles.Console, found: Iterable[diagnostic.Diagnostic]) -> list[str]:
    """Write the warnings about a document as lines; none with `-o json`, where the result is all."""
    shown = list(found)
    if not shown or not console.is_text or console.settings.quiet:
        return []
    from runner.document import render

    return render.text(shown, colour=console.colour(console.err)).rstrip("\n").splitlines()


def to_json(prepared: prepare.Prepared) -> JsonObject:
    """Return the plan and what it would work with."""
    request = prepared.request
    return {
        "plan": present.to_json(request.plan),
        "inputs": _inputs(request),
        "object": request.object,
        "location": prepared.target.label or "default",
        "restorePoint": request.restore_point,
        "overwrite": request.overwrite,
    }


def text(console: consoles.Console, prepared: prepare.Prepared) -> Iterator[str]:
    """Write the plan and what it would work with for a person."""
    request = prepared.request
    yield from explain.text(request.plan).rstrip("\n").splitlines()
    values = _inputs(request)
    if values:
        yield ""
        yield console.style("Inputs", bold=True)
        yield from (f"  {name}: {value}" for name, value in values.items())
    yield ""
    yield f"Location: {prepared.target.label or prepared.target.spec['url']}"
    if request.restore_point is not None:
        yield f"Restore point: {request.restore_point}"
    yield "Nothing was run."


def _inputs(request: Request) -> dict[str, JsonValue]:
    return {name: secret.MASK if isinstance(value, secret.Secret) else value for name, value in request.inputs.items()}
