"""What the engine itself costs per phase, with its durable journal, beside DBOS on SQLite in the same run.

The phases do nothing, but are declared to have effects, so that each start is flushed before the call. Shapes: a chain
(each phase waits for the one before) and a fan (all wait for the first). Exits with 1 if a goal is missed:

- a chain of 1,000 phases costs at most a fifth of what DBOS takes for a chain of as many steps;
- the cost per phase at 10,000 phases is at most 1.5 times that at 1,000, for both shapes.

DBOS comes from this environment (`pip install -e '.[bench]'`), or is installed into a throw-away one; without it the
comparison is skipped, and said to be.
"""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from runner.base import clock
from runner.engine import drive, request, runs, states
from runner.plan import plan
from runner.registry import context, function, registry
from runner.registry.args import Arguments, NoOutputs
from runner.testing import host

FASTER = 5.0
FLAT = 1.5
ROUNDS = 3

PEER = """
import sys, time
from dbos import DBOS

DBOS(config={"name": "benchmark", "system_database_url": f"sqlite:///{sys.argv[1]}", "log_level": "CRITICAL",
             "run_admin_server": False})

@DBOS.step()
def nothing(number):
    return number

@DBOS.workflow()
def chain(count):
    for number in range(count):
        nothing(number)

DBOS.launch()
chain(10)
start = time.perf_counter()
chain(int(sys.argv[2]))
print("seconds", time.perf_counter() - start)
DBOS.destroy()
"""


def make_plan(shape: str, phases: int) -> plan.Plan:
    """Make a plan of phases that do nothing: a chain, or a fan behind the first phase."""

    def node(number: int) -> plan.PlanNode:
        source = f"p{number - 1}" if shape == "chain" else "p0"
        return plan.PlanNode(
            id=f"p{number}",
            kind=plan.NodeKind.PHASE,
            name=f"p{number}",
            function="Nothing",
            arguments={},
            pointer=f"/actions/run/phases/{number}",
            edges=(plan.Edge(source=source, why=plan.Why.NEEDS),) if number else (),
            idempotent=True,
        )

    nodes = tuple(node(number) for number in range(phases))
    return plan.Plan(blueprint="benchmark", action="run", file="benchmark.yaml", nodes=nodes)


@function.function("Nothing", effects=function.Effects.MUTATES, idempotent=True)
def nothing(ctx: context.PhaseContext, args: Arguments) -> NoOutputs:
    """Do nothing, and say that it has effects."""
    return NoOutputs()


def measure(shape: str, phases: int) -> None:
    """Run one plan in this process and print the seconds from the first event to the last."""
    with tempfile.TemporaryDirectory() as scratch:
        asked = request.Request(plan=make_plan(shape, phases), blueprint_text="")
        directory = runs.Runs(Path(scratch), clock.SystemClock()).create(asked)
        start = time.perf_counter()
        state = drive.drive(directory, host.MemoryHost(registry.Registry([nothing])))
        print("seconds", time.perf_counter() - start)
        ends = {state.nodes[node.id].status for node in state.plan.nodes}
        assert ends == {states.NodeStatus.SUCCEEDED}, ends


def seconds(command: Sequence[str]) -> float:
    """Run a measurement in a process of its own and return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return float(done.stdout.split()[-1])


def ours(shape: str, phases: int) -> float:
    """Return our seconds per phase."""
    return seconds([sys.executable, __file__, shape, str(phases)]) / phases


def peer_python(scratch: Path) -> str | None:
    """Return an interpreter that has DBOS, or None."""
    if importlib.util.find_spec("dbos") is not None:
        return sys.executable
    subprocess.run([sys.executable, "-m", "venv", str(scratch / "peer")], check=True)
    python = str(scratch / "peer" / "bin" / "python")
    done = subprocess.run([python, "-m", "pip", "install", "-q", "dbos"], capture_output=True, text=True, check=False)
    return python if done.returncode == 0 else None


def compare(scratch: Path, phases: int) -> bool:
    """Measure ourselves and DBOS in turn; tell whether we are fast enough, or DBOS is not there."""
    python = peer_python(scratch)
    if python is None:
        print("skipped: DBOS is not installed and cannot be installed (pip install -e '.[bench]')")
        return True
    script = scratch / "peer.py"
    script.write_text(PEER)
    pairs = []
    for number in range(ROUNDS):
        peer = seconds([python, str(script), str(scratch / f"{number}.sqlite"), str(phases)]) / phases
        pairs.append((ours("chain", phases), peer))
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"chain of {phases}: {mine * 1e6:.0f} µs a phase; DBOS on SQLite {theirs * 1e6:.0f} µs")
    print(f"  {theirs / mine:.1f} times faster (goal: at least {FASTER:g})")
    return bool(theirs / mine >= FASTER)


def is_flat(shape: str, few: int, many: int) -> bool:
    """Tell whether a phase costs the same in a large plan."""
    pairs = [(ours(shape, few), ours(shape, many)) for _ in range(ROUNDS)]
    small, large = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{shape}: {small * 1e6:.0f} µs a phase of {few}, {large * 1e6:.0f} µs a phase of {many}")
    print(f"  {large / small:.2f} times (goal: at most {FLAT:g})")
    return bool(large / small <= FLAT)


def main() -> int:
    """Measure everything and tell whether all goals were met."""
    with tempfile.TemporaryDirectory() as scratch:
        met = [compare(Path(scratch), 1000)]
    met += [is_flat(shape, 1000, 10_000) for shape in ("chain", "fan")]
    return 0 if all(met) else 1


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main())
