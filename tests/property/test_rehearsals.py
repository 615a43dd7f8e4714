"""Any blueprint, any results, any crashes: a performance obeys the rules of the engine, and is always the same."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from runner.app import builtins, rehearsals
from runner.base import clock
from runner.document import yamlwrite
from runner.engine.run_state import RunState
from runner.engine.states import TERMINAL, NodeStatus
from runner.plan.plan import NodeKind
from runner.rehearsal.perform import Performance
from tests import effort

READER = rehearsals.Reader(builtins.registry_of_builtins())
ERRORS: Mapping[str, Any] = {
    "ok": {},
    "transient": {"error": {"kind": "transient"}},
    "permanent": {"error": {"kind": "permanent"}},
    "timeout": {"timeout": True},
    "slow": {"takes": "30s"},
}
UNDO = {"func": "RunCommand", "args": {"command": ["undo"], "idempotent": True}}
SETTINGS = hypothesis.settings(max_examples=effort.examples(20), suppress_health_check=list(hypothesis.HealthCheck))


@dataclass(frozen=True)
class Case:
    """A blueprint of one action, and what its phases come to."""

    phases: tuple[dict[str, Any], ...]
    results: Mapping[str, list[str]] = field(default_factory=dict)
    crashes: tuple[Mapping[str, str], ...] = ()
    cancel: Mapping[str, str] | None = None

    def perform(self) -> Performance:
        action = {"phases": list(self.phases), "deferPhase": UNDO}
        blueprint = {**_head("Blueprint"), "metadata": {"name": "any"}, "actions": {"backup": action}}
        given = {
            "results": {name: [ERRORS[word] for word in words] for name, words in self.results.items()},
            "crashes": list(self.crashes),
            **({"cancel": self.cancel} if self.cancel else {}),
        }
        rehearsal = {
            **_head("Rehearsal"),
            "blueprint": "./blueprint.yaml", "action": "backup", "given": given, "expect": {"warnings": []},
        }  # fmt: skip
        with tempfile.TemporaryDirectory() as name:
            (Path(name) / "blueprint.yaml").write_text(yamlwrite.dump(blueprint), encoding="utf-8")
            path = Path(name) / "any.rehearsal.yaml"
            path.write_text(json.dumps(rehearsal), encoding="utf-8")
            document = READER.read(path)
            assert document.is_valid, [finding.message for finding in document.found]
            return READER.perform(document, clock.FakeClock()).performance


def _head(kind: str) -> dict[str, Any]:
    return {"apiVersion": "blueprint-runner.dev/v1", "kind": kind}


@st.composite
def cases(draw: st.DrawFn, words: Iterable[str] = tuple(ERRORS), *, may_foreach: bool = True) -> Case:
    """Draw phases of which each may run twice or can look for what it has created."""
    phases: list[dict[str, Any]] = []
    results: dict[str, list[str]] = {}
    for index in range(draw(st.integers(1, 5))):
        name = f"p{index}"
        creates = draw(st.booleans())
        earlier = [each["name"] for each in phases]
        phase: dict[str, Any] = {
            "name": name,
            "func": "SnapshotVolume" if creates else "RunCommand",
            "args": {"volume": "v"} if creates else {"command": ["do"], "idempotent": True},
            "needs": sorted(draw(st.sets(st.sampled_from(earlier), max_size=2)) if earlier else ()),
            "timeout": "1m",
            "retry": {"limit": draw(st.integers(0, 2)), "errors": ["transient", "timeout"]},
        }
        optional = {"revert": UNDO, "cleanup": UNDO, "onError": "continue"}
        if may_foreach:
            items = draw(st.lists(st.sampled_from("abc"), unique=True))
            optional["foreach"] = {"items": items, "failFast": draw(st.booleans())}
        phases.append(phase | {key: value for key, value in optional.items() if draw(st.booleans())})
        results[name] = draw(st.lists(st.sampled_from(sorted(words)), min_size=1, max_size=3))
    return Case(phases=tuple(phases), results=results)


@SETTINGS
@hypothesis.given(case=cases(), data=st.data())
def test_a_performance_obeys_the_rules_of_the_engine(case: Case, data: st.DataObject) -> None:
    cancel = {"after": "p0", "event": data.draw(st.sampled_from(["started", "succeeded"]))}
    if "foreach" not in case.phases[0] and data.draw(st.booleans()):
        case = Case(phases=case.phases, results=case.results, cancel=cancel)
    performance = case.perform()
    state = performance.state

    assert state.is_finished
    assert all(state.nodes[node.id].status in TERMINAL for node in state.by_id.values() if node.kind is NodeKind.PHASE)
    assert (state.finished == "succeeded") == (state.committed is not None)
    assert [name for name in performance.sequence if name.startswith(("revert", "cleanup"))] == _undo(state)
    assert performance.sequence[-1] == "defer"
    for index, name in enumerate(performance.sequence):
        for source in state.by_id[name].edges:
            before = [each.partition("/")[0] for each in performance.sequence[:index]]
            assert source.source in before or not state.instances[source.source].nodes
    assert case.perform().run == performance.run


def _undo(state: RunState) -> list[str]:
    """Return what has to be undone, newest start first."""
    wanted = []
    for name in reversed(state.started):
        plan, node = state.by_id[name], state.nodes[name]
        if plan.cleanup is not None:
            wanted.append(plan.cleanup.id)
        is_part = state.committed is not None and node.status is not NodeStatus.TOLERATED
        has_something = node.status is NodeStatus.SUCCEEDED or node.residue is not None
        if plan.revert is not None and has_something and not is_part:
            wanted.append(plan.revert.id)
    return wanted


@SETTINGS
@hypothesis.given(case=cases(may_foreach=False))
def test_a_run_succeeds_if_and_only_if_every_phase_would(case: Case) -> None:
    fails = [phase["name"] for phase in case.phases if not _succeeds(phase, case.results[phase["name"]])]
    fatal = [name for name in fails if "onError" not in next(each for each in case.phases if each["name"] == name)]
    performance = case.perform()
    assert performance.run.status == ("failed" if fatal else "succeeded")
    if fatal:
        assert performance.run.failures[0][0] in fatal
    else:
        starts = [name for name in performance.sequence if "/" not in name and name != "defer"]
        assert sorted(starts) == sorted(phase["name"] for phase in case.phases)


def _succeeds(phase: Mapping[str, Any], words: list[str]) -> bool:
    """Tell what becomes of a phase that nothing else disturbs."""
    for attempt in range(phase["retry"]["limit"] + 1):
        match words[min(attempt, len(words) - 1)]:
            case "ok" | "slow":
                return True
            case "permanent":
                return False
    return False


@SETTINGS
@hypothesis.given(case=cases(words=("ok", "slow"), may_foreach=False), data=st.data())
def test_crashes_change_nothing_about_a_run_that_succeeds(case: Case, data: st.DataObject) -> None:
    moments = st.fixed_dictionaries(
        {
            "after": st.sampled_from([phase["name"] for phase in case.phases]),
            "event": st.sampled_from(["started", "succeeded"]),
        }
    )
    crashes = data.draw(st.lists(moments, max_size=3))
    calm = case.perform()
    shaken = Case(phases=case.phases, results=case.results, crashes=tuple(crashes)).perform()
    assert shaken.run.status == calm.run.status == "succeeded"
    assert sorted(shaken.sequence) == sorted(calm.sequence)
    assert shaken.run.artifacts == calm.run.artifacts


DOCUMENT = {
    **_head("Rehearsal"),
    "metadata": {"name": "any"},
    "blueprint": "./blueprint.yaml",
    "action": "backup",
    "given": {
        "inputs": {"a": 1}, "artifactsIn": {"a": {"b": "c"}}, "object": {"kind": "Pod"}, "time": "2026-01-01T00:00:00Z",
        "results": {"p0": [{"outputs": {"id": "x"}}, {"error": {"code": "RT304"}}], "p1/a": {"takes": "5m"}},
        "approvals": ["p0"], "settle": {"p0": "rerun"},
        "cancel": {"after": "p0"}, "crashes": [{"after": "p1", "attempt": 2}],
    },
    "expect": {
        "sequence": ["p0"], "status": "failed", "states": {"p0": "failed"}, "not_run": ["p1"], "skipped": [],
        "arguments": {"p0": {"volume": "v"}}, "artifacts": {"a": {}}, "warnings": [{"message": "x"}],
        "error": {"code": "RT304", "phase": "p0"}, "attempts": {"p0": 1}, "restorePoint": [],
    },
}  # fmt: skip


def _spoilt(value: Any, dice: Any) -> Any:
    """Replace some parts of a document by something else."""
    if dice.random() < 0.08:
        return dice.choice([None, 1, "", "x/y/z", True, [], {}, [[]], {"a": {"b": 1}}, -1, 1.5, "revert/p0", "p1/"])
    if isinstance(value, dict):
        return {key if dice.random() > 0.03 else f"{key}x": _spoilt(item, dice) for key, item in value.items()}
    return [_spoilt(item, dice) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("spoilt")
    foreach = {"items": ["a"]}
    phases = [{"name": f"p{index}", "func": "SnapshotVolume", "args": {"volume": "v"}} for index in (0, 1)]
    action = {"phases": [phases[0], phases[1] | {"foreach": foreach}]}
    blueprint = {**_head("Blueprint"), "metadata": {"name": "any"}, "actions": {"backup": action}}
    (place / "blueprint.yaml").write_text(yamlwrite.dump(blueprint), encoding="utf-8")
    return place


@hypothesis.settings(max_examples=effort.examples(60), suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(dice=st.randoms(use_true_random=False))
def test_no_document_makes_the_checks_fail(place: Path, dice: Any) -> None:
    path = place / "any.rehearsal.yaml"
    path.write_text(json.dumps(_spoilt(DOCUMENT, dice)), encoding="utf-8")
    document = READER.read(path)
    if document.is_valid:
        READER.perform(document, clock.FakeClock())
