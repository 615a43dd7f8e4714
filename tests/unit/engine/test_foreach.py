"""`foreach`: instances, their turns, their undo, and what is read of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from runner.base import errors
from runner.engine import drive, events, journal_file, result
from runner.plan.plan import Concurrency, Foreach, NodeKind, Output, Plan, PlanNode
from runner.registry import context
from tests.unit.engine.bench import Bench, DoOutputs, fail_with, node, plan

ITEMS = ["a", "b", "c"]


def each(name: str = "copy", items: Any = "inputs.list", after: tuple[str, ...] = (), **more: Any) -> PlanNode:
    """Return a phase with an instance for each item, with a revert and a cleanup."""
    foreach = Foreach(items=items, **more.pop("foreach", {}))
    return node(
        name,
        after,
        foreach=foreach,
        arguments=more.pop("arguments", {"value": "{{ item }}"}),
        revert=node(name, kind=NodeKind.REVERT, arguments={"value": f"{{{{ phases.{name}.outputs.value }}}}"}),
        cleanup=node(name, kind=NodeKind.CLEANUP, arguments={"value": "{{ index }} {{ key }}"}),
        **more,
    )


def one_at_a_time(*nodes: PlanNode, **more: Any) -> Plan:
    return plan(*nodes, concurrency=Concurrency(max_parallel=1), **more)


def names(bench: Bench) -> list[str]:
    return [name for name, _, _ in bench.script.calls]


def test_there_is_an_instance_for_each_item(bench: Bench) -> None:
    after = node("after", ("copy",), arguments={"value": "{{ phases.copy.each | toJson }}"})

    state = bench.run(one_at_a_time(each(), after), {"list": ITEMS})

    assert bench.script.calls[:3] == [("copy/a", 1, "a"), ("copy/b", 1, "b"), ("copy/c", 1, "c")]
    assert '"b":{"outputs":{"value":"b"},"status":"succeeded"}' in bench.script.calls[3][2]
    assert bench.script.calls[4:] == [
        ("cleanup/copy/c", 1, "2 c"),
        ("cleanup/copy/b", 1, "1 b"),
        ("cleanup/copy/a", 1, "0 a"),
    ]
    assert (state.nodes["copy"].status, state.finished) == ("succeeded", "succeeded")


def test_nothing_to_do_succeeds_with_an_empty_each(bench: Bench) -> None:
    after = node("after", ("copy",), arguments={"value": "{{ phases.copy.each | toJson }}"})

    state = bench.run(plan(each(), after), {"list": []})

    assert bench.script.calls == [("after", 1, "{}")]
    assert state.nodes["copy"].status == "succeeded"


def test_items_come_from_the_outputs_of_a_phase(bench: Bench) -> None:
    bench.script.actions["find"] = [lambda ctx: DoOutputs(value="", found=["x", "y"])]  # type: ignore[call-arg]
    find = node("find", outputs={"found": Output(type="array")})

    bench.run(one_at_a_time(find, each(items="phases.find.outputs.found", after=("find",))))

    assert names(bench)[:3] == ["find", "copy/x", "copy/y"]


@pytest.mark.parametrize(
    ("items", "key", "keys"),
    [
        (["a", "b"], "", ["a", "b"]),
        (["/srv/a", "b"], "", ["0", "1"]),
        ([1, 2], "", ["0", "1"]),
        ([{"name": "x"}, {"name": "y"}], "item.name", ["x", "y"]),
        ({"left": 1, "right": 2}, "", ["left", "right"]),
    ],
)
def test_keys_tell_instances_apart(bench: Bench, items: Any, key: str, keys: list[str]) -> None:
    state = bench.run(plan(each(foreach={"key": key}, arguments={})), {"list": items})

    assert list(state.instances["copy"].nodes) == [f"copy/{each}" for each in keys]


@pytest.mark.parametrize(
    ("items", "key", "code"),
    [
        (["a", "a"], "", "KB412"),
        (["a b"], "item", "KB412"),
        ("text", "", "KB410"),
        (3, "", "KB410"),
        ([{}], "item.name", "KB404"),
    ],
)
def test_items_that_cannot_be_told_fail_the_phase(bench: Bench, items: Any, key: str, code: str) -> None:
    state = bench.run(plan(each(foreach={"key": key})), {"list": items})

    assert state.finished == "failed"
    assert [(name, error.code) for name, error in state.failures] == [("copy", code)]
    assert bench.script.calls == []


def test_a_failure_undoes_what_its_siblings_did(bench: Bench) -> None:
    bench.script.actions["copy/b"] = [fail_with(errors.PermanentError("broken"))]

    state = bench.run(one_at_a_time(each(), node("never", ("copy",))), {"list": ITEMS})

    assert names(bench) == ["copy/a", "copy/b", "cleanup/copy/b", "cleanup/copy/a", "revert/copy/a"]
    assert bench.script.calls[-1][2] == "a"
    assert [state.nodes[name].status for name in ("copy", "copy/c", "never")] == ["failed", "not_run", "not_run"]


def test_failures_of_instances_are_tolerated_one_by_one(bench: Bench) -> None:
    bench.script.actions["copy/b"] = [fail_with(errors.PermanentError("broken"))]
    after = node(
        "after", ("copy",), arguments={"value": "{{ phases.copy.each.b.status }} {{ phases.copy.each.c.status }}"}
    )

    state = bench.run(one_at_a_time(each(tolerate=True), after), {"list": ITEMS})

    assert state.finished == "succeeded"
    assert (state.nodes["copy"].status, state.nodes["copy/b"].status) == ("tolerated", "tolerated")
    assert ("after", 1, "tolerated succeeded") in bench.script.calls


def test_no_more_instances_run_at_once_than_allowed(bench: Bench) -> None:
    most, under_way, lock = 0, 0, threading.Lock()

    def count(ctx: context.PhaseContext) -> None:
        nonlocal most, under_way
        with lock:
            under_way += 1
            most = max(most, under_way)
        ctx.cancel.wait(0.02)
        with lock:
            under_way -= 1

    items = [str(number) for number in range(6)]
    for item in items:
        bench.script.actions[f"copy/{item}"] = [count]

    bench.run(plan(each(foreach={"max_parallel": 2})), {"list": items})

    assert most == 2


def _until_the_other_runs(other: threading.Event) -> Callable[[context.PhaseContext], None]:
    def act(ctx: context.PhaseContext) -> None:
        assert other.wait(10)
        raise errors.PermanentError("broken")

    return act


@pytest.mark.parametrize(("fail_fast", "status"), [(True, "cancelled"), (False, "succeeded")])
def test_fail_fast_interrupts_the_siblings_and_nothing_else(bench: Bench, fail_fast: bool, status: str) -> None:
    runs = threading.Event()

    def wait(ctx: context.PhaseContext) -> None:
        runs.set()
        ctx.cancel.wait(10 if fail_fast else 0.1)
        ctx.cancel.raise_if_cancelled()

    bench.script.actions["copy/a"] = [_until_the_other_runs(runs)]
    bench.script.actions["copy/b"] = [wait]

    state = bench.run(plan(each(foreach={"fail_fast": fail_fast})), {"list": ["a", "b"]})

    assert state.nodes["copy/b"].status == status
    assert [name for name, _ in state.failures] == ["copy/a"]


def test_each_instance_has_its_own_key_token_and_place(bench: Bench) -> None:
    seen: dict[str, tuple[str, str]] = {}

    def look(ctx: context.PhaseContext) -> None:
        seen[ctx.key] = (ctx.token, str(ctx.work))

    for item in ITEMS:
        bench.script.actions[f"copy/{item}"] = [look]

    bench.run(plan(each()), {"list": ITEMS})

    assert sorted(seen) == ITEMS
    assert len({token for token, _ in seen.values()}) == len({work for _, work in seen.values()}) == 3


def test_exports_of_instances_carry_their_key(bench: Bench) -> None:
    bench.run(one_at_a_time(each(function="Export", exports=True)), {"list": ITEMS})

    (point,) = bench.host.points.values()
    assert [(draft.phase, draft.key) for draft in point.exports] == [("copy", item) for item in ITEMS]


def test_a_resumed_run_goes_on_with_the_instances_that_were_expanded(bench: Bench) -> None:
    run = bench.create(one_at_a_time(each(idempotent=True)), {"list": ["other"]})
    with run.lock():
        journal = journal_file.FileJournal(run.journal)
        written: list[events.Event] = [
            events.Expanded(node="copy", items={"a": "a", "b": "b"}),
            events.Started(node="copy/a", attempt=1),
        ]
        at = "2026-01-01T00:00:00Z"
        journal.append(
            [events.Record(seq=seq, at=at, elapsed=0.0, event=event) for seq, event in enumerate(written, 1)]
        )
        journal.close()

    state = drive.drive(run, bench.host)

    assert bench.script.calls[:2] == [("copy/a", 2, "a"), ("copy/b", 1, "b")]
    assert state.finished == "succeeded"


def test_the_result_lists_instances_behind_their_phase(bench: Bench) -> None:
    run = bench.create(plan(each(), node("after", ("copy",))), {"list": ["a", "b"]})
    bench.drive(run)

    phases = result.load(run, bench.clock.now()).phases

    assert [(phase.name, phase.key, phase.kind) for phase in phases] == [
        ("copy", "", "phase"),
        ("copy", "a", "phase"), ("copy", "a", "cleanup"),
        ("copy", "b", "phase"), ("copy", "b", "cleanup"),
        ("after", "", "phase"),
    ]  # fmt: skip
