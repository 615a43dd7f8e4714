"""Values to YAML text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from runner.base.jsonvalue import JsonValue


def dump(value: JsonValue) -> str:
    """Write a value as YAML: keys in their order, long texts as blocks, no anchors."""
    written: str = yaml.dump(_plain(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return written


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _plain(value: object) -> object:
    """Turn read-only mappings and tuples into what YAML knows."""
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    return value
