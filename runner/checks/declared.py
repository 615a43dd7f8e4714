"""The types of what templates read, as the document and the functions declare them, and where they do."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Sequence

import msgspec

from runner.base.diagnostic import Related
from runner.base.jsonvalue import JsonValue
from runner.checks import scope as scopes
from runner.model import blueprint as blueprints
from runner.registry import function
from runner.templates import inference, references, template, value_types
from runner.templates.value_types import Type


def reader(scope: scopes.Scope, action: scopes.ActionScope, site: scopes.Site) -> Reader:
    """Return the reader of a site; there is one for all rules."""
    made = scope.readers.get(id(site))
    if not isinstance(made, Reader):
        made = scope.readers[id(site)] = Reader(scope=scope, action=action, site=site)
    return made


_MAPPINGS = frozenset({"object", "profile", "run", "statefulSet", "deployment", "pvc", "namespace"})


class Reader(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What one site reads, and of which type it is."""

    scope: scopes.Scope
    action: scopes.ActionScope
    site: scopes.Site
    _typed: dict[int, tuple[template.Template, Type, tuple[inference.Fault, ...]]] = msgspec.field(default_factory=dict)

    def type_of(self, path: references.Path) -> Type:
        """Return the type of what a path reads; what is not declared may be anything."""
        match path:
            case ("inputs", str() as name) if name in self.action.action.inputs:
                return _input(self.action.action.inputs[name])
            case ("phases", str() as name, *rest) if name in self.action.phases:
                return self._phase(self.action.phases[name], rest)
            case ("time",) | ("run", "id" | "startedAt") | ("key",):
                return value_types.WORD
            case ("index",):
                return value_types.declared("integer")
            case ("item",):
                return self._item
            case ("inputs" | "phases" | "artifactsIn",) | ("artifactsIn", _):
                return value_types.MAPPING
            case (str() as root,) if root in _MAPPINGS:
                return value_types.MAPPING
        return value_types.ANY

    def typed(self, parsed: template.Template) -> tuple[Type, tuple[inference.Fault, ...]]:
        """Return the type of a template or expression of the site, and what does not fit together in it."""
        # Several rules ask. The template is kept, so that no other one can be where it was.
        found = self._typed.get(id(parsed))
        if found is None:
            found = self._typed[id(parsed)] = (parsed, *inference.of(parsed, self.type_of))
        return found[1:]

    def declarations(self, paths: Sequence[references.Path]) -> tuple[Related, ...]:
        """Return where inputs and outputs are declared that are read."""
        found = (self._declaration(path) for path in paths)
        return tuple(dict.fromkeys(each for each in found if each is not None))

    def _phase(self, phase: blueprints.Phase, rest: Sequence[str | int]) -> Type:
        wanted = "outputs" if phase.foreach is None or self.site.is_of(phase.name) else "each"
        if rest and rest[0] != wanted:
            return value_types.ANY  # a finding of another rule
        match rest:
            case [] | ["outputs"] | ["each"] | ["each", _] | ["each", _, "outputs"]:
                return value_types.MAPPING
            case ["each", _, "status"]:
                return value_types.WORD
            case ["outputs", str() as name] | ["each", _, "outputs", str() as name]:
                return self._output(phase, name)
        return value_types.ANY

    def _output(self, phase: blueprints.Phase, name: str) -> Type:
        if name in phase.outputs:
            return value_types.declared(phase.outputs[name].type)
        spec = self.scope.registry.find(phase.function)
        return value_types.ANY if spec is None else function.output_type(spec, name)

    @functools.cached_property
    def _item(self) -> Type:
        foreach = self.site.phase.foreach if self.site.phase is not None else None
        if foreach is None or isinstance(foreach.items, str):
            return value_types.ANY
        return value_types.union(_item_type(item) for item in foreach.items)

    def _declaration(self, path: references.Path) -> Related | None:
        match path:
            case ("inputs", str() as name, *_) if name in self.action.action.inputs:
                pointer, type_name = self.action.action.inputs[name].pointer, self.action.action.inputs[name].type
            case ("phases", str() as phase, "outputs", str() as name, *_) if phase in self.action.phases:
                declared = self.action.phases[phase].outputs.get(name)
                if declared is None:
                    return None
                pointer, type_name = declared.pointer, declared.type
            case _:
                return None
        span = self.scope.blueprint.span(pointer, key=True)
        return Related(span=span, message=f'"{name}" is declared here as {type_name}')


def _input(declared: blueprints.Input) -> Type:
    is_word = declared.enum and all(isinstance(each, str) and shlex.quote(each) == each for each in declared.enum)
    return value_types.WORD if is_word else value_types.declared(declared.type)


def _item_type(item: JsonValue) -> Type:
    if isinstance(item, str):
        return value_types.ANY if template.is_template(item) else value_types.TEXT
    return value_types.of_value(item)
