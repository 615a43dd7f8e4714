"""Root gives up its privileges for a while, so that tests meet what an ordinary user meets."""

from __future__ import annotations

import importlib
import os
import pkgutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import runner

_NOBODY = 65534


@contextmanager
def given_up() -> Iterator[Path]:
    """Go on as a user without privileges; yield a directory that this user owns."""
    with tempfile.TemporaryDirectory(prefix="runner-test-") as name:
        place = Path(name).resolve()
        if os.geteuid() != 0:
            yield place
            return
        # What is imported only when it is used may lie where the other user cannot read it.
        modules = [found.name for found in pkgutil.walk_packages(runner.__path__, "runner.")]
        for module in ("concurrent.futures.thread", *modules):
            importlib.import_module(module)
        os.chown(place, _NOBODY, _NOBODY)
        groups = os.getgroups()
        os.setgroups([])
        os.setegid(_NOBODY)
        os.seteuid(_NOBODY)
        try:
            yield place
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(groups)
