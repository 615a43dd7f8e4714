"""Take a restore point, or parts of it, out of a repository without the blueprint that made it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from runner.base import cancel as cancels
from runner.base import ids
from runner.base.jsonvalue import JsonObject
from runner.model.restore_point import PointExport, RestorePoint
from runner.repository import (
    choosing,
    exports,
    failures,
    streams,
    tree_entries,
    tree_entry,
    tree_place,
    tree_problems,
    tree_restore,
    tree_select,
    volumes,
)
from runner.repository import repository as repositories

Report = Callable[[int, int | None], None]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of one export.

    Attributes:
        files: Files of a tree; None for a volume or a stream.
        bytes: How many there are when it is restored, holes included.
    """

    export: PointExport
    files: int | None
    bytes: int
    survey: tree_select.Survey | None = None

    def to_json(self) -> JsonObject:
        """Return it as a JSON object."""
        return {"path": self.export.name, "type": self.export.kind, "files": self.files, "bytes": self.bytes}


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of a restore point."""

    point: RestorePoint
    chosen: choosing.Chosen
    parts: tuple[Part, ...]
    token: str

    @property
    def bytes(self) -> int:
        """How many bytes all parts have."""
        return sum(part.bytes for part in self.parts)


def select(repository: repositories.Repository, point: RestorePoint, patterns: Sequence[str]) -> Selection:
    """Find out what patterns take of a restore point; only lists of files are read for it.

    Raises:
        PathMissing: If a pattern takes nothing.
        UsageError: If a pattern is none.
    """
    chosen = choosing.Chosen(patterns, [export.name for export in point.exports])
    parts = tuple(filter(None, [_part(repository, export, chosen) for export in point.exports]))
    if chosen.unmatched or (patterns and not parts):
        pattern = (chosen.unmatched or patterns)[0]
        raise failures.PathMissing(
            f'nothing in the restore point matches "{pattern}"',
            hint=f"see what there is with `runner repository ls -R {point.id[:8]}`; "
            "a pattern with a slash begins with the name of an export, or with **/",
        )
    token = ids.token("extract", point.id, *patterns)[:16]
    return Selection(point=point, chosen=chosen, parts=parts, token=token)


def _part(repository: repositories.Repository, export: PointExport, chosen: choosing.Chosen) -> Part | None:
    manifest = repository.manifest(ids.ExportId(export.export))
    if export.kind != tree_entries.KIND:
        if not chosen.covers(export.name):
            return None
        return Part(export=export, files=None, bytes=exports.size_of(manifest))
    survey = tree_select.survey(repository.reader(), manifest, _covers(export, chosen))
    # An empty tree that was chosen as a whole is still there.
    if not survey.entries and not chosen.covers(export.name, (), True):
        return None
    return Part(export=export, files=survey.files, bytes=survey.bytes, survey=survey)


def _covers(export: PointExport, chosen: choosing.Chosen) -> tree_select.Covers:
    return lambda path, is_directory: chosen.covers(export.name, path, is_directory)


def extract(
    repository: repositories.Repository,
    selection: Selection,
    target: Path,
    *,
    overwrite: bool,
    cancel: cancels.CancelToken,
    report: Report,
) -> list[str]:
    """Write what was selected into a directory, under the names of the exports; return warnings.

    Until everything is there nothing shows in the target, and after a failure nothing is left.

    Raises:
        EnvironmentProblem: RT310 if there is something already that may not be replaced, RT311, RT312.
        RepositoryDamaged: If something of it is missing or not what was written.
    """
    names = sorted({os.fsencode(part.export.name.split("/")[0]) for part in selection.parts})
    with tempfile.TemporaryDirectory(prefix="runner-extract-") as scratch:
        place = tree_place.Place(
            target, names, token=selection.token, record=Path(scratch) / "placed", overwrite=overwrite
        )
        return place.fill(lambda top: _Extraction(repository, selection, top, cancel, report).run())


class _Extraction:
    """Writes the parts into an empty directory."""

    def __init__(
        self,
        repository: repositories.Repository,
        selection: Selection,
        top: Path,
        cancel: cancels.CancelToken,
        report: Report,
    ) -> None:
        self._repository = repository
        self._selection = selection
        self._top = top
        self._cancel = cancel
        self._report = report
        self._done = 0
        self._total = selection.bytes
        self._warnings: list[str] = []

    def run(self) -> list[str]:
        for part in self._selection.parts:
            self._progress(0)
            self._write(part)
            self._done += part.bytes
        self._progress(0)
        return self._warnings

    def _progress(self, done: int) -> None:
        self._report(min(self._done + done, self._total), self._total)

    def _write(self, part: Part) -> None:
        name = tuple(tree_entry.check_name(os.fsencode(each)) for each in part.export.name.split("/"))
        place = self._top.joinpath(*map(os.fsdecode, name))
        with tree_problems.writing(self._top, name):
            if part.survey is not None:
                place.mkdir(parents=True)
                self._write_tree(part, place, part.survey)
                return
            place.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                self._write_bytes(part, descriptor)
            finally:
                os.close(descriptor)

    def _write_tree(self, part: Part, place: Path, survey: tree_select.Survey) -> None:
        chunks = self._repository.reader()
        manifest = self._repository.manifest(ids.ExportId(part.export.export))
        entries = tree_select.chosen(chunks, manifest, _covers(part.export, self._selection.chosen), survey)
        builder = tree_restore.build_entries(chunks, entries, place, cancel=self._cancel, progress=self._progress)
        self._warnings += [f"{part.export.name}: {warning}" for warning in builder.warnings()]

    def _write_bytes(self, part: Part, descriptor: int) -> None:
        export = ids.ExportId(part.export.export)
        if part.export.kind == volumes.KIND:
            os.ftruncate(descriptor, part.bytes)
            volumes.restore_volume(
                self._repository,
                export,
                _Image(descriptor),
                cancel=self._cancel,
                progress=lambda done, _: self._progress(done),
            )
            return
        position = 0
        for data in streams.StreamSource(self._repository, export, cancel=self._cancel, progress=self._progress):
            tree_restore.write_at(descriptor, data, position)
            position += len(data)


class _Image:
    """The file that a volume is written to."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write within the file."""
        tree_restore.write_at(self._descriptor, data, offset)

    def commit(self) -> None:
        """Do nothing: the place of the whole is flushed before it gets its name."""
