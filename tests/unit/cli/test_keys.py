"""`runner repository key` with a key service, on the stand-in of a vault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import fake_transit
from tests.unit.cli.conftest import Cli


@pytest.fixture
def transit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[fake_transit.Transit]:
    for name in ("VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_ADDR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "first").write_text("first")
    with fake_transit.started() as server:
        server.tokens["machine"] = {"encrypt", "decrypt"}
        (tmp_path / "token").write_text("machine")
        (tmp_path / "offsite.yaml").write_text(
            "apiVersion: blueprint-runner.dev/v1\nkind: LocationProfile\nmetadata: {name: offsite}\n"
            f"spec: {{type: directory, path: backups, vault: {{address: '{server.address}', tokenFile: token}}}}\n"
        )
        yield server


def added(cli: Cli) -> str:
    there = ("--location", "offsite.yaml", "--passphrase-file", "first")
    assert cli("repository", "init", *there).code == 0
    answer = cli("repository", "key", "add", "--vault-transit", "transit/backups", *there, "-o", "json")
    assert answer.code == 0, answer.err
    return str(answer.json["slot"])


def test_machine_opens_the_repository_by_the_token_of_its_profile(cli: Cli, transit: fake_transit.Transit) -> None:
    slot = added(cli)
    rows = cli("repository", "key", "list", "--location", "offsite.yaml", "-o", "json").rows
    assert sorted((row["kind"], row["key"]) for row in rows) == [
        ("passphrase", ""),
        ("vault-transit", "transit/backups"),
    ]
    listed = cli("repository", "key", "list", "--location", "offsite.yaml")
    assert f"{slot}  vault-transit" in listed.out
    assert {token for _, token in transit.requests} == {"machine"}


def test_lost_key_says_what_each_slot_said_and_ends_with_4(cli: Cli, transit: fake_transit.Transit) -> None:
    slot = added(cli)
    transit.sealed = True
    answer = cli("restore-points", "list", "--location", "offsite.yaml")
    assert answer.code == 4
    assert "error[RT423]: nothing that is at hand opens the repository" in answer.err
    assert f"{slot}  vault-transit transit/backups: the vault is sealed (Vault is sealed)" in answer.err
    assert "passphrase: no passphrase was given" in answer.err
    assert "vault operator unseal" in answer.err
    assert "machine" not in answer.err


def test_the_only_slot_that_works_is_kept(cli: Cli, transit: fake_transit.Transit) -> None:
    slot = added(cli)
    there = ("--location", "offsite.yaml", "--passphrase-file", "first")
    first = next(
        row["slot"] for row in cli("repository", "key", "list", *there, "-o", "json").rows if row["slot"] != slot
    )
    transit.keys.clear()
    refused = cli("repository", "key", "remove", first, *there)
    assert (refused.code, "that works" in refused.err) == (2, True)
    assert cli("repository", "key", "remove", slot, *there).code == 0


def test_two_kinds_of_keys_at_once_are_refused(cli: Cli, transit: fake_transit.Transit) -> None:
    answer = cli("repository", "key", "add", "--kms", "arn:aws:kms:x", "--vault-transit", "transit/backups")
    assert (answer.code, "exclude each other" in answer.err) == (2, True)
    added(cli)
    answer = cli("repository", "key", "add", "--kms", "backups", "--location", "offsite.yaml")
    assert (answer.code, "is not the ARN" in answer.err) == (2, True)
