"""The inputs of an action: collected from defaults, environment, files and the command line, typed, and checked."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec

from runner.base import errors, secret, suggest
from runner.base.jsonvalue import JsonValue
from runner.base.span import Span
from runner.checks import input_values
from runner.model.blueprint import Input
from runner.params import mappings

_WHOLE = re.compile(r"[+-]?[0-9]{1,4000}")
_FINAL_BREAK = re.compile(r"\r?\n\Z")
_LARGEST_FILE = 1 << 20
_BOOLEANS = ("true", "false")
_NONE: Mapping[str, JsonValue] = MappingProxyType({})


def resolve(
    declared: Mapping[str, Input],
    *,
    sets: Sequence[str],
    set_files: Sequence[str],
    files: Sequence[Path],
    environment: Mapping[str, str],
    blueprint_dir: Path,
    cwd: Path,
    prompt: Callable[[str], str] | None = None,
    values: Mapping[str, JsonValue] = _NONE,
) -> tuple[dict[str, JsonValue | secret.Secret], list[errors.RunnerError]]:
    """Return the value of every input, and everything that is wrong with what was given.

    The later wins: default, `values`, environment (secrets only), `--inputs` in their order, `--set-file`, `--set`.

    Args:
        declared: The inputs of the action.
        sets: `NAME=VALUE`, read by the declared type; array and object as JSON; not for secrets.
        set_files: `NAME=PATH`; the text of the file, without one final line break, is read like a value of `sets`.
        files: YAML or JSON mappings of names to values.
        environment: Secret inputs are also taken from `RUNNER_INPUT_<NAME>`.
        blueprint_dir: Where default paths start.
        cwd: Where other paths start; those of `files` start at their file.
        prompt: Asks a person for a required secret that was given nowhere; None when nobody is there.
        values: Values that are there already, by name.

    Returns:
        The values, secrets as placeholders; an input that is neither given nor required nor has a default is left out.
        And the problems: KB510 missing, KB511 unknown, KB512 of the wrong type or form, KB703 a secret on the command
        line, RT101, RT103 and KB1xx for arguments and files that cannot be read.
    """
    collector = _Collector(declared)
    collector.take(_defaults(declared, blueprint_dir))
    collector.take(_Given(name=name, value=value, base=cwd) for name, value in values.items())
    collector.take(_environment(declared, environment, cwd))
    readers = (
        *(functools.partial(_file, path, cwd) for path in files),
        *(functools.partial(_set_file, text, cwd) for text in set_files),
        *(functools.partial(_set, text, declared, cwd) for text in sets),
    )
    for read in readers:
        collector.take_checked(read)
    return collector.finish(lambda each: _asked(each, prompt, cwd))


def as_error(problems: Sequence[errors.RunnerError]) -> errors.RunnerError:
    """Return one error that tells all problems: the first one, with the others as its details."""
    first = problems[0]
    others = "\n".join(f"{problem.code}: {problem.message}" for problem in problems[1:])
    return errors.UsageError(
        first.message, code=first.code, details=others or first.details, hint=first.hint, span=first.span
    )


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """A value before it is typed: a text to be read by the declared type, or a value of a document."""

    name: str
    text: str | None = None
    value: JsonValue = None
    base: Path
    span: Span | None = None


class _Collector:
    def __init__(self, declared: Mapping[str, Input]) -> None:
        self._declared = declared
        self._given: dict[str, _Given] = {}
        self._problems: list[errors.RunnerError] = []

    def take(self, given: Iterator[_Given]) -> None:
        """Remember values; unknown names are problems."""
        for each in given:
            if each.name in self._declared:
                self._given[each.name] = each
            else:
                self._problems.append(_unknown(each, self._declared))

    def take_checked(self, read: Callable[[], Iterator[_Given]]) -> None:
        """Remember what can be read; what cannot is a problem."""
        try:
            self.take(read())
        except errors.RunnerError as error:
            self._problems.append(error)

    def finish(
        self, ask: Callable[[Input], _Given | None]
    ) -> tuple[dict[str, JsonValue | secret.Secret], list[errors.RunnerError]]:
        """Type and check what was given, and find what is missing; a person is asked only when all else is right."""
        refused = {problem.context.get("input") for problem in self._problems}
        values: dict[str, JsonValue | secret.Secret] = {}
        missing: list[Input] = []
        for name, declared in self._declared.items():
            if name in self._given:
                self._type(values, declared, self._given[name])
            elif declared.required and name not in refused:
                missing.append(declared)
        for declared in sorted(missing, key=lambda each: each.secret):
            given = None if self._problems else ask(declared)
            if given is None:
                self._problems.append(_missing(declared))
            else:
                self._type(values, declared, given)
        return values, self._problems

    def _type(self, values: dict[str, JsonValue | secret.Secret], declared: Input, given: _Given) -> None:
        try:
            values[declared.name] = _typed(declared, given)
        except errors.RunnerError as error:
            self._problems.append(error)


def _defaults(declared: Mapping[str, Input], base: Path) -> Iterator[_Given]:
    for each in declared.values():
        if each.has_default:
            yield _Given(name=each.name, value=each.default, base=base)


def _environment(declared: Mapping[str, Input], environment: Mapping[str, str], cwd: Path) -> Iterator[_Given]:
    for each in declared.values():
        text = environment.get(_variable(each.name)) if each.secret else None
        if text is not None:
            yield _Given(name=each.name, text=text, base=cwd)


def _asked(declared: Input, prompt: Callable[[str], str] | None, cwd: Path) -> _Given | None:
    """Ask for a secret; nothing else is asked for, since everything else can be seen on the command line."""
    if prompt is None or not declared.secret:
        return None
    about = f" ({declared.description})" if declared.description else ""
    return _Given(name=declared.name, text=prompt(f'Value of the secret input "{declared.name}"{about}'), base=cwd)


def _file(path: Path, cwd: Path) -> Iterator[_Given]:
    root = mappings.read(path, cwd, what="inputs to values", code="KB512", hint="write one NAME: VALUE a line")
    return (
        _Given(name=key.text, value=node.plain(), base=(cwd / path).absolute().parent, span=node.span)
        for key, node in root.entries
    )


def _set_file(text: str, cwd: Path) -> Iterator[_Given]:
    name, path = _pair(text, "--set-file", "NAME=PATH")
    try:
        with (cwd / path).open("rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise errors.UsageError(
            f'the file {path} for the input "{name}" cannot be read: {reason}',
            code="RT103",
            hint="check the path and its permissions",
            context={"input": name},
        ) from error
    try:
        content = data.decode()
    except UnicodeDecodeError:
        content = None  # the error would quote the content
    if content is None or len(data) > _LARGEST_FILE:
        fault = "is not UTF-8 text" if content is None else f"is larger than {_LARGEST_FILE >> 20} MiB"
        raise errors.UsageError(
            f'the file {path} for the input "{name}" {fault}',
            code="KB512",
            hint="pass the path of large or binary data instead",
            context={"input": name},
        )
    yield _Given(name=name, text=_FINAL_BREAK.sub("", content), base=cwd)


def _set(text: str, declared: Mapping[str, Input], cwd: Path) -> Iterator[_Given]:
    name, value = _pair(text, "--set", "NAME=VALUE")
    if name in declared and declared[name].secret:
        raise errors.UsageError(
            f'the input "{name}" is secret and cannot be set on the command line',
            code="KB703",
            hint=_how_to_give(declared[name]),
            context={"input": name},
        )
    yield _Given(name=name, text=value, base=cwd)


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        # What was written may be a secret, so it is not repeated.
        raise errors.UsageError(f"an argument of {option} is not {form}", hint=f"write {option} {form}")
    return name, value


def _typed(declared: Input, given: _Given) -> JsonValue | secret.Secret:
    value = given.value if given.text is None else _parsed(declared, given.text)
    fault = input_values.fault(declared, value)
    if fault is not None:
        # An error with a place shows the line of the file, which here may hold a secret.
        span = None if declared.secret else given.span
        raise errors.UsageError(fault, code="KB512", hint=_what_fits(declared), span=span)
    if declared.type == "path":
        value = str((given.base / str(value)).absolute())
    if not declared.secret:
        return value
    text = value if isinstance(value, str) else json.dumps(value)
    return secret.Secret(f"inputs.{declared.name}", lambda: text)


def _parsed(declared: Input, text: str) -> JsonValue:
    """Read a text by the declared type; what cannot be read stays a text, which the type then refuses."""
    match declared.type:
        case "integer" if _WHOLE.fullmatch(text):
            return int(text)
        case "boolean" if text in _BOOLEANS:
            return text == "true"
        case "number" | "array" | "object":
            try:
                value: JsonValue = json.loads(text)
            except (ValueError, RecursionError):
                return text
            return value
    return text


def _unknown(given: _Given, declared: Mapping[str, Input]) -> errors.RunnerError:
    return errors.UsageError(
        f'there is no input "{given.name}"',
        code="KB511",
        hint=suggest.hint(given.name, declared) if declared else "the action takes no inputs",
        span=given.span,
        context={"input": given.name},
    )


def _missing(declared: Input) -> errors.RunnerError:
    return errors.UsageError(
        f'the input "{declared.name}" is missing',
        code="KB510",
        details=declared.description,
        hint=_how_to_give(declared),
        context={"input": declared.name},
    )


def _how_to_give(declared: Input) -> str:
    if declared.secret:
        return f"pass it with --set-file {declared.name}=PATH or in {_variable(declared.name)}"
    return f"pass it with --set {declared.name}=VALUE"


def _what_fits(declared: Input) -> str:
    if declared.enum:
        return f"choose one of: {', '.join(map(input_values.written, declared.enum))}"
    if declared.pattern is not None:
        return f"write a text that matches {declared.pattern}"
    written = {
        "boolean": "write true or false",
        "array": 'write JSON such as ["a", "b"]',
        "object": "write JSON such as {}",
    }
    return written.get(declared.type, f"give {input_values.words(declared.type)}")


def _variable(name: str) -> str:
    return f"RUNNER_INPUT_{name.upper()}"
