"""Compares what a rehearsal expects with what its performance came to; what was not written is not compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from runner.base import span as spans
from runner.document import nodes
from runner.engine.states import NodeStatus
from runner.model.blueprint import Blueprint
from runner.model.rehearsal import Message, Rehearsal, Result
from runner.rehearsal import names, sides
from runner.rehearsal.perform import Performance
from runner.rehearsal.sides import ABSENT, Sides

# How the inner states of nodes are called outside.
_STATES = {NodeStatus.IN_DOUBT: "waiting", NodeStatus.ATTEMPT_FAILED: "running", NodeStatus.EXPANDED: "running"}
_MOMENTS = {
    "started": "start",
    "failed": "fail",
    "succeeded": "succeed",
    "waiting": "wait",
    "retrying": "wait for another attempt",
}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as expected.

    Attributes:
        span: The place of the expectation in the rehearsal.
        about: What it is about: `sequence`, `states.dump`, `arguments.dump.command`.
        sides: What was expected and what it is; None where something that was given was of no use.
        message: What is wrong, where that is not a matter of two values.
        hint: What explains it, or what to do.
    """

    span: spans.Span
    about: str
    sides: Sides | None = None
    message: str = ""
    hint: str = ""


def compare(rehearsal: Rehearsal, blueprint: Blueprint, performance: Performance) -> list[Difference]:
    """Return all differences, in the order of the document."""
    comparison = _Comparison(rehearsal, blueprint, performance)
    found = [difference for part in comparison.parts for difference in part()]
    return sorted(found, key=lambda each: (each.span.line, each.span.column))


