"""Start interpreters as those of an installed runner are started: with byte code, whatever the shell says of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Let the interpreters that are started meanwhile write byte code, beside nothing that belongs to anybody."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="runner-bytecode-") as scratch:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = scratch
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
