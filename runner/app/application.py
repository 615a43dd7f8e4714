"""What one invocation of the runner works with: registry, configuration, locations, repositories, runs."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from runner.app import builtins, location_types
from runner.base import clock as clocks
from runner.base import errors, jsonvalue, own_places, redact
from runner.base.jsonvalue import JsonObject
from runner.locations import directory as directories
from runner.locations import limited
from runner.params import locations, passphrases
from runner.registry import key_service, location

if TYPE_CHECKING:
    from runner.engine import result, runs
    from runner.plan import plan
    from runner.registry import plugins, registry
    from runner.repository import repository as repositories
    from runner.repository import unlocking

Watch = Callable[[str, str], contextlib.AbstractContextManager[Callable[[int, int | None], None]]]


class Application:
    """Everything is made at first use, so that a command pays only for what it needs.

    Args:
        state_dir: Where runs and the default repository live; absolute, need not exist.
        config: The configuration file, if there is one.
        environment: Variables of the process.
        passphrase_file: `--passphrase-file`.
        prompt: Asks for a passphrase or a secret input on the terminal; None when nobody is there.
        note: Tells a person something that is neither result nor error.
        watch: Opens what shows how far a search is that nobody asked for; called with its name and what is counted.
        clock: The time.
    """

    def __init__(
        self,
        *,
        state_dir: Path,
        config: Path | None,
        environment: Mapping[str, str],
        passphrase_file: Path | None = None,
        prompt: Callable[[str], str] | None = None,
        note: Callable[[str], None] = lambda _: None,
        watch: Watch = lambda *_: contextlib.nullcontext(lambda *_: None),
        clock: clocks.Clock | None = None,
    ) -> None:
        self.state_dir = state_dir
        self.environment = environment
        self.prompt = prompt
        self.clock = clock or clocks.SystemClock()
        self.redactor = redact.Redactor()
        self._config = config
        self._passphrases = passphrases.Sources(file=passphrase_file, environment=environment, prompt=prompt)
        self.note = note
        self._watch = watch
        self._opened: dict[str, repositories.Repository] = {}

    @cached_property
    def _loaded(self) -> tuple[registry.Registry, list[plugins.Plugin]]:
        from runner.registry import plugins

        known = builtins.registry_of_builtins()
        return known, plugins.load(known, plugins.installed())

    @property
    def registry(self) -> registry.Registry:
        """Functions, drivers and location types: the built-in ones and those of plugins."""
        return self._loaded[0]

    @property
    def plugins(self) -> list[plugins.Plugin]:
        """All plugins, also those that could not be loaded."""
        return self._loaded[1]

    @cached_property
    def named_locations(self) -> Mapping[str, JsonObject]:
        """The locations of the configuration by name."""
        if self._config is None:
            return {}
        from runner.params import configuration

        return configuration.read_locations(self._config)

    @cached_property
    def _location_types(self) -> location_types.LocationTypes:
        return location_types.LocationTypes(lambda: self.registry)

    @cached_property
    def runs(self) -> runs.Runs:
        """The runs of the state directory."""
        from runner.engine import runs

        return runs.Runs(self.state_dir, self.clock)

    def run_result(self, prefix: str) -> result.RunResult:
        """Return what a run amounts to now; `prefix` is its id or the start of it."""
        from runner.engine import result

        return result.load(self.runs.find(prefix), self.clock.now())

    def run_with_plan(self, prefix: str) -> tuple[plan.Plan, result.RunResult]:
        """Return what a run amounts to now, and the plan that it carries out."""
        from runner.engine import result

        directory = self.runs.find(prefix)
        state = directory.state()
        return state.plan, result.of_state(directory.id, state, self.clock.now(), driven=directory.is_driven)

    def run_results(self) -> Iterator[result.RunResult]:
        """Yield what each run amounts to now, newest first; one that cannot be read is noted and left out."""
        from runner.engine import result

        now = self.clock.now()
        for directory in self.runs.all():
            try:
                yield result.load(directory, now)
            except errors.RunnerError as error:
                self.note(f"run {directory.id} cannot be read: {error.message}")

    def expire_runs(self) -> None:
        """Remove leftovers and old runs; one whose journal is damaged stays, and does not keep others from running."""
        from runner.engine import groups

        groups.sweep(self.state_dir)
        try:
            self.runs.expire()
        except errors.PermanentError as error:
            self.note(f"old runs were not removed: {error.message}")

    def target(self, text: str | None) -> locations.Target:
        """Find out which location is meant, and pin the file that its passphrase comes from."""
        found = locations.choose(text, named=self.named_locations, state_dir=self.state_dir)
        return found.pinned(passphrases.file_of(found, self._passphrases))

    def open_location(self, target: locations.Target) -> location.Location:
        """Open a location; nothing is made there."""
        return locations.open_location(target, self._location_types, self.clock)

    def own_places(self, target: locations.Target) -> own_places.OwnPlaces:
        """Return the directories that a backup to a location must leave out."""
        opened = locations.open_unlimited(target, self._location_types)
        home = (self.state_dir / "runs", Path(str(locations.default(self.state_dir).spec["url"])))
        return own_places.OwnPlaces(paths=(*home, opened.root) if isinstance(opened, directories.Directory) else home)

    def passphrase(self, target: locations.Target, *, ask: bool = True) -> str:
        """Return the passphrase of the repository at a location, from the file that the location is pinned to.

        Args:
            target: The location.
            ask: Whether to ask a person, if one is there and it is given nowhere.
        """
        sources = self._passphrases if ask else structs.replace(self._passphrases, prompt=None)
        if sources.file is None and target.passphrase_file is not None:
            sources = structs.replace(sources, file=Path(target.passphrase_file))
        found = passphrases.find(target, sources)
        self.redactor.learn(found)
        return found

    def key_services(self, target: locations.Target) -> dict[str, key_service.KeyService]:
        """Return the key services by kind, set up by the profile of a location and the environment."""
        from runner.keyservices import aws_kms, vault_transit

        kms, vault = (found if isinstance(found := target.spec.get(name), Mapping) else {} for name in ("kms", "vault"))
        services: list[key_service.KeyService] = [
            aws_kms.AwsKms(kms),
            vault_transit.VaultTransit(vault, self.environment),
        ]
        return {service.kind: service for service in services}

    def _means(self, target: locations.Target, *, ask: bool) -> unlocking.Means:
        from runner.repository import unlocking

        return unlocking.Means(
            passphrase=lambda: self.passphrase(target, ask=False),
            services=self.key_services(target),
            ask=(lambda: self.passphrase(target)) if ask and self.prompt is not None else None,
        )

    def open_repository(self, target: locations.Target, *, ask: bool = True) -> repositories.Repository:
        """Open the repository at a location.

        Args:
            target: The location.
            ask: Whether to ask a person for the passphrase, if one is there and it is given nowhere.

        Raises:
            EnvironmentProblem: RT410, RT412, RT413, RT414 or RT423.
        """
        if target.is_default and not Path(str(target.spec["url"])).is_dir():
            raise errors.EnvironmentProblem(
                "nothing has been backed up here yet: there is no default repository",
                code="RT410",
                details=f"it would be in {target.spec['url']}",
                hint="run a backup first, or name a location with --location",
            )
        # Deriving a key from a passphrase is slow on purpose; a command that needs the repository twice opens it once.
        key = jsonvalue.canonical(target.to_json())
        if key not in self._opened:
            self._opened[key] = self._open(target, ask=ask)
        return self._opened[key]

    def _open(self, target: locations.Target, *, ask: bool) -> repositories.Repository:
        from runner.repository import access, failures

        try:
            return access.open(
                self.open_location(target),
                self._means(target, ask=ask),
                clock=self.clock,
                workers=_workers(target),
                on_damage=self._note_damage,
                watch=lambda: self._watch("searching packs", "packs"),
            )
        except failures.RepositoryMissing as problem:
            # Its URL alone would not lead there: a profile may name a server and credentials.
            problem.hint = f"make one with `runner repository init --location {shlex.quote(target.label)}`"
            raise

    def _note_damage(self, problem: errors.RunnerError) -> None:
        self.note(
            f"warning: {problem.message}\n"
            "  what it named is looked for in the packs; `runner repository repair` makes the index whole again"
        )

    def check_target(self, target: locations.Target) -> None:
        """Find out before a backup starts whether its repository can be opened; the default one may be missing.

        Raises:
            RunnerError: As `open_repository`.
        """
        try:
            self.open_repository(target)
        except errors.EnvironmentProblem as error:
            if error.code != "RT410" or not target.is_default:
                raise

    def create_repository(self, target: locations.Target) -> repositories.Repository:
        """Make a repository at a location.

        Raises:
            EnvironmentProblem: RT411 if there is one.
        """
        from runner.repository import access

        return access.create(
            self.open_location(target), self.passphrase(target), clock=self.clock, workers=_workers(target)
        )

    def init_repository(self, target: locations.Target) -> repositories.Repository:
        """Make a repository; the passphrase of the default one is generated unless there is one already.

        Raises:
            EnvironmentProblem: RT411 if there is one.
        """
        key_file = locations.default(self.state_dir).passphrase_file
        is_new = target.passphrase_file == key_file and passphrases.make_key_file(Path(str(key_file)))
        made = self.create_repository(target)
        if is_new:
            self.note(_advice(made, str(key_file)))
        return made

    def provide_repository(self, target: locations.Target) -> repositories.Repository:
        """Open the repository of a backup; the default one is made at first use."""
        try:
            return self.open_repository(target)
        except errors.EnvironmentProblem as error:
            if error.code != "RT410" or not target.is_default:
                raise
        try:
            return self.init_repository(target)
        except errors.EnvironmentProblem as error:
            if error.code != "RT411":
                raise
        return self.open_repository(target)


def _workers(target: locations.Target) -> int | None:
    limits = limited.limits_of(target.spec)
    return None if limits is None else limits.workers


def _advice(made: repositories.Repository, key_file: str) -> str:
    return (
        f"the passphrase of the new repository {made.location.url}\n"
        f"  is in {key_file}: keep a copy of that file elsewhere,\n"
        "  without it nothing can be restored"
    )
