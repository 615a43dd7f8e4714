"""The functions of templates, used as filters (`{{ value | name(argument) }}`): one table, documented by docstrings.

Each gets the value on its left first. A wrong use raises `ValueError` or `TypeError` with a sentence for people.
`default` stands in the table for its documentation; it is applied by the evaluation, which alone sees what is missing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from runner.base import durations, jsonvalue, quantities

# What a filter may produce; templates make arguments, not data.
LARGEST_TEXT = 1 << 20

# What a filter raises when it cannot work with what it gets: the wrong form, type, size or depth.
FAILURES = (ValueError, TypeError, ArithmeticError, RecursionError)

_DATE_FORMAT = re.compile(r"(?:[^%]|%[aAbBdHIjmMpSwyYzZfFTuVG%])*")


def text_of(value: object) -> str:
    """Write a value as text: a text as it is, everything else as JSON (`true`, `3`, `["a"]`)."""
    return value if isinstance(value, str) else jsonvalue.canonical(value)  # type: ignore[arg-type]


def to_json(value: object) -> str:
    """Write a value as JSON on one line, with sorted keys.

    Example:
        `{{ ["a", 1] | toJson }}` gives `["a",1]`
    """
    return jsonvalue.canonical(value)  # type: ignore[arg-type]


def from_json(value: object) -> object:
    """Read a JSON text.

    Example:
        `{{ "[1, 2]" | fromJson }}` gives `[1,2]`
    """
    try:
        return json.loads(_text(value))
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error


def quote(value: object) -> str:
    r"""Put a text into double quotes, escaped as in JSON.

    Example:
        `{{ 'a "b"' | quote }}` gives `"a \"b\""`
    """
    return json.dumps(text_of(value), ensure_ascii=False)


def sh(value: object) -> str:
    """Quote a text as one word of a shell command; a list becomes several words.

    Example:
        `{{ ["ls", "my file"] | sh }}` gives `ls 'my file'`
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        return shlex.join(text_of(item) for item in value)
    return shlex.quote(text_of(value))


def b64enc(value: object) -> str:
    """Encode a text as base64.

    Example:
        `{{ "user:word" | b64enc }}` gives `dXNlcjp3b3Jk`
    """
    return base64.b64encode(text_of(value).encode()).decode()


def b64dec(value: object) -> str:
    """Decode base64 into a text.

    Example:
        `{{ "dXNlcjp3b3Jk" | b64dec }}` gives `user:word`
    """
    try:
        return base64.b64decode(_text(value), validate=True).decode()
    except ValueError as error:
        raise ValueError("not the base64 form of a UTF-8 text") from error


def sha256(value: object) -> str:
    """Hash a text with SHA-256, in hexadecimal.

    Example:
        `{{ "a" | sha256 | upper }}` gives `CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB`
    """
    return hashlib.sha256(text_of(value).encode()).hexdigest()


def default(value: object, otherwise: object) -> object:
    """Use another value when the one on the left is undefined, or is data of a skipped phase.

    Example:
        `{{ inputs.missing | default("none") }}` gives `none`
    """
    return value


def indent(value: object, width: int = 4) -> str:
    r"""Put spaces before every line but the first.

    Example:
        `{{ "a\nb" | indent(2) | toJson }}` gives `"a\n  b"`
    """
    if not 0 <= _whole(width) <= 100:
        raise ValueError("the width must be from 0 to 100")
    text = _text(value)
    _check_size(len(text) + width * text.count("\n"))
    return text.replace("\n", "\n" + " " * width)


def trim(value: object) -> str:
    """Remove white space at both ends.

    Example:
        `{{ " a " | trim }}` gives `a`
    """
    return _text(value).strip()


def lower(value: object) -> str:
    """Write in lower case.

    Example:
        `{{ "Data" | lower }}` gives `data`
    """
    return _text(value).lower()


def upper(value: object) -> str:
    """Write in upper case.

    Example:
        `{{ "Data" | upper }}` gives `DATA`
    """
    return _text(value).upper()


def replace(value: object, old: object, new: object) -> str:
    """Replace every occurrence of one text by another.

    Example:
        `{{ "a-b-c" | replace("-", "_") }}` gives `a_b_c`
    """
    text, wanted, put = _text(value), _text(old), _text(new)
    if not wanted:
        raise ValueError("the text to replace is empty")
    _check_size(len(text) + text.count(wanted) * (len(put) - len(wanted)))
    return text.replace(wanted, put)


def split(value: object, separator: object) -> list[str]:
    """Cut a text into a list.

    Example:
        `{{ "a,b" | split(",") }}` gives `["a","b"]`
    """
    if not _text(separator):
        raise ValueError("the separator is empty")
    return _text(value).split(_text(separator))


def join(value: object, separator: object = "") -> str:
    """Write a list as one text, with a separator between the items.

    Example:
        `{{ ["a", "b"] | join(", ") }}` gives `a, b`
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"expected a list, got {describe(value)}")
    items = [text_of(item) for item in value]
    _check_size(sum(map(len, items)) + len(items) * len(_text(separator)))
    return _text(separator).join(items)


def in_bytes(value: object) -> int:
    """Read a size such as `10Gi`, `64KiB` or `4096` as a number of bytes.

    Example:
        `{{ "64Ki" | bytes }}` gives `65536`
    """
    return value if _is_whole(value) else quantities.parse_bytes(_text(value))  # type: ignore[return-value]


def duration(value: object) -> float:
    """Read a duration such as `1h30m` as seconds.

    Example:
        `{{ "1h30m" | duration }}` gives `5400.0`
    """
    return durations.parse(_text(value)).total_seconds()


def date(value: object, form: object = "%Y-%m-%dT%H:%M:%SZ") -> str:
    """Write a moment (RFC 3339 text, or seconds since 1970) in another form, in UTC.

    Example:
        `{{ "2026-03-01T08:30:00+01:00" | date("%Y%m%d-%H%M") }}` gives `20260301-0730`
    """
    if not _DATE_FORMAT.fullmatch(_text(form)):
        raise ValueError(f'"{form}" is not a date format such as %Y-%m-%d')
    return _moment(value).strftime(_text(form))


def _moment(value: object) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, OSError) as error:
            raise ValueError(f"{value} seconds since 1970 is not a date") from error
    moment = datetime.fromisoformat(_text(value))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def describe(value: object) -> str:
    """Say what a value is, for messages: `a text`, `a list`."""
    for kinds, words in _KINDS:
        if isinstance(value, kinds):
            return words
    return "nothing" if value is None else f"a {type(value).__name__}"


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (str, "a text"),
    (bool, "a boolean"),
    ((int, float), "a number"),
    (Mapping, "a mapping"),
    (Sequence, "a list"),
)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, got {describe(value)}")
    return value


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected a whole number, got {describe(value)}")
    return value


def _check_size(size: int) -> None:
    if size > LARGEST_TEXT:
        raise ValueError(f"the result would be larger than {quantities.bytes_for_people(LARGEST_TEXT)}")


FUNCTIONS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {
        "toJson": to_json,
        "fromJson": from_json,
        "quote": quote,
        "sh": sh,
        "b64enc": b64enc,
        "b64dec": b64dec,
        "sha256": sha256,
        "default": default,
        "indent": indent,
        "trim": trim,
        "lower": lower,
        "upper": upper,
        "replace": replace,
        "split": split,
        "join": join,
        "bytes": in_bytes,
        "duration": duration,
        "date": date,
    }
)
