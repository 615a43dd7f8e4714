"""Start the commands of a run and wait for them; they are children of the run's reaper, not of the runner."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from runner.base import cancel as cancels
from runner.base import clock as clocks
from runner.base import errors, ids
from runner.processes import handover, procfs, recovery, wire
from runner.processes import records as kept

GRACE = timedelta(seconds=5)

_START_REAPER = "import sys; sys.path.append(sys.argv.pop(1)); from runner.processes import reaper; reaper.main()"


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended: with a code, or by a signal."""

    code: int | None = None
    signal: int | None = None

    def __str__(self) -> str:
        if self.signal is None:
            return f"exit code {self.code}"
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(self.signal).name}"
        return f"signal {self.signal}"


class Command:
    """A command that runs, or ran; safe to use from any thread."""

    def __init__(self, name: str, program: str, terminate: Callable[[str, timedelta], None]) -> None:
        self.id = name
        self.program = program
        self.pid = 0
        self._terminate = terminate
        self._launched = threading.Event()
        self._ended = threading.Event()
        self._exit: Exit | None = None
        self._problem: errors.RunnerError | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def wait(self, cancel: cancels.CancelToken, grace: timedelta = GRACE) -> Exit:
        """Wait until nothing of the command is left, its background processes included.

        When the token is cancelled the command is terminated, and killed after `grace`.

        Raises:
            Cancelled: Or `TimedOut`, as the token says, after the command has ended.
            OutcomeUnknown: If it was cut off, because its reaper ended or was told to (`close`).
        """
        with self.ending_on(cancel, grace):
            self._ended.wait()
        cancel.raise_if_cancelled()
        if self._problem is not None:
            raise self._problem
        return self._exit or Exit()

    @contextlib.contextmanager
    def ending_on(self, cancel: cancels.CancelToken, grace: timedelta = GRACE) -> Iterator[None]:
        """Terminate the command when the token is cancelled within the block; the block still has to wait for it."""
        forget = cancel.on_cancel(lambda: self.terminate(grace))
        try:
            yield
        finally:
            forget()

    def terminate(self, grace: timedelta = GRACE) -> None:
        """Ask the whole process group to end, and kill it after `grace`; returns at once."""
        self._terminate(self.id, grace)

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the command has ended, in another thread and before `wait` returns.

        If it already has, the call is made at once. The callback has to be quick, and must not use the command.
        """
        with self._lock:
            if not self._ended.is_set():
                self._callbacks.append(callback)
                return
        callback()

    def launched(self, pid: int) -> None:
        """Note that the program runs."""
        self.pid = pid
        self._launched.set()

    def ended(self, result: Exit | errors.RunnerError) -> None:
        """Note how it ended, or why that is not known."""
        with self._lock:
            if isinstance(result, Exit):
                self._exit = result
            else:
                self._problem = result
            for callback in self._callbacks:
                callback()
            self._ended.set()
        self._launched.set()

    def wait_until_launched(self) -> None:
        """Wait until the program runs.

        Raises:
            RunnerError: Why it could not be started.
        """
        self._launched.wait()
        if self.pid == 0 and self._problem is not None:
            raise self._problem


class Commands:
    """The commands of one run; the reaper is started with the first of them.

    Args:
        directory: Where the reaper keeps its records, private to the run; made if it is missing.
        token: Put into the environment of every command, so that leftovers are known; one for each run.
        clock: The time.
        grace: How long commands may take to end when the runner dies, before they are killed.
    """

    def __init__(self, directory: Path, token: str, clock: clocks.Clock, *, grace: timedelta = GRACE) -> None:
        self._directory = directory.absolute()
        self._token = token
        self._clock = clock
        self._grace = grace
        self._lock = threading.Lock()
        self._link: _Link | None = None
        self._commands: dict[str, Command] = {}

    def __enter__(self) -> Commands:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        files: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Command:
        """Start a command in a session and process group of its own, and return when its program runs.

        Args:
            argv: The program, looked for in the `PATH` of `env`, and its arguments.
            env: Its whole environment; the marks of the run are added.
            cwd: Its working directory; that of the runner by default.
            stdin: Descriptor of its standard input; stays open here, as the next two. Without one, the null device.
            stdout: Descriptor of its standard output.
            stderr: Descriptor of its standard error.
            files: What it finds by name in the directory that its variable `RUNNER_FILES` names. They do not outlive
                it: whoever sees its end removes them, be it this process, the reaper, or a later runner.

        Raises:
            EnvironmentProblem: RT205 if the program is missing or cannot be executed, RT204 if `cwd` is missing or the
                files cannot be written.
            PermanentError: RT206 if it cannot be started for another reason.
            TransientError: RT206 if the machine has no room for another process now.
            OutcomeUnknown: If the reaper ended meanwhile.
        """
        command = Command(ids.base32(ids.random_bytes(5), 8), argv[0], self._terminate)
        marks = {procfs.TOKEN_VARIABLE: self._token, procfs.COMMAND_VARIABLE: command.id}
        if files:
            marks[handover.VARIABLE] = kept.files_of(str(self._directory), command.id)
        request = {
            "do": "spawn",
            "id": command.id,
            "argv": list(argv),
            "env": {**env, **marks},
            "cwd": str((cwd or Path.cwd()).absolute()),
        }
        _refuse_nul(request)
        with open(os.devnull, "r+b", buffering=0) as null:  # noqa: PTH123 (descriptors, not a path)
            streams = [null.fileno() if stream is None else stream for stream in (stdin, stdout, stderr)]
            with self._lock:
                self._link = self._link or self._connect()
                handover.write(marks.get(handover.VARIABLE, ""), files)
                self._commands[command.id] = command
                self._link.send(request, streams)
            command.wait_until_launched()
        return command

    def close(self) -> None:
        """End all commands that still run, and the reaper; returns when nothing is left."""
        link = self._link
        if link is not None:
            link.close()

    def _connect(self) -> _Link:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            return _Link(self._directory, self._grace, self._receive, self._lost)
        except OSError as error:
            raise errors.EnvironmentProblem(
                "the process that looks after the run's commands cannot be started",
                details=str(error),
                hint="see that the state directory can be written and that processes can be started",
            ) from error

    def _terminate(self, name: str, grace: timedelta) -> None:
        with self._lock:
            if self._link is not None and name in self._commands:
                self._link.send({"do": "terminate", "id": name, "grace": grace.total_seconds()})

    def _receive(self, answer: dict[str, Any]) -> None:
        name = answer["id"]
        if answer["event"] == "started":
            self._commands[name].launched(answer["pid"])
            return
        command = self._commands.pop(name)
        kept.remove_files(str(self._directory), name)
        if answer["event"] == "failed":
            command.ended(_cannot_start(command.program, answer["stage"], answer["errno"]))
            return
        (self._directory / f"{name}.json").unlink(missing_ok=True)
        command.ended(_result(answer, _cut_off("")))

    def _lost(self, link: _Link) -> None:
        """Tidy up after a reaper that is gone: because it was told to, or because somebody killed it."""
        with self._lock:
            records = dict(recovery.read_records(self._directory))
            problem: errors.RunnerError = _cut_off(link.last_words())
            try:
                recovery.settle(self._directory, self._token, self._clock)
            except errors.RunnerError as stuck:
                problem = stuck
            link.wait()
            lost, self._commands, self._link = self._commands, {}, None
        for name, command in lost.items():
            command.ended(_result(records.get(name, {}).get("exit"), problem))


class _Link:
    """A running reaper and the thread that listens to it."""

    def __init__(
        self,
        directory: Path,
        grace: timedelta,
        receive: Callable[[dict[str, Any]], None],
        lost: Callable[[_Link], None],
    ) -> None:
        self._words = directory / recovery.LOG_NAME
        self._receive = receive
        self._lost = lost
        self._socket, theirs = socket.socketpair()
        package_root = str(Path(__file__).parents[2])
        number = str(theirs.fileno())
        seconds = str(grace.total_seconds())
        with theirs, self._words.open("ab") as words:
            self._reaper = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START_REAPER, package_root, number, str(directory), seconds],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=words,
                cwd="/",
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._thread = threading.Thread(target=self._listen, name="reaper", daemon=True)
        self._thread.start()

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send a request; only one thread at a time. If the reaper is gone, the listener gets to know too."""
        data = wire.frame(message)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sent = socket.send_fds(self._socket, [data], list(descriptors))
            self._socket.sendall(data[sent:])

    def close(self) -> None:
        """End the lifeline, and wait for the listener to have tidied up."""
        self.end_lifeline()
        self._thread.join()

    def end_lifeline(self) -> None:
        """Make the reaper end its commands, and itself."""
        with contextlib.suppress(OSError):  # the reaper may be gone already
            self._socket.shutdown(socket.SHUT_WR)

    def wait(self) -> None:
        """Wait for the reaper's end, and close the lifeline."""
        self._reaper.wait()
        self._socket.close()

    def last_words(self) -> str:
        """Return what the reaper wrote to its standard error, usually nothing."""
        with contextlib.suppress(FileNotFoundError):
            return self._words.read_text(errors="replace")[-4000:]
        return ""

    def _listen(self) -> None:
        answers = wire.Frames()
        try:
            while data := self._socket.recv(65536):
                for answer in answers.feed(data):
                    self._receive(answer)
        except ConnectionResetError:
            return
        finally:
            self.end_lifeline()
            self._lost(self)


