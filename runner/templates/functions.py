"""The functions of templates, used as filters (`{{ value | name(argument) }}`): one table, documented by docstrings.

Each gets the value on its left first. Its annotations say what it takes and gives, and expressions are checked against
them before a run; what only the run shows raises `ValueError` or `TypeError` with a sentence for people.
`default` stands in the table for its documentation; it is applied by the evaluation, which alone sees what is missing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import posixpath
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from runner.base import durations, jsonvalue, quantities
from runner.templates import kinds, lists, patterns
from runner.templates.value_types import ShellSafe

# What a filter raises when it cannot work with what it gets: the wrong form, type, size or depth.
FAILURES = (ValueError, TypeError, ArithmeticError, RecursionError)

_DATE_FORMAT = re.compile(r"(?:[^%]|%[aAbBdHIjmMpSwyYzZfFTuVG%])*")


def to_json(value: object) -> str:
    """Write a value as JSON on one line, with sorted keys.

    Example:
        `{{ ["a", 1] | toJson }}` gives `["a",1]`
    """
    return jsonvalue.canonical(value)  # type: ignore[arg-type]


def from_json(value: str) -> object:
    """Read a JSON text.

    Example:
        `{{ "[1, 2]" | fromJson }}` gives `[1,2]`
    """
    try:
        return json.loads(kinds.text(value))
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error


def quote(value: object) -> str:
    r"""Put a text into double quotes, escaped as in JSON.

    Example:
        `{{ 'a "b"' | quote }}` gives `"a \"b\""`
    """
    return json.dumps(kinds.text_of(value), ensure_ascii=False)


def sh(value: object) -> ShellSafe:
    """Quote a text as one word of a shell command; a list becomes several words.

    Example:
        `{{ ["ls", "my file"] | sh }}` gives `ls 'my file'`
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        return shlex.join(kinds.text_of(item) for item in value)
    return shlex.quote(kinds.text_of(value))


def b64enc(value: object) -> ShellSafe:
    """Encode a text as base64.

    Example:
        `{{ "user:word" | b64enc }}` gives `dXNlcjp3b3Jk`
    """
    return base64.b64encode(kinds.text_of(value).encode()).decode()


def b64dec(value: str) -> str:
    """Decode base64 into a text.

    Example:
        `{{ "dXNlcjp3b3Jk" | b64dec }}` gives `user:word`
    """
    try:
        return base64.b64decode(kinds.text(value), validate=True).decode()
    except ValueError as error:
        raise ValueError("not the base64 form of a UTF-8 text") from error


def sha256(value: object) -> ShellSafe:
    """Hash a text with SHA-256, in hexadecimal.

    Example:
        `{{ "a" | sha256 | upper }}` gives `CA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB`
    """
    return hashlib.sha256(kinds.text_of(value).encode()).hexdigest()


def default(value: object, otherwise: object) -> object:
    """Use another value when the one on the left is undefined, or is data of a skipped phase.

    Example:
        `{{ inputs.missing | default("none") }}` gives `none`
    """
    return value


def indent(value: str, width: int = 4) -> str:
    r"""Put spaces before every line but the first.

    Example:
        `{{ "a\nb" | indent(2) | toJson }}` gives `"a\n  b"`
    """
    if not 0 <= kinds.whole(width) <= 100:
        raise ValueError("the width must be from 0 to 100")
    text = kinds.text(value)
    kinds.check_size(len(text) + width * text.count("\n"))
    return text.replace("\n", "\n" + " " * width)


def trim(value: str) -> str:
    """Remove white space at both ends.

    Example:
        `{{ " a " | trim }}` gives `a`
    """
    return kinds.text(value).strip()


def lower(value: str) -> str:
    """Write in lower case.

    Example:
        `{{ "Data" | lower }}` gives `data`
    """
    return kinds.text(value).lower()


def upper(value: str) -> str:
    """Write in upper case.

    Example:
        `{{ "Data" | upper }}` gives `DATA`
    """
    return kinds.text(value).upper()


