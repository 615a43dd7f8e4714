"""Split the text of a template into plain text and the expressions between `{{` and `}}`."""

from __future__ import annotations

import re

import msgspec

from runner.templates import problem

# `${#name}` is shell, not the start of a comment.
_OPENING = re.compile(r"\{\{|\{%|(?<!\$)\{#")
_IN_EXPRESSION = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\}\}|[{}\[\]()]""", re.DOTALL)
_CLOSES = {"}": "{", "]": "[", ")": "("}


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """Plain text, or the inside of one `{{ … }}`; `offset` is where it starts in the whole text."""

    text: str
    offset: int
    is_expression: bool


def marks_template(text: str) -> bool:
    """Tell whether a text is more than plain text (also when it is a broken template)."""
    return "{" in text and _OPENING.search(text) is not None


def split(text: str) -> tuple[list[Piece], list[problem.Problem]]:
    """Split a text; comments are dropped, statements and unclosed expressions are reported."""
    scanner = _Scanner(text)
    scanner.run()
    return scanner.pieces, scanner.problems


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.pieces: list[Piece] = []
        self.problems: list[problem.Problem] = []
        self._plain_from = 0
        self._trim_next = False

    def run(self) -> None:
        position = 0
        while opening := _OPENING.search(self.text, position):
            position = self._take(opening[0], opening.start())
        self._plain(len(self.text), trim=False)

    def _take(self, kind: str, start: int) -> int:
        """Take what opens at `start`; return where to look on."""
        if kind == "{{":
            return self._expression(start)
        end = self.text.find(kind[1] + "}", start + 2)
        if end < 0:
            return start + 2
        if kind == "{%":
            self._report("KB403", "statements ({% … %}) are not allowed in templates", start, end + 2 - start)
        self._plain(start, trim=self.text.startswith("-", start + 2))
        return self._resume(end, end + 2)

    def _expression(self, start: int) -> int:
        end = _closing(self.text, start + 2)
        if end is None:
            self._report("KB401", 'the template is not closed: "}}" is missing', start, 2)
            return len(self.text)
        inside_from = start + 2 + self.text.startswith("-", start + 2)
        inside_to = max(inside_from, end - self.text.endswith("-", 0, end))
        self._plain(start, trim=inside_from > start + 2)
        inside = self.text[inside_from:inside_to]
        self.pieces.append(Piece(text=inside, offset=inside_from, is_expression=True))
        return self._resume(end, end + 2)

    def _resume(self, end: int, after: int) -> int:
        self._plain_from = after
        self._trim_next = self.text.endswith("-", 0, end)
        return after

    def _plain(self, until: int, *, trim: bool) -> None:
        plain = self.text[self._plain_from : until]
        if self._trim_next:
            plain = plain.lstrip()
        if trim:
            plain = plain.rstrip()
        self._trim_next = False
        if plain:
            self.pieces.append(Piece(text=plain, offset=self._plain_from, is_expression=False))

    def _report(self, code: str, message: str, offset: int, length: int) -> None:
        hint = (
            'write {{ "{{" }} for two literal braces' if code == "KB401" else "use an expression: {{ a if b else c }}"
        )
        self.problems.append(problem.Problem(code=code, message=message, hint=hint, offset=offset, length=length))


def _closing(text: str, position: int) -> int | None:
    """Find the `}}` that ends an expression: outside of quotes and brackets."""
    open_brackets: list[str] = []
    while token := _IN_EXPRESSION.search(text, position):
        position = token.end()
        if token[0] == "}}":
            if not open_brackets:
                return token.start()
            position -= 1
            open_brackets.pop()
        elif token[0] in _CLOSES:
            if open_brackets and open_brackets[-1] == _CLOSES[token[0]]:
                open_brackets.pop()
        elif token[0] in "{[(":
            open_brackets.append(token[0])
    return None
