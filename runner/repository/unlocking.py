"""Opening a repository with what is at hand: a passphrase, key services, a person; and what to say if nothing does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from runner.base import errors
from runner.registry import key_service
from runner.registry import location as locations
from runner.repository import crypto, failures, keyslots


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What may open a repository.

    Attributes:
        passphrase: Returns the one that is configured, or raises RT413 when there is none that can be read.
        services: Key services by their kind.
        ask: Asks a person, as the last resort; None when nobody is there.
    """

    passphrase: Callable[[], str]
    services: Mapping[str, key_service.KeyService] = msgspec.field(default_factory=dict)
    ask: Callable[[], str] | None = None


def by_passphrase(passphrase: str) -> Means:
    """Return the means of whoever has a passphrase alone."""
    return Means(passphrase=lambda: passphrase)


class _Refusal(msgspec.Struct, frozen=True):
    """Why a slot was not opened, as a clause, and what helps."""

    slot: keyslots.Slot | None
    name: str
    reason: str
    hint: str = ""

    def line(self) -> str:
        what = "" if self.slot is None else _what(self.slot.info())
        return f"{self.name}  {what}{self.reason}"


def unlock(location: locations.Location, repository: bytes, means: Means) -> tuple[str, crypto.Keys]:
    """Find a slot that opens; return its name and the keys.

    The passphrase that is configured is tried first, since it needs no network; then each key service; then a person
    is asked.

    Raises:
        WrongPassphrase: If there are passphrases only, and this one opens none.
        EnvironmentProblem: RT413 if there are passphrases only, and none was given; RT423 if there are key services,
            and none opens it.
        RepositoryDamaged: If nothing opens, and a slot is damaged.
    """
    return _Attempt(location, repository, means).unlock()


def opens(slot: keyslots.Slot, service: key_service.KeyService) -> bytes:
    """Return the master key from a slot of a key service.

    Raises:
        KeyRefused: If the service does not give the wrapping key, or gives another one.
    """
    wrapping = service.unwrap(slot.wrapped_key(), keyslots.context_of(slot.repository))
    master = slot.open(wrapping)
    if master is None:
        raise key_service.KeyRefused("it was changed after it was made", hint="remove the slot")
    return master


class _Attempt:
    def __init__(self, location: locations.Location, repository: bytes, means: Means) -> None:
        self._location = location
        self._repository = repository
        self._means = means
        self._broken: failures.RepositoryDamaged | None = None
        self._refusals: list[_Refusal] = []

    def unlock(self) -> tuple[str, crypto.Keys]:
        slots = list(self._readable())
        by_passphrase = keyslots.by_passphrase(slots)
        others = [slot for slot in slots if slot.info().kind != keyslots.PASSPHRASE]
        lacking: errors.EnvironmentProblem | None = None
        try:
            passphrase = self._means.passphrase() if by_passphrase or not slots else None
        except errors.EnvironmentProblem as problem:
            lacking, passphrase = problem, None
        found = self._try_passphrase(passphrase, by_passphrase) or self._try_services(others)
        if found is None and lacking is not None and self._means.ask is not None and by_passphrase:
            lacking, found = None, self._try_passphrase(self._means.ask(), by_passphrase)
        if found is None:
            raise self._failure(by_passphrase, others, lacking)
        return found[0].name, crypto.Keys(found[1], self._repository)

    def _readable(self) -> Iterator[keyslots.Slot]:
        for name in keyslots.names(self._location):
            try:
                slot = keyslots.read(self._location, name)
            except failures.RepositoryDamaged as problem:
                self._broken = problem
                self._refusals.append(_Refusal(None, name, problem.message))
                continue
            if slot.repository == self._repository:
                yield slot

    def _try_passphrase(
        self, passphrase: str | None, slots: Sequence[keyslots.Slot]
    ) -> tuple[keyslots.Slot, bytes] | None:
        for slot in slots if passphrase is not None else ():
            master = slot.open_with(str(passphrase))
            if master is not None:
                return slot, master
            self._refusals.append(_Refusal(slot, slot.name, "the passphrase is another one"))
        return None

    def _try_services(self, slots: Sequence[keyslots.Slot]) -> tuple[keyslots.Slot, bytes] | None:
        for slot in slots:
            service = self._means.services.get(slot.kdf)
            if service is None:
                self._refusals.append(_Refusal(slot, slot.name, "this kind is not known here"))
                continue
            try:
                return slot, opens(slot, service)
            except errors.RunnerError as problem:
                said = f"{problem.message} ({problem.details})" if problem.details else problem.message
                self._refusals.append(_Refusal(slot, slot.name, said, problem.hint))
        return None

    def _failure(
        self,
        by_passphrase: Sequence[keyslots.Slot],
        others: Sequence[keyslots.Slot],
        lacking: errors.EnvironmentProblem | None,
    ) -> errors.RunnerError:
        if self._broken is not None and not others:
            return self._broken
        if lacking is not None and not others:
            return lacking
        if not others:
            return failures.WrongPassphrase(
                f"the passphrase does not open the repository at {self._location.url}",
                hint="give the passphrase that the repository was made with, or one of those added later",
            )
        if lacking is not None:
            self._refusals += [_Refusal(slot, slot.name, lacking.message) for slot in by_passphrase]
        ways = list(dict.fromkeys(refusal.hint for refusal in self._refusals if refusal.hint))
        ways += ["give a passphrase with --passphrase-file"] if by_passphrase else []
        return failures.NothingOpens(
            f"nothing that is at hand opens the repository at {self._location.url}",
            details="\n".join(refusal.line() for refusal in sorted(self._refusals, key=lambda one: one.name)),
            hint="one of these is enough: " + "; ".join(ways) if len(ways) > 1 else "".join(ways),
        )


def _what(info: keyslots.SlotInfo) -> str:
    return f"{info.kind} {info.key}: " if info.key else f"{info.kind}: "