class _Comparison:
    def __init__(self, rehearsal: Rehearsal, blueprint: Blueprint, performance: Performance) -> None:
        self._rehearsal = rehearsal
        self._blueprint = blueprint
        self._expect = rehearsal.expect
        self._performance = performance
        self._run = performance.run
        self._state = performance.state
        self.parts: tuple[Callable[[], Iterator[Difference]], ...] = (
            self._lists,
            self._status,
            self._states,
            self._arguments,
            self._artifacts,
            self._warnings,
            self._error,
            self._attempts,
            self._unused,
            self._missed,
            self._standstill,
        )

    def _lists(self) -> Iterator[Difference]:
        """Compare the lists of nodes; those that stand for a set are sorted as the run has them."""
        expect, performance = self._expect, self._performance
        yield from self._list("sequence", expect.sequence, performance.sequence)
        yield from self._list("restorePoint", expect.restore_point, performance.exports)
        for status, expected in (("not_run", expect.not_run), ("skipped", expect.skipped)):
            order = {name: index for index, name in enumerate(self._state.in_order())}
            got = [name for name in order if self._status_of(name) == status and not _is_undo(name)]
            wanted = None if expected is None else sorted(expected, key=lambda name: order.get(name, len(order)))
            yield from self._list(status, wanted, got)

    def _list(self, about: str, expected: Iterable[str] | None, got: Iterable[str]) -> Iterator[Difference]:
        if expected is None or list(expected) == list(got):
            return
        both = Sides(expected=list(expected), got=list(got))
        yield self._difference(f"/expect/{about}", about, both, self._cause())

    def _status(self) -> Iterator[Difference]:
        if self._expect.status is not None and self._expect.status != self._run.status.value:
            both = Sides(expected=self._expect.status, got=self._run.status.value)
            yield self._difference("/expect/status", "status", both, self._cause())

    def _states(self) -> Iterator[Difference]:
        for name, expected in self._expect.states.items():
            got = self._status_of(name)
            if got != expected:
                both = Sides(expected=expected, got=ABSENT if got is None else got)
                pointer = spans.pointer(["expect", "states", name])
                yield self._difference(pointer, f"states.{name}", both, self._why(name))

    def _arguments(self) -> Iterator[Difference]:
        for name, expected in self._expect.arguments.items():
            got = self._performance.arguments.get(name)
            for argument, value in expected.items():
                about, pointer = f"arguments.{name}.{argument}", spans.pointer(["expect", "arguments", name, argument])
                if got is None:
                    both = Sides(expected=value, got=ABSENT)
                    yield self._difference(pointer, about, both, self._why(name) or f"{name} was never called")
                    continue
                for path, both in sides.differences(value, got.get(argument, ABSENT)):
                    hint = self._as_written(name, (argument, *path, *sides.first(both)))
                    yield self._difference(pointer + spans.pointer(path), about + _spelled(path), both, hint)

    def _as_written(self, name: str, path: sides.Path) -> str:
        """Say which template of the blueprint an argument comes from."""
        named = names.find(name, names.known(self._blueprint.actions[self._rehearsal.action]))
        node = named and nodes.at(self._blueprint.root, f"{named.call.pointer}/args{spans.pointer(path)}")
        if not isinstance(node, nodes.ScalarNode) or "{{" not in node.text:
            return ""
        return f"it is written as {node.text.splitlines()[0]} ({node.span})"

    def _artifacts(self) -> Iterator[Difference]:
        if self._expect.artifacts is None:
            return
        for path, both in sides.differences(self._expect.artifacts, self._run.artifacts):
            pointer = "/expect/artifacts" + spans.pointer(path)
            yield self._difference(pointer, "artifacts" + _spelled(path), both, self._cause())

    def _warnings(self) -> Iterator[Difference]:
        expected = self._expect.warnings
        got = [(str(each["phase"]), str(each["message"])) for each in self._run.warnings]
        if expected is None or _all_fit(expected, got):
            return
        wanted = [": ".join(filter(None, [each.phase, each.message])) for each in expected]
        both = Sides(expected=wanted, got=[": ".join(filter(None, each)) for each in got])
        yield self._difference("/expect/warnings", "warnings", both, "")

    def _error(self) -> Iterator[Difference]:
        expected = self._expect.error
        if expected is None:
            return
        phase, error = self._run.failures[0] if self._run.failures else ("", None)
        got = {} if error is None else {"code": error.code, "phase": phase, "message": error.message}
        hint = f"the run has {self._run.status}, without an error" if error is None else self._cause()
        for key in ("code", "phase", "message"):
            wanted: str | None = getattr(expected, key)
            is_there = got.get(key, "")
            if wanted is not None and wanted != is_there and not (key == "message" and wanted in is_there):
                both = Sides(expected=wanted, got=got.get(key, ABSENT))
                yield self._difference(f"{expected.pointer}/{key}", f"error.{key}", both, hint)

    def _attempts(self) -> Iterator[Difference]:
        for name, expected in self._expect.attempts.items():
            node = self._state.nodes.get(name)
            got = 0 if node is None else node.attempt
            if got != expected:
                pointer = spans.pointer(["expect", "attempts", name])
                yield self._difference(pointer, f"attempts.{name}", Sides(expected=expected, got=got), self._why(name))

    def _unused(self) -> Iterator[Difference]:
        for name, result in self._performance.unused:
            node = self._state.nodes.get(name)
            attempts = 0 if node is None else node.attempt
            made = f"it had {attempts} attempt{'s' if attempts > 1 else ''}" if attempts else "it was never started"
            yield self._useless(result.pointer, f"results.{name}", f"this result was not used: {made}", name)
        for result in self._performance.unused_storings:
            yield self._unused_storing(result)
        for name, pointer in self._performance.unasked:
            yield self._useless(pointer, name, "nobody was asked for this", name)

    def _unused_storing(self, result: Result) -> Difference:
        count = self._performance.storings
        made = f"it took {count} attempt{'s' if count > 1 else ''}" if count else "no restore point was to be stored"
        span = self._rehearsal.span(result.pointer, key=True)
        message = f"this result was not used: {made}"
        return Difference(span=span, about="restorePoint", message=message, hint=self._cause())

    def _useless(self, pointer: str, about: str, message: str, name: str) -> Difference:
        span = self._rehearsal.span(pointer, key=True)
        return Difference(span=span, about=about, message=message, hint=self._why(name))

    def _missed(self) -> Iterator[Difference]:
        for moment in self._performance.missed:
            kind = "cancel" if moment is self._rehearsal.given.cancel else "crashes"
            at = f" at attempt {moment.attempt}" if moment.attempt else ""
            message = f'the moment for this never came: "{moment.after}" did not {_MOMENTS[moment.event]}{at}'
            span = self._rehearsal.span(f"{moment.pointer}/after")
            yield Difference(span=span, about=kind, message=message, hint=self._why(moment.after))

    def _standstill(self) -> Iterator[Difference]:
        standstill = self._performance.standstill
        if standstill is not None:
            span = self._rehearsal.span("/action")
            yield Difference(span=span, about="run", message=standstill.message, hint=standstill.hint)

    def _difference(self, pointer: str, about: str, both: Sides, hint: str) -> Difference:
        return Difference(span=self._rehearsal.span(pointer), about=about, sides=both, hint=hint)

    def _status_of(self, name: str) -> str | None:
        node = self._state.nodes.get(name)
        if node is not None and _is_undo(name) and not node.was_started:
            return "not_run"
        return None if node is None else _STATES.get(node.status, node.status.value)

    def _cause(self) -> str:
        """Say why the run ended as it did."""
        if self._run.persons:
            return f"it waits for a person: {', '.join(self._run.persons)}"
        if not self._run.failures:
            return ""
        phase, error = self._run.failures[0]
        return f"{phase or 'the run'} failed: error[{error.code}]: {error.message}"

    def _why(self, name: str) -> str:
        """Say what explains the state of a node."""
        node = self._state.nodes.get(name)
        if node is None:
            is_expanded = name.rpartition("/")[0] in self._state.instances
            return "there is no item of that key" if is_expanded else self._cause()
        if node.error is not None:
            return f"{name} failed: error[{node.error.code}]: {node.error.message}"
        return self._cause() if not node.was_started else ""


def _spelled(path: sides.Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def _is_undo(name: str) -> bool:
    return name.startswith(("revert/", "cleanup/"))


def _all_fit(expected: tuple[Message, ...], got: list[tuple[str, str]]) -> bool:
    """Tell whether as many warnings came as expected, each of the phase and with the part that is expected."""
    return len(expected) == len(got) and all(
        wanted.phase in (None, phase) and (wanted.message or "") in message
        for wanted, (phase, message) in zip(expected, got, strict=True)
    )
