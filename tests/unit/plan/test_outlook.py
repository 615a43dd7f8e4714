"""What can be told of a plan before it runs."""

from __future__ import annotations

import json

import pytest

from runner.base import clock as clocks
from runner.base import secret
from runner.plan import measure, outlook, present
from runner.plan.foretell import Argument
from runner.plan.knowledge import Knowledge
from runner.plan.outlook import Decision
from runner.registry import args, estimates, function, registry
from runner.testing import sample_functions
from tests.unit.plan import sample_plans

WHEN = """
- {name: probe, func: RunCommand, args: {command: [x]}, outputs: {rows: {type: integer}}}
- {name: check, func: AssertThat, when: "CONDITION", args: {that: true}}
"""


def argument(text: str, known: Knowledge) -> Argument:
    """Return what can be told of one argument of a phase that runs after the phase `dump`."""
    phases = f"""
    - {{name: dump, func: SnapshotVolume, args: {{volume: v}}}}
    - {{name: use, func: RunCommand, needs: [dump], args: {{command: {json.dumps(text)}}}}}
    """
    (found,) = sample_plans.seen(phases, known=known).phases[1].arguments
    return found


def prospect(condition: str, known: Knowledge) -> outlook.Prospect:
    """Return what can be told of a phase with a condition."""
    return sample_plans.seen(WHEN.replace("CONDITION", condition), known=known).phases[1]


@pytest.mark.parametrize(
    ("condition", "decision"),
    [
        ("inputs.verify", Decision.SKIPPED),
        ("not inputs.verify", Decision.RUNS),
        ("phases.probe.outputs.rows > 0", Decision.OPEN),
        ("inputs.verify and phases.probe.outputs.rows > 0", Decision.SKIPPED),
        ("inputs.verify or phases.probe.outputs.rows > 0", Decision.OPEN),
        ("run.id != ''", Decision.OPEN),
    ],
)
def test_a_condition_is_decided_as_soon_as_what_it_looks_at_is_known(condition: str, decision: Decision) -> None:
    assert prospect(condition, Knowledge(inputs={"verify": False})).decision is decision


def test_an_open_condition_says_what_it_waits_for() -> None:
    found = prospect("inputs.verify and phases.probe.outputs.rows > 0", Knowledge(missing=("verify",)))
    assert [source.when for source in found.waits_for] == ["the input verify is given", "probe has ended"]


def test_a_condition_that_yields_no_boolean_is_bound_to_fail() -> None:
    found = prospect("inputs.verify", Knowledge(inputs={"verify": "yes"}))
    assert [problem.code for problem in found.problems] == ["KB410"]


@pytest.mark.parametrize(
    ("text", "value", "later"),
    [
        ("plain", "plain", []),
        ("{{ inputs.site | upper }}", "NORTH", []),
        ("{{ phases.dump.outputs.id }}", "{{ phases.dump.outputs.id }}", ["dump has ended"]),
        ("{{ inputs.site }}-{{ run.id }}", "{{ inputs.site }}-{{ run.id }}", ["the run has started"]),
        ("{{ inputs.site | default(run.id) }}", "north", []),
        ("{{ inputs.none | default(run.id) }}", "{{ inputs.none | default(run.id) }}", ["the run has started"]),
        ("{{ 'a' if inputs.site == 'north' else time }}", "a", []),
        ("{{ [inputs.site, time] }}", "{{ [inputs.site, time] }}", ["the run has started"]),
        ("{{ phases | toJson }}", "{{ phases | toJson }}", ["dump has ended", "use has ended"]),
        ("{{ profile.name }}", "{{ profile.name }}", ["the location is chosen"]),
        ("{{ inputs.missing }}", "{{ inputs.missing }}", ["the input missing is given"]),
    ],
)
def test_an_argument_is_rendered_as_soon_as_what_it_looks_at_is_known(
    text: str, value: object, later: list[str]
) -> None:
    found = argument(text, Knowledge(inputs={"site": "north"}, missing=("missing",)))
    assert (found.value, [source.when for source in found.later]) == (value, later)
    assert found.problem is None


def test_each_part_of_an_argument_is_rendered_for_itself() -> None:
    phases = """
    - {name: a, func: RunCommand, args: {command: ["{{ inputs.site }}", "{{ run.id }}"]}}
    """
    (found,) = sample_plans.seen(phases, known=Knowledge(inputs={"site": "north"})).phases[0].arguments
    assert found.value == ["north", "{{ run.id }}"]
    assert not found.is_known


def test_a_secret_is_masked_and_counts_as_known() -> None:
    found = argument("x{{ inputs.word }}", Knowledge(inputs={"word": secret.Secret("inputs.word", lambda: "s3cret")}))
    assert (found.value, found.is_known) == ("[secret]", True)


def test_what_cannot_be_rendered_is_told_with_its_reason() -> None:
    found = argument("{{ inputs.site | fromJson }}", Knowledge(inputs={"site": "{"}))
    assert found.problem is not None
    assert (found.problem.code, found.problem.context["argument"]) == ("KB405", "/command")


