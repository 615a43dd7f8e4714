"""What a run would do, before it does it: `exec --dry-run` and `plan`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.app import application, foresee, prepare
from runner.base import codes, diagnostic, secret
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.cli import console as consoles
from runner.engine.request import Request
from runner.plan import explain, present
from runner.plan.outlook import Outlook


def warnings(console: consoles.Console, found: Iterable[diagnostic.Diagnostic]) -> list[str]:
    """Write the warnings about a document as lines; none with `-o json`, where the result is all."""
    shown = list(found)
    if not shown or not console.is_text or console.settings.quiet:
        return []
    from runner.document import render

    return render.text(shown, colour=console.colour(console.err)).rstrip("\n").splitlines()


def show(console: consoles.Console, app: application.Application, prepared: prepare.Prepared) -> codes.Exit:
    """Print the plan of a run that could start now, and what it would work with; return what to exit with."""
    outlook = foresee.of_request(app, prepared.request)
    console.result(_to_json(prepared, outlook), lambda: _text(console, prepared, outlook))
    return exit_of(outlook)


def exit_of(outlook: Outlook) -> codes.Exit:
    """Return what a preview exits with: a plan that is bound to fail is as good as an invalid document."""
    return codes.Exit.OK if outlook.is_sound else codes.Exit.INVALID


def _to_json(prepared: prepare.Prepared, outlook: Outlook) -> JsonObject:
    """Return the plan and what it would work with."""
    request = prepared.request
    return {
        "plan": present.to_json(request.plan),
        "outlook": present.outlook_json(outlook),
        "inputs": _inputs(request),
        "object": request.object,
        "location": prepared.target.label or "default",
        "restorePoint": request.restore_point,
        "overwrite": request.overwrite,
    }


def _text(console: consoles.Console, prepared: prepare.Prepared, outlook: Outlook) -> Iterator[str]:
    """Write the plan and what it would work with for a person."""
    request = prepared.request
    yield from explain.text(outlook).rstrip("\n").splitlines()
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
