"""`runner render`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.app import prepare
from runner.app import rendering as renderings
from runner.base import codes, errors
from runner.base.jsonvalue import JsonObject
from runner.cli import application, commanding, completing, options
from runner.cli import console as consoles
from runner.plan import present, wording
from runner.plan.outlook import Decision

if TYPE_CHECKING:
    from runner.plan.foretell import Argument
    from runner.plan.knowledge import Source
    from runner.plan.rendering import Call, Rendering


@click.command("render", cls=commanding.Command)
@click.argument("blueprint", required=False, type=click.Path(path_type=Path))
@click.argument("phase", required=False, shell_complete=completing.phases)
@options.action
@click.option(
    "--params",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML or JSON file with what templates shall read: inputs, phases, artifactsIn, object, item, …",
)
@options.set_values
@options.set_files
@options.input_files
@options.object_name
@click.option("--template", metavar="TEXT", help="Render this text instead of the arguments.")
@click.option("--expression", metavar="TEXT", help="Evaluate this bare expression, as in `when`.")
@click.pass_obj
def command(
    console: consoles.Console,
    /,
    blueprint: Path | None,
    phase: str | None,
    params: Path | None,
    template: str | None,
    expression: str | None,
    **order: object,
) -> int:
    """Print rendered arguments without running anything.

    Parameters are given by --params and --set. What is not given, and what cannot be rendered, is said per argument.
    With a PHASE, only that phase and its undo are shown.

    \b
      runner render blueprint.yaml --set database=/srv/app.db
      runner render blueprint.yaml export --params params.yaml
      runner render --template '{{ inputs.name | upper }}' --params params.yaml
    """
    app = application.of(console)
    whole = None if blueprint is None else prepare.Order(blueprint=blueprint, **order)  # type: ignore[arg-type]
    text = _text_of(template, expression)
    if text is not None:
        value = renderings.of_text(app, whole, params, text)
        console.result({"value": value}, lambda: wording.plain(value).splitlines() or [""])
        return codes.Exit.OK
    if whole is None:
        raise errors.UsageError("there is nothing to render", hint="name a blueprint, or give a --template")
    found = renderings.of_blueprint(app, whole, params, phase)
    console.result(_to_json(found), lambda: _text(console, found))
    return codes.Exit.OK if found.is_sound else codes.Exit.INVALID


def _text_of(template: str | None, expression: str | None) -> renderings.Text | None:
    if template is not None and expression is not None:
        raise errors.UsageError("--template and --expression cannot be rendered at once", hint="give one of them")
    if expression is not None:
        return renderings.Text(text=expression, is_expression=True)
    return None if template is None else renderings.Text(text=template)


def _to_json(found: Rendering) -> JsonObject:
    return {
        "blueprint": found.plan.blueprint,
        "action": found.plan.action,
        "calls": [
            {
                "id": call.id,
                "kind": call.node.kind.value,
                "function": call.node.function,
                "decision": call.prospect.decision.value,
                "problems": [present.problem_json(problem) for problem in call.prospect.problems],
                "arguments": [present.argument_json(each) for each in call.arguments],
            }
            for call in found.calls
        ],
        "artifacts": {
            name: [present.argument_json(each) for each in values] for name, values in found.artifacts.items()
        },
    }


def _text(console: consoles.Console, found: Rendering) -> Iterator[str]:
    """Write the calls as YAML, with comments about what is missing."""
    for number, call in enumerate(found.calls):
        if number:
            yield ""
        yield _heading(console, call)
        yield from (
            _comment(console, f"  {wording.problem(each)}") for each in call.prospect.problems if _of_phase(each)
        )
        yield from (line for each in call.arguments for line in _argument(console, each, "  "))
    for name, values in found.artifacts.items():
        yield ""
        yield f"{console.style(name, bold=True)}:{_comment(console, '  artifact')}"
        yield from (line for each in values for line in _argument(console, each, "  "))


def _heading(console: consoles.Console, call: Call) -> str:
    about = call.node.function
    match call.prospect.decision:
        case Decision.SKIPPED:
            about += f", skipped: {call.prospect.node.when} is false"
        case Decision.OPEN:
            about += f", if {call.prospect.node.when}: {_not_given(call.prospect.waits_for)}"
    if call.prospect.items_from:
        items = "" if call.prospect.node.foreach is None else wording.items(call.prospect.node.foreach)
        about += f", one for each of {items}: {_not_given(call.prospect.items_from)}"
    return f"{console.style(call.id, bold=True)}:{_comment(console, f'  {about}')}"


def _argument(console: consoles.Console, each: Argument, indent: str) -> Iterator[str]:
    from runner.document import yamlwrite

    for line in yamlwrite.dump({each.name: each.value}).splitlines():
        yield indent + line
    if each.problem is not None:
        yield _comment(console, f"{indent}  {wording.problem(each.problem)}")
    if each.later:
        yield _comment(console, f"{indent}  {_not_given(each.later)}")


def _not_given(sources: tuple[Source, ...]) -> str:
    return f"not given: {', '.join(dict.fromkeys(source.path for source in sources))}"


def _of_phase(problem: errors.RunnerError) -> bool:
    """Tell a problem of a condition or of items from one of an argument, which is shown there."""
    return "argument" not in problem.context


def _comment(console: consoles.Console, text: str) -> str:
    words = text.lstrip(" ")
    return " " * (len(text) - len(words)) + console.style(f"# {words}", fg="bright_black")