def replace(value: str, old: str, new: str) -> str:
    """Replace every occurrence of one text by another.

    Example:
        `{{ "a-b-c" | replace("-", "_") }}` gives `a_b_c`
    """
    text, wanted, put = kinds.text(value), kinds.text(old), kinds.text(new)
    if not wanted:
        raise ValueError("the text to replace is empty")
    kinds.check_size(len(text) + text.count(wanted) * (len(put) - len(wanted)))
    return text.replace(wanted, put)


def split(value: str, separator: str) -> list[str]:
    """Cut a text into a list.

    Example:
        `{{ "a,b" | split(",") }}` gives `["a","b"]`
    """
    if not kinds.text(separator):
        raise ValueError("the separator is empty")
    return kinds.text(value).split(kinds.text(separator))


def join(value: Sequence[object], separator: str = "") -> str:
    """Write a list as one text, with a separator between the items.

    Example:
        `{{ ["a", "b"] | join(", ") }}` gives `a, b`
    """
    items = [kinds.text_of(item) for item in kinds.sequence(value)]
    kinds.check_size(sum(map(len, items)) + len(items) * len(kinds.text(separator)))
    return kinds.text(separator).join(items)


def regex_match(value: str, pattern: str) -> bool:
    """Tell whether a regular expression (RE2) matches somewhere in a text; `^` and `$` stand for its ends.

    Example:
        `{{ "data-pg-0" | regexMatch("-[0-9]+$") }}` gives `true`
    """
    return patterns.matches(kinds.text(pattern), kinds.text(value))


def regex_replace(value: str, pattern: str, replacement: str) -> str:
    r"""Replace what a regular expression (RE2) matches; `\\1` stands for what its first group has matched.

    Example:
        `{{ "rbd:pool/image@snap" | regexReplace("^rbd:(.*)@.*$", "\\1") }}` gives `pool/image`
    """
    return patterns.replaced(kinds.text(pattern), kinds.text(value), kinds.text(replacement), kinds.LARGEST_TEXT)


def basename(value: str) -> str:
    """Take the last part of a path.

    Example:
        `{{ "/srv/shop/app.db" | basename }}` gives `app.db`
    """
    return posixpath.basename(kinds.text(value).rstrip("/"))


def dirname(value: str) -> str:
    """Take the directory of a path.

    Example:
        `{{ "/srv/shop/app.db" | dirname }}` gives `/srv/shop`
    """
    return posixpath.dirname(kinds.text(value).rstrip("/") or kinds.text(value))


def in_bytes(value: int | str) -> int:
    """Read a size such as `10Gi`, `64KiB` or `4096` as a number of bytes.

    Example:
        `{{ "64Ki" | bytes }}` gives `65536`
    """
    return value if kinds.is_whole(value) else quantities.parse_bytes(kinds.text(value))  # type: ignore[return-value]


def duration(value: str) -> float:
    """Read a duration such as `1h30m` as seconds.

    Example:
        `{{ "1h30m" | duration }}` gives `5400.0`
    """
    return durations.parse(kinds.text(value)).total_seconds()


def date(value: str | float, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    """Write a moment (RFC 3339 text, or seconds since 1970) in another form, in UTC.

    Example:
        `{{ "2026-03-01T08:30:00+01:00" | date("%Y%m%d-%H%M") }}` gives `20260301-0730`
    """
    if not _DATE_FORMAT.fullmatch(kinds.text(form)):
        raise ValueError(f'"{form}" is not a date format such as %Y-%m-%d')
    return _moment(value).strftime(kinds.text(form))


def _moment(value: object) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, OSError) as error:
            raise ValueError(f"{value} seconds since 1970 is not a date") from error
    moment = datetime.fromisoformat(kinds.text(value))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


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
        "regexMatch": regex_match,
        "regexReplace": regex_replace,
        "basename": basename,
        "dirname": dirname,
        "length": lists.length,
        "keys": lists.keys,
        "values": lists.values,
        "pluck": lists.pluck,
        "sort": lists.sort,
        "unique": lists.unique,
        "bytes": in_bytes,
        "duration": duration,
        "date": date,
    }
)
