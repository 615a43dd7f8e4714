"""`docs/states.md` is generated from the engine's own tables (`make docs`)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from runner.engine import states

HEAD = """# States

<!-- Generated from runner/engine/states.py by `make docs`. -->

Every step that the engine may take, with its reason. A step that is not here is refused.
"""


def _reasons() -> dict[tuple[str, str], str]:
    lines = re.findall(r"\((\w+\.\w+), (\w+\.\w+)\),  # (.+)", inspect.getsource(states))
    return {(source, target): reason for source, target, reason in lines}


def _diagram(steps: frozenset[tuple[Any, Any]], first: StrEnum) -> Iterator[str]:
    reasons = _reasons()
    yield from ("", "```mermaid", "stateDiagram-v2", f"  [*] --> {first}")
    order = {member: position for position, member in enumerate(type(first))}
    for source, target in sorted(steps, key=lambda step: (order[step[0]], order[step[1]])):
        yield f"  {source} --> {target}: {reasons[str_of(source), str_of(target)]}"
    ends = {target for _, target in steps} - {source for source, _ in steps}
    yield from (f"  {end} --> [*]" for end in sorted(ends))
    yield "```"


def str_of(member: StrEnum) -> str:
    """Write a member as the source does."""
    return f"{type(member).__name__}.{member.name}"


def page() -> str:
    """Write the page."""
    lines = [
        "",
        "## A phase, and every other node of the plan",
        *_diagram(states.NODE_STEPS, states.NodeStatus.PENDING),
    ]
    lines += ["", "## The stages of a run", *_diagram(states.STAGE_STEPS, states.Stage.FORWARD)]
    return HEAD + "\n".join(lines) + "\n"


def test_states_page_freshness(top: Path, request: pytest.FixtureRequest) -> None:
    path = top / "docs" / "states.md"
    generated = page()
    if request.config.getoption("--update-golden", default=False):
        path.write_text(generated, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == generated, "run `make docs`"


def test_every_end_of_the_diagram_is_a_terminal_state() -> None:
    ends = {target for _, target in states.NODE_STEPS} - {source for source, _ in states.NODE_STEPS}
    assert ends == states.TERMINAL
