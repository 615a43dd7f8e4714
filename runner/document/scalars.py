"""What a plain scalar means: YAML 1.2 core at level 1, the YAML 1.1 of Go's parser in Kanister documents."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TypeAlias

from runner.document.nodes import Scalar

Dialect: TypeAlias = Callable[[str], Scalar]

# So many digits are no number that anybody means; Python refuses to read far more of them.
_MAX_DIGITS = 300

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_CORE_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_OLD_BOOL = _CORE_BOOL | {
    word: truth
    for truth, words in ((True, ("y", "yes", "on")), (False, ("n", "no", "off")))
    for lower in words
    for word in (lower, lower.capitalize(), lower.upper())
}
# How everything begins that is no text, for most scalars are one.
_NO_TEXT = frozenset("~nNtTfF+-.0123456789")
_CORE_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_OLD_INT = re.compile(r"[-+]?(?:0b[01]+|0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

_TAG = "tag:yaml.org,2002:"
_TYPES: dict[str, tuple[type, ...]] = {
    _TAG + "int": (int,),
    _TAG + "float": (int, float),
    _TAG + "bool": (bool,),
    _TAG + "null": (type(None),),
}


def core(text: str) -> Scalar:
    """Type a plain scalar by the core schema of YAML 1.2; `.inf` and `.nan`, which JSON lacks, are texts."""
    if text and text[0] not in _NO_TEXT:
        return text
    if text in _NULL:
        return None
    if text in _CORE_BOOL:
        return _CORE_BOOL[text]
    if len(text) <= _MAX_DIGITS and _CORE_INT.fullmatch(text):
        return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
    return _float(text)


def old(text: str) -> Scalar:
    """Type a plain scalar as Kanister sees it: `yes` is true, `010` is 8, `1_000` is 1000, `3.0` is 3."""
    if text in _NULL:
        return None
    if text in _OLD_BOOL:
        return _OLD_BOOL[text]
    digits = text.replace("_", "") if text[0] in "+-.0123456789" else text
    if len(digits) <= _MAX_DIGITS and _OLD_INT.fullmatch(digits):
        return _old_int(digits)
    number = _float(digits)
    if isinstance(number, float):
        return int(number) if number.is_integer() else number
    return text


def tagged(tag: str, text: str, dialect: Dialect) -> Scalar:
    """Type a scalar with an explicit tag.

    Raises:
        ValueError: If the tag is unknown or the text is not of its type.
    """
    if tag in ("!", _TAG + "str"):
        return text
    if tag not in _TYPES:
        raise ValueError(f'the tag "{_short(tag)}" is not allowed here')
    value = dialect(text)
    wanted = _TYPES[tag]
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise ValueError(f'the text is not what the tag "{_short(tag)}" says')
    return value


def _short(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag


def _old_int(digits: str) -> int:
    sign = -1 if digits[0] == "-" else 1
    digits = digits.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        digits = "0o" + digits[1:]
    return sign * int(digits, 0)


def _float(text: str) -> Scalar:
    if not _FLOAT.fullmatch(text):
        return text
    number = float(text)
    return number if math.isfinite(number) else text
