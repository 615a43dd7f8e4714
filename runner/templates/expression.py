"""Parse one expression and refuse everything that is not on the list: what remains is bounded and has no effects."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator, Sequence

import jinja2
import msgspec
from jinja2 import nodes
from jinja2 import parser as jinja_parser

from runner.base import suggest
from runner.templates import functions, problem, references
from runner.templates.references import Path

# Bounds of one expression. They keep the recursion of the parser far from the interpreter's limit.
_LONGEST = 4000
_MOST_TOKENS = 300
_DEEPEST = 12

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = "\\'\"nrtxuU"

_PATH = re.compile(r"\s*[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\s*", re.ASCII)
# First words that are no names to the parser.
_WORDS = frozenset({"true", "True", "false", "False", "none", "None", "not", "and", "or", "in", "is", "if", "else"})

_ALLOWED = (
    nodes.Name,
    nodes.Const,
    nodes.Getattr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.CondExpr,
    nodes.List,
    nodes.Dict,
    nodes.Pair,
    nodes.Keyword,
)
_REFUSED: tuple[tuple[type[nodes.Node] | tuple[type[nodes.Node], ...], str, str], ...] = (
    (nodes.Call, "a call", "use a filter: {{ value | name }}"),
    (nodes.Concat, "the operator ~", "write the texts side by side: {{ a }}{{ b }}"),
    ((nodes.BinExpr, nodes.UnaryExpr), "arithmetic", "compute it in the phase that makes the value"),
    (nodes.Test, "a test (is)", "compare with ==, or use the filter default"),
    (nodes.Slice, "a slice", "use a constant index such as list[0]"),
    (nodes.Tuple, "a tuple", "write a list: [a, b]"),
)


class Expression(msgspec.Struct, frozen=True, kw_only=True):
    """The inside of one `{{ … }}`, parsed; it can be evaluated only if it has no problems.

    Attributes:
        offset: Where it starts in the text of the template, without white space around it.
        length: How long it is there.
    """

    offset: int
    length: int
    node: nodes.Expr | None
    problems: tuple[problem.Problem, ...]
    references: tuple[references.Reference, ...]

    def place(self, path: Path) -> tuple[int, int]:
        """Return offset and length of the first reference with this path."""
        for found in self.references:
            if found.path == path:
                start = found.places[0][0]
                return start, sum(found.places[-1]) - start
        return self.offset, self.length


@functools.lru_cache(maxsize=16384)
def parse(source: str, offset: int = 0) -> Expression:
    """Parse an expression that starts at `offset` of its template; never raises for what a person may write."""
    words = references.tokens(source)
    fault = _refusal(source, words)
    node = None
    start, length = offset + len(source) - len(source.lstrip()), len(source.strip())
    if fault is None:
        try:
            node = _parse(source)
        except jinja2.TemplateSyntaxError as error:
            fault = ("KB401", _syntax_message(source, error), "")
    if fault is not None or node is None:
        code, message, hint = fault or ("KB401", "the template cannot be parsed", "")
        found = problem.Problem(code=code, message=message, hint=hint, offset=start, length=length)
        return Expression(offset=start, length=length, node=None, problems=(found,), references=())
    problems = tuple(
        problem.Problem(code=code, message=message, hint=hint, offset=start, length=length)
        for code, message, hint in _faults(node)
    )
    read = tuple(references.find(node, words, offset))
    usable = None if problems else node
    return Expression(offset=start, length=length, node=usable, problems=problems, references=read)


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(autoescape=False)  # only its grammar is used: nothing is compiled or rendered by it


def _parse(source: str) -> nodes.Expr:
    return _path(source) if _PATH.fullmatch(source) else _anything(source)


def _path(source: str) -> nodes.Expr:
    """Build what the parser makes of a chain of names; most expressions are one, and it takes its time for it."""
    first, *names = source.strip().split(".")
    if first in _WORDS:
        return _anything(source)
    node: nodes.Expr = nodes.Name(first, "load")
    for name in names:
        node = nodes.Getattr(node, name, "load")
    return node


def _anything(source: str) -> nodes.Expr:
    parser = jinja_parser.Parser(_environment(), source, state="variable")
    node = parser.parse_expression()
    if not parser.stream.eos:
        raise jinja2.TemplateSyntaxError(f"unexpected {parser.stream.current.value!r}", 1)
    assert isinstance(node, nodes.Expr)
    return node


def _syntax_message(source: str, error: jinja2.TemplateSyntaxError) -> str:
    shown = source.strip()
    if not shown:
        return "the template is empty"
    reason = (error.message or "").replace("end of template", "end of the template").rstrip(".")
    return f'the template "{shown[:60]}{"…" if len(shown) > 60 else ""}" cannot be parsed: {reason}'


def _refusal(source: str, tokens: Sequence[tuple[str, int]]) -> tuple[str, str, str] | None:
    """Refuse what the parser shall not even see."""
    depth = deepest = 0
    for token, _ in tokens:
        depth += (token in "([{") - (token in ")]}")
        deepest = max(deepest, depth)
    if len(source) > _LONGEST or len(tokens) > _MOST_TOKENS or deepest > _DEEPEST:
        return "KB403", "the template is too long or nested too deeply", "compute the value in a phase"
    # Python lets other escapes pass with a warning, which may become an error one day.
    quoted = (token for token, _ in tokens if token[0] in "'\"")
    odd = [escape for token in quoted for escape in _ESCAPE.findall(token) if escape not in _ESCAPED]
    if odd:
        return "KB401", f"a text of the template has the unknown escape \\{odd[0]}", "write \\\\ for a backslash"
    return None


def _faults(node: nodes.Node) -> Iterator[tuple[str, str, str]]:
    match node:
        case nodes.Filter():
            yield from _filter_faults(node)
        case nodes.Getitem():
            if references.constant_index(node.arg) is None:
                yield "KB403", "an index that is not constant is not allowed in templates", "write the name or number"
        case nodes.Getattr(attr=name) if name.startswith("__"):
            yield (
                "KB403",
                f'the name "{name}" is not allowed in templates',
                "read data, whose names do not start with __",
            )
        case nodes.Neg(node=nodes.Const(value=int() | float())):
            pass
        case nodes.CondExpr(expr2=None):
            yield "KB403", "a condition without else is not allowed in templates", "write {{ a if b else c }}"
        case _ if not isinstance(node, _ALLOWED):
            what, hint = _describe(node)
            yield "KB403", f"{what} is not allowed in templates", hint
    for child in node.iter_child_nodes():
        yield from _faults(child)


def _describe(node: nodes.Node) -> tuple[str, str]:
    for kinds, what, hint in _REFUSED:
        if isinstance(node, kinds):
            return what, hint
    return "this construct", "use names, comparisons and filters"


@functools.cache
def _signature(name: str) -> inspect.Signature:
    return inspect.signature(functions.FUNCTIONS[name])


def _filter_faults(node: nodes.Filter) -> Iterator[tuple[str, str, str]]:
    function = functions.FUNCTIONS.get(node.name)
    if function is None:
        yield "KB402", f'there is no filter "{node.name}"', suggest.hint(node.name, functions.FUNCTIONS)
    elif node.dyn_args is not None or node.dyn_kwargs is not None:
        yield "KB403", "unpacked arguments are not allowed in templates", "write the arguments one by one"
    else:
        signature = _signature(node.name)
        try:
            signature.bind(None, *node.args, **{str(keyword.key): keyword for keyword in node.kwargs})
        except TypeError as error:
            taken = ", ".join(str(parameter.name) for parameter in list(signature.parameters.values())[1:])
            yield "KB405", f'the filter "{node.name}" was used wrongly: {error}', f"it takes ({taken})"
