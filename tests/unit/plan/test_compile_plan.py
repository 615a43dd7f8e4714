from __future__ import annotations

import json
import textwrap
import time
from datetime import timedelta

import pytest

from runner.base.diagnostic import Diagnostic
from runner.model import blueprint as blueprints
from runner.model import load
from runner.plan import codec, compile, graph, plan
from runner.plan import edges as plan_edges
from runner.testing import sample_functions

HEADER = "apiVersion: blueprint-runner.dev/v1\nkind: Blueprint\nmetadata: {name: sample}\n"


def parse(text: str) -> blueprints.Blueprint:
    blueprint, found = load.parse_blueprint(text, "sample.yaml")
    assert blueprint is not None, found
    return blueprint


def document(phases: str, action: str = "", top: str = "") -> str:
    indented = textwrap.indent(textwrap.dedent(phases), "    ")
    return f"{HEADER}{top}actions:\n  backup:\n{textwrap.indent(action, '    ')}    phases:\n{indented}"


def compiled(phases: str, action: str = "", top: str = "") -> plan.Plan:
    made, found = compile.compile_plan(
        parse(document(phases, action, top)), "backup", sample_functions.sample_registry()
    )
    assert made is not None, found
    return made


def findings(phases: str) -> list[Diagnostic]:
    made, found = compile.compile_plan(parse(document(phases)), "backup", sample_functions.sample_registry())
    assert made is None
    return found


def edges(made: plan.Plan) -> dict[str, list[tuple[str, str, str]]]:
    return {node.id: [(edge.source, str(edge.why), edge.detail) for edge in node.edges] for node in made.nodes}


def test_phases_without_needs_run_one_after_another() -> None:
    made = compiled(
        """
        - {name: a, func: AssertThat, args: {that: true}}
        - {name: b, func: AssertThat, args: {that: true}}
        - {name: c, func: AssertThat, args: {that: true}}
        """
    )
    assert edges(made) == {"a": [], "b": [("a", "order", "")], "c": [("b", "order", "")]}


def test_a_phase_without_needs_waits_for_all_above_through_the_last_of_them() -> None:
    made = compiled(
        """
        - {name: a, func: AssertThat, args: {that: true}}
        - {name: b, func: AssertThat, needs: [a], args: {that: true}}
        - {name: c, func: AssertThat, needs: [a], args: {that: true}}
        - {name: d, func: AssertThat, needs: [], args: {that: true}}
        - {name: e, func: AssertThat, args: {that: true}}
        """
    )
    assert edges(made)["b"] == [("a", "needs", "")]
    assert edges(made)["d"] == []
    assert edges(made)["e"] == [("b", "order", ""), ("c", "order", ""), ("d", "order", "")]


def test_needs_may_name_a_later_phase() -> None:
    made = compiled(
        """
        - {name: a, func: AssertThat, needs: [c], args: {that: true}}
        - {name: b, func: AssertThat, args: {that: true}}
        - {name: c, func: AssertThat, needs: [], args: {that: true}}
        - {name: d, func: AssertThat, args: {that: true}}
        """
    )
    assert edges(made)["a"] == [("c", "needs", "")]
    assert edges(made)["d"] == [("b", "order", "")]
    assert [node.id for node in made.nodes] == ["c", "a", "b", "d"]


def test_what_a_phase_or_its_undo_reads_is_an_edge_with_its_detail() -> None:
    made = compiled(
        """
        - {name: a, func: SnapshotVolume, args: {volume: v}}
        - {name: b, func: SnapshotVolume, needs: [], args: {volume: w}}
        - name: c
          func: RunCommand
          needs: [a]
          args: {command: ["{{ phases.a.outputs.id }}", "x{{ phases.a.outputs['sizeBytes'] }}"]}
          revert: {func: DeleteSnapshot, args: {snapshot: "{{ phases.b.outputs.id }}"}}
        - name: d
          func: SnapshotVolume
          needs: []
          args: {volume: v}
          revert: {func: DeleteSnapshot, args: {snapshot: "{{ phases.d.outputs.id }}"}}
        """
    )
    assert edges(made)["c"] == [("a", "data", "outputs.id, outputs.sizeBytes"), ("b", "data", "outputs.id")]
    assert edges(made)["d"] == []


