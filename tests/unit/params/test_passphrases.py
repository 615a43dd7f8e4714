"""Where passphrases come from, in which order, and how one is made."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from runner.base import errors, generated
from runner.params import locations, passphrases


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("option", "variable", "profile"):
        (tmp_path / name).write_text(f"from {name}\n")
    return tmp_path


def target(files: Path, profile: bool = True) -> locations.Target:
    return locations.Target(
        label="nas", spec={"url": "/nas"}, passphrase_file=str(files / "profile") if profile else None
    )


def test_sources_are_asked_in_order(files: Path) -> None:
    everything = {"RUNNER_PASSPHRASE_FILE": str(files / "variable"), "RUNNER_PASSPHRASE": "from environment"}
    nobody = passphrases.Sources(environment={})
    one = passphrases.Sources(environment={"RUNNER_PASSPHRASE": "from environment"})
    two = passphrases.Sources(environment=everything)
    three = passphrases.Sources(environment=everything, file=files / "option")
    asked = [passphrases.find(target(files), sources) for sources in (nobody, one, two, three)]
    assert asked == ["from profile", "from environment", "from variable", "from option"]


def test_a_prompt_is_the_last_resort(files: Path) -> None:
    sources = passphrases.Sources(environment={}, prompt=lambda question: f"answer to {question}")
    assert passphrases.find(target(files, profile=False), sources) == "answer to Passphrase of the repository at nas"


def test_without_any_source_the_hint_names_them(files: Path) -> None:
    with pytest.raises(errors.EnvironmentProblem) as caught:
        passphrases.find(target(files, profile=False), passphrases.Sources(environment={}))
    assert caught.value.code == "RT413"
    assert "--passphrase-file" in caught.value.hint


def test_the_default_repository_ignores_variables_that_are_meant_for_others(files: Path) -> None:
    own = locations.Target(label="", spec={"url": "/r"}, passphrase_file=str(files / "profile"))
    variables = {"RUNNER_PASSPHRASE_FILE": str(files / "variable"), "RUNNER_PASSPHRASE": "x"}
    assert passphrases.find(own, passphrases.Sources(environment=variables)) == "from profile"
    assert passphrases.find(own, passphrases.Sources(environment=variables, file=files / "option")) == "from option"


def test_the_file_in_use_is_known_and_none_when_a_variable_holds_the_passphrase(files: Path) -> None:
    assert passphrases.file_of(target(files), passphrases.Sources(environment={})) == files / "profile"
    held = passphrases.Sources(environment={"RUNNER_PASSPHRASE": "x"})
    assert passphrases.file_of(target(files), held) is None


@pytest.mark.parametrize(("text", "expected"), [("a b \n", "a b "), ("a\r\n", "a"), ("a", "a"), ("a\nb\n", "a")])
def test_the_first_line_of_a_file_is_the_passphrase(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "f").write_bytes(text.encode())
    assert passphrases.read(tmp_path / "f") == expected


@pytest.mark.parametrize("data", [b"", b"\nsecond", b"\xff\xfe"])
def test_a_useless_file_is_an_error_that_does_not_show_it(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(errors.EnvironmentProblem) as caught:
        passphrases.read(tmp_path / "f")
    assert caught.value.code == "RT413"
    assert "second" not in caught.value.message + caught.value.details


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "repository.key"
    assert passphrases.make_key_file(path)
    first = passphrases.read(path)
    assert generated.is_passphrase(first)
    assert path.stat().st_mode & 0o777 == 0o600
    assert not passphrases.make_key_file(path)
    assert passphrases.read(path) == first
    assert [each.name for each in path.parent.iterdir()] == ["repository.key"]


def test_of_many_that_make_a_key_file_at_once_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "repository.key"
    barrier = threading.Barrier(8, timeout=60)
    made = []

    def make() -> None:
        barrier.wait()
        made.append(passphrases.make_key_file(path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False] * 7 + [True]
    assert [each.name for each in tmp_path.iterdir()] == ["repository.key"]
