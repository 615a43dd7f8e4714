"""What the YAML parser complains about, in words that say what to do."""

from __future__ import annotations

import re

import yaml
from msgspec import structs

from runner.base import span as spans
from runner.base.diagnostic import Diagnostic, Related
from runner.document import source

SPLIT = "split the document, or move data out of it into files"
_QUOTE_TEMPLATE = 'put the text in quotes: "{{ … }}"'

# (part of the parser's wording, which differs between its C and its Python form; our message; our hint)
_WORDING = (
    ("tab character", "a tab is used for indentation", "indent with spaces"),
    ("mapping values are not allowed", "a second key starts inside a value", "quote a text that holds a colon and a "
     "space, or put the key on a line of its own with the indentation of its neighbours"),
    ("sequence entries are not allowed", "a list item starts where none can be", 'put the "-" on a line of its own'),
    ("'-' indicator", "a list and a mapping are mixed at the same indentation", "indent the keys below their list "
     "item, or the items below their key"),
    ("',' or ']'", "the list in [ ] is not closed, or a comma is missing", 'add the missing "]" or ","'),
    ("',' or '}'", "the mapping in { } is not closed, or a comma is missing", 'add the missing "}" or ","'),
    ("unexpected end of stream", "a quoted text is not closed", "add the missing quote"),
    ("unexpected document", "a quoted text is not closed before the next document", "add the missing quote"),
    ("unknown escape character", "a backslash is followed by a character that it cannot stand before",
     "use single quotes, or write the backslash twice"),
    ("could not find expected ':'", "a key is not followed by a colon", 'write "key: value"'),
    ("escape code", "an escape does not name a character", "write the character itself"),
    ("hexdecimal", "an escape lacks digits", "write the backslash twice, or use single quotes"),
    ("unexpected ':'", "a colon stands inside a text in [ ] or { }", "quote the text"),
    ("whitespace or line break", "a text starts with !, which has a meaning of its own", "quote the text"),
    ("tag URI", "a text starts with !, which has a meaning of its own", "quote the text"),
    ("undefined tag handle", "the tag is unknown", "remove the tag, or quote a text that starts with !"),
    ("alphabetic or numeric", "a text starts with & or *, which have a meaning of their own", "quote the text"),
    ("cannot start any token", "a text starts with a character that needs quotes", "quote the text"),
    ("node content", "a value is missing or starts with a closing bracket", "add the value, or quote the text"),
    ("comment or line break", "text follows | or > on the same line", "start the text on the next line"),
    ("chomping or indentation", "text follows | or > on the same line", "start the text on the next line"),
    ("document start", "text follows the end of the document", "indent it like the keys above, or remove it"),
    ("YAML document", "the %YAML directive asks for an unknown version", "remove the directive"),
    ("directive", "a line starts with %", "quote the text, or remove the line"),
    ("expected key", "the indentation or the quoting is off here", "indent like the keys above, and quote a text that "
     "has quotes or brackets inside"),
    ("block end", "the indentation or the quoting is off here", "indent like the keys above, and quote a text that "
     "has quotes or brackets inside"),
)  # fmt: skip
_BARE_TEMPLATE = re.compile(r"(?:^|[:\-\[,]\s+|\[)\{\{")


def finding(error: yaml.MarkedYAMLError, text: source.SourceFile) -> Diagnostic:
    """Turn the exception of the parser into a finding."""
    problem = error.problem or "the text is not YAML"
    # Of a text that is never closed, the opening quote is the place to look at, not the end of the file.
    is_unclosed = "end of stream" in problem or "unexpected document" in problem
    marks = (error.context_mark, error.problem_mark) if is_unclosed else (error.problem_mark, error.context_mark)
    span = _place(marks[0] or marks[1], text)
    if "nesting depth" in problem:
        return Diagnostic(code="KB104", message="the document is nested too deeply", span=span, hint=SPLIT)
    line = text.line(span.line)
    message, hint = _words(problem, line[span.column - 1 : span.column])
    if _BARE_TEMPLATE.search(line):
        hint = _QUOTE_TEMPLATE
    return Diagnostic(code="KB101", message=message, span=span, hint=hint, related=_started(error, span, text))


def bare_template(span: spans.Span) -> Diagnostic:
    """Make the finding about a template without quotes, which YAML takes for a mapping in a mapping."""
    return Diagnostic(
        code="KB105", message="a template without quotes is a mapping to YAML", span=span, hint=_QUOTE_TEMPLATE
    )


def _words(problem: str, character: str) -> tuple[str, str]:
    if "cannot start any token" in problem and character == "\t":
        problem = "tab character"
    for part, message, hint in _WORDING:
        if part in problem:
            return message, hint
    return "the text cannot be read from here on", "quote texts that have a special character in them"


def _place(mark: yaml.Mark | None, text: source.SourceFile) -> spans.Span:
    if mark is None:
        return text.span(0, 0)
    line, column = mark.line + 1, mark.column + 1
    if line > len(text.lines) or (not text.line(line) and line == len(text.lines) and line > 1):
        # Past the end there is nothing to point at: point behind the last line that holds something.
        line = max((n for n, content in enumerate(text.lines, 1) if content.strip()), default=1)
        column = len(text.line(line)) + 1
    return spans.Span(file=text.path, line=line, column=column, end_line=line, end_column=column + 1)


def _started(error: yaml.MarkedYAMLError, span: spans.Span, text: source.SourceFile) -> tuple[Related, ...]:
    if error.context_mark is None:
        return ()
    start = _place(error.context_mark, text)
    if (start.line, start.column) == (span.line, span.column):
        return ()
    what = re.sub(r"^while (?:parsing|scanning) (?:an? )?", "", error.context or "part")
    what = {"block mapping": "mapping", "flow mapping": "mapping", "block collection": "list"}.get(what, what)
    what = {"flow sequence": "list", "quoted scalar": "text", "double-quoted scalar": "text"}.get(what, what)
    return (Related(span=structs.replace(start, end_column=start.column + 1), message=f"the {what} starts here"),)
