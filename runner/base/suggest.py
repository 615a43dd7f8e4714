"""`Did you mean`: candidates for a misspelt name."""

from __future__ import annotations

import bisect
import difflib
import functools
from collections.abc import Iterable

_MOST_COMPARED = 100
# Of more candidates than that, so many on either side are compared, in the order of their beginnings and of their ends.
_NEIGHBOURS = 6


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that a person most likely meant, ignoring case, or None."""
    return _index(tuple(candidates)).closest(name.lower())


class _Index:
    """Candidates in lower case, sorted where they are so many that comparing with all would take minutes."""

    def __init__(self, candidates: Iterable[str]) -> None:
        self._by_lower = {candidate.lower(): candidate for candidate in candidates}
        is_long = len(self._by_lower) > _MOST_COMPARED
        self._by_beginning = sorted(self._by_lower) if is_long else []
        self._by_end = sorted(name[::-1] for name in self._by_lower) if is_long else []
        self._known: dict[str, str | None] = {}

    def closest(self, name: str) -> str | None:
        if name not in self._known:  # several findings may be about one mistake
            found = difflib.get_close_matches(name, self._likely(name), n=1, cutoff=0.6)
            self._known[name] = self._by_lower[found[0]] if found else None
        return self._known[name]

    def _likely(self, name: str) -> Iterable[str]:
        """Choose whom to compare with: all, or those that begin or end like the name."""
        if not self._by_beginning:
            return self._by_lower
        ends = (each[::-1] for each in _around(self._by_end, name[::-1]))
        return dict.fromkeys([*_around(self._by_beginning, name), *ends])


def _around(names: list[str], name: str) -> list[str]:
    place = bisect.bisect(names, name)
    return names[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]


_index = functools.lru_cache(maxsize=16)(_Index)


def hint(name: str, candidates: Iterable[str], *, kind: str = "") -> str:
    """Phrase a hint: the closest candidate, else the list of what is allowed (at most twelve)."""
    known = tuple(candidates)
    best = closest(name, known)
    if best is not None:
        return f'did you mean "{best}"?'
    if not known:
        return f"there is no {kind} here" if kind else ""
    names = sorted(set(known))
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"expected one of: {shown}"
