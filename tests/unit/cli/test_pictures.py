"""Plans and runs as data and as pictures."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from runner.base import codes
from tests.unit.cli import sample_blueprints as blueprints
from tests.unit.cli.conftest import Cli

NAMESPACE = "{http://www.w3.org/2000/svg}"


def signs(svg: str) -> dict[str, list[str]]:
    """Return what stands at the signs of each box, by its name."""
    root = ElementTree.fromstring(svg)
    return {
        group.findtext(f"{NAMESPACE}text") or "": [
            sign.findtext(f"{NAMESPACE}title") or "" for sign in group if sign.get("class") == "sign"
        ]
        for group in root.iter(f"{NAMESPACE}g")
        if (group.get("class") or "").startswith("phase")
    }


def test_a_plan_comes_in_four_forms(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.DIVIDED)
    assert cli("plan", "blueprint.yaml", "--format", "text").out == cli("plan", "blueprint.yaml").out
    assert cli("plan", "blueprint.yaml", "--format", "json").json == cli("plan", "blueprint.yaml", "-o", "json").json
    assert "flowchart LR\n" in cli("plan", "blueprint.yaml", "--format", "mermaid").out
    assert ElementTree.fromstring(cli("plan", "blueprint.yaml", "--format", "svg").out).tag == f"{NAMESPACE}svg"


def test_a_plan_takes_inputs_and_decides_by_them(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.DIVIDED)
    phases = cli("plan", "blueprint.yaml", "--set", "deep=true", "-o", "json").json["outlook"]["phases"]
    assert [phase["decision"] for phase in phases] == ["runs"] * 5
    assert cli("plan", "blueprint.yaml", "--set", "deep=7").code == codes.Exit.USAGE


def test_a_plan_needs_no_inputs(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.FILES.replace("default: ./papers", "required: true"))
    answer = cli("plan", "blueprint.yaml")
    assert answer.code == 0
    assert "known when the input source is given" in answer.out


def test_a_plan_that_is_bound_to_fail_exits_with_3(cli: Cli, tmp_path: Path) -> None:
    broken = blueprints.FILES.replace("{{ inputs.source }}", "{{ inputs.source | b64dec }}")
    blueprints.write(tmp_path, broken)
    for command in ("plan", "exec"):
        answer = cli(command, "blueprint.yaml", *(["--dry-run"] if command == "exec" else []))
        assert answer.code == codes.Exit.INVALID
        assert "not the base64 form" in answer.out


def test_a_plan_shows_no_secret(cli: Cli, tmp_path: Path) -> None:
    secret = blueprints.FILES.replace("type: path, default: ./papers", "type: string, required: true, secret: true")
    blueprints.write(tmp_path, secret)
    (tmp_path / "word").write_text("s3cret")
    for form in ("text", "json", "mermaid", "svg"):
        answer = cli("plan", "blueprint.yaml", "--set-file", "source=word", "--format", form)
        assert "s3cret" not in answer.out + answer.err


def test_the_picture_of_a_run_shows_its_states(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.DIVIDED)
    cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw")
    svg = re.sub(r"\d\.\d s", "0.0 s", cli("show", "7kq", "--graph", "--format", "svg").out)
    assert signs(svg) == {
        "quiesce": ["succeeded", "cleanup: succeeded"],
        "thumbnails": ["tolerated"],
        "snapshot": [
            "failed",
            "revert: succeeded",
            "orders: succeeded\n0.0 s",
            "users: succeeded\n0.0 s",
            "ledger: failed\n0.0 s · RT206",
        ],
        "check": ["skipped"],
        "export": ["not run"],
        "defer": ["succeeded"],
    }


def test_the_graph_of_a_run_as_data(cli: Cli, tmp_path: Path) -> None:
    blueprints.write(tmp_path, blueprints.DIVIDED)
    cli("exec", "blueprint.yaml", "--run-id", "7kq2m9xw")
    found = cli("show", "7kq", "--graph", "-o", "json").json
    assert found["run"] == cli("show", "7kq", "-o", "json").json["run"]
    assert [(node["name"], node["step"]) for node in found["graph"]["nodes"]] == [
        ("quiesce", 1),
        ("thumbnails", 2),
        ("snapshot", 3),
        ("check", 2),
        ("export", 4),
    ]
    assert found["graph"]["edges"][0] == {"source": "quiesce", "target": "thumbnails", "why": "order", "detail": ""}
