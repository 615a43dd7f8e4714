"""Work that waits for its turn at a slow location ends as soon as it is given up."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator

import pytest

from runner.base import cancel, clock, errors
from runner.locations import limited, memory
from runner.repository import neighbours, repository, writer
from tests.unit.repository.making import make, noise, point, put

CHUNKS = [noise(str(number), 300_000) for number in range(100)]


class Endless(clock.FakeClock):
    """Time that stands still for who waits; the first one to do so has something done."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.then = then

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        then, self.then = self.then, lambda: None
        then()
        return event.wait()


def slow(repo: repository.Repository, time: Endless, **limits: int) -> repository.Repository:
    place = limited.wrap(repo.location, limited.Limits(**limits), time)
    return repository.Repository(place, repo.keys, random=repo.random, clock=repo.clock, workers=2)


def test_an_export_that_waits_for_the_upload_ends_when_it_is_cancelled() -> None:
    token = cancel.CancelToken()
    repo = make(memory.Memory())
    opened = slow(repo, Endless(token.cancel), upload=1)
    with pytest.raises(errors.Cancelled), opened.writer(token="a", cancel=token) as sink:
        fill(sink)
    assert list(repo.location.list("locks/")) == []


def test_an_export_that_fails_does_not_wait_for_the_upload() -> None:
    repo = make(memory.Memory())
    waits = threading.Event()
    opened = slow(repo, Endless(waits.set), upload=1)
    with pytest.raises(OSError, match="unreadable"), opened.writer(token="a", cancel=cancel.CancelToken()) as sink:
        fail(sink, waits)
    assert repo.find_export("a") is None


def fill(sink: writer.Writer) -> None:
    """Add more than fits into the memory of a writer."""
    list(sink.add_all(noise(str(number), 300_000) for number in range(300)))


def fail(sink: writer.Writer, waits: threading.Event) -> None:
    """Fail as soon as a pack waits for the upload."""
    list(sink.add_all(noise(str(number), 300_000) for number in range(110)))
    waits.wait()
    raise OSError("unreadable")


def restorable() -> tuple[repository.Repository, list[bytes]]:
    repo = make(memory.Memory())
    export = put(repo, "a", *CHUNKS)
    repo.put_point(point("aaaaaaaa", export))
    return repo, list(repo.manifest(export).roots)


def test_a_restore_that_waits_for_the_download_ends_when_it_is_cancelled() -> None:
    repo, roots = restorable()
    token = cancel.CancelToken()
    opened = slow(repo, Endless(token.cancel), download=1)
    opened.index = repo.index
    with pytest.raises(errors.Cancelled):
        opened.reader().scatter([[(number, root)] for number, root in enumerate(roots)], lambda *_: None, token)


def test_who_stops_reading_does_not_wait_for_what_is_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_WORTH_READING", 1000)
    repo, roots = restorable()
    opened = slow(repo, Endless(), download=1)
    opened.index = repo.index
    reading = opened.reader().read(itertools.chain(roots[:60], stopping()))
    with pytest.raises(KeyboardInterrupt):
        list(reading)


def stopping() -> Iterator[bytes]:
    raise KeyboardInterrupt
    yield b""