def _refuse_nul(request: Mapping[str, Any]) -> None:
    texts = [*request["argv"], *request["env"], *request["env"].values(), request["cwd"]]
    if any("\0" in text for text in texts) or not request["argv"][0]:
        raise errors.PermanentError(
            "the command cannot be started: its program is empty, or a NUL character is in it or in its environment",
            code="RT206",
            hint="encode binary data, or pass it on standard input",
        )


def _cut_off(details: str) -> errors.OutcomeUnknown:
    return errors.OutcomeUnknown(
        "the process that looks after the run's commands ended, and the command with it",
        details=details,
        hint="see who ended it (the kernel, for want of memory?)",
    )


def _result(ended: Mapping[str, Any] | None, unknown: errors.RunnerError) -> Exit | errors.RunnerError:
    if ended is None or ended["cut"]:
        return unknown
    return Exit(code=ended["code"], signal=ended["signal"])


def _cannot_start(program: str, stage: str, number: int) -> errors.RunnerError:
    reason = os.strerror(number)
    if stage == "directory":
        return errors.EnvironmentProblem(
            f"the working directory of {program} cannot be entered", details=reason, hint="make it, or correct workdir"
        )
    if stage == "record":
        return errors.EnvironmentProblem(
            f"{program} was not started, because its record cannot be written",
            details=reason,
            hint="see that the state directory can be written",
        )
    if stage == "program" and number in (errno.ENOENT, errno.ENOTDIR):
        return errors.EnvironmentProblem(
            f'the program "{program}" is missing',
            code="RT205",
            details=reason,
            hint="install it, or add its directory to PATH",
        )
    if stage == "program" and number in (errno.EACCES, errno.ENOEXEC):
        return errors.EnvironmentProblem(
            f'the program "{program}" cannot be executed',
            code="RT205",
            details=reason,
            hint="see that it is a program for this machine, and that its mode allows it (chmod +x)",
        )
    if number in (errno.EAGAIN, errno.ENOMEM):
        return errors.TransientError(
            f"{program} cannot be started now: {reason}", code="RT206", hint="let fewer things run at once"
        )
    return errors.PermanentError(
        f"{program} cannot be started: {reason}", code="RT206", hint="make the command line and environment smaller"
    )
