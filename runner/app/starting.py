"""Start a blueprint of one's own from a ready-made one: its text with another name and with defaults filled in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec import structs

from runner.base import errors, files, resources, suggest
from runner.base.jsonvalue import JsonValue
from runner.base.span import Span
from runner.model import load
from runner.model.blueprint import Action, Blueprint, Input
from runner.params import inputs

# The kinds, and the inputs whose values a person should think about first.
KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "files": ("directory", "exclude"),
        "sqlite": ("database",),
        "postgresql": ("server", "database"),
        "mariadb": ("host", "port", "user", "database"),
        "volume": ("volume",),
        "command": ("dump", "load"),
    }
)
# What YAML does not take for a text unless it is quoted, besides what looks like a number.
_NO_NAMES = frozenset({"true", "false", "null"})
_BLUEPRINT = "blueprint.yaml"


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """A ready-made blueprint, about to become somebody's own."""

    kind: str
    blueprint: Blueprint

    @property
    def inputs(self) -> dict[str, Input]:
        """The inputs that may get a default: those that are not secret, of all actions, none of them required."""
        declared = {each.name: each for action in self.blueprint.actions.values() for each in action.inputs.values()}
        return {name: structs.replace(each, required=False) for name, each in declared.items() if not each.secret}

    @property
    def asked(self) -> list[Input]:
        """The inputs to ask a person for."""
        return [self.inputs[name] for name in KINDS[self.kind]]


def of_kind(kind: str) -> Start:
    """Return what a blueprint of some kind starts from.

    Raises:
        UsageError: RT101 if there is no such kind.
    """
    if kind not in KINDS:
        raise errors.UsageError(f'there is no kind of blueprint "{kind}"', hint=suggest.hint(kind, KINDS))
    path = resources.blueprints() / kind / _BLUEPRINT
    blueprint, found = load.load_blueprint(path)
    assert blueprint is not None, found
    return Start(kind=kind, blueprint=blueprint)


def write(start: Start, name: str, directory: Path, sets: Sequence[str]) -> list[Path]:
    """Write blueprint, rehearsals and README into a new directory.

    Args:
        start: What to start from.
        name: The name of the blueprint, and of its directory.
        directory: Where the new directory is made.
        sets: `NAME=VALUE` for inputs; the values become defaults.

    Raises:
        UsageError: RT101 if the name is taken or cannot be one, else as inputs are wrong.
        EnvironmentProblem: If the files cannot be written.
    """
    values = _values(start, sets)
    blueprint = _named(start.blueprint, name, values)
    place = directory / name
    rehearsals = sorted((resources.blueprints() / start.kind).glob("*.rehearsal.yaml"))
    texts = {
        _BLUEPRINT: blueprint.text,
        **{path.name: path.read_text(encoding="utf-8") for path in rehearsals},
        "README.md": "\n".join(_readme(blueprint)) + "\n",
    }
    try:
        place.mkdir(parents=True)
        for file, text in texts.items():
            (place / file).write_text(text, encoding="utf-8")
    except FileExistsError as error:
        hint = "choose another name or --directory; nothing is overwritten"
        raise errors.UsageError(f"there is something at {place} already", hint=hint) from error
    except OSError as error:
        raise files.problem_of(error, place) or error from error
    return [place / file for file in texts]


def _values(start: Start, sets: Sequence[str]) -> dict[str, JsonValue]:
    declared = {name: structs.replace(each, has_default=False) for name, each in start.inputs.items()}
    values, problems = inputs.resolve(
        declared, sets=sets, set_files=(), files=(), environment={}, blueprint_dir=Path.cwd(), cwd=Path.cwd()
    )
    if problems:
        raise inputs.as_error(problems)
    return {name: value for name, value in values.items() if name in declared}  # type: ignore[misc]


def _named(blueprint: Blueprint, name: str, values: Mapping[str, JsonValue]) -> Blueprint:
    """Return a blueprint with another name and other defaults, its comments and its order as they are."""
    plain = name[:1].isalpha() and name not in _NO_NAMES
    changes = [(blueprint.span("/metadata/name"), name if plain else json.dumps(name))]
    for action in blueprint.actions.values():
        for each in action.inputs.values():
            if each.name in values:
                changes.append(_default(blueprint, each, values[each.name]))
    text = _spliced(blueprint.text, changes)
    made, found = load.parse_blueprint(text, _BLUEPRINT)
    if made is None:
        raise errors.UsageError(f'"{name}" cannot be the name of a blueprint', hint=found[0].hint)
    return made


def _default(blueprint: Blueprint, declared: Input, value: JsonValue) -> tuple[Span, str]:
    """Return where the default of an input stands, or what stands in its place, and what to write there."""
    written = json.dumps(value, ensure_ascii=False)
    if declared.has_default:
        return blueprint.span(f"{declared.pointer}/default"), written
    key = blueprint.span(f"{declared.pointer}/required", key=True)
    end = blueprint.span(f"{declared.pointer}/required")
    whole = structs.replace(key, end_line=end.end_line, end_column=end.end_column)
    return whole, f"default: {written}"


def _spliced(text: str, changes: Sequence[tuple[Span, str]]) -> str:
    lines = text.split("\n")
    for span, written in sorted(changes, key=lambda change: (change[0].line, change[0].column), reverse=True):
        line = lines[span.line - 1]
        lines[span.line - 1] = line[: span.column - 1] + written + line[span.end_column - 1 :]
    return "\n".join(lines)


def _readme(blueprint: Blueprint) -> Iterator[str]:
    yield from (f"# {blueprint.name}", "", blueprint.description, "")
    yield from (
        "```sh",
        f"runner validate {_BLUEPRINT}",
        f"runner plan {_BLUEPRINT}",
        "runner test .",
        "```",
        "",
        "These find mistakes, show what would be done and why, and rehearse it without touching anything.",
    )
    for action in blueprint.actions.values():
        yield from ("", f"## {action.name}", "", action.description, "", "```sh", _command(action), "```")
        if action.inputs:
            yield from ("", "| input | type | default | |", "|---|---|---|---|")
            yield from (_row(each) for each in action.inputs.values())


def _command(action: Action) -> str:
    words = [f"runner exec {_BLUEPRINT}"]
    words += [] if action.name == "backup" else [f"--action {action.name}"]
    for each in action.inputs.values():
        if each.required:
            words.append(f"--set-file {each.name}=FILE" if each.secret else f"--set {each.name}=VALUE")
    return " ".join(words)


def _row(declared: Input) -> str:
    default = f"`{json.dumps(declared.default, ensure_ascii=False)}`" if declared.has_default else ""
    must = "**required**" if declared.required else default
    cells = (f"`{declared.name}`", declared.type + (", secret" if declared.secret else ""), must, declared.description)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
