"""`runner explain`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import click

from runner.base import codes, errors, resources, suggest
from runner.base.jsonvalue import JsonObject
from runner.cli import application, commanding, fields
from runner.cli import console as consoles
from runner.registry.function import FunctionSpec


@click.command("explain", cls=commanding.Command)
@click.argument("name")
@click.pass_obj
def command(console: consoles.Console, name: str) -> int:
    """Explain a function or an error code.

    \b
      runner explain BackupFiles     its arguments, outputs and effects
      runner explain KB310           what the error means and what to do
    """
    if name.upper() in codes.CODES:
        console.result(*_code(name.upper()))
        return codes.Exit.OK
    functions = application.of(console).registry.functions
    name = next((each for each in functions if each.lower() == name.lower()), name)
    if name not in functions:
        raise errors.UsageError(
            f'"{name}" is neither a function nor an error code',
            hint=suggest.hint(name, [*functions, *codes.CODES])
            if suggest.closest(name, [*functions, *codes.CODES])
            else "list the functions with `runner functions`",
        )
    spec = functions[name]
    console.result(_function(spec), lambda: _function_text(console, spec))
    return codes.Exit.OK


def _code(name: str) -> tuple[JsonObject, Any]:
    page = resources.error_pages() / f"{name}.md"
    code = codes.CODES[name]
    text = page.read_text(encoding="utf-8") if page.is_file() else f"# {name}: {code.title}\n"
    return {"code": name, "title": code.title, "exit": int(code.exit), "page": text}, lambda: text.splitlines()


def _function(spec: FunctionSpec) -> JsonObject:
    return {
        "name": spec.name,
        "distribution": spec.distribution,
        "since": spec.since,
        "effects": spec.effects.value,
        "idempotent": spec.idempotent,
        "idempotentArgument": spec.idempotent_argument,
        "find": spec.find is not None,
        "dynamicOutputs": spec.dynamic_outputs,
        "description": spec.description,
        "arguments": [field.to_json() for field in fields.of(spec.arguments, mode="validation")],
        "outputs": [field.to_json() for field in fields.of(spec.outputs, mode="serialization")],
    }


def _function_text(console: consoles.Console, spec: FunctionSpec) -> Iterator[str]:
    yield console.style(spec.name, bold=True)
    yield ""
    yield from textwrap.indent(spec.description, "  ").splitlines()
    yield ""
    yield f"  effects: {spec.effects}; {_repeating(spec)}"
    arguments = fields.of(spec.arguments, mode="validation")
    yield from _section(console, "Arguments", arguments, "This function takes no arguments.")
    outputs = fields.of(spec.outputs, mode="serialization")
    none = "Those that the phase declares under `outputs`." if spec.dynamic_outputs else "This function has no outputs."
    yield from _section(console, "Outputs", outputs, none)


def _repeating(spec: FunctionSpec) -> str:
    if spec.idempotent:
        return "idempotent: it can safely run again"
    if spec.find is not None:
        return "after a crash it looks for what it had created"
    if spec.idempotent_argument is not None:
        return f"not repeated after a crash unless the phase says `{spec.idempotent_argument}: true`"
    return "not repeated after a crash: the phase waits to be settled"


def _section(console: consoles.Console, title: str, shown: Sequence[fields.Field], none: str) -> Iterator[str]:
    yield ""
    yield console.style(title, bold=True)
    if not shown:
        yield f"  {none}"
    for field in shown:
        yield f"  {console.style(field.name, fg='green')}  {field.facts}"
        yield from textwrap.wrap(field.description, 96, initial_indent="      ", subsequent_indent="      ")
        if field.example is not None:
            yield f"      for example: {field.example}"
