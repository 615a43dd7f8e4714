"""Entry point of `runner` and of `python -m runner`."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

# `runner.base.codes.Exit.INTERRUPTED`, before anything is imported.
_INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line of this process."""
    _open_closed_streams()
    try:
        from runner.cli import main as cli
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(_INTERRUPTED)
    sys.exit(cli.run(sys.argv[1:]))


def _open_closed_streams() -> None:
    """Open the standard streams that the caller has closed: else the next file, a journal perhaps, got their number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


if __name__ == "__main__":
    main()
