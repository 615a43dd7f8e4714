"""Run several programs on one location, of which one at a time makes one call; a schedule says which."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from runner.locations import wrapper
from runner.registry import location as locations

Result = TypeVar("Result")
# Chooses the next program, from those that can go on and the one that went last.
Schedule = Callable[[Sequence[str], str], str]

_LONGEST_S = 20.0


class Killed(BaseException):
    """The process of a program is gone."""


@dataclass(slots=True)
class _Program:
    kill_at: int
    pending: int = 0
    granted: int = 0
    calls: int = 0
    running: bool = True
    outcome: object = None


@dataclass
class Stage:
    """Programs and whose turn it is.

    Attributes:
        kills: For a program the number of the call at which its process is killed.
    """

    kills: Mapping[str, int] = field(default_factory=dict)
    programs: dict[str, _Program] = field(default_factory=dict)
    turn: threading.Condition = field(default_factory=threading.Condition)

    def call(self, name: str, action: Callable[[], Result]) -> Result:
        """Make a call when it is the turn of the program."""
        with self.turn:
            program = self.programs[name]
            program.pending += 1
            self.turn.notify_all()
            while not program.granted:
                assert self.turn.wait(_LONGEST_S), "nobody gave this program its turn"
            program.granted -= 1
            program.pending -= 1
            program.calls += 1
            self.turn.notify_all()
            if 0 < program.kill_at <= program.calls:
                raise Killed
            return action()

    def run(self, bodies: Mapping[str, Callable[[], object]], schedule: Schedule) -> dict[str, object]:
        """Run all programs to their ends; return what each returned, or the exception it ended with."""
        self.programs = {name: _Program(self.kills.get(name, 0)) for name in bodies}
        threads = [threading.Thread(target=self._body, args=item, daemon=True) for item in bodies.items()]
        for thread in threads:
            thread.start()
        last = ""
        with self.turn:
            while True:
                while any(each.running and not each.pending for each in self.programs.values()):
                    assert self.turn.wait(_LONGEST_S), "a program neither calls nor ends"
                ready = [name for name, each in self.programs.items() if each.pending]
                if not ready:
                    break
                last = schedule(ready, last)
                self.programs[last].granted += 1
                self.turn.notify_all()
                while self.programs[last].granted:
                    assert self.turn.wait(_LONGEST_S), "a program does not take its turn"
        for thread in threads:
            thread.join(_LONGEST_S)
        return {name: each.outcome for name, each in self.programs.items()}

    def _body(self, name: str, body: Callable[[], object]) -> None:
        outcome: object
        try:
            outcome = body()
        except BaseException as problem:  # noqa: BLE001 - whatever it is, it is the outcome
            outcome = problem
        with self.turn:
            self.programs[name].outcome = outcome
            self.programs[name].running = False
            self.turn.notify_all()


class Staged(wrapper.Wrapper):
    """The location as one program sees it."""

    def __init__(self, inner: locations.Location, stage: Stage, program: str) -> None:
        super().__init__(inner)
        self._call = functools.partial(stage.call, program)

    def put(self, name: str, data: Sequence[locations.Buffer], *, overwrite: bool = False) -> None:
        self._call(lambda: self._inner.put(name, data, overwrite=overwrite))

    def get(self, name: str) -> bytes:
        return self._call(lambda: self._inner.get(name))

    def read_into(self, name: str, offset: int, target: memoryview) -> None:
        self._call(lambda: self._inner.read_into(name, offset, target))

    def stat(self, name: str) -> locations.ObjectInfo:
        return self._call(lambda: self._inner.stat(name))

    def list(self, prefix: str) -> Iterator[locations.ObjectInfo]:
        return self._call(lambda: self._inner.list(prefix))

    def delete(self, name: str) -> None:
        self._call(lambda: self._inner.delete(name))
