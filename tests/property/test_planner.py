"""Over random blueprints: checking never fails, plans have an order, without needs it is that of the document."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.base import diagnostic
from runner.checks import run
from runner.document import render
from runner.model import load
from runner.model.blueprint import Blueprint
from runner.plan import codec, compile, explain, graph, outlook
from runner.plan.knowledge import Knowledge
from runner.testing import sample_functions
from tests import effort

NAMES = ["a", "b", "c", "d", "e", "f", "cleanup"]
REGISTRY = sample_functions.sample_registry()

REFERENCES = st.sampled_from(
    [f"phases.{name}.outputs.id" for name in NAMES]
    + ["phases.zz.outputs.id", "phases.a.outputs.x", "phases", "phases.b", "phases[0]", "inputs.x", "inputs.y.z"]
    + ["inputs.s", "artifactsIn.old.id", "artifactsIn.new.id", "time", "run.id", "nothing"]
)
TEXTS = st.one_of(
    REFERENCES.map(lambda path: "{{ " + path + " }}"),
    REFERENCES.map(lambda path: "x{{ " + path + " | default('') }}"),
    st.sampled_from(
        ["", "plain", "{{", "{{ }}", "{{ a() }}", "{% if %}", "{{ inputs.x | nope }}", "{{ inputs.x == 1 }}"]
    ),
)
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(-2, 2), st.booleans(), st.none()),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["k", "{{ x }}", "~/"]), inner, max_size=2)
    ),
    max_leaves=4,
)
CALLS = st.one_of(
    st.fixed_dictionaries(
        {"func": st.just("RunCommand"), "args": st.fixed_dictionaries({"command": st.lists(TEXTS, max_size=2)})}
    ),
    st.fixed_dictionaries({"func": st.just("SnapshotVolume"), "args": st.fixed_dictionaries({"volume": TEXTS})}),
    st.fixed_dictionaries(
        {
            "func": st.sampled_from(["RunCommand", "SnapshotVolume", "BackupFiles", "AssertThat", "Nothing"]),
            "args": st.dictionaries(
                st.sampled_from(["command", "volume", "keep", "env", "that", "x"]), VALUES, max_size=3
            ),
        }
    ),
)


@st.composite
def phases(draw: st.DrawFn) -> dict[str, Any]:
    made = {"name": draw(st.sampled_from(NAMES)), **draw(CALLS)}
    if draw(st.booleans()):
        made["needs"] = draw(st.lists(st.sampled_from([*NAMES, "zz"]), max_size=3, unique=True))
    for key in ("revert", "cleanup"):
        if draw(st.integers(0, 3)) == 0:
            made[key] = draw(CALLS)
    if draw(st.integers(0, 3)) == 0:
        made["retry"] = draw(st.sampled_from([{"limit": 2}, {"limit": 0}, "cloud", "nowhere"]))
    return made


def blueprint_of(action: dict[str, Any], api_version: str = "blueprint-runner.dev/v1") -> Blueprint:
    document = {
        "apiVersion": api_version,
        "kind": "Blueprint",
        "metadata": {"name": "random"},
        "actions": {"backup": action},
    }
    if api_version == "blueprint-runner.dev/v1":
        document["retryPolicies"] = {"cloud": {"limit": 1}}
    blueprint, found = load.parse_blueprint(json.dumps(document), "random.yaml")
    assert blueprint is not None, found
    return blueprint


ACTIONS = st.fixed_dictionaries(
    {
        "inputs": st.just(
            {"x": {"type": "integer", "default": 1}, "y": {"type": "object"}, "s": {"type": "string", "secret": True}}
        ),
        "inputArtifactNames": st.just(["old"]),
        "outputArtifacts": st.dictionaries(
            st.just("new"),
            st.fixed_dictionaries({"keyValue": st.dictionaries(st.just("k"), TEXTS, min_size=1)}),
            max_size=1,
        ),
        "phases": st.lists(phases(), min_size=1, max_size=6),
    },
    optional={"deferPhase": CALLS},
)


@settings(max_examples=effort.examples(60), deadline=None)
@given(ACTIONS)
def test_checking_never_fails_and_what_passes_has_a_plan_with_an_order(action: dict[str, Any]) -> None:
    blueprint = blueprint_of(action)
    found = run.check(blueprint, REGISTRY)
    assert render.text(found, {"random.yaml": blueprint.text}).count("[KB") == len(found)
    made, problems = compile.compile_plan(blueprint, "backup", REGISTRY)
    assert made is None or not problems
    if not diagnostic.has_errors(found):
        assert made is not None, problems
    if made is not None:
        sources = {node.id: [edge.source for edge in node.edges] for node in made.nodes}
        order = graph.order(sources)
        place = {name: index for index, name in enumerate(order)}
        written = [phase["name"] for phase in action["phases"]]
        assert [node.id for node in made.nodes] == order
        assert sorted(order) == sorted(written)
        if all(written.index(source) < written.index(name) for name, wanted in sources.items() for source in wanted):
            assert order == written
        assert all(place[source] < place[name] for name, wanted in sources.items() for source in wanted)
        assert codec.from_json(json.loads(json.dumps(codec.to_json(made)))) == made
        seen = outlook.look(made, Knowledge(inputs={"x": 1}))
        assert [each.node.id for each in seen.phases] == order
        assert all(f" {name} " in explain.text(seen) for name in sources)
    else:
        assert diagnostic.has_errors(problems)


@settings(max_examples=effort.examples(25), deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_without_needs_the_order_of_the_document_is_the_only_one(reads: list[bool]) -> None:
    listed = [
        {
            "name": f"p{index}",
            "func": "SnapshotVolume",
            "args": {"volume": f"{{{{ phases.p{index - 1}.outputs.id }}}}" if reads_it and index else "v"},
        }
        for index, reads_it in enumerate(reads)
    ]
    made, found = compile.compile_plan(blueprint_of({"phases": listed}), "backup", REGISTRY)
    assert made is not None, found
    assert [[edge.source for edge in node.edges] for node in made.nodes] == [
        [f"p{index - 1}"] if index else [] for index in range(len(reads))
    ]


@settings(max_examples=effort.examples(25), deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 7), max_size=3), min_size=8, max_size=8),
    st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_a_phase_without_needs_runs_after_every_phase_above(needs: list[list[int]], explicit: list[bool]) -> None:
    listed: list[dict[str, Any]] = []
    for index in range(8):
        phase: dict[str, Any] = {"name": f"p{index}", "func": "AssertThat", "args": {"that": True}}
        if explicit[index]:
            phase["needs"] = sorted({f"p{other}" for other in needs[index] if other != index})
        listed.append(phase)
    made, found = compile.compile_plan(blueprint_of({"phases": listed}), "backup", REGISTRY)
    if made is None:
        assert {each.code for each in found} == {"KB320"}
        return
    before: dict[str, set[str]] = {}
    sources = {node.id: {edge.source for edge in node.edges} for node in made.nodes}
    for name in graph.order(sources):
        before[name] = sources[name].union(*(before[source] for source in sources[name]))
    for index, is_explicit in enumerate(explicit):
        if not is_explicit:
            assert before[f"p{index}"] >= {f"p{above}" for above in range(index)}


@settings(max_examples=effort.examples(15), deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(NAMES),
                "func": st.sampled_from(["KubeTask", "RunCommand"]),
                "args": st.dictionaries(st.sampled_from(["command", "x"]), VALUES, max_size=2),
            }
        ),
        min_size=1,
        max_size=4,
    )
)
def test_kanister_documents_are_checked_without_their_templates(listed: list[dict[str, Any]]) -> None:
    found = run.check(blueprint_of({"phases": listed}, "cr.kanister.io/v1alpha1"), REGISTRY)
    assert {each.code for each in found} <= {"KB301", "KB501"}
