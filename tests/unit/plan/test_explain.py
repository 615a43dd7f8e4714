"""Plans in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from runner.plan import explain, wording
from runner.plan.knowledge import Knowledge, Source
from runner.registry import estimates
from tests.unit.plan import sample_plans

GOLDEN = Path(__file__).parents[2] / "golden" / "plans"


def test_a_plan_reads_well_on_eighty_columns(golden: Callable[[Path, str], None]) -> None:
    text = explain.text(sample_plans.full())
    assert max(map(len, text.splitlines())) <= 80
    golden(GOLDEN / "full.txt", text)


def test_sizes_stand_with_the_phases_and_above_them() -> None:
    found = sample_plans.seen("- {name: a, func: BackupFiles, args: {paths: [/x]}}")
    sized = structs.replace(
        found, phases=(structs.replace(found.phases[0], size=estimates.Size(bytes=2048, is_whole=False)),)
    )
    text = explain.text(sized)
    assert text.startswith("sample › backup: 1 phase, at least 2.0 KiB of data\n")
    assert "\n     at least 2.0 KiB of data\n" in text


def test_what_is_bound_to_fail_says_why() -> None:
    phases = """
    - {name: a, func: RunCommand, when: "inputs.x", args: {command: [x]}, outputs: {y: {type: string}}}
    - {name: b, func: RunCommand, args: {command: ["{{ phases.a.outputs.y }}"]}}
    """
    action = 'outputArtifacts: {c: {keyValue: {d: "{{ phases.a.outputs.y }}"}}}\n'
    text = explain.text(sample_plans.seen(phases, action, Knowledge(inputs={"x": False})))
    assert '     wrong  command  ["{{ phases.a.outputs.y }}"]\n' in text
    assert 'phases.a.outputs is not defined: phase "a" is skipped (KB404)' in text.replace("\n" + " " * 21, " ")
    assert '\n  c.d will fail: phases.a.outputs is not defined: phase "a" is skipped (KB404)\n' in text


def test_of_many_instances_the_first_are_shown() -> None:
    phases = '- {name: a, func: SnapshotVolume, foreach: {items: inputs.n}, args: {volume: "/{{ item }}"}}'
    keys = [f"k{index}" for index in range(2000)]
    text = explain.text(sample_plans.seen(phases, known=Knowledge(inputs={"n": keys})))
    assert "one for each of inputs.n, 2,000 now: k0, k1, k2" in text
    assert "k11 and 1,988 more\n" in text
    assert "     each   volume  k0: /k0\n                    k1: /k1\n" in text
    assert "                    and 1,997 more\n" in text


def test_no_items_is_said_to_be_nothing() -> None:
    phases = '- {name: a, func: SnapshotVolume, foreach: {items: inputs.n}, args: {volume: "{{ item }}"}}'
    text = explain.text(sample_plans.seen(phases, known=Knowledge(inputs={"n": []})))
    assert "one for each of inputs.n: there is none, so nothing is called\n" in text


def test_a_long_value_keeps_its_ends() -> None:
    assert wording.shortened("/srv/" + "x" * 100 + "/end", 20) == "/srv/xxxxxxx…xxx/end"
    assert wording.shortened("set -e\nsecond\n", 40) == "set -e … (2 lines)"
    assert wording.shortened("a\x1b[31mb", 40) == "a\\u001b[31mb"
    assert all(len(wording.shortened("y" * 50, width)) == width for width in range(8, 50))


def test_lines_are_broken_between_words_and_not_within_templates() -> None:
    assert wording.lines('["logger", "of {{ inputs.site }}"]', 28, 3) == ['["logger", "of', '{{ inputs.site }}"]']
    found = wording.lines("word " * 100, 30, 3)
    assert len(found) <= 3
    assert max(map(len, found)) <= 30
    assert any("…" in line for line in found)


def test_what_has_to_happen_first_is_one_sentence() -> None:
    phase = [Source(path="", subject=name, event="has ended") for name in ("a", "b", "c")]
    run = Source(path="", subject="the run", event="has started")
    assert wording.known_when([phase[0]]) == "a has ended"
    assert wording.known_when([*phase, run, phase[0]]) == "a, b and c have ended and the run has started"
