"""Pruning and checking follow trees and streams without knowing their form."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import errors
from runner.repository import check, prune, streams
from tests.unit.repository import making, tree_samples


def test_what_a_restore_point_needs_survives_the_deletion_of_its_base(tmp_path: Path) -> None:
    clock = clocks.FakeClock()
    bench = tree_samples.Bench(tmp_path, tree_samples.new_repository(clock))
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    (source / "large").write_bytes(random.Random(1).randbytes(9 << 20))
    for number in range(300):
        (source / "below" / f"file {number}").write_bytes(random.Random(number).randbytes(5000))
    first = bench.backup(source)
    gone = source / "below" / "file 7"
    gone.unlink()
    second = bench.backup(source, base=first.export)
    assert second.bytes_read == 0
    with bench.repo.writer(token="dump", cancel=bench.cancel) as sink:
        dump = streams.StreamCapture(bench.repo, sink, lambda _: None)
        dump.feed(random.Random(3).randbytes(3 << 20))
        stream = dump.finish("a dump").export
    bench.repo.put_point(making.point("abcdefgh", second.export, stream))
    clock.advance(100_000)

    prune.prune(bench.repo, unfinished=timedelta(0))
    with pytest.raises(errors.PermanentError):
        bench.repo.manifest(first.export)
    assert check.check(bench.repo, read_data=True).problems == ()
    before = tree_samples.account(source)
    bench.restore(second.export, tmp_path / "target")
    assert tree_samples.account(tmp_path / "target" / "source") == before
    assert streams.verify_stream(bench.repo, stream, cancel=cancels.CancelToken(), progress=lambda _: None) == 3 << 20
