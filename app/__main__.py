"""`python -m app COMMAND`, the same as `servicetitan-stream COMMAND`."""

import sys

from app.commands.cli import run


def main() -> None:
    """Runs the command of the process's arguments and ends the process with its exit status."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
