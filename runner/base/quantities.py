"""Byte sizes as people read and write them."""

from __future__ import annotations

import re

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_FACTORS: dict[str, int] = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18} | {
    unit: 1024**power for power, unit in enumerate(("B", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))
}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGTPE]i?|B)?B?")


def bytes_for_people(count: int) -> str:
    """Write a byte count with a binary unit: `512 B`, `12.0 MiB`."""
    size = float(count)
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("the last unit always fits")


def parse_bytes(text: str) -> int:
    """Read a Kubernetes quantity or byte size (`10Gi`, `64KiB`, `1500M`, `4096`).

    Raises:
        ValueError: If the text is not one.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if not match:
        raise ValueError(f'"{text}" is not a size such as 4096, 64Ki or 10Gi')
    unit = match[2] or ""
    return round(float(match[1]) * _FACTORS["k" if unit == "K" else unit])
