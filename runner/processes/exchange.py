"""Run a command to its end with its standard streams in hand: bytes in from an iterator, bytes out to callbacks."""

from __future__ import annotations

import contextlib
import io
import os
import selectors
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from runner.base import cancel as cancels
from runner.processes import commands as processes

_CHUNK = 64 * 1024


def run(
    commands: processes.Commands,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cancel: cancels.CancelToken,
    cwd: Path | None = None,
    stdin: Iterable[bytes] = (),
    files: Mapping[str, bytes] = MappingProxyType({}),
    on_stdout: Callable[[bytes], None],
    on_stderr: Callable[[bytes], None],
    grace: timedelta = processes.GRACE,
) -> processes.Exit:
    """Run a command and return how it ended; a command that leaves its input unread is no error.

    The callbacks get pieces of any size, in this thread; what they raise ends the command and is passed on.

    Raises:
        RunnerError: As `Commands.start` and `Command.wait`.
    """
    with contextlib.ExitStack() as stack:
        theirs_in, feed = _pipe(stack)
        out, theirs_out = _pipe(stack)
        err, theirs_err = _pipe(stack)
        command = commands.start(
            argv,
            env=env,
            cwd=cwd,
            stdin=theirs_in.fileno(),
            stdout=theirs_out.fileno(),
            stderr=theirs_err.fileno(),
            files=files,
        )
        for end in (theirs_in, theirs_out, theirs_err):
            end.close()
        pump = stack.enter_context(_Pump(feed, stdin, {out: on_stdout, err: on_stderr}))
        command.on_end(pump.finish)
        try:
            with command.ending_on(cancel, grace):
                pump.run()
        except BaseException:
            command.terminate(timedelta(0))
            command.wait(cancels.CancelToken())
            raise
        return command.wait(cancel, grace)


def _pipe(stack: contextlib.ExitStack) -> tuple[io.FileIO, io.FileIO]:
    read, write = os.pipe()
    return stack.enter_context(io.FileIO(read, "rb")), stack.enter_context(io.FileIO(write, "wb"))


class _Pump:
    """Moves bytes until the command has ended, then takes what is still in the pipes.

    It does not wait for the pipes to end, because a process that has escaped from the command may hold them open.
    """

    def __init__(
        self, feed: io.FileIO, source: Iterable[bytes], sinks: Mapping[io.FileIO, Callable[[bytes], None]]
    ) -> None:
        self._feed = feed
        self._source = iter(source)
        self._pending = memoryview(b"")
        self._sinks = sinks
        self._ended = os.eventfd(0)
        self._selector = selectors.DefaultSelector()
        for stream in (feed, *sinks):
            os.set_blocking(stream.fileno(), False)
        self._selector.register(feed, selectors.EVENT_WRITE)
        for stream in sinks:
            self._selector.register(stream, selectors.EVENT_READ)
        self._selector.register(self._ended, selectors.EVENT_READ)

    def __enter__(self) -> _Pump:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        os.close(self._ended)

    def finish(self) -> None:
        """Tell the pump that the command has ended; called from another thread."""
        os.eventfd_write(self._ended, 1)

    def run(self) -> None:
        """Move bytes until told to finish."""
        while True:
            ready = {key.fileobj for key, _ in self._selector.select()}
            if self._feed in ready:
                self._push()
            for stream in self._sinks:
                if stream in ready:
                    self._pull(stream)
            if self._ended in ready:
                break
        for stream in self._sinks:
            while not stream.closed and self._pull(stream):
                continue

    def _pull(self, stream: io.FileIO) -> bool:
        data = stream.read(_CHUNK)
        if data:
            self._sinks[stream](data)
        elif data == b"":
            self._selector.unregister(stream)
            stream.close()
        return bool(data)

    def _push(self) -> None:
        try:
            while not self._pending:
                self._pending = memoryview(next(self._source))
            self._pending = self._pending[self._feed.write(self._pending) or 0 :]
        except (StopIteration, BrokenPipeError):
            self._selector.unregister(self._feed)
            self._feed.close()
