"""What `runner test` prints: a line for each rehearsal, what differs, and what no rehearsal reaches."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from runner.app import rehearsals
from runner.base import codes, durations
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.cli import console as consoles
from runner.cli import phrases
from runner.model.blueprint import Blueprint
from runner.rehearsal.compare import Difference
from runner.rehearsal.coverage import Coverage, Part, Way
from runner.rehearsal.sides import Absent, Sides

# Equal lines around those that differ.
_CONTEXT = 2


class Report:
    """Tells how rehearsals went, while they go; as data, all at the end.

    Args:
        console: Where to.
        documents: All that will be told of.
    """

    def __init__(self, console: consoles.Console, documents: Iterable[rehearsals.Document]) -> None:
        self._console = console
        self._width = max((len(str(document.path)) for document in documents), default=0)
        self._invalid: list[rehearsals.Document] = []
        self._outcomes: list[rehearsals.Outcome] = []
        self._coverage: list[Coverage] | None = None
        self._enough = True

    @property
    def exit(self) -> codes.Exit:
        """What the command exits with."""
        if self._invalid:
            return codes.Exit.INVALID
        differ = any(outcome.differences for outcome in self._outcomes)
        return codes.Exit.FAILED if differ or not self._enough else codes.Exit.OK

    def refuse(self, documents: Sequence[rehearsals.Document]) -> None:
        """Show what keeps rehearsals from being performed."""
        self._invalid += documents
        for document in documents if self._console.is_text else ():
            from runner.document import render

            text = render.text(document.found, colour=self._console.colour(self._console.err))
            self._console.err.write(document.redactor.clean(text) + "\n")

    def add(self, outcome: rehearsals.Outcome) -> None:
        """Show how one went."""
        self._outcomes.append(outcome)
        for line in self._lines(outcome) if self._console.is_text else ():
            self._console.out.line(outcome.performance.redactor.clean(line))

    def cover(self, blueprints: Iterable[Blueprint], fail_under: int) -> None:
        """Find out what was reached of these blueprints, and of those that were rehearsed.

        Args:
            blueprints: Also those that no rehearsal is about.
            fail_under: The least percentage of each.
        """
        self._coverage = list(rehearsals.covered(self._outcomes, blueprints))
        self._enough = all(each.percent >= fail_under for each in self._coverage)
        for each in self._coverage if self._console.is_text else ():
            self._console.out.line()
            for line in self._covered(each, fail_under):
                self._console.out.line(line)

    def finish(self) -> None:
        """Show what all have come to."""
        if self._console.is_text:
            self._console.note(self._summary())
        else:
            self._console.result(self._to_json(), lambda: ())

    def _lines(self, outcome: rehearsals.Outcome) -> Iterator[str]:
        document, style = outcome.document, self._console.style
        sign = style("✗", fg="red") if outcome.differences else style("✓", fg="green")
        name = "" if document.path.name.startswith(f"{document.name}.") else f"  {document.name}"
        took = style(f"{_elapsed(outcome.seconds):>9}", fg="bright_black")
        yield f"{sign} {document.path!s:<{self._width}}{took}{name}"
        told: set[str] = set()
        for difference in outcome.differences:
            yield from self._difference(difference, told)

    def _difference(self, difference: Difference, told: set[str]) -> Iterator[str]:
        style = self._console.style
        what = style(difference.about, bold=True) + (f": {difference.message}" if difference.message else "")
        yield f"  {difference.span}: {what}"
        if difference.sides is not None:
            for line in diff(difference.sides):
                colour = {"-": "red", "+": "green"}.get(line[0])
                yield "    " + (style(line, fg=colour) if colour else line)
        if difference.hint and difference.hint not in told:
            told.add(difference.hint)
            yield f"    {style('hint:', fg='cyan')} {difference.hint}"

    def _covered(self, coverage: Coverage, fail_under: int) -> Iterator[str]:
        reached, total = len(coverage.reached), len(coverage.ways)
        colour = "green" if not coverage.missing else "red" if coverage.percent < fail_under else "yellow"
        counted = self._console.style(f"{reached} of {total}, {coverage.percent} %", fg=colour)
        yield f"{self._console.style(f'Coverage of {coverage.blueprint}', bold=True)}: {counted}"
        actions = dict.fromkeys(way.action for way in coverage.ways)
        rows = [[action, *(_counted(coverage, action, part) for part in Part)] for action in actions]
        headers = ["ACTION", *(part.upper() for part in Part)]
        yield from (f"  {line}" for line in consoles.table(headers, rows, right=frozenset({1, 2, 3})))
        if coverage.missing:
            yield "  no rehearsal in which:"
            yield from (f"    {way.action}: {way}" for way in coverage.missing)

    def _summary(self) -> str:
        differ = sum(bool(outcome.differences) for outcome in self._outcomes)
        took = _elapsed(sum(outcome.seconds for outcome in self._outcomes))
        said = [f"{phrases.count(len(self._outcomes) - differ, 'rehearsal')} passed"]
        said += [f"{differ} differ{'s' if differ == 1 else ''} (- expected, + got)"] if differ else []
        said += [f"{phrases.count(len(self._invalid), 'document')} invalid"] if self._invalid else []
        return f"{', '.join(said)}, in {took}"

    def _to_json(self) -> JsonObject:
        return {
            "rehearsals": [*map(_refused, self._invalid), *map(_to_json, self._outcomes)],
            "coverage": None if self._coverage is None else [_coverage_json(each) for each in self._coverage],
        }


def _elapsed(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else durations.for_people(seconds)


def diff(sides: Sides) -> Iterator[str]:
    """Write two values under each other: `- ` what was expected, `+ ` what it is, equal lines around them."""
    expected, got = _written(sides.expected), _written(sides.got)
    matcher = difflib.SequenceMatcher(a=expected, b=got, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(_CONTEXT)):
        if number:
            yield "  …"
        for tag, start, end, other_start, other_end in group:
            if tag == "equal":
                yield from (f"  {line}" for line in expected[start:end])
                continue
            yield from (f"- {line}" for line in expected[start:end])
            yield from (f"+ {line}" for line in got[other_start:other_end])


def _written(value: object) -> list[str]:
    """Write a value as lines: the items of a list, the lines of a text, or its JSON."""
    if isinstance(value, Absent):
        return ["(nothing)"]
    if isinstance(value, str):
        return value.split("\n")
    if isinstance(value, list | tuple):
        return [_line(item) for item in value] or ["(an empty list)"]
    return [_line(value)]


def _line(value: object) -> str:
    return value if isinstance(value, str) and "\n" not in value else json.dumps(value, ensure_ascii=False)


def _counted(coverage: Coverage, action: str, part: Part) -> str:
    ways = [way for way in coverage.ways if (way.action, way.part) == (action, part)]
    return f"{sum(way in coverage.reached for way in ways)}/{len(ways)}" if ways else "-"


def _refused(document: rehearsals.Document) -> JsonObject:
    from runner.document import render

    found: JsonValue = _cleaned(render.to_json(document.found), document.redactor.clean)
    return {**_head(document), "status": "invalid", "seconds": 0.0, "findings": found, "differences": []}


def _to_json(outcome: rehearsals.Outcome) -> JsonObject:
    found = _cleaned([_difference_json(each) for each in outcome.differences], outcome.performance.redactor.clean)
    status = "differs" if outcome.differences else "passed"
    seconds = round(outcome.seconds, 6)
    return {**_head(outcome.document), "status": status, "seconds": seconds, "findings": [], "differences": found}


def _head(document: rehearsals.Document) -> JsonObject:
    rehearsal, blueprint = document.rehearsal, document.blueprint
    return {
        "name": document.name,
        "file": str(document.path),
        "blueprint": None if blueprint is None else blueprint.file,
        "action": None if rehearsal is None else rehearsal.action,
    }


def _difference_json(difference: Difference) -> JsonObject:
    from runner.document import render

    sides = difference.sides
    return {
        "about": difference.about,
        "message": difference.message,
        "expected": None if sides is None else _value(sides.expected),
        "got": None if sides is None else _value(sides.got),
        "hint": difference.hint,
        "position": render.position(difference.span),
    }


def _value(value: object) -> JsonValue:
    """Return a value as it is; one that is not there is null."""
    plain: JsonValue = None if isinstance(value, Absent) else value  # type: ignore[assignment]
    return plain


def _coverage_json(coverage: Coverage) -> JsonObject:
    ways = [_way_json(way, reached=way in coverage.reached) for way in coverage.ways]
    return {"blueprint": coverage.blueprint, "percent": coverage.percent, "ways": ways}


def _way_json(way: Way, *, reached: bool) -> JsonObject:
    return {"action": way.action, "part": way.part.value, "node": way.node, "way": way.does, "reached": reached}


def _cleaned(value: JsonValue, clean: Callable[[str], str]) -> JsonValue:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _cleaned(item, clean) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item, clean) for item in value]
    return value
