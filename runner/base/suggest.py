"""`Did you mean`: candidates for a misspelt name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST_COMPARED = 100


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that a person most likely meant, ignoring case, or None."""
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(name.lower(), _likely(name.lower(), by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def _likely(name: str, candidates: Iterable[str]) -> list[str]:
    """Choose whom to compare with: all, unless they are so many that a document full of mistakes would take minutes."""
    known = list(candidates)
    if len(known) <= _MOST_COMPARED:
        return known
    alike = [candidate for candidate in known if candidate[:1] == name[:1] and abs(len(candidate) - len(name)) <= 2]
    return alike[:_MOST_COMPARED]


def hint(name: str, candidates: Iterable[str], *, kind: str = "") -> str:
    """Phrase a hint: the closest candidate, else the list of what is allowed (at most twelve)."""
    known = sorted(set(candidates))
    best = closest(name, known)
    if best is not None:
        return f'did you mean "{best}"?'
    if not known:
        return f"there is no {kind} here" if kind else ""
    shown = ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
    return f"expected one of: {shown}"
