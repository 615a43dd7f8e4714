"""Find the files that ship beside the code: in a wheel under `runner/_data`, in a checkout at the top level."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def _find(installed: str, checkout: str) -> Path:
    packaged = _PACKAGE / "_data" / installed
    return packaged if packaged.is_dir() else _PACKAGE.parent / checkout


def schemas() -> Path:
    """Return the directory of the JSON Schemas."""
    return _find("schemas", "schemas")


def blueprints() -> Path:
    """Return the directory of the packaged blueprints."""
    return _find("blueprints", "blueprints")


def error_pages() -> Path:
    """Return the directory with one Markdown page per error code."""
    return _find("errors", "docs/errors")
