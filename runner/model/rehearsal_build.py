"""Builds rehearsals from nodes whose shape has been checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from runner.base import clock, durations
from runner.base import span as spans
from runner.base.diagnostic import Diagnostic
from runner.document import nodes
from runner.model.rehearsal import Error, Expect, Given, Message, Moment, Rehearsal, Result

Read = TypeVar("Read")

SUFFIX = ".rehearsal.yaml"
_START = datetime(2026, 1, 1, tzinfo=UTC)
_CODES: Mapping[str, str] = {"permanent": "RT200", "transient": "RT201", "timeout": "RT202"}


class RehearsalBuilder:
    """Builds one rehearsal; collects what only turns up while values are converted."""

    def __init__(self, root: nodes.MapNode) -> None:
        self.found: list[Diagnostic] = []
        self._root = root

    def rehearsal(self, file: str) -> Rehearsal:
        """Build the whole."""
        values: dict[str, Any] = self._root.plain()
        return Rehearsal(
            name=(values.get("metadata") or {}).get("name") or Path(file).name.removesuffix(SUFFIX),
            description=values.get("description") or "",
            blueprint=values["blueprint"],
            action=values["action"],
            given=self._given(values.get("given") or {}),
            expect=_expect(values.get("expect") or {}),
            file=file,
            root=self._root,
        )

    def _given(self, values: Mapping[str, Any]) -> Given:
        cancel = values.get("cancel")
        return Given(
            object=values.get("object"),
            profile=values.get("profile"),
            inputs=values.get("inputs") or {},
            artifacts_in=values.get("artifactsIn") or {},
            results={
                name: self._results(results, spans.pointer(["given", "results", name]))
                for name, results in (values.get("results") or {}).items()
            },
            restore_point=self._results(values.get("restorePoint") or (), "/given/restorePoint"),
            approvals=tuple(values.get("approvals") or ()),
            settle=values.get("settle") or {},
            time=self._read("/given/time", values.get("time"), clock.parse_isoformat, _START),
            cancel=next(_moments([cancel or {}], "/given/cancel"), None),
            crashes=tuple(_moments(values.get("crashes") or (), "/given/crashes/{}")),
        )

    def _results(self, written: Any, pointer: str) -> tuple[Result, ...]:
        if isinstance(written, Mapping):
            return (self._result(written, pointer),)
        return tuple(self._result(each, f"{pointer}/{index}") for index, each in enumerate(written))

    def _result(self, values: Mapping[str, Any], pointer: str) -> Result:
        error = values.get("error")
        return Result(
            pointer=pointer,
            outputs=values.get("outputs"),
            error=None if error is None else _error(error),
            timeout=bool(values.get("timeout")),
            hangs=bool(values.get("hangs")),
            takes=self._read(f"{pointer}/takes", values.get("takes"), durations.parse, timedelta()),
            found=values.get("found"),
        )

    def _read(self, pointer: str, text: str | None, parse: Callable[[str], Read], otherwise: Read) -> Read:
        """Read a text whose form is right, but which may still stand for nothing: a 13th month, a million years."""
        if text is None:
            return otherwise
        try:
            return parse(text)
        except ValueError as error:
            self.found.append(
                Diagnostic(code="KB204", message=str(error), span=nodes.nearest(self._root, pointer).span)
            )
            return otherwise


def draft(root: nodes.MapNode, wrong: Collection[str], file: str) -> Rehearsal | None:
    """Build a rehearsal without what is wrong with its shape; None if too little is left."""
    left = _without(root, wrong)
    assert isinstance(left, nodes.MapNode)
    names = [left.get("blueprint"), left.get("action")]
    is_enough = all(isinstance(name, nodes.ScalarNode) and isinstance(name.value, str) for name in names)
    return RehearsalBuilder(left).rehearsal(file) if is_enough else None


def _without(node: nodes.Node, wrong: Collection[str]) -> nodes.Node | None:
    """Return a node without the values whose pointers are given; the whole document stays, whatever it lacks."""
    if node.span.pointer in wrong and node.span.pointer:
        return None
    if isinstance(node, nodes.SeqNode):
        items = [_without(item, wrong) for item in node.items]
        return nodes.SeqNode(span=node.span, items=tuple(item for item in items if item is not None))
    if isinstance(node, nodes.MapNode):
        pairs = [(key, _without(value, wrong)) for key, value in node.entries]
        return nodes.MapNode(span=node.span, entries=tuple((key, value) for key, value in pairs if value is not None))
    return node


def _expect(values: Mapping[str, Any]) -> Expect:
    warnings, error = values.get("warnings"), values.get("error")
    return Expect(
        sequence=_listed(values.get("sequence")),
        status=values.get("status"),
        states=values.get("states") or {},
        not_run=_listed(values.get("not_run")),
        skipped=_listed(values.get("skipped")),
        arguments=values.get("arguments") or {},
        artifacts=values.get("artifacts"),
        warnings=None if warnings is None else tuple(_messages(warnings)),
        error=None if error is None else _message(error, "/expect/error"),
        attempts={name: int(number) for name, number in (values.get("attempts") or {}).items()},
        restore_point=_listed(values.get("restorePoint")),
    )


def _listed(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _messages(written: list[Mapping[str, Any]]) -> Iterator[Message]:
    for index, values in enumerate(written):
        yield _message(values, f"/expect/warnings/{index}")


def _message(values: Mapping[str, Any], pointer: str) -> Message:
    return Message(pointer=pointer, phase=values.get("phase"), code=values.get("code"), message=values.get("message"))


def _moments(written: Iterable[Mapping[str, Any]], pointer: str) -> Iterator[Moment]:
    """Yield moments; only a draft has some that do not say after what."""
    for index, values in enumerate(written):
        attempt = values.get("attempt")
        if "after" in values:
            yield Moment(
                pointer=pointer.format(index),
                after=values["after"],
                event=values.get("event") or "succeeded",
                attempt=None if attempt is None else int(attempt),
            )


def _error(values: Mapping[str, Any]) -> Error:
    kind = values.get("kind") or ("transient" if values.get("retryable") else "permanent")
    code = values.get("code") or _CODES[kind]
    return Error(code=code, message=values.get("message") or "it fails as the rehearsal says", kind=kind)
