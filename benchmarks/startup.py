"""How long `runner --help` takes, as a multiple of starting a bare interpreter; exits with 1 above 6 times.

Both are started alternately, so that a busy machine disturbs both alike; the medians are compared.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import bytecode  # type: ignore[import-not-found]  # beside this file

GOAL = 6.0
ROUNDS = 30
BARE = ("-c", "pass")
HELP = ("-m", "runner", "--help")
FORBIDDEN = ("networkx", "boto3", "kubernetes", "openstack", "pyVmomi", "obstore")


def seconds(arguments: tuple[str, ...]) -> float:
    """Start an interpreter with these arguments and wait for its end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def imported(arguments: tuple[str, ...]) -> list[str]:
    """Return which of the packages that must not be loaded are."""
    done = subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True)
    names = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    return sorted(names & set(FORBIDDEN))


def main() -> int:
    """Measure, print, and tell whether the goal was met."""
    with bytecode.kept():
        for arguments in (BARE, HELP):
            seconds(arguments)  # byte code and page cache
        pairs = [(seconds(BARE), seconds(HELP)) for _ in range(ROUNDS)]
        bare, help_ = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio, loaded = help_ / bare, imported(HELP)
    print(f"bare interpreter {bare * 1000:7.1f} ms")
    print(f"runner --help    {help_ * 1000:7.1f} ms   {ratio:.2f} times (goal: at most {GOAL:g})")
    print(f"imports of {', '.join(FORBIDDEN)}: {', '.join(loaded) or 'none'}")
    return 0 if ratio <= GOAL and not loaded else 1


if __name__ == "__main__":
    sys.exit(main())
