"""What a forked child of the reaper does until it is the command.

Part of the reaper, so it imports nothing but the standard library, and little of it.
"""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from runner.processes import procfs

GO = b"g"


def become(request: dict[str, Any], streams: list[int], go: int, failure: int, parent: int) -> None:
    """Turn the forked child into the command, once it is told that its record is durable; never returns."""
    stage = "fork"
    try:
        os.setsid()
        procfs.prctl(procfs.SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            return
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        for target, stream in enumerate(streams):
            os.dup2(stream, target)
        # Among what is closed are the other ends of the pipes; else the end of the reaper would go unnoticed below.
        low, high = sorted((go, failure))
        for first, beyond in ((3, low), (low + 1, high), (high + 1, os.sysconf("SC_OPEN_MAX"))):
            os.closerange(first, beyond)
        if os.read(go, 1) != GO:
            return
        stage = "directory"
        os.chdir(request["cwd"])
        stage = "program"
        argv, environment = request["argv"], request["env"]
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execvpe(argv[0], argv, environment)
    except OSError as error:
        os.write(failure, json.dumps({"errno": error.errno, "stage": stage}).encode())
    finally:
        os._exit(127)
