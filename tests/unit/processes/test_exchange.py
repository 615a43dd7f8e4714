"""Commands with their streams in hand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest

from runner.base import cancel as cancels
from runner.base import errors
from runner.processes import commands, exchange
from tests.unit.processes.process_runs import Run, eventually


def ignore(_: bytes) -> None:
    return


def test_large_streams_flow_both_ways_at_once(run: Run) -> None:
    received = bytearray()
    pieces = [bytes([number]) * 100_000 for number in range(50)]
    with run.open() as opened:
        ended = exchange.run(
            opened,
            ["cat"],
            env=run.env,
            cancel=cancels.CancelToken(),
            stdin=pieces,
            on_stdout=received.extend,
            on_stderr=ignore,
        )
    assert ended == commands.Exit(code=0)
    assert received == b"".join(pieces)


def test_both_outputs_are_taken_to_their_ends(run: Run) -> None:
    out, err = bytearray(), bytearray()
    script = "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; echo last; echo last >&2"
    with run.open() as opened:
        exchange.run(
            opened,
            ["sh", "-c", script],
            env=run.env,
            cancel=cancels.CancelToken(),
            on_stdout=out.extend,
            on_stderr=err.extend,
        )
    for output in (out, err):
        assert len(output) == 300_005
        assert output.endswith(b"last\n")


def test_what_is_in_the_pipe_when_the_command_ends_is_not_lost(run: Run) -> None:
    out = bytearray()

    def take(data: bytes) -> None:
        out.extend(data)
        assert eventually(lambda: run.living() == [])

    # A pipe that holds more than is read at once.
    fill = "import fcntl, os; fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20); os.write(1, bytes(300_000))"
    with run.open() as opened:
        exchange.run(
            opened,
            [sys.executable, "-c", fill],
            env=run.env,
            cancel=cancels.CancelToken(),
            on_stdout=take,
            on_stderr=ignore,
        )
    assert len(out) == 300_000


def test_input_that_nobody_reads_is_no_error(run: Run) -> None:
    with run.open() as opened:
        ended = exchange.run(
            opened,
            ["true"],
            env=run.env,
            cancel=cancels.CancelToken(),
            stdin=(b"x" * 1_000_000 for _ in range(100)),
            on_stdout=ignore,
            on_stderr=ignore,
        )
    assert ended == commands.Exit(code=0)


def test_a_process_that_keeps_the_output_open_holds_nothing_up(run: Run) -> None:
    # The daemon left the session and hides its environment, and another command runs: nobody can tell whose it is.
    out = bytearray()
    with run.open() as opened:
        other = opened.start(["sleep", "60"], env=run.env)
        ended = exchange.run(
            opened,
            ["sh", "-c", "echo before; setsid env -i sleep 60 & sleep 0.1"],
            env=run.env,
            cancel=cancels.CancelToken(),
            on_stdout=out.extend,
            on_stderr=ignore,
        )
        other.terminate()
    assert ended == commands.Exit(code=0)
    assert out == b"before\n"


def test_cancelling_ends_the_command_and_raises(run: Run) -> None:
    token = cancels.CancelToken()

    def cancel(_: bytes) -> None:
        token.cancel(cancels.Reason.TIMEOUT)

    with run.open() as opened:
        with pytest.raises(errors.TimedOut):
            exchange.run(
                opened,
                ["sh", "-c", "trap '' TERM; echo ready; sleep 60; sleep 60"],
                env=run.env,
                cancel=token,
                on_stdout=cancel,
                on_stderr=ignore,
                grace=timedelta(seconds=0.1),
            )
        assert run.living() == []


def test_an_error_of_the_input_ends_the_command_and_is_passed_on(run: Run) -> None:
    def broken() -> Iterator[bytes]:
        yield b"some"
        raise ValueError("the source broke")

    with run.open() as opened:
        with pytest.raises(ValueError, match="the source broke"):
            exchange.run(
                opened,
                ["cat"],
                env=run.env,
                cancel=cancels.CancelToken(),
                stdin=broken(),
                on_stdout=ignore,
                on_stderr=ignore,
            )
        assert eventually(lambda: run.living() == [])