def test_the_plan_knows_what_the_engine_must_know_of_each_function() -> None:
    made = compiled(
        """
        - {name: check, func: AssertThat, args: {that: true}}
        - {name: snapshot, func: SnapshotVolume, args: {volume: v}}
        - {name: files, func: BackupFiles, args: {paths: [x]}}
        - {name: once, func: RunCommand, args: {command: [x]}}
        - {name: again, func: RunCommand, args: {command: [x], idempotent: true}}
        - {name: unclear, func: RunCommand, args: {command: [x], idempotent: "{{ inputs.flag }}"}}
        """
    )
    facts = {node.id: (node.reads, node.idempotent, node.has_find, node.exports) for node in made.nodes}
    assert facts == {
        "check": (True, True, False, False),
        "snapshot": (False, False, True, False),
        "files": (False, True, False, True),
        "once": (False, False, False, False),
        "again": (False, True, False, False),
        "unclear": (False, False, False, False),
    }
    assert {node.id: node.retry.limit for node in made.nodes} == {
        "check": 2,
        "snapshot": 0,
        "files": 2,
        "once": 0,
        "again": 2,
        "unclear": 0,
    }


def test_a_retry_is_taken_from_the_phase_or_from_the_named_policy() -> None:
    made = compiled(
        """
        - {name: a, func: AssertThat, args: {that: true}, retry: {limit: 5, errors: [timeout]}}
        - {name: b, func: AssertThat, args: {that: true}, retry: cloud}
        - {name: c, func: AssertThat, args: {that: true}, retry: {limit: 0}}
        """,
        top="retryPolicies:\n  cloud: {limit: 3, backoff: {initial: 5s, factor: 3, max: 1m, jitter: 0.5}}\n",
    )
    assert [node.retry for node in made.nodes] == [
        plan.Retry(limit=5, errors=("timeout",)),
        plan.Retry(limit=3, initial=timedelta(seconds=5), factor=3, maximum=timedelta(minutes=1), jitter=0.5),
        plan.Retry(limit=0),
    ]


FULL = """
- name: snap
  func: SnapshotVolume
  description: Take it.
  timeout: 1h30m
  args: {volume: v}
  revert: {func: DeleteSnapshot, args: {snapshot: "{{ phases.snap.outputs.id }}"}, timeout: 5s, retry: {limit: 9}}
  cleanup: {func: RunCommand, args: {command: [x]}}
- name: run
  func: RunCommand
  args: {command: ["{{ phases.snap.outputs.id }}"], env: {}, successCodes: [0, 1], idempotent: false}
  outputs: {sum: {type: integer, secret: true, description: D.}}
"""
FULL_ACTION = textwrap.dedent(
    """
    timeout: 2h
    inputs: {password: {type: string, secret: true}}
    inputArtifactNames: [old]
    outputArtifacts: {volume: {keyValue: {id: "{{ phases.snap.outputs.id }}"}}}
    deferPhase: {func: AssertThat, args: {that: true}}
    """
)


def test_a_plan_survives_the_journal() -> None:
    made = compiled(FULL, FULL_ACTION)
    text = json.dumps(codec.to_json(made))
    assert codec.from_json(json.loads(text)) == made
    assert made.secret_inputs == ("password",)
    assert made.defer is not None
    assert (made.defer.id, made.defer.kind) == ("defer", plan.NodeKind.DEFER)
    assert made.nodes[0].revert is not None
    assert (made.nodes[0].revert.id, made.nodes[0].revert.pointer) == ("revert/snap", "/actions/backup/phases/0/revert")
    assert made.nodes[0].cleanup is not None
    assert made.nodes[0].cleanup.id == "cleanup/snap"
    assert made.nodes[0].timeout == timedelta(minutes=90)


def test_a_plan_with_empty_and_zero_values_survives_the_journal() -> None:
    node = plan.PlanNode(
        id="",
        kind=plan.NodeKind.PHASE,
        name="",
        function="",
        arguments={"a": None, "b": 0, "c": False, "d": ""},
        pointer="",
        timeout=timedelta(0),
        retry=plan.Retry(limit=0, errors=(), initial=timedelta(0), factor=1.5, jitter=0.0),
        outputs={"x": plan.Output()},
    )
    made = plan.Plan(blueprint="", action="", file="", nodes=(node,), timeout=timedelta(0))
    assert codec.from_json(json.loads(json.dumps(codec.to_json(made)))) == made


def test_an_unknown_action_suggests_the_closest() -> None:
    blueprint = parse(document("- {name: a, func: AssertThat, args: {that: true}}"))
    made, (found,) = compile.compile_plan(blueprint, "backp", sample_functions.sample_registry())
    assert made is None
    assert (found.code, found.hint) == ("KB303", 'did you mean "backup"?')


