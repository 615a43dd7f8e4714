"""Records of the processes of a run: one small file each, written before a command may run and again when it ended.

Part of the reaper, so it imports nothing but the standard library, and little of it.
"""

from __future__ import annotations

import errno
import json
import os

from runner.processes import procfs


def files_of(directory: str, name: str) -> str:
    """Return the directory of the files that a command was given."""
    return f"{directory}/{name}.files"


def remove_files(directory: str, name: str) -> None:
    """Remove the files that a command was given, if there are any."""
    place = files_of(directory, name)
    try:
        for entry in os.listdir(place):
            os.unlink(f"{place}/{entry}")
        os.rmdir(place)
    except FileNotFoundError:
        return


class Records:
    """The directory that tells a later runner which processes may still live; each file is whole or absent."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._boot = procfs.boot_id()

    def started(self, name: str, pid: int, kind: str, program: str = "") -> dict[str, object]:
        """Write the record of a process; durable after the next `flush`."""
        record = {"kind": kind, "pid": pid, "start": procfs.start_time(pid), "boot": self._boot, "program": program}
        self.write(name, record)
        return record

    def write(self, name: str, record: dict[str, object]) -> None:
        """Write or replace a record.

        A full disk is let pass, because undoing what was begun needs commands most of all just then; such a process
        is still found by the token in its environment.
        """
        path = f"{self._directory}/{name}.json"
        try:
            target = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(target, json.dumps(record).encode())
                os.fsync(target)
            finally:
                os.close(target)
            os.rename(path + ".new", path)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise

    def remove(self, name: str) -> None:
        """Remove a record, if there is one."""
        try:
            os.unlink(f"{self._directory}/{name}.json")
        except FileNotFoundError:
            return

    def remove_files(self, name: str) -> None:
        """Remove the files that a command was given; what stays for want of rights is left to whoever resumes."""
        try:
            remove_files(self._directory, name)
        except OSError:
            return

    def flush(self) -> None:
        """Make the names of all records durable."""
        directory = os.open(self._directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
