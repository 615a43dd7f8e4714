"""`runner explain` and `runner functions`."""

from __future__ import annotations

import pytest

from runner.base import codes
from tests.unit.cli.conftest import Cli


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Pause", "Pause"),
        ("pause", "Pause"),
        ("rt105", "# RT105: The run is unknown"),
        ("foreach", "phase.foreach"),
        ("phase.foreach.items", "foreach.items"),
        ("phase.when", "phase.when"),
        ("WHEN", "phase.when  (also of deferPhase)"),
        ("revert.timeout", "revert.timeout"),
        ("phase", "phase"),
        ("regexmatch", "{{ value | regexMatch(pattern) }}"),
        ("filter.default", "{{ value | default(otherwise) }}"),
    ],
)
def test_a_name_is_explained(cli: Cli, name: str, first: str) -> None:
    answer = cli("explain", name)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[0] == first


def test_a_name_that_can_mean_several_things_lists_them(cli: Cli) -> None:
    found = cli("explain", "default", "-o", "json").json["candidates"]
    assert [(each["kind"], each["name"]) for each in found] == [("key", "input.default"), ("filter", "filter.default")]
    for each in found:
        assert "candidates" not in cli("explain", each["name"], "-o", "json").json


def test_every_name_can_be_explained(cli: Cli) -> None:
    from runner.app import builtins
    from runner.cli import explanations

    manual = explanations.Manual(builtins.registry_of_builtins().functions)
    assert [name for name in manual.names if not manual.find(name)] == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("BackupFile", 'did you mean "BackupFiles"?'),
        ("KB3100", 'did you mean "KB31'),
        ("forech", 'did you mean "foreach"?'),
        ("retry.backof", 'did you mean "retry.backoff"?'),
        ("rgexMatch", 'did you mean "regexMatch"?'),
        ("something else entirely", "list the functions with `runner functions`"),
    ],
)
def test_an_unknown_name_suggests_the_closest(cli: Cli, name: str, hint: str) -> None:
    answer = cli("explain", name)
    assert answer.code == codes.Exit.USAGE
    assert hint in answer.err


def test_functions_are_found_by_word_and_by_effects(cli: Cli) -> None:
    def names(*arguments: str) -> list[str]:
        return [row["name"] for row in cli("functions", *arguments, "-o", "json").rows]

    assert {"SnapshotVolume", "DeleteSnapshot"} < set(names("snapshot"))
    assert names("snapshot", "--effects", "deletes") == ["DeleteSnapshot"]
    assert names("no such thing") == []
    assert len(names()) > 10
