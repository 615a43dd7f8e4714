"""The reaper: a small program whose children are all commands of one run, and which outlives the runner to end them.

The runner (`Commands`) starts it, with one end of a socket pair, the *lifeline*, as its only tie. When the lifeline
ends, however the runner died, the commands are terminated, then killed.

Two processes guard each other. The outer one only waits; if the inner one is killed, the commands become children of
the outer one, which kills them. If the outer one is killed, a signal tells the inner one, which winds up.

It imports nothing but the standard library, and little of it, because its start is felt.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from runner.processes import launch, procfs, records, wire


def _now() -> float:
    return time.monotonic()  # noqa: TID251 (the runner's clock cannot be imported here)


class Child:
    """One command: forked, released once its record is durable, executed, ended, and finished when nothing is left."""

    __slots__ = ("deadline", "failure", "forced", "go", "id", "launched", "pid", "program", "record", "status", "told")

    def __init__(self, name: str, pid: int, program: str, go: int, failure: int) -> None:
        self.id = name
        self.pid = pid
        self.program = program
        self.go = go
        self.failure = failure
        self.record: dict[str, Any] = {}
        self.launched: bool | None = None  # None until the program runs (True) or could not be run (False)
        self.status: int | None = None
        self.deadline: float | None = None
        self.forced = False  # whether what is left of it is killed rather than asked to end
        self.told: set[int] = set()

    def close_failure(self) -> None:
        """Close the pipe by which the child says why the program could not be run."""
        os.close(self.failure)
        self.failure = -1  # the number may soon belong to another command


class Reaper:
    """The inner process: one loop over the lifeline, the ends of children, and time limits."""

    def __init__(self, lifeline: socket.socket, kept: records.Records, grace: float) -> None:
        self._lifeline = lifeline
        self._records = kept
        self._grace = grace
        self._requests = wire.Frames()
        self._descriptors: collections.deque[int] = collections.deque()
        self._commands: dict[str, Child] = {}
        self._fresh: list[Child] = []
        self._ending = False
        self._poll = select.poll()
        self._poll.register(lifeline, select.POLLIN)
        self._wakeup, wakeup_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll.register(self._wakeup, select.POLLIN)
        signal.set_wakeup_fd(wakeup_end, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)

    def run(self) -> None:
        """Serve until the lifeline has ended and nothing is left."""
        while self._commands or not self._ending:
            self._wait()
            self._release_fresh()
            self._reap()
            self._force_overdue()
            self._finish_ended()

    def end(self) -> None:
        """Ask all commands to end, and leave when they have."""
        if self._ending:
            return
        self._ending = True
        self._poll.unregister(self._lifeline)
        for child in self._commands.values():
            self._terminate(child, self._grace)

    def _wait(self) -> None:
        deadlines = [c.deadline for c in self._commands.values() if c.deadline is not None and not c.forced]
        timeout = max(0.0, min(deadlines) - _now()) * 1000 + 1 if deadlines else None
        for descriptor, _ in self._poll.poll(timeout):
            if descriptor == self._wakeup:
                if signal.SIGTERM in os.read(self._wakeup, 4096):
                    self.end()
            elif descriptor == self._lifeline.fileno():
                self._receive()
            else:
                self._settle_launch(next(c for c in self._commands.values() if c.failure == descriptor))

    # Requests

    def _receive(self) -> None:
        space = socket.CMSG_SPACE(64 * 4)
        while True:
            try:
                data, ancillary, _, _ = self._lifeline.recvmsg(65536, space, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError:
                data, ancillary = b"", []
            for _, _, packed in ancillary:
                for at in range(0, len(packed), 4):
                    self._descriptors.append(int.from_bytes(packed[at : at + 4], sys.byteorder))
            if not data:
                self.end()
                return
            for request in self._requests.feed(data):
                self._serve(request)

    def _serve(self, request: dict[str, Any]) -> None:
        if request["do"] == "spawn":
            self._spawn(request)
        elif child := self._commands.get(request["id"]):
            self._terminate(child, request["grace"])

    def _answer(self, **answer: object) -> None:
        try:
            self._lifeline.sendall(wire.frame(answer))
        except OSError:
            return  # the runner is gone; the end of the lifeline says so too

    # Starting

    def _spawn(self, request: dict[str, Any]) -> None:
        streams = [self._descriptors.popleft() for _ in range(3)]
        go, go_end = os.pipe()
        failure, failure_end = os.pipe()
        parent = os.getpid()
        # A signal between fork and exec must not reach the handlers, and the wakeup pipe, that the child shares.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                launch.become(request, streams, go, failure_end, parent)
        except OSError as error:
            self._answer(event="failed", id=request["id"], errno=error.errno, stage="fork")
            pid = 0
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for descriptor in (*streams, go, failure_end) + ((go_end, failure) if pid == 0 else ()):
            os.close(descriptor)
        if pid:
            child = Child(request["id"], pid, request["argv"][0], go_end, failure)
            self._commands[child.id] = child
            self._fresh.append(child)

    def _release_fresh(self) -> None:
        if not self._fresh:
            return
        if self._ending:
            self._abandon_fresh()
            return
        try:
            for child in self._fresh:
                child.record = self._records.started(child.id, child.pid, "command", child.program)
            self._records.flush()
        except OSError as error:
            for child in self._fresh:
                self._answer(event="failed", id=child.id, errno=error.errno, stage="record")
            self._abandon_fresh()
            return
        for child in self._fresh:
            with contextlib.suppress(BrokenPipeError):  # somebody killed it before it began
                os.write(child.go, launch.GO)
            os.close(child.go)
            self._poll.register(child.failure, select.POLLIN)
        self._fresh.clear()

    def _abandon_fresh(self) -> None:
        """Let children end that were never told to go."""
        for child in self._fresh:
            child.launched = False
            os.close(child.go)
            child.close_failure()
        self._fresh.clear()

    def _settle_launch(self, child: Child) -> None:
        report = os.read(child.failure, 4096)
        self._poll.unregister(child.failure)
        child.close_failure()
        child.launched = not report
        if report:
            self._answer(event="failed", id=child.id, **json.loads(report))
        else:
            self._answer(event="started", id=child.id, pid=child.pid)

    # Ending

    def _terminate(self, child: Child, grace: float) -> None:
        deadline = _now() + grace
        if child.deadline is None:
            procfs.kill_group(child.pid, signal.SIGTERM)
        child.deadline = min(deadline, child.deadline or deadline)

    def _force_overdue(self) -> None:
        now = _now()
        for child in self._commands.values():
            if child.deadline is not None and not child.forced and now >= child.deadline:
                child.forced = True
                if child.status is None:
                    procfs.kill_group(child.pid, signal.SIGKILL)

    def _reap(self) -> None:
        leaders = {child.pid: child for child in self._commands.values() if child.status is None}
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            child = leaders.get(ended.si_pid)
            if child is not None and child.deadline is None:
                child.forced = True
                # While its leader is not reaped, the id of the group cannot have been given to another one.
                procfs.kill_group(child.pid, signal.SIGKILL)
            _, status = os.waitpid(ended.si_pid, 0)
            if child is not None:
                child.status = status

    def _finish_ended(self) -> None:
        ended = [child for child in self._commands.values() if child.status is not None]
        if not ended:
            return
        running = {child.pid for child in self._commands.values() if child.status is None}
        strays = [pid for pid in procfs.children() if pid not in running]
        left = {child.id: [pid for pid in strays if self._belongs(pid, child)] for child in ended}
        for child in ended:
            self._end_strays(child, left[child.id])
        self._finish([child for child in ended if not left[child.id]])

    def _belongs(self, pid: int, child: Child) -> bool:
        """Tell a command's own leftovers from those of others: by session, or by environment if it left the session.

        Whoever has left both is known to be nobody else's only when no other command is there.
        """
        if procfs.stat_fields(pid)[3:4] == [str(child.pid).encode()] or len(self._commands) == 1:
            return True
        return f"{procfs.COMMAND_VARIABLE}={child.id}".encode() in procfs.environment_of(pid)

    def _end_strays(self, child: Child, left: list[int]) -> None:
        for pid in left:
            if child.forced:
                procfs.kill(pid, signal.SIGKILL)
            elif pid not in child.told and procfs.stat_fields(pid)[2:3] != [str(child.pid).encode()]:
                child.told.add(pid)  # the command's own group was told when the command was
                procfs.kill(pid, signal.SIGTERM)

    def _finish(self, children: list[Child]) -> None:
        """Report commands of which nothing is left, after their ends are durable."""
        if not children:
            return
        answers = []
        for child in children:
            if child.launched is None:
                self._settle_launch(child)
            del self._commands[child.id]
            self._records.remove_files(child.id)
            if child.launched:
                answers.append(self._record_exit(child))
            else:
                self._records.remove(child.id)
        for answer in answers:
            self._answer(**answer)

    def _record_exit(self, child: Child) -> dict[str, Any]:
        code = os.waitstatus_to_exitcode(child.status or 0)
        result = {
            "code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "cut": self._ending,  # it may have ended because it was told to, so nobody knows what it would have done
        }
        with contextlib.suppress(OSError):  # the answer counts; the record is for a runner that will not get it
            self._records.write(child.id, {**child.record, "exit": result})
            self._records.flush()
        return {"event": "exited", "id": child.id, **result}


def _guard(inner: int) -> None:
    """Wait for the inner process, then kill whatever it left to us, until nothing is left."""
    while os.wait()[0] != inner:
        continue
    while True:
        for pid in procfs.children():
            procfs.kill(pid, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def main() -> None:
    """Run the program: fork the inner process and guard it. Arguments: lifeline, directory of records, grace."""
    lifeline, directory, grace = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    procfs.prctl(procfs.SET_CHILD_SUBREAPER, 1)
    kept = records.Records(directory)
    outer = os.getpid()
    kept.started(f"guard-{outer}", outer, "reaper")
    inner = os.fork()
    if inner:
        os.close(lifeline)
        _guard(inner)
        return
    procfs.prctl(procfs.SET_CHILD_SUBREAPER, 1)
    reaper = Reaper(socket.socket(fileno=lifeline), kept, grace)
    procfs.prctl(procfs.SET_PDEATHSIG, signal.SIGTERM)
    kept.started(f"reaper-{os.getpid()}", os.getpid(), "reaper")
    kept.flush()
    if os.getppid() != outer:
        reaper.end()
    reaper.run()
