"""Temporary space: what a run copies to the disks of this machine besides what it is asked to make, and its limit."""

from __future__ import annotations

import threading

from runner.base import errors, quantities


class TemporarySpace:
    """Keeps account of what one run has taken; safe from several threads.

    Args:
        most: How many bytes may be taken at once; None for as much as there is.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._taken = 0
        self._lock = threading.Lock()

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return self._most is not None

    def share(self, what: str) -> Share:
        """Return the account of one thing that takes space (`the copy of /srv/shop.sqlite`), which has nothing yet."""
        return Share(self, what)

    def add(self, size: int, share: Share) -> None:
        """Count what a share takes or, below zero, gives back.

        Raises:
            EnvironmentProblem: RT317 if that is more than is allowed; then nothing is counted.
        """
        with self._lock:
            if self._most is not None and size > 0 and self._taken + size > self._most:
                raise self._refused(share.size + size, share, self._most)
            self._taken += size

    def _refused(self, needed: int, share: Share, most: int) -> errors.EnvironmentProblem:
        others = self._taken - share.size
        size = quantities.bytes_for_people
        beside = f", of which this run has taken {size(others)} already" if others else ""
        return errors.EnvironmentProblem(
            f"{share.what} needs {size(needed)} of temporary space, but limits.temporary allows {size(most)}{beside}",
            code="RT317",
            hint="raise limits.temporary in the location profile"
            + (", or let phases that need space run one after another" if others else ""),
        )


class Share:
    """What one thing takes; made by `TemporarySpace.share`, used by one thread."""

    def __init__(self, space: TemporarySpace, what: str) -> None:
        self.what = what
        self.size = 0
        self._space = space

    def __enter__(self) -> Share:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit, so that it is worth finding out how much will be taken."""
        return self._space.is_limited

    def take(self, size: int) -> None:
        """Take more, before it is written.

        Raises:
            EnvironmentProblem: RT317 if that is more than is allowed.
        """
        self._space.add(size, self)
        self.size += size

    def give_back(self) -> None:
        """Give everything back, once it is removed."""
        self._space.add(-self.size, self)
        self.size = 0
