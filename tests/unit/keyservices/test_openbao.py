"""Keys wrapped by a real server with the API of HashiCorp Vault: OpenBao."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runner.keyservices import vault_transit
from runner.registry import key_service
from runner.repository import access, keys, unlocking
from tests.servers import openbao
from tests.unit.repository.making import make

pytestmark = pytest.mark.server("openbao")
CONTEXT = {"application": "blueprint-runner", "repository": "00" * 16}
POLICY = "\n".join(f'path "transit/{may}/backups" {{capabilities = ["update"]}}' for may in ("encrypt", "decrypt"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openbao.OpenBao]:
    if openbao.program() is None:
        pytest.skip(f"OpenBao is missing: {openbao.INSTALL}")
    with openbao.started(tmp_path_factory.mktemp("openbao")) as running:
        running.call("POST", "transit/keys/backups")
        yield running


def service(server: openbao.OpenBao, token: str = openbao.ROOT) -> vault_transit.VaultTransit:
    return vault_transit.VaultTransit({}, {"VAULT_ADDR": server.address, "VAULT_TOKEN": token})


def refused(of: vault_transit.VaultTransit, wrapped: key_service.WrappedKey, repository_id: str = "00" * 16) -> str:
    with pytest.raises(key_service.KeyRefused) as caught:
        of.unwrap(wrapped, {**CONTEXT, "repository": repository_id})
    return caught.value.message


def test_repository_opens_with_a_token_that_may_do_nothing_else(server: openbao.OpenBao) -> None:
    repo = make()
    token = server.token(POLICY)
    keys.add_service(repo, service(server, token), "transit/backups")

    def nothing() -> str:
        raise AssertionError("the passphrase was asked for before the service")

    (slot,) = [info for info in keys.slots(repo) if info.kind == "vault-transit"]
    keys.remove(
        repo, next(info.slot for info in keys.slots(repo) if info.slot != slot.slot), {slot.kind: service(server)}
    )
    means = unlocking.Means(passphrase=nothing, services={slot.kind: service(server, token)})
    assert access.open(repo.location, means, clock=repo.clock).id == repo.id


def test_key_that_is_rotated_still_opens_and_one_that_is_too_old_does_not(server: openbao.OpenBao) -> None:
    server.call("POST", "transit/keys/rotated")
    plain, wrapped = service(server).wrap("transit/rotated", CONTEXT)
    server.call("POST", "transit/keys/rotated/rotate")
    assert service(server).unwrap(wrapped, CONTEXT) == plain
    server.call("POST", "transit/keys/rotated/config", min_decryption_version=2)
    assert "no longer allowed" in refused(service(server), wrapped)


def test_every_way_of_losing_the_key_is_named(server: openbao.OpenBao) -> None:
    server.call("POST", "transit/keys/lost")
    _, wrapped = service(server).wrap("transit/lost", CONTEXT)
    assert "did not wrap" in refused(service(server), wrapped, "11" * 16)
    assert "may not use the key" in refused(service(server, server.token(POLICY)), wrapped)
    assert "may not use the key" in refused(service(server, "s.expired"), wrapped)
    away = key_service.WrappedKey(key="elsewhere/lost", blob=wrapped.blob)
    assert "does not exist" in refused(service(server), away)
    server.call("POST", "transit/keys/lost/config", deletion_allowed=True)
    server.call("DELETE", "transit/keys/lost")
    assert "does not exist" in refused(service(server), wrapped)


def test_key_of_a_type_that_cannot_be_bound_is_refused_when_the_slot_is_made(server: openbao.OpenBao) -> None:
    server.call("POST", "transit/keys/rsa", type="rsa-2048")
    with pytest.raises(key_service.KeyRefused) as caught:
        service(server).wrap("transit/rsa", CONTEXT)
    assert "aes256-gcm96" in caught.value.hint


def test_sealed_server_is_named(server: openbao.OpenBao, tmp_path_factory: pytest.TempPathFactory) -> None:
    with openbao.started(tmp_path_factory.mktemp("sealed")) as other:
        other.call("POST", "transit/keys/backups")
        _, wrapped = service(other).wrap("transit/backups", CONTEXT)
        other.call("PUT", "sys/seal")
        assert refused(service(other), wrapped) == "the vault is sealed"
    assert "does not answer" in refused(service(other), wrapped)
