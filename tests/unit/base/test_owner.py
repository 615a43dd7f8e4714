from __future__ import annotations

import os
import subprocess
import sys

import pytest
from msgspec.structs import replace

from runner.base import owner


def test_owner_survives_being_written_down() -> None:
    assert owner.parse(str(owner.current())) == owner.current()


@pytest.mark.parametrize("text", ["", "a.b.c.d", "a.b.1.2.3.4", "a.b.x.2.3", "a.b.1.2.x"])
def test_other_texts_are_no_owner(text: str) -> None:
    with pytest.raises(ValueError, match="names no process"):
        owner.parse(text)


def test_this_process_is_not_gone() -> None:
    assert not owner.is_gone(owner.current())


def test_process_that_has_ended_is_gone() -> None:
    program = "from runner.base import owner; print(owner.current())"
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    ended = owner.parse(shown.strip())
    assert ended.boot == owner.current().boot
    assert owner.is_gone(ended)


def test_process_that_nobody_has_waited_for_is_gone() -> None:
    program = "from runner.base import owner; print(owner.current(), flush=True)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        ended = owner.parse(child.stdout.readline().strip())
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert owner.is_gone(ended)


def test_process_that_reuses_the_number_is_another() -> None:
    assert owner.is_gone(replace(owner.current(), started=1))


def test_all_processes_of_this_machine_are_gone_after_a_restart() -> None:
    assert owner.is_gone(replace(owner.current(), boot="0" * 32))


def test_processes_that_cannot_be_seen_are_not_called_gone() -> None:
    assert not owner.is_gone(replace(owner.current(), boot="0" * 32, host="other"))
    assert not owner.is_gone(replace(owner.current(), namespace=1, started=1))
