"""Which location a person means by `--location`, and how it is opened, now and when its run is resumed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import structs

from runner.base import clock as clocks
from runner.base import errors, suggest
from runner.base.jsonvalue import JsonObject, JsonValue
from runner.locations import limited, read_only, urls
from runner.registry import location


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A location, found but not opened; all that a run keeps of it, so no secret is in here.

    Attributes:
        label: What to write after `--location` to mean it again; empty for the default repository.
        spec: `{"url": …}`, or the `spec` of a location profile with its `type`.
        passphrase_file: Where the passphrase is; an absolute path.
    """

    label: str
    spec: JsonObject
    passphrase_file: str | None = None

    @property
    def is_default(self) -> bool:
        """Whether it is the repository in the state directory, made at first use."""
        return not self.label

    def pinned(self, passphrase_file: Path | None) -> Target:
        """Return the same location with the file that its passphrase is read from; None: not from a file."""
        return structs.replace(self, passphrase_file=None if passphrase_file is None else str(passphrase_file))

    def to_json(self) -> JsonObject:
        """Return it as a JSON object."""
        return {"label": self.label, "spec": self.spec, "passphraseFile": self.passphrase_file}


def from_json(value: Mapping[str, JsonValue]) -> Target:
    """Read what `Target.to_json` wrote."""
    spec, passphrase_file = value["spec"], value["passphraseFile"]
    if not isinstance(spec, Mapping):
        raise errors.UsageError("the run does not say where its location is", code="RT403")
    return Target(
        label=str(value["label"]),
        spec=spec,
        passphrase_file=None if passphrase_file is None else str(passphrase_file),
    )


def choose(text: str | None, *, named: Mapping[str, JsonObject], state_dir: Path) -> Target:
    """Find out what a person means: a configured name, a URL, a profile document, or a directory.

    Args:
        text: What stands after `--location`; None for the default repository.
        named: `locations` of the configuration.
        state_dir: Where the default repository is.

    Raises:
        UsageError: RT403 if it is none of these.
        InvalidDocument: If it is a file, but no location profile.
    """
    if text is None:
        return default(state_dir)
    if not text:
        raise errors.UsageError(
            "the location is empty", code="RT403", hint="leave it out to use the default repository"
        )
    if text in named:
        return _from_spec(text, named[text])
    if "://" in text:
        return Target(label=text, spec={"url": text})
    path = Path(text).expanduser().absolute()
    # These say no where `Path.is_file` fails, as on a share whose server is away; whoever opens it is told.
    if os.path.isfile(path):
        return _from_profile(path)
    if os.path.isdir(path) or "/" in text:
        return Target(label=str(path), spec={"url": str(path)})
    raise errors.UsageError(
        f'there is no location "{text}"',
        code="RT403",
        hint=suggest.hint(text, named)
        if named
        else f"give a URL (file:///srv/backups), a profile file, or a directory: ./{text} if it is to be made",
    )


def default(state_dir: Path) -> Target:
    """Return the repository of the state directory."""
    home = state_dir.absolute()
    return Target(label="", spec={"url": str(home / "repository")}, passphrase_file=str(home / "repository.key"))


def open_location(target: Target, types: Mapping[str, location.Factory], clock: clocks.Clock) -> location.Location:
    """Open a location as its profile allows it to be used; nothing is made there.

    Raises:
        UsageError: RT403 if its type is unknown, or its limits are off.
    """
    opened = limited.wrap(open_unlimited(target, types), limited.limits_of(target.spec), clock)
    return read_only.ReadOnly(opened) if target.spec.get("readOnly") else opened


def open_unlimited(target: Target, types: Mapping[str, location.Factory]) -> location.Location:
    """Open a location as it is.

    Raises:
        UsageError: RT403 if its type is unknown.
    """
    url = target.spec.get("url")
    if "type" not in target.spec:
        scheme, is_url, _ = str(url).lower().partition("://")
        if is_url and scheme not in urls.SCHEMES and scheme in types:
            return types[scheme]({"type": scheme, "url": url})
        return urls.open_url(str(url))
    kind = str(target.spec["type"])
    if kind not in types:
        raise errors.UsageError(f'there is no location type "{kind}"', code="RT403", hint=suggest.hint(kind, types))
    return types[kind](target.spec)


def _from_spec(label: str, spec: JsonObject) -> Target:
    passphrase_file = spec.get("passphraseFile")
    return Target(label=label, spec=spec, passphrase_file=None if passphrase_file is None else str(passphrase_file))


def _from_profile(path: Path) -> Target:
    from runner.base import diagnostic
    from runner.model import load

    profile, found = load.load_location_profile(path)
    if profile is None or diagnostic.has_errors(found):
        raise diagnostic.InvalidDocument(found)
    return _from_spec(str(path), profile.settings)
