"""Keys wrapped by the transit engine of HashiCorp Vault, on the stand-in of `tests/servers/fake_transit.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.base import errors
from runner.keyservices import vault_transit
from runner.registry import key_service
from tests.servers import fake_transit, processes

CONTEXT = {"application": "blueprint-runner", "repository": "00" * 16}


@pytest.fixture
def transit() -> Iterator[fake_transit.Transit]:
    with fake_transit.started() as server:
        yield server


def service(transit: fake_transit.Transit, token: str = "root", **settings: str) -> vault_transit.VaultTransit:
    return vault_transit.VaultTransit(settings, {"VAULT_ADDR": transit.address, "VAULT_TOKEN": token})


def refusal(of: vault_transit.VaultTransit, wrapped: key_service.WrappedKey) -> key_service.KeyRefused:
    with pytest.raises(key_service.KeyRefused) as caught:
        of.unwrap(wrapped, CONTEXT)
    assert caught.value.hint
    assert caught.value.code == "RT423"
    return caught.value


def test_wrapped_key_is_given_back_and_the_server_never_sees_it_in_the_slot(transit: fake_transit.Transit) -> None:
    plain, wrapped = service(transit).wrap("transit/backups", CONTEXT)
    assert len(plain) == 32
    assert plain not in wrapped.blob
    assert service(transit).unwrap(wrapped, CONTEXT) == plain
    other, _ = service(transit).wrap("transit/backups", CONTEXT)
    assert other != plain


def test_key_of_another_repository_is_refused(transit: fake_transit.Transit) -> None:
    _, wrapped = service(transit).wrap("transit/backups", CONTEXT)
    with pytest.raises(key_service.KeyRefused, match="did not wrap"):
        service(transit).unwrap(wrapped, {**CONTEXT, "repository": "11" * 16})


def test_namespace_of_the_profile_or_the_environment_is_used(transit: fake_transit.Transit) -> None:
    _, wrapped = service(transit, namespace="team-a").wrap("transit/backups", CONTEXT)
    assert "did not wrap" in refusal(service(transit), wrapped).message
    environment = {"VAULT_ADDR": transit.address, "VAULT_TOKEN": "root", "VAULT_NAMESPACE": "team-a"}
    assert vault_transit.VaultTransit({}, environment).unwrap(wrapped, CONTEXT)


def test_tokens_come_from_profile_environment_and_login_in_this_order(
    transit: fake_transit.Transit, tmp_path: Path
) -> None:
    for name in ("profile", "environment", "login"):
        transit.tokens[name] = {"encrypt"}
    (tmp_path / "token").write_text("profile\n")
    (tmp_path / ".vault-token").write_text("login")
    address = {"VAULT_ADDR": transit.address}
    both = {**address, "VAULT_TOKEN": "environment"}
    file = {"tokenFile": str(tmp_path / "token")}
    for settings, environment in ((file, both), ({}, both), ({}, address)):
        vault_transit.VaultTransit(settings, environment, home=tmp_path).wrap("transit/backups", CONTEXT)
    assert [token for _, token in transit.requests] == ["profile", "environment", "login"]


def test_a_missing_token_is_said_and_nothing_is_asked(transit: fake_transit.Transit, tmp_path: Path) -> None:
    _, wrapped = service(transit).wrap("transit/backups", CONTEXT)
    asked = len(transit.requests)
    address = {"VAULT_ADDR": transit.address}
    assert "no token" in refusal(vault_transit.VaultTransit({}, address, home=tmp_path), wrapped).message
    named = vault_transit.VaultTransit({"tokenFile": str(tmp_path / "none")}, address)
    assert "cannot be read" in refusal(named, wrapped).message
    (tmp_path / "empty").write_text("\n")
    empty = vault_transit.VaultTransit({"tokenFile": str(tmp_path / "empty")}, address)
    assert "holds no token" in refusal(empty, wrapped).message
    assert len(transit.requests) == asked


def test_every_way_of_losing_the_key_is_named(transit: fake_transit.Transit) -> None:
    _, wrapped = service(transit).wrap("transit/backups", CONTEXT)
    transit.tokens["writer"] = {"encrypt"}
    assert "may not use the key" in refusal(service(transit, "writer"), wrapped).message
    transit.oldest = 2
    assert "no longer allowed" in refusal(service(transit), wrapped).message
    transit.keys.clear()
    assert "does not exist" in refusal(service(transit), wrapped).message
    away = key_service.WrappedKey(key="elsewhere/backups", blob=wrapped.blob)
    assert "does not exist" in refusal(service(transit), away).message
    transit.sealed = True
    sealed = refusal(service(transit), wrapped)
    assert (sealed.message, sealed.details) == ("the vault is sealed", "Vault is sealed")
    transit.broken = b"<html>"
    assert "status 503" in refusal(service(transit), wrapped).message


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"data": 3}', b'{"data": {"plaintext": "?"}}'])
def test_an_answer_of_something_else_is_refused(transit: fake_transit.Transit, answer: bytes) -> None:
    _, wrapped = service(transit).wrap("transit/backups", CONTEXT)
    transit.broken = answer
    assert "not that of a vault" in refusal(service(transit), wrapped).message


def test_a_server_that_is_away_is_said() -> None:
    (port,) = processes.free_ports(1)
    away = vault_transit.VaultTransit({"address": f"http://127.0.0.1:{port}"}, {"VAULT_TOKEN": "root"})
    wrapped = key_service.WrappedKey(key="transit/backups", blob=b"vault:v1:AA==")
    assert f"http://127.0.0.1:{port} does not answer" in refusal(away, wrapped).message
    unknown = vault_transit.VaultTransit({}, {"VAULT_TOKEN": "root"})
    assert "no address" in refusal(unknown, wrapped).message


def test_a_certificate_file_that_is_none_is_said(transit: fake_transit.Transit, tmp_path: Path) -> None:
    _, wrapped = service(transit).wrap("transit/backups", CONTEXT)
    (tmp_path / "ca.pem").write_text("no certificate")
    assert "cannot be used" in refusal(service(transit, caFile=str(tmp_path / "ca.pem")), wrapped).message


def test_the_token_follows_no_redirect(transit: fake_transit.Transit) -> None:
    _, wrapped = service(transit).wrap("transit/backups", CONTEXT)
    with fake_transit.started() as thief:
        transit.redirect = thief.address
        assert "status 302" in refusal(service(transit), wrapped).message
        assert thief.requests == []


@pytest.mark.parametrize("key", ["backups", "../sys/backups", "transit/../sys", "transit/a?b", "", "transit/", "/a/b"])
def test_what_is_no_key_becomes_no_request(transit: fake_transit.Transit, key: str) -> None:
    with pytest.raises(errors.UsageError, match="not a key of Vault"):
        service(transit).unwrap(key_service.WrappedKey(key=key, blob=b""), CONTEXT)
    assert transit.requests == []
