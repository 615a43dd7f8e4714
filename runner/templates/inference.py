"""The types of expressions and templates, and where their parts do not fit together, found without rendering them."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Iterator
from typing import TypeAlias

import msgspec
from jinja2 import nodes

from runner.templates import expression, functions, problem, references, template, value_types
from runner.templates.value_types import Type

# Returns the type of what a path reads, such as `inputs.volumes`.
TypeOf: TypeAlias = Callable[[references.Path], Type]

_EQUALITY = frozenset({"eq", "ne"})
_UNORDERED = value_types.families(value_types.MAPPING | {value_types.Kind.NOTHING})


class Fault(problem.Problem, frozen=True, kw_only=True):
    """Parts of an expression that do not fit together (KB404, KB405, KB411); `paths` says what is read in them."""

    paths: tuple[references.Path, ...]


def of(parsed: template.Template, type_of: TypeOf) -> tuple[Type, tuple[Fault, ...]]:
    """Return the type of what a template yields, and what is at fault in it."""
    walks = [_Walk(part, type_of) for part in parsed.parts if not isinstance(part, str)]
    found = [walk.whole() for walk in walks]
    faults = tuple(fault for walk in walks for fault in walk.faults)
    return (found[0] if parsed.is_typed else value_types.TEXT), faults


def of_expression(part: expression.Expression, type_of: TypeOf) -> Type:
    """Return the type of one expression of a template."""
    return _Walk(part, type_of).whole()


class _Signature(msgspec.Struct, frozen=True):
    """What a filter takes and returns; `value` is the name of its first parameter."""

    value: str
    parameters: tuple[str, ...]
    types: typing.Mapping[str, Type]
    result: Type


@functools.cache
def _signature(name: str) -> _Signature:
    function = functions.FUNCTIONS[name]
    hints = typing.get_type_hints(function, include_extras=True)
    value, *parameters = inspect.signature(function).parameters
    types = {parameter: value_types.of_annotation(hints[parameter]) for parameter in (value, *parameters)}
    return _Signature(value, tuple(parameters), types, value_types.of_annotation(hints["return"]))


class _Walk:
    """Infers the type of one expression, bottom up."""

    def __init__(self, part: expression.Expression, type_of: TypeOf) -> None:
        self.faults: list[Fault] = []
        self._part = part
        self._type_of = type_of

    def whole(self) -> Type:
        """Return the type of the expression; of one with problems, nothing is known."""
        return value_types.ANY if self._part.node is None else self._type(self._part.node)

    def _type(self, node: nodes.Node) -> Type:
        path = references.path_of(node)
        if path is not None:
            return self._read(path)
        match node:
            case nodes.Const():
                return value_types.of_value(node.value)
            case nodes.Getattr() | nodes.Getitem():
                self._has_parts(node.node, self._type(node.node))
                return value_types.ANY
            case nodes.Filter():
                return self._filter(node)
            case nodes.Compare():
                return self._compare(node)
            case nodes.Neg():
                return value_types.NUMBER
        return self._composed(node)

    def _composed(self, node: nodes.Node) -> Type:
        found = [self._type(child) for child in _operands(node)]
        match node:
            case nodes.And() | nodes.Or():
                return value_types.union(found)
            case nodes.CondExpr():
                return value_types.union(found[1:])
            case nodes.Not():
                return value_types.BOOLEAN
            case nodes.List():
                return value_types.LIST
            case nodes.Dict():
                return value_types.MAPPING
        return value_types.ANY

    def _read(self, path: references.Path) -> Type:
        for length in range(1, len(path)):
            held, key = self._type_of(path[:length]), path[length]
            taken = value_types.MAPPING if isinstance(key, str) else value_types.CONTAINERS
            if not held & taken:
                what = f"{references.spell(path[:length])} is {value_types.words(held)}"
                name = f"nothing called {key}" if isinstance(key, str) else f"no item {key}"
                self._report("KB404", f"{what} and has {name}", "read it as a whole, or cut it with a filter", path)
                return value_types.ANY
        return self._type_of(path)

    def _has_parts(self, node: nodes.Node, held: Type) -> None:
        if not held & value_types.CONTAINERS:
            self._report("KB404", f"{value_types.words(held)} has no parts to read", "read the value as a whole", node)

    def _filter(self, node: nodes.Filter) -> Type:
        assert node.node is not None
        signature = _signature(node.name)
        value = self._type(node.node)
        named = [(str(keyword.key), keyword.value) for keyword in node.kwargs]
        arguments = [*zip(signature.parameters, node.args, strict=False), *named]
        types = {name: self._type(argument) for name, argument in arguments}
        if node.name == "default":
            return value_types.union([value, *types.values()])
        self._takes(f'the filter "{node.name}" takes', signature.types[signature.value], value, node.node)
        for name, argument in arguments:
            wanted = f'"{name}" of the filter "{node.name}" must be'
            self._takes(wanted, signature.types.get(name, value_types.ANY), types[name], argument)
        return signature.result

    def _takes(self, subject: str, wanted: Type, given: Type, node: nodes.Node) -> None:
        if not value_types.families(wanted) & value_types.families(given):
            message = f"{subject} {value_types.words(wanted)}, {_spelled(node, 'this')} is {value_types.words(given)}"
            self._report("KB405", message, f"give it {value_types.words(wanted)}", node)

    def _compare(self, node: nodes.Compare) -> Type:
        left, left_type = node.expr, self._type(node.expr)
        for operand in node.ops:
            right, right_type = operand.expr, self._type(operand.expr)
            if not _fits(operand.op, left_type, right_type):
                self._clash(operand.op, (left, left_type), (right, right_type))
            left, left_type = right, right_type
        return value_types.BOOLEAN

    def _clash(self, operator: str, left: tuple[nodes.Node, Type], right: tuple[nodes.Node, Type]) -> None:
        what = "be in" if operator in ("in", "notin") else "be compared with"
        message = f"{_operand(*left)} cannot {what} {_operand(*right)}"
        is_missing = value_types.Kind.NOTHING in left[1] | right[1]
        hint = "what may be missing has the filter default" if is_missing else "compare values of one type"
        self._report("KB411", message, hint, left[0], right[0])

    def _report(self, code: str, message: str, hint: str, *about: nodes.Node | references.Path) -> None:
        paths = [each if isinstance(each, tuple) else references.path_of(each) for each in about]
        read = tuple(path for path in paths if path is not None)
        offset, length = self._part.place(read[0]) if read else (self._part.offset, self._part.length)
        self.faults.append(Fault(code=code, message=message, hint=hint, offset=offset, length=length, paths=read))


def _operands(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield what a node is made of; of a conditional expression, the condition first."""
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Pair):
            yield from (child.key, child.value)
        else:
            yield child


def _fits(operator: str, left: Type, right: Type) -> bool:
    """Tell whether a comparison may be true for one pair of values and false for another."""
    if operator in ("in", "notin"):
        only_text = not right & value_types.CONTAINERS
        held = value_types.families(right) & value_types.families(value_types.CONTAINERS | value_types.TEXT)
        return bool(held) and not (only_text and not value_types.families(left) & held)
    shared = value_types.families(left) & value_types.families(right)
    return bool(shared if operator in _EQUALITY else shared - _UNORDERED)


def _operand(node: nodes.Node, type_: Type) -> str:
    path = references.path_of(node)
    return value_types.words(type_) if path is None else f"{references.spell(path)} ({value_types.words(type_)})"


def _spelled(node: nodes.Node, otherwise: str) -> str:
    path = references.path_of(node)
    return otherwise if path is None else references.spell(path)
