"""Several passphrases open one repository; statistics count what it holds."""

from __future__ import annotations

import cbor2
import pytest

from runner.base import errors, generated
from runner.repository import access, encoding, failures, keys, keyslots, repository, stats
from tests.unit.repository.making import CHEAP, make, noise, point, put


def opens(repo: repository.Repository, passphrase: str) -> bool:
    try:
        return access.open(repo.location, passphrase, clock=repo.clock).id == repo.id
    except failures.WrongPassphrase:
        return False


def test_added_passphrase_opens_the_repository_beside_the_first() -> None:
    repo = make()
    slot = keys.add(repo, "second", kdf=CHEAP)
    assert opens(repo, "secret")
    assert opens(repo, "second")
    assert slot in [info.slot for info in keys.slots(repo)]
    keys.remove(repo, slot)
    assert not opens(repo, "second")


def test_last_slot_and_unknown_slot_are_not_removed() -> None:
    repo = make()
    for slot in (keys.slots(repo)[0].slot, "unknown0"):
        with pytest.raises(errors.UsageError):
            keys.remove(repo, slot)
    assert opens(repo, "secret")


def test_changed_passphrase_replaces_the_old_one() -> None:
    repo = make()
    keys.change(repo, "secret", "new", kdf=CHEAP)
    assert opens(repo, "new")
    assert not opens(repo, "secret")
    with pytest.raises(failures.WrongPassphrase):
        keys.change(repo, "secret", "newer", kdf=CHEAP)


def test_slot_of_another_repository_is_passed_over() -> None:
    repo, other = make(), make()
    slot = next(info.name for info in other.location.list("keys/"))
    repo.location.put("keys/00000000", [other.location.get(slot)])
    assert opens(repo, "secret")
    (own,) = keys.slots(repo)
    with pytest.raises(errors.UsageError, match="last"):
        keys.remove(repo, own.slot)


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        ({"memoryKiB": 1 << 31}, "asks for more"),
        ({"memoryKiB": 1}, "asks for more"),
        ({"iterations": 1 << 20}, "asks for more"),
        ({"iterations": 0}, "asks for more"),
        ({"lanes": 0}, "asks for more"),
        ({"salt": b"short"}, "salt"),
    ],
)
def test_a_forged_slot_is_refused_before_its_cost_is_paid(forged: dict[str, int | bytes], said: str) -> None:
    repo = make()
    name = next(info.name for info in repo.location.list("keys/"))
    outer = cbor2.loads(keyslots.without_checksum(repo.location.get(name), name))
    outer["slot"] = encoding.encode(cbor2.loads(outer["slot"]) | forged)
    repo.location.put(name, [keyslots.checksummed(encoding.encode(outer))], overwrite=True)
    with pytest.raises(failures.RepositoryDamaged, match=said):
        opens(repo, "secret")


def test_statistics_count_what_is_there() -> None:
    repo = make()
    export = put(repo, "a", noise("a", 5000), b"b" * 5000)
    put(repo, "b", noise("a", 5000))
    repo.put_point(point("aaaaaaaa", export))
    found = stats.collect(repo)
    assert (found.packs, found.segments, found.exports, found.restore_points) == (2, 2, 2, 1)
    assert found.chunks == 4
    assert 10_000 < found.bytes_plain < 11_000
    assert 5000 < found.bytes_packs < 7000
    assert found.bytes_total == sum(info.size for info in repo.location.list(""))
    repo.delete_point(repo.points()[0].id)
    assert stats.collect(repo).restore_points == 0


def kdf_of(repo: repository.Repository, slot: str) -> str:
    outer = cbor2.loads(repo.location.get(keyslots.PREFIX + slot)[:-32])
    return str(cbor2.loads(outer["slot"])["kdf"])


def refuse_to_stretch(*_: object) -> bytes:
    pytest.fail("somebody pays for a guess at what nobody can guess")


def test_generated_passphrase_costs_nothing_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    repo = make()
    passphrase = generated.passphrase()
    for _ in range(5):
        keys.add(repo, "chosen", kdf=CHEAP)
    monkeypatch.setattr(keyslots, "_stretched", refuse_to_stretch)
    slot = keys.add(repo, passphrase)
    assert kdf_of(repo, slot) == "hkdf"
    assert opens(repo, passphrase)
    assert {info.kind for info in keys.slots(repo)} == {"passphrase"}
    keys.change(repo, passphrase, generated.passphrase())
    monkeypatch.undo()
    assert not opens(repo, passphrase)
    assert opens(repo, "chosen")


@pytest.mark.parametrize(
    "passphrase", ["7kq2" * 8, "generated-", "generated-7kq2", "generated-" + "u" * 32, "generated-" + "0" * 33]
)
def test_passphrase_that_is_no_generated_one_is_stretched(passphrase: str) -> None:
    repo = make()
    assert kdf_of(repo, keys.add(repo, passphrase, kdf=CHEAP)) == "argon2id"
    assert opens(repo, passphrase)


def test_generated_passphrases_have_160_bits() -> None:
    asked: list[int] = []

    def draw(count: int) -> bytes:
        asked.append(count)
        return bytes(count - 1) + bytes([len(asked)])

    made = {generated.passphrase(draw) for _ in range(3)}
    assert (len(made), set(asked)) == (3, {20})
    assert all(map(generated.is_passphrase, made))
