"""Copies of trees that meet with difficulties."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.base import cancel as cancels
from runner.base import errors
from runner.repository import tree_copy, tree_restore, tree_walk
from tests import privileges
from tests.unit.repository import tree_samples


def copy(
    scratch: Path, source: Path, warnings: list[str], cancel: cancels.CancelToken | None = None
) -> tree_restore.Restored:
    return tree_copy.copy_tree(
        tree_walk.Scope(roots=[source]),
        scratch / "target",
        token="t" * 32,
        record=scratch / "record",
        overwrite=False,
        cancel=cancel or cancels.CancelToken(),
        progress=lambda _: None,
        warn=warnings.append,
    )


def test_a_file_that_changes_while_it_is_copied_is_named(tmp_path: Path) -> None:
    (tmp_path / "busy").write_bytes(bytes(5 << 20))
    looks: list[None] = []

    def meddle() -> None:
        looks.append(None)
        if len(looks) == 3:
            os.truncate(tmp_path / "busy", 3 << 20)

    warnings: list[str] = []
    copy(tmp_path, tmp_path / "busy", warnings, tree_samples.Meddling(meddle))
    assert warnings == ["busy changed while it was read"]
    assert (tmp_path / "target" / "busy").stat().st_size == 5 << 20


def test_an_unreadable_file_fails_the_copy_and_nothing_is_left() -> None:
    with privileges.given_up() as scratch:
        (scratch / "source").mkdir()
        (scratch / "source" / "readable").touch()
        (scratch / "source" / "secret").touch(mode=0)
        with pytest.raises(errors.PermanentError) as caught:
            copy(scratch, scratch / "source", [])
        assert caught.value.code == "RT313"
        assert os.listdir(scratch) == ["source"]


def test_a_cancelled_copy_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    cancel = cancels.CancelToken()
    cancel.cancel()
    with pytest.raises(errors.Cancelled):
        copy(tmp_path, tmp_path / "source", [], cancel)
    assert os.listdir(tmp_path) == ["source"]
