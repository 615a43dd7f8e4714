"""Every blueprint that comes with the runner is rehearsed, and every rehearsal passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.app import builtins, rehearsals
from runner.base import clock
from runner.model import load
from runner.model.rehearsal_build import SUFFIX

TOP = Path(__file__).resolve().parents[2]
PLACES = (TOP / "examples", TOP / "blueprints")
FILES = sorted(path for place in PLACES for path in place.rglob(f"*{SUFFIX}"))
BLUEPRINTS = sorted(path for place in PLACES for path in place.rglob("blueprint.yaml"))


@pytest.fixture(scope="module")
def reader() -> rehearsals.Reader:
    return rehearsals.Reader(builtins.registry_of_builtins())


def _short(path: Path) -> str:
    return str(path.relative_to(TOP))


def _perform(reader: rehearsals.Reader, path: Path) -> rehearsals.Outcome:
    document = reader.read(path)
    assert document.found == ()
    return reader.perform(document, clock.FakeClock())


@pytest.mark.parametrize("path", FILES, ids=_short)
def test_rehearsal_passes(reader: rehearsals.Reader, path: Path) -> None:
    assert _perform(reader, path).differences == ()


@pytest.mark.parametrize("path", BLUEPRINTS, ids=_short)
def test_every_action_is_rehearsed_for_success_and_for_failure(reader: rehearsals.Reader, path: Path) -> None:
    outcomes = [_perform(reader, each) for each in FILES if each.parent == path.parent]
    ended = {(each.performance.run.action, each.performance.run.status.value) for each in outcomes}
    blueprint, _ = load.load_blueprint(path)
    assert blueprint is not None
    assert {(action, status) for action in blueprint.actions for status in ("succeeded", "failed")} <= ended


@pytest.mark.parametrize("path", BLUEPRINTS, ids=_short)
def test_rehearsals_reach_every_way_through_the_blueprint(reader: rehearsals.Reader, path: Path) -> None:
    (covered,) = rehearsals.covered(_perform(reader, each) for each in FILES if each.parent == path.parent)
    assert covered.missing == ()
