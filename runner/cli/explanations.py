"""What `runner explain` can explain: functions, error codes, keys of the language, filters."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from runner.base import codes, resources
from runner.base.jsonvalue import JsonObject
from runner.cli import console as consoles
from runner.cli import fields
from runner.document import keys as language
from runner.registry.function import FunctionSpec
from runner.templates import manual

_WIDTH = 96


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be explained.

    Attributes:
        kind: `function`, `error code`, `key` or `filter`.
        name: What to ask for so that nothing else is meant.
        text: Writes it for a person.
    """

    kind: str
    name: str
    summary: str
    data: JsonObject
    text: Callable[[consoles.Console], Iterator[str]]


class Manual:
    """Everything that can be explained, with the functions of a registry."""

    def __init__(self, functions: Mapping[str, FunctionSpec]) -> None:
        self._functions = functions
        self._keys = language.load()
        self._filters = manual.filters()

    @property
    def names(self) -> list[str]:
        """All names that somebody may have meant."""
        keys = [key for listed in self._keys.values() for key in listed]
        paths = [name for key in keys for name in (key.name, key.path)]
        return [*self._functions, *codes.CODES, *dict.fromkeys(paths), *self._keys, *self._filters]

    def find(self, name: str) -> list[Explanation]:
        """Return what a name can mean; upper and lower case are told apart only where that makes a difference."""
        lower = name.lower()
        exact = [each for each in self.names if each == name] or [each for each in self.names if each.lower() == lower]
        wanted = exact[0] if exact else name
        found = [_code(code) for code in codes.CODES if code == wanted]
        found += [_function(spec) for spec in self._functions.values() if spec.name == wanted]
        found += [_key(key, self._keys) for key in language.find(wanted, self._keys)]
        if not found and wanted in self._keys:
            found.append(_object(wanted, self._keys))
        found += [_filter(each) for each in self._filters.values() if wanted in (each.name, f"filter.{each.name}")]
        return found


def _code(name: str) -> Explanation:
    code = codes.CODES[name]
    page = resources.error_pages() / f"{name}.md"
    text = page.read_text(encoding="utf-8") if page.is_file() else f"# {name}: {code.title}\n"
    return Explanation(
        kind="error code",
        name=name,
        summary=code.title,
        data={"code": name, "title": code.title, "exit": int(code.exit), "page": text},
        text=lambda _: iter(text.splitlines()),
    )


def _function(spec: FunctionSpec) -> Explanation:
    data: JsonObject = {
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
    return Explanation(
        kind="function",
        name=spec.name,
        summary=spec.summary,
        data=data,
        text=lambda console: _function_text(console, spec),
    )


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
        yield from _entry(console, field.name, field.facts, field.description, field.example)


def _entry(console: consoles.Console, name: str, facts: str, description: str, example: str | None) -> Iterator[str]:
    yield f"  {console.style(name, fg='green')}  {facts}"
    yield from textwrap.wrap(description, _WIDTH, initial_indent="      ", subsequent_indent="      ")
    if example is not None:
        yield f"      for example: {example}"


def _key(key: language.Key, known: Mapping[str, list[language.Key]]) -> Explanation:
    inside = known.get(key.inside, [])
    data: JsonObject = {
        "key": key.path,
        "of": list(key.parents),
        "type": key.type,
        "required": key.required,
        "description": key.description,
        "examples": list(key.examples),
        "keys": [_key_json(each) for each in inside],
    }
    return Explanation(
        kind="key",
        name=key.path,
        summary=key.description,
        data=data,
        text=lambda console: _key_text(console, key, inside),
    )


def _key_json(key: language.Key) -> JsonObject:
    return {"name": key.name, "type": key.type, "required": key.required, "description": key.description}


def _key_text(console: consoles.Console, key: language.Key, inside: Sequence[language.Key]) -> Iterator[str]:
    from runner.document import yamlwrite

    others = f"  (also of {', '.join(key.parents[1:])})" if len(key.parents) > 1 else ""
    yield console.style(key.path, bold=True) + others
    yield f"  {_facts(key)}"
    yield ""
    yield from textwrap.wrap(key.description, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    for example in key.examples:
        yield ""
        yield from (f"      {line}" for line in yamlwrite.dump({key.name: example}).splitlines())
    if inside:
        title = "Keys" if key.inside == key.name else f"Keys of each {key.inside}"
        yield from _keys(console, title, inside)


def _object(name: str, known: Mapping[str, list[language.Key]]) -> Explanation:
    description = language.describe(name)

    def text(console: consoles.Console) -> Iterator[str]:
        yield console.style(name, bold=True)
        yield ""
        yield from textwrap.wrap(description, _WIDTH, initial_indent="  ", subsequent_indent="  ")
        yield from _keys(console, "Keys", known[name])

    keys = [_key_json(each) for each in known[name]]
    data: JsonObject = {
        "key": name,
        "of": [],
        "type": "object",
        "required": False,
        "description": description,
        "examples": [],
        "keys": keys,
    }
    return Explanation(kind="key", name=name, summary=description, data=data, text=text)


def _keys(console: consoles.Console, title: str, shown: Sequence[language.Key]) -> Iterator[str]:
    yield ""
    yield console.style(title, bold=True)
    for key in shown:
        yield from _entry(console, key.name, _facts(key), key.description, None)


def _facts(key: language.Key) -> str:
    return ", ".join(filter(None, [key.type, "required" if key.required else "", key.limits]))


def _filter(each: manual.Filter) -> Explanation:
    text, result = each.example

    def lines(console: consoles.Console) -> Iterator[str]:
        yield console.style(f"{{{{ {each.usage} }}}}", bold=True)
        yield ""
        yield from textwrap.indent(each.description, "  ").splitlines()
        yield ""
        yield f"      {text}"
        yield f"      → {result}"

    data: JsonObject = {
        "filter": each.name,
        "usage": each.usage,
        "arguments": list(each.arguments),
        "description": each.description,
        "example": {"template": text, "result": result},
    }
    return Explanation(kind="filter", name=f"filter.{each.name}", summary=each.summary, data=data, text=lines)
