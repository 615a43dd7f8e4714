"""What is written about the filters: read from the docstrings of their table, for the page and for `runner explain`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import msgspec

from runner.templates import functions

_EXAMPLE = re.compile(r"\n\nExample:\n\s+`(?P<text>.+)` gives `(?P<result>.*)`\s*$")


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """One filter.

    Attributes:
        arguments: What it takes besides the value on its left, each as it is called: `separator`, `width=4`.
        example: A template, and what it gives.
    """

    name: str
    arguments: tuple[str, ...]
    description: str
    example: tuple[str, str]

    @property
    def usage(self) -> str:
        """How it is written: `value | join(separator="")`."""
        return f"value | {self.name}" + (f"({', '.join(self.arguments)})" if self.arguments else "")

    @property
    def summary(self) -> str:
        """The first sentence."""
        return self.description.split("\n", 1)[0]


def filters() -> dict[str, Filter]:
    """Return all filters by name, in alphabetical order."""
    return {name: _filter(name, functions.FUNCTIONS[name]) for name in sorted(functions.FUNCTIONS, key=str.lower)}


def _filter(name: str, function: Callable[..., object]) -> Filter:
    written = inspect.getdoc(function) or ""
    example = _EXAMPLE.search(written)
    if example is None:
        raise ValueError(f"the filter {name} has no example")
    taken = list(inspect.signature(function).parameters.values())[1:]
    return Filter(
        name=name,
        arguments=tuple(_argument(parameter) for parameter in taken),
        description=written[: example.start()],
        example=(example["text"], example["result"]),
    )


def _argument(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return parameter.name
    shown = f'"{parameter.default}"' if isinstance(parameter.default, str) else str(parameter.default)
    return f"{parameter.name}={shown}"
