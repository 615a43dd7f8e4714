"""What is known to be wrong with the index: told once, and refused by who needs all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Mapping

from runner.repository import failures

OnDamage = Callable[[failures.RepositoryDamaged], None]


class Damage:
    """Collects damage; safe from several threads.

    Args:
        strict: Whether each is an error.
        on_damage: Called once for each.
    """

    def __init__(self, *, strict: bool, on_damage: OnDamage) -> None:
        self._strict = strict
        self._on_damage = on_damage
        self._known: dict[str, failures.RepositoryDamaged] = {}
        self._told: set[str] = set()
        self._lock = threading.Lock()

    @property
    def known(self) -> Mapping[str, failures.RepositoryDamaged]:
        """What is wrong, by the name of the segment; of chunks that are in none, by an empty name."""
        return self._known

    def note(self, name: str, problem: failures.RepositoryDamaged) -> None:
        """Remember what is wrong with a segment.

        Raises:
            RepositoryDamaged: If it is strict.
        """
        if self._strict:
            raise problem
        with self._lock:
            self._known[name] = problem
            is_new = name not in self._told
            self._told.add(name)
        if is_new:
            self._on_damage(problem)

    def keep(self, names: Container[str]) -> None:
        """Forget what was wrong with segments that are gone; chunks that are in none stay so."""
        with self._lock:
            self._known = {name: problem for name, problem in self._known.items() if not name or name in names}

    def refuse(self) -> None:
        """Make sure that nothing is known to be wrong.

        Raises:
            RepositoryDamaged: If a segment is not what was written.
        """
        for problem in self.known.values():
            raise problem