def test_a_cycle_is_reported_with_every_edge_and_its_place() -> None:
    found = findings(
        """
        - {name: a, func: AssertThat, needs: [c], args: {that: true}}
        - {name: b, func: AssertThat, needs: [a], args: {that: true}}
        - {name: c, func: RunCommand, needs: [], args: {command: ["{{ phases.b.outputs.x }}"]}}
        - {name: d, func: AssertThat, needs: [d], args: {that: true}}
        """
    )
    assert [each.code for each in found] == ["KB320", "KB320"]
    assert found[0].message == "the phases wait for each other in a cycle: a → c → b → a"
    assert [each.message for each in found[0].related] == [
        '"a" needs "c"',
        '"c" reads outputs.x of "b"',
        '"b" needs "a"',
    ]
    assert [(each.span.line, each.span.column) for each in found[0].related] == [(8, 43), (10, 74), (9, 43)]
    assert found[1].message == 'phase "d" waits for itself'


def test_a_cycle_through_the_order_of_the_document_says_how_to_break_it() -> None:
    (found,) = findings(
        """
        - {name: a, func: AssertThat, needs: [b], args: {that: true}}
        - {name: b, func: AssertThat, args: {that: true}}
        """
    )
    assert (found.code, found.hint) == ("KB320", 'give "b" a `needs` (an empty list lets it start at once)')


def test_reading_a_phase_that_comes_later_is_not_called_a_cycle() -> None:
    (found,) = findings(
        """
        - {name: a, func: RunCommand, args: {command: ["{{ phases.b.outputs.id }}"]}}
        - {name: b, func: SnapshotVolume, args: {volume: v}}
        """
    )
    assert (found.code, found.message) == ("KB311", 'phase "a" reads outputs.id of phase "b", which runs after it')


def test_every_read_of_a_later_phase_is_reported() -> None:
    found = findings(
        """
        - {name: a, func: RunCommand, args: {command: ["{{ phases.b.outputs.id }}"]}}
        - {name: b, func: RunCommand, args: {command: ["{{ phases.c.outputs.id }}"]}}
        - {name: c, func: RunCommand, args: {command: ["{{ phases.d.outputs.id }}"]}}
        - {name: d, func: SnapshotVolume, args: {volume: v}}
        """
    )
    assert [(each.code, each.span.line) for each in found] == [("KB311", 8), ("KB311", 9), ("KB311", 10)]


def test_the_shortest_cycle_of_a_tangle_is_shown() -> None:
    names = [f"p{index}" for index in range(30)]
    assert graph.cycles({name: [each for each in names if each != name] for name in names}) == [["p0", "p1"]]
    assert graph.cycles({"a": ["b", "d"], "b": ["c"], "c": ["a"], "d": ["a"], "x": ["y"], "y": ["y"]}) == [
        ["a", "d"],
        ["y"],
    ]


def test_everything_that_prevents_a_plan_is_reported_at_once() -> None:
    found = findings(
        """
        - {name: a, func: AsertThat, needs: [zz], args: {that: true}}
        - {name: a, func: AssertThat, retry: clod, args: {that: true}}
        """
    )
    assert [each.code for each in found] == ["KB501", "KB310", "KB301", "KB321"]


def test_what_an_undo_reads_too_early_hides_no_edge() -> None:
    blueprint = parse(
        document(
            """\
- name: a
  func: AssertThat
  args: {that: true}
  revert: {func: AssertThat, args: {that: "{{ phases.b.outputs.x }}"}}
- {name: b, func: AssertThat, needs: [], args: {that: true}}
- {name: c, func: AssertThat, args: {that: true}}"""
        )
    )
    found = plan_edges.waits(blueprint.actions["backup"], blueprint.level)
    assert [wait.edge.source for wait in found["c"]] == ["a", "b"]


@pytest.mark.parametrize("shape", ["chain", "fan"])
def test_the_number_of_edges_grows_with_the_number_of_phases(shape: str) -> None:
    count = 2000
    needs = ", needs: []" if shape == "fan" else ""
    lines = [f'- {{name: p{i}, func: AssertThat{needs}, args: {{that: "{{{{ {i} }}}}"}}}}' for i in range(count)]
    blueprint = parse(document("\n".join([*lines, "- {name: last, func: AssertThat, args: {that: true}}"])))
    started = time.process_time()
    made, found = compile.compile_plan(blueprint, "backup", sample_functions.sample_registry())
    spent = time.process_time() - started
    assert made is not None, found
    assert sum(len(node.edges) for node in made.nodes) == count
    assert spent < 10, "quadratic"


def test_the_graph_keeps_the_order_of_the_document_where_it_can() -> None:
    assert graph.order({"z": ["c"], "x": [], "c": [], "a": ["x"]}) == ["x", "c", "z", "a"]
    with pytest.raises(ValueError, match="cycle"):
        graph.order({"a": ["b"], "b": ["a"]})
