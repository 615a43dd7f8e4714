"""Measuring a machine and a location: what is done and left, not how fast it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from runner.app import estimates, measuring, measuring_location
from runner.base import clock as clocks
from runner.base import errors
from runner.locations import directory, memory
from runner.registry import location as locations

MIB = 1 << 20


class Slow(memory.Memory):
    """A location that takes its time on a clock of its own, and can fail."""

    def __init__(self, time: clocks.FakeClock, *, seconds: float = 0.0, fails_at: int | None = None) -> None:
        super().__init__()
        self.time = time
        self.puts: list[int] = []
        self._seconds = seconds
        self._fails_at = fails_at

    def put(self, name: str, data: Sequence[locations.Buffer], *, overwrite: bool = False) -> None:
        self.puts.append(sum(len(part) for part in data))
        if len(self.puts) == self._fails_at:
            raise locations.LocationError("the location is full")
        super().put(name, data, overwrite=overwrite)
        self.time.advance(self._seconds)


def unseen(done: int, total: int | None) -> None:
    assert total is not None
    assert 0 <= done <= total


def names(place: locations.Location) -> list[str]:
    return [info.name for info in place.list("")]


def test_a_location_is_as_it_was() -> None:
    place = Slow(clocks.FakeClock())
    place.put("config", [b"of somebody"])
    found = measuring_location.measure(place, place.time, 4 * MIB, unseen)
    assert names(place) == ["config"]
    assert [each.parallel for each in found.throughput] == [1, 2, 4, 8]
    assert sum(size for size in place.puts if size > 1024) == (1 + 2 + 4 + 8) * MIB
    assert found.object_bytes == MIB


@pytest.mark.parametrize("at", [1, 5, 9, 12])
def test_a_failure_leaves_nothing(at: int) -> None:
    place = Slow(clocks.FakeClock(), fails_at=at)
    with pytest.raises(locations.LocationError):
        measuring_location.measure(place, place.time, 4 * MIB, unseen)
    assert names(place) == []


def test_an_interruption_leaves_nothing() -> None:
    place = Slow(clocks.FakeClock())

    def interrupt(done: int, total: int | None) -> None:
        if done > 3 * MIB:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measuring_location.measure(place, place.time, 4 * MIB, interrupt)
    assert names(place) == []


def test_a_slow_location_does_not_take_the_whole_day() -> None:
    place = Slow(clocks.FakeClock(), seconds=4.0)
    found = measuring_location.measure(place, place.time, 400 * MIB, unseen)
    assert found.write_s == 4.0
    assert len([size for size in place.puts if size > 1024]) < 30
    assert found.throughput[0].write == pytest.approx(16 * MIB / 4)


def test_a_directory_that_was_not_there_is_gone_again(tmp_path: Path) -> None:
    time = clocks.SystemClock()
    measuring_location.measure(directory.Directory(tmp_path / "new", clock=time), time, MIB, unseen)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    measuring_location.measure(directory.Directory(tmp_path / "old", clock=time), time, MIB, unseen)
    assert [path for path in (tmp_path / "old").rglob("*") if path.is_file()] == []


def test_all_rates_of_a_machine_are_there(tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    found = measuring.measure(clocks.SystemClock(), tmp_path, 2 * MIB, lambda *step: steps.append(step))
    rates = (found.read_file, found.write_file, found.hash, found.compress, found.encrypt, found.export, found.restore)
    assert min(*rates, found.export_one) > 0
    assert 0.45 < found.ratio < 0.6
    assert steps == [(number, len(steps)) for number in range(1, len(steps) + 1)]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told(small_disk: Path) -> None:
    with pytest.raises(errors.EnvironmentProblem) as caught:
        measuring.measure(clocks.SystemClock(), small_disk, 4 * MIB, unseen)
    assert caught.value.code == "RT312"
    assert list(small_disk.iterdir()) == []


def machine(**rates: float) -> measuring.Machine:
    usual = dict.fromkeys(("read_file", "write_file", "hash", "compress", "encrypt", "export_one"), 1e9)
    whole = {**usual, "export": 1e9, "restore": 1e9, **rates}
    return measuring.Machine(directory="/tmp", workers=2, ratio=0.5, **whole)


def place(write: float, read: float) -> measuring_location.Place:
    throughput = measuring_location.Throughput(parallel=1, write=write, read=read)
    return measuring_location.Place(
        url="s3://b", write_s=0, read_s=0, list_s=0, delete_s=0, object_bytes=1, throughput=(throughput,)
    )


def test_estimates_follow_the_slowest_part() -> None:
    found = estimates.export(machine(export=2e8), place(write=1e9, read=1e9))
    assert (found.limit, found.per_second, found.seconds) == ("the processor", 2e8, (100 << 30) / 2e8)
    # Half of it is stored, so a location takes twice as much content as it takes bytes.
    assert estimates.export(machine(), place(write=1e8, read=1)).per_second == 2e8
    assert estimates.restore(machine(), place(write=1, read=1e8)).limit == "reading from the location"
    assert estimates.restore(machine(write_file=1e7), None).limit == "writing the target"
    assert estimates.export(machine(read_file=1e7), None).limit == "reading the source"
