"""Entry point of `runner` and of `python -m runner`."""

from __future__ import annotations

import sys
from typing import NoReturn

from runner.cli import main as cli


def main() -> NoReturn:
    """Run the command line of this process."""
    sys.exit(cli.run(sys.argv[1:]))


if __name__ == "__main__":
    main()
