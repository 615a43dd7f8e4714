"""What a plan tells of how volumes will be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

from runner import functions
from runner.base import clock as clocks
from runner.model import load
from runner.plan import compile, explain, measure, outlook, present
from runner.plan.knowledge import Knowledge
from runner.registry import driver, estimates, registry
from runner.storage.file import driver as file_driver
from runner.storage.memory import driver as memory_driver

HEAD = """\
apiVersion: blueprint-runner.dev/v1
kind: Blueprint
metadata: {name: volume}
actions:
  backup:
    phases:
"""


class Plain(memory_driver.MemoryDriver):
    """A driver that cannot compare."""

    changed_extents = None  # type: ignore[assignment]


class Silent(memory_driver.MemoryDriver):
    """A driver whose volumes cannot be looked at."""

    def foresee_changes(self, volume: str) -> estimates.Way | None:
        raise driver.StorageUnavailable("the guest does not answer")


def look(phases: str) -> outlook.Outlook:
    blueprint, found = load.parse_blueprint(HEAD + phases, "b.yaml")
    assert blueprint is not None, found
    known = registry.Registry(
        functions.builtin(),
        drivers={
            "file": file_driver.FileDriver,
            "memory": memory_driver.MemoryDriver,
            "plain": Plain,
            "silent": Silent,
        },
    )
    plan, problems = compile.compile_plan(blueprint, "backup", known)
    assert plan is not None, problems
    return measure.measured(outlook.look(plan, Knowledge()), known, estimates.Budget(clocks.FakeClock()))


def phases(snapshot: str, export: str = "{{ phases.snapshot.outputs.id }}") -> str:
    return (
        f"    - {{name: snapshot, func: SnapshotVolume, args: {snapshot}}}\n"
        f"    - {{name: export, func: ExportSnapshot, args: {{snapshot: '{export}'}}}}\n"
    )


def way(found: outlook.Outlook) -> estimates.Way | None:
    return found.phases[-1].way


def test_driver_is_asked_about_the_volume_whose_snapshot_is_taken(tmp_path: Path) -> None:
    (tmp_path / "disk.img").write_bytes(os.urandom(100_000))
    found = look(phases(f"{{volume: {tmp_path}/disk.img}}"))
    assert found.phases[0].way is None
    assert way(found) == estimates.Way(method="full", reason="there is no earlier snapshot of the volume")
    shown = json.loads(json.dumps(present.outlook_json(found)))["phases"][1]["way"]
    assert shown == {"method": "full", "reason": "there is no earlier snapshot of the volume", "bytesSkipped": None}
    assert "reads everything: there is no earlier snapshot of the volume" in " ".join(explain.text(found).split())


def test_driver_that_tells_nothing_before_is_described(tmp_path: Path) -> None:
    found = way(look(phases("{volume: disk, driver: memory}")))
    assert found is not None
    assert (found.method, "driver memory compares" in found.reason) == ("changed", True)
    assert found.reason.endswith("; what it saves is not known: the driver cannot tell before")


def test_driver_that_cannot_compare_says_so() -> None:
    found = way(look(phases("{volume: disk, driver: plain}")))
    assert found == estimates.Way(method="rescan", reason="the driver plain cannot tell what changed")


def test_volume_that_is_known_later_tells_what_the_driver_can_do() -> None:
    found = way(look(phases("{volume: '/{{ run.id }}'}")))
    assert found is not None
    assert "driver file compares" in found.reason
    assert found.reason.endswith("; what it saves is not known: which volume it is comes later")


def test_volume_that_cannot_be_looked_at_says_why() -> None:
    found = way(look(phases("{volume: disk, driver: silent}")))
    assert found is not None
    assert found.reason.endswith("; what it saves is not known: the guest does not answer")


def test_nothing_is_told_of_a_snapshot_from_elsewhere() -> None:
    assert way(look(phases("{volume: disk, driver: memory}", "file:/x"))) is None
    assert way(look(phases("{volume: disk, driver: unknown}"))) is None


def test_volume_without_snapshot_is_read_as_a_whole() -> None:
    found = way(look("    - {name: export, func: ExportVolume, args: {volume: /dev/vdb}}\n"))
    assert found is not None
    assert (found.method, "without a snapshot" in found.reason) == ("rescan", True)
