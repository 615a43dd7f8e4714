"""Regular expressions of templates: RE2, whose time grows with the text and not with what the pattern could mean.

It has neither lookaround nor backreferences, which is what makes others hang.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from runner.base import quantities

# Small enough that even a pattern which matches everywhere is done with in a blink.
LARGEST_TEXT = 16 << 10
_LONGEST_PATTERN = 1000
_ESCAPE = re.compile(r"\\(.?)", re.DOTALL)


def matches(pattern: str, text: str) -> bool:
    """Tell whether a pattern matches anywhere in a text.

    Raises:
        ValueError: If the pattern is none, or one of the two is too large.
    """
    return _compiled(pattern).search(_bounded(text)) is not None


def replaced(pattern: str, text: str, replacement: str, most: int) -> str:
    r"""Replace every match; `\1` in the replacement is what the first group has matched.

    Raises:
        ValueError: As `matches`; also if the replacement is off, or the result would be larger than `most`.
    """
    size = 0
    parts: list[str] = []
    for part in _parts(_compiled(pattern), _bounded(text), replacement):
        size += len(part)
        if size > most:
            raise ValueError(f"the result would be larger than {quantities.bytes_for_people(most)}")
        parts.append(part)
    return "".join(parts)


def _parts(compiled: Any, text: str, replacement: str) -> Iterator[str]:
    end = 0
    for match in compiled.finditer(text):
        yield text[end : match.start()]
        yield _expanded(match, replacement)
        end = match.end()
    yield text[end:]


def _expanded(match: Any, replacement: str) -> str:
    def put(escape: re.Match[str]) -> str:
        if escape[1] == "\\":
            return "\\"
        if not (escape[1].isascii() and escape[1].isdigit()):
            raise ValueError(f'in the replacement, "{escape[0]}" is neither a group such as \\1 nor \\\\')
        if int(escape[1]) > match.re.groups:
            raise ValueError(f"the pattern has no group {escape[1]}")
        return match[int(escape[1])] or ""

    return _ESCAPE.sub(put, replacement)


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    import re2

    if len(pattern) > _LONGEST_PATTERN:
        raise ValueError(f"the pattern is longer than {_LONGEST_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args else "unknown"
        raise ValueError(f'"{pattern}" is not a regular expression of RE2: {reason}') from error


def _bounded(text: str) -> str:
    if len(text) > LARGEST_TEXT:
        raise ValueError(f"the text is longer than {quantities.bytes_for_people(LARGEST_TEXT)}")
    return text