def test_reading_a_phase_that_is_skipped_for_sure_is_a_problem() -> None:
    phases = """
    - {name: sum, func: RunCommand, when: "inputs.on", args: {command: [x]}, outputs: {sum: {type: string}}}
    - {name: use, func: RunCommand, args: {command: ["{{ phases.sum.outputs.sum }}"]}}
    - {name: go, func: RunCommand, args: {command: ["{{ phases.sum.outputs.sum | default('none') }}"]}}
    """
    off = sample_plans.seen(phases, known=Knowledge(inputs={"on": False}))
    assert [problem.message for problem in off.phases[1].problems] == [
        'phases.sum.outputs is not defined: phase "sum" is skipped'
    ]
    assert off.phases[2].arguments[0].value == ["none"]
    assert not off.is_sound
    on = sample_plans.seen(phases, known=Knowledge(inputs={"on": True}))
    assert on.is_sound


def test_an_artifact_of_a_skipped_phase_is_a_problem() -> None:
    phases = """
    - {name: dump, func: SnapshotVolume, when: "inputs.on", args: {volume: v}}
    """
    action = 'outputArtifacts: {dump: {keyValue: {id: "{{ phases.dump.outputs.id }}"}}}\n'
    assert not sample_plans.seen(phases, action, Knowledge(inputs={"on": False})).is_sound


def test_instances_are_known_when_their_items_are() -> None:
    found = sample_plans.full()
    snapshot, export = found.phases[1], found.phases[4]
    assert snapshot.instances is not None
    assert [(each.key, each.arguments[0].value) for each in snapshot.instances] == [
        ("data", "/dev/data"),
        ("wal", "/dev/wal"),
    ]
    assert export.instances is None
    assert [source.when for source in export.items_from] == ["snapshot has ended"]


def test_items_that_are_no_list_are_bound_to_fail() -> None:
    phases = '- {name: a, func: SnapshotVolume, foreach: {items: inputs.site}, args: {volume: "{{ item }}"}}'
    found = sample_plans.seen(phases, known=Knowledge(inputs={"site": "north"})).phases[0]
    assert [problem.code for problem in found.problems] == ["KB410"]


def test_steps_count_what_has_to_be_waited_for() -> None:
    assert [(each.node.name, each.step) for each in sample_plans.full().phases] == [
        ("quiesce", 1),
        ("snapshot", 2),
        ("resume", 3),
        ("count", 2),
        ("export", 4),
        ("check", 5),
        ("report", 6),
    ]


class CopyArguments(args.Arguments):
    """Arguments of `Copy`."""

    size: int = args.argument("How much.")


@function.function("Copy", effects=function.Effects.CREATES, idempotent=True)
def copy(ctx: object, args: CopyArguments) -> args.ExportOutputs:
    """Copy."""
    return sample_functions.export_outputs()


@copy.estimator
def estimate(args: CopyArguments, budget: estimates.Budget) -> estimates.Size | None:
    """Tell the size as long as the budget lasts."""
    return estimates.Size(bytes=args.size, is_whole=budget.take()) if args.size else None


def measured(*sizes: object, entries: int = 10) -> outlook.Outlook:
    """Return a plan of copies, with what they would read."""
    known = registry.Registry([copy])
    phases = "".join(f"- {{name: p{index}, func: Copy, args: {{size: {size}}}}}\n" for index, size in enumerate(sizes))
    found = outlook.look(sample_plans.compiled(phases, registry=known), Knowledge(inputs={"size": 5, "word": "x"}))
    return measure.measured(found, known, estimates.Budget(clocks.FakeClock(), entries=entries))


def test_sizes_are_added_up() -> None:
    found = measured(2, '"{{ inputs.size }}"')
    assert [each.size and each.size.bytes for each in found.phases] == [2, 5]
    assert measure.total(found) == estimates.Size(bytes=7)


def test_a_size_that_cannot_be_told_makes_the_sum_a_lower_bound() -> None:
    assert measure.total(measured(2, 0)) == estimates.Size(bytes=2, is_whole=False)
    assert measure.total(measured(2, '"{{ run.id }}"')) == estimates.Size(bytes=2, is_whole=False)
    assert measure.total(measured(0)) is None


def test_an_estimate_that_was_cut_off_makes_the_sum_a_lower_bound() -> None:
    assert measure.total(measured(2, 3, entries=1)) == estimates.Size(bytes=5, is_whole=False)


def test_a_known_argument_that_the_function_refuses_is_a_problem() -> None:
    (found,) = measured('"{{ inputs.word }}"').phases
    assert [(problem.code, problem.context["argument"]) for problem in found.problems] == [("KB505", "/size")]


def test_an_outlook_is_printed_as_json() -> None:
    written = json.loads(json.dumps(present.outlook_json(sample_plans.full())))
    assert [phase["decision"] for phase in written["phases"]] == [*["runs"] * 5, "open", "skipped"]
    assert written["group"]["value"] == "shop/north"
    assert written["phases"][0]["arguments"][1] == {
        "name": "env",
        "known": False,
        "value": {"PASSWORD": "{{ inputs.password }}"},
        "later": [{"path": "inputs.password", "when": "the input password is given"}],
        "problem": None,
    }
    assert [each["key"] for each in written["phases"][1]["instances"]] == ["data", "wal"]
