"""The configuration file: locations by name. It is read where a name has to be looked up, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.base import diagnostic, errors
from runner.base.jsonvalue import JsonObject
from runner.document import render, schema, yamlread
from runner.model import location_profile

_SCHEMA = "configuration.schema.json"
_CONTENT = re.compile(r"^\s*[^\s#]", re.MULTILINE)


def read_locations(path: Path) -> Mapping[str, JsonObject]:
    """Return the locations of a configuration file by name, each as the `spec` of a location profile.

    Relative paths start at the directory of the file. An empty file is a valid configuration.

    Raises:
        UsageError: RT103 if the file cannot be read, RT107 with all findings if something is wrong in it.
    """
    text, found = yamlread.read_file(path)
    if text is not None and not _CONTENT.search(text):
        return {}
    root = None
    if text is not None:
        root, found = yamlread.read(text, str(path))
        found = [*found, *(schema.validate(root, _SCHEMA) if root is not None else ())]
    if root is None or diagnostic.has_errors(found):
        raise errors.UsageError(
            f"the configuration file {path} is not valid",
            code="RT107",
            details=render.text(found),
            hint="correct it, or name another file with --config",
        )
    read: Any = root.plain()
    base = path.absolute().parent
    locations = read.get("locations", {})
    return {name: location_profile.with_absolute_paths(spec, base) for name, spec in locations.items()}
