"""Credentials of object stores from files: never from a document, and never kept longer than the client needs them."""

from __future__ import annotations

import configparser
import json
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from runner.base import clock as clocks
from runner.base import errors, suggest
from runner.base.jsonvalue import JsonObject

# A file that is rotated is read again after this time at the latest.
_VALID = timedelta(minutes=15)
_AWS = ("aws_access_key_id", "aws_secret_access_key")
_AZURE = ("azure_storage_account_id", "azure_storage_key")
_GOOGLE = ("type", "client_email", "private_key")
_GOOGLE_FILE = "service-account.json"
_PLAIN = "plain"


def aws(spec: JsonObject, clock: clocks.Clock) -> Callable[[], Any] | None:
    """Return what gives the client its keys, or None where it finds them itself (environment, web identity, machine).

    The file has the form of `~/.aws/credentials`, or is a directory with a file for each key.

    Raises:
        EnvironmentProblem: RT311 if the file cannot be read or lacks a key.
    """
    if not spec.get("credentialsFile"):
        return None
    place, section = Path(str(spec["credentialsFile"])), str(spec.get("credentialsProfile") or "")

    def fetch() -> Any:
        keys = read(place, _AWS, section)
        return {
            "access_key_id": keys["aws_access_key_id"],
            "secret_access_key": keys["aws_secret_access_key"],
            "token": keys.get("aws_session_token"),
            "expires_at": clock.now() + _VALID,
        }

    fetch()  # what is wrong with the file is said now, and in our words
    return fetch


def azure(spec: JsonObject) -> Mapping[str, str]:
    """Return the account, its key and the cloud from the file of a profile; empty without one.

    Raises:
        EnvironmentProblem: RT311 if the file cannot be read or lacks a key.
    """
    if not spec.get("credentialsFile"):
        return {}
    needed = _AZURE[1:] if spec.get("account") else _AZURE
    return read(Path(str(spec["credentialsFile"])), needed)


def google(spec: JsonObject) -> str:
    """Return the JSON of the service account of a profile: the file itself, or `service-account.json` in a directory.

    Raises:
        EnvironmentProblem: RT311 if it cannot be read or is none.
    """
    place = Path(str(spec["credentialsFile"]))
    text = _text(place / _GOOGLE_FILE if place.is_dir() else place)
    try:
        account = json.loads(text)
        lacking = [key for key in _GOOGLE if key not in account] if "disable_oauth" not in account else []
    except (ValueError, TypeError):
        lacking = list(_GOOGLE)
    if lacking:
        raise _problem(place, f"it is not the JSON of a service account: it lacks {', '.join(lacking)}")
    return text


def read(place: Path, needed: Collection[str], section: str = "") -> Mapping[str, str]:
    """Return the keys of a credentials file or directory.

    Raises:
        EnvironmentProblem: RT311 if it cannot be read or lacks one of those that are needed.
    """
    keys = _from_directory(place) if place.is_dir() else _from_file(place, section)
    lacking = [key for key in needed if not keys.get(key)]
    if lacking:
        raise _problem(place, f"it lacks {' and '.join(lacking)}")
    return keys


def known(name: str, allowed: Collection[str], key: str) -> str:
    """Return a name that must be one of several.

    Raises:
        UsageError: RT403 if it is not.
    """
    if name not in allowed:
        raise errors.UsageError(f'"{name}" is no {key}', code="RT403", hint=suggest.hint(name, allowed))
    return name


def _from_directory(place: Path) -> Mapping[str, str]:
    """Read a directory with a file for each key, as a mounted Kubernetes Secret is."""
    return {path.name: _text(path).strip() for path in place.iterdir() if path.is_file()}


def _from_file(place: Path, section: str) -> Mapping[str, str]:
    parser = configparser.RawConfigParser()
    text = _text(place)
    try:
        # Lines before the first section are a section of their own here.
        parser.read_string(f"[{_PLAIN}]\n{text}")
    except configparser.Error as problem:
        raise _problem(place, "it has lines that are no `key = value`") from problem
    wanted = section or next((name for name in (_PLAIN, "default") if _has(parser, name)), "default")
    if not parser.has_section(wanted):
        found = [name for name in parser.sections() if name != _PLAIN]
        raise _problem(place, f"it has no section [{wanted}]", suggest.hint(wanted, found) if found else "")
    return dict(parser.items(wanted))


def _has(parser: configparser.RawConfigParser, section: str) -> bool:
    return parser.has_section(section) and bool(parser.items(section))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        said = problem.strerror or "" if isinstance(problem, OSError) else "it is not UTF-8 text"
        raise _problem(path, said) from problem


def _problem(place: Path, what: str, hint: str = "") -> errors.EnvironmentProblem:
    return errors.EnvironmentProblem(
        f"the credentials file {place} cannot be used: {what}",
        code="RT311",
        hint=hint or "correct credentialsFile in the location profile, or the file; see docs/locations.md",
    )
