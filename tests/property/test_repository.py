"""Whatever is exported, deleted and pruned, in any order: what is still there comes back as it was."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from runner.base import ids
from runner.repository import check, prune, repository, volumes
from tests import effort
from tests.property.test_volumes import Image, edits, export, restored, same
from tests.property.test_volumes import apply as apply_edits
from tests.unit.repository.making import contents, make, noise, point, put, reopen

CHUNKS = [b"", b"a", b"\0" * 70_000, b"text " * 500, *[noise(str(number), 100 + 9000 * number) for number in range(6)]]
VOLUME = 9 * 1024 * 1024


class Repositories(RuleBasedStateMachine):
    """A repository beside a model of what must be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.repo: repository.Repository = make()
        self.streams: dict[ids.ExportId, list[bytes]] = {}
        self.volumes: dict[ids.ExportId, Image] = {}
        self.points: dict[ids.RestorePointId, ids.ExportId] = {}
        self.count = 0

    def token(self) -> str:
        self.count += 1
        return f"token {self.count}"

    def keep(self, made: ids.ExportId, *, with_point: bool) -> None:
        if with_point:
            stored = self.repo.put_point(point(f"{self.count:08}", made))
            self.points[stored.id] = made

    @rule(numbers=st.lists(st.integers(0, len(CHUNKS) - 1), max_size=12), with_point=st.booleans())
    def export_stream(self, numbers: list[int], with_point: bool) -> None:
        chunks = [CHUNKS[number] for number in numbers]
        made = put(self.repo, self.token(), *chunks)
        self.streams[made] = chunks
        self.keep(made, with_point=with_point)

    @rule(data=st.data(), with_point=st.booleans(), with_base=st.booleans())
    def export_volume(self, data: st.DataObject, with_point: bool, with_base: bool) -> None:
        base = data.draw(st.sampled_from(sorted(self.volumes))) if with_base and self.volumes else None
        image = Image(VOLUME, {} if base is None else dict(self.volumes[base].blocks))
        apply_edits(image, data.draw(edits(VOLUME)))
        made = export(self.repo, image, self.token(), base).export
        self.volumes[made] = image
        self.keep(made, with_point=with_point)

    @precondition(lambda self: self.points)
    @rule(data=st.data())
    def delete_point(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(sorted(self.points)))
        self.repo.delete_point(chosen)
        del self.points[chosen]

    @rule(days=st.integers(0, 2))
    def prune(self, days: int) -> None:
        self.repo.clock.advance(timedelta(days=days).total_seconds())  # type: ignore[attr-defined]
        prune.prune(self.repo, unfinished=timedelta(0))
        wanted = set(self.points.values())
        self.streams = {made: chunks for made, chunks in self.streams.items() if made in wanted}
        self.volumes = {made: image for made, image in self.volumes.items() if made in wanted}

    @rule()
    def open_anew(self) -> None:
        self.repo = reopen(self.repo)

    @invariant()
    def everything_comes_back(self) -> None:
        for made, chunks in self.streams.items():
            assert contents(self.repo, made) == chunks
        for made, image in self.volumes.items():
            assert volumes.size_of(self.repo, made) == VOLUME
            assert same(restored(self.repo, made), image)
        assert {stored.id for stored in self.repo.points()} == set(self.points)

    def teardown(self) -> None:
        assert check.check(self.repo, read_data=True).problems == ()


TestRepositories = Repositories.TestCase
TestRepositories.settings = settings(max_examples=effort.examples(12), stateful_step_count=12, deadline=None)
