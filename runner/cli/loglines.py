"""The log of a run: reading what is new in the file, and writing lines for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_SHOWN = ("time", "level", "event", "run", "run_id", "action", "phase", "key", "attempt")


class Tail:
    """Reads a growing file of JSON lines, each line once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> Iterator[Mapping[str, Any]]:
        """Yield the lines that were completed since the last call; none while there is no file."""
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield json.loads(line)


def is_shown(line: Mapping[str, Any], *, verbose: int) -> bool:
    """Tell whether a line is shown: debug lines only with `-vv`."""
    return verbose > 1 or line.get("level") != "debug"


def text(line: Mapping[str, Any]) -> str:
    """Write a log line for people: time, phase, event, fields."""
    fields = {name: value for name, value in line.items() if name not in _SHOWN}
    said = str(fields.pop("line")) if set(fields) >= {"line"} else ""
    rest = " ".join(f"{name}={_value(value)}" for name, value in fields.items())
    place = f"[{line['phase']}] " if line.get("phase") else ""
    level = "" if line.get("level") == "info" else f"{line.get('level')}: "
    event = "" if line.get("event") == "command.output" and said else str(line.get("event", ""))
    clock = str(line.get("time", ""))[11:19]
    return " ".join(part for part in (clock, (place + level + event).strip(), said or rest) if part)


def _value(value: object) -> str:
    if isinstance(value, str):
        return value if value and " " not in value else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False, default=str)
