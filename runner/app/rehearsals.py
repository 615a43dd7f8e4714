"""Rehearsals as commands need them: found, read with their blueprints, checked, performed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from runner.base import clock, diagnostic, errors, redact
from runner.base.diagnostic import Diagnostic
from runner.checks import run as checks
from runner.document import yamlread
from runner.model import load
from runner.model.blueprint import Blueprint, Level
from runner.model.rehearsal import Rehearsal
from runner.model.rehearsal_build import SUFFIX
from runner.plan import compile as plans
from runner.registry import registry
from runner.rehearsal import check, compare, coverage, perform, secrets


def files(paths: Iterable[Path]) -> list[Path]:
    """Return the rehearsals that are meant: directories are searched for `*.rehearsal.yaml`, in the order of names.

    Raises:
        UsageError: RT103 if a path does not exist, or a directory holds no rehearsal.
    """
    found: list[Path] = []
    for path in paths:
        inside = _search(path, f"*{SUFFIX}") if os.path.isdir(path) else [path]
        if not inside:
            hint = f"rehearsals are files that end in {SUFFIX}"
            raise errors.UsageError(f"{path} holds no rehearsal", code="RT103", hint=hint)
        found += inside
    return list(dict.fromkeys(found))


def _search(directory: Path, pattern: str) -> list[Path]:
    """Return the files of a pattern below a directory, without those of hidden directories (`.venv`)."""
    return sorted(
        path
        for path in directory.rglob(pattern)
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(directory).parts)
    )


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A rehearsal as it was read.

    Attributes:
        rehearsal: None where nothing can be told of it; where `found` has errors, it cannot be performed.
        blueprint: What it is about; None where that cannot be used.
        found: What is wrong with it, warnings included.
    """

    path: Path
    rehearsal: Rehearsal | None
    blueprint: Blueprint | None
    found: tuple[Diagnostic, ...]

    @property
    def name(self) -> str:
        """How it is called."""
        return self.path.name.removesuffix(SUFFIX) if self.rehearsal is None else self.rehearsal.name

    @property
    def redactor(self) -> redact.Redactor:
        """What hides its secrets; where its blueprint is not known, nobody knows what is secret."""
        if self.rehearsal is None or self.blueprint is None:
            return redact.Redactor()
        return secrets.redactor(self.rehearsal, self.blueprint)

    @property
    def is_valid(self) -> bool:
        """Whether it can be performed."""
        return not diagnostic.has_errors(self.found)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a rehearsal has come to."""

    document: Document
    performance: perform.Performance
    differences: tuple[compare.Difference, ...]
    seconds: float


class Reader:
    """Reads rehearsals; each blueprint is read and checked once, however many are about it."""

    def __init__(self, known: registry.Registry) -> None:
        self._registry = known
        self._blueprints: dict[str, tuple[Blueprint | None, str]] = {}

    def read(self, path: Path) -> Document:
        """Read one rehearsal; errors in its shape do not hide what the checks find elsewhere in it.

        Raises:
            UsageError: RT103 if the file cannot be read.
        """
        text, found = yamlread.read_file(path)
        if text is None:
            return Document(path=path, rehearsal=None, blueprint=None, found=tuple(found))
        rehearsal, found = load.parse_rehearsal(text, str(path))
        draft = None if rehearsal is not None else load.draft_rehearsal(text, str(path))
        blueprint = None
        if (checked := rehearsal or draft) is not None:
            blueprint, more = self._check(checked)
            found += [each for each in more if draft is None or _is_sure(each)]
        return Document(path=path, rehearsal=checked, blueprint=blueprint, found=tuple(diagnostic.in_order(found)))

    def _check(self, rehearsal: Rehearsal) -> tuple[Blueprint | None, list[Diagnostic]]:
        file = os.path.normpath(Path(rehearsal.file).parent / rehearsal.blueprint)
        blueprint, fault = self._blueprint(file)
        if blueprint is not None:
            return blueprint, check.check(rehearsal, blueprint, self._registry)
        is_there = Path(file).is_file()
        hint = f"see `runner validate {file}`" if is_there else "check the path; it is relative to this file"
        return None, [Diagnostic(code="KB330", message=fault, span=rehearsal.span("/blueprint"), hint=hint)]

    def _blueprint(self, file: str) -> tuple[Blueprint | None, str]:
        """Return a blueprint without errors, or None and why there is none."""
        if file not in self._blueprints:
            self._blueprints[file] = self._load(file)
        return self._blueprints[file]

    def _load(self, file: str) -> tuple[Blueprint | None, str]:
        try:
            blueprint, found = load.load_blueprint(Path(file))
        except errors.UsageError as error:
            return None, error.message
        if blueprint is not None:
            found = [*found, *checks.check(blueprint, self._registry)]
        wrong = [each for each in found if each.severity is diagnostic.Severity.ERROR]
        if blueprint is None or wrong:
            return None, f"the blueprint {file} has {len(wrong)} error{'' if len(wrong) == 1 else 's'}"
        if blueprint.level is Level.KANISTER:
            return None, f"{file} is a Kanister blueprint, which cannot be run yet"
        return blueprint, ""

    def blueprints(self, paths: Iterable[Path]) -> Iterator[Blueprint]:
        """Yield the blueprints below some directories that can be rehearsed."""
        found = (path for directory in paths if directory.is_dir() for path in _search(directory, "*.yaml"))
        for path in found:
            blueprint, _ = self._blueprint(os.path.normpath(path))
            if blueprint is not None:
                yield blueprint

    def perform(self, document: Document, clock: clock.Clock) -> Outcome:
        """Perform a valid rehearsal and compare; the clock only tells how long that took."""
        rehearsal, blueprint = document.rehearsal, document.blueprint
        assert rehearsal is not None
        assert blueprint is not None
        plan, found = plans.compile_plan(blueprint, rehearsal.action, self._registry)
        if plan is None:
            raise diagnostic.InvalidDocument(found)
        begun = clock.monotonic()
        performance = perform.perform(rehearsal, blueprint, plan, self._registry)
        return Outcome(
            document=document,
            performance=performance,
            differences=tuple(compare.compare(rehearsal, blueprint, performance)),
            seconds=clock.monotonic() - begun,
        )


def _is_sure(found: Diagnostic) -> bool:
    """Tell whether a finding about a draft does not only follow from what was left out: that something is missing."""
    return found.span.pointer != "/action" or found.code == "KB303"


def covered(outcomes: Iterable[Outcome], blueprints: Iterable[Blueprint] = ()) -> Iterator[coverage.Coverage]:
    """Yield how much of each blueprint some performances have reached, also of those that none is about."""
    ways = {blueprint.file: tuple(coverage.ways(blueprint)) for blueprint in blueprints}
    reached: dict[str, set[coverage.Way]] = {}
    for outcome in outcomes:
        blueprint = outcome.document.blueprint
        assert blueprint is not None
        ways.setdefault(blueprint.file, tuple(coverage.ways(blueprint)))
        reached.setdefault(blueprint.file, set()).update(coverage.taken(outcome.performance.state))
    for file in sorted(ways):
        taken = frozenset(reached.get(file, ())).intersection(ways[file])
        yield coverage.Coverage(blueprint=file, ways=ways[file], reached=taken)
