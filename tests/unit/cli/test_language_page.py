"""The example of docs/language.md grows by its fragments; every stage of it is valid, and the last one runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner import functions
from runner.app import validate
from runner.model import load
from runner.plan import compile as plans
from runner.registry import registry
from tests.unit.cli.conftest import Cli

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "language.md").read_text(encoding="utf-8")
FRAGMENTS = [
    (section.partition("\n")[0], yaml.safe_load(fragment))
    for section in PAGE.split("\n## ")[1:]
    for fragment in re.findall(r"^```yaml\n(.*?)^```$", section, re.M | re.S)
]
KNOWN = registry.Registry(functions.builtin())


def merged(old: Any, new: Any) -> Any:
    """Add a fragment: mappings by key, phases by name, in the order in which the fragment lists them."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}
    if _are_phases(old) and _are_phases(new):
        return list(_merged_phases(old, new))
    return new


def _are_phases(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) and "name" in item for item in value)


def _merged_phases(old: Sequence[Any], new: Sequence[Any]) -> Iterator[Any]:
    by_name = {phase["name"]: phase for phase in old}
    left = list(new)
    for phase in old:
        names = [each["name"] for each in left]
        until = names.index(phase["name"]) + 1 if phase["name"] in names else 0
        yield from (merged(by_name.get(each["name"], {}), each) for each in left[:until])
        left = left[until:]
        if not until:
            yield phase
    yield from left


def stages() -> list[tuple[str, str]]:
    """Return the whole document after each fragment."""
    document: Any = {}
    found = []
    for heading, fragment in FRAGMENTS:
        document = merged(document, fragment)
        found.append((heading, yaml.safe_dump(document, sort_keys=False, width=1000)))
    return found


def test_every_section_with_a_fragment_is_a_stage() -> None:
    assert len(FRAGMENTS) == PAGE.count("```yaml")
    assert len(FRAGMENTS) > 10


@pytest.mark.parametrize(("heading", "text"), stages(), ids=[heading for heading, _ in FRAGMENTS])
def test_every_stage_is_valid_and_has_a_plan(heading: str, text: str) -> None:
    assert [str(found) for found in validate.findings(KNOWN, text, "notes.yaml")] == []
    blueprint, _ = load.parse_blueprint(text, "notes.yaml")
    assert blueprint is not None
    assert all(plans.compile_plan(blueprint, name, KNOWN)[0] is not None for name in blueprint.actions)


def test_the_last_stage_runs(cli: Cli, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    for book in ("diary", "recipes"):
        (notes / book).mkdir(parents=True)
        (notes / book / "first.txt").write_text(book)
    (tmp_path / "password").write_text("word\n")
    blueprint = tmp_path / "notes.yaml"
    blueprint.write_text(stages()[-1][1])

    backup = cli("exec", blueprint, "--set-file", f"password={tmp_path / 'password'}", "-o", "json").json["run"]
    restore = cli("exec", blueprint, "--action", "restore", "-o", "json").json["run"]

    assert (backup["status"], restore["status"]) == ("succeeded", "succeeded")
    assert [warning["phase"] for warning in backup["warnings"]] == ["settings"]
    assert [each["key"] for each in backup["phases"] if each["name"] == "proof"] == ["", "diary", "recipes"]
    assert (tmp_path / "restored" / "recipes" / "first.txt").read_text() == "recipes"
    assert not (notes / ".frozen").exists()
    assert (notes / ".backups").read_text() == f"{backup['id']}\n"
