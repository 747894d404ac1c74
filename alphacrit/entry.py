"""Where the command ``alphacrit`` begins: Ctrl-C while the program loads is no crash, either."""

import sys

INTERRUPTED = 130


def main() -> int:
    """Load the command line and run it; returns its exit code."""
    try:
        from alphacrit.cli import main as command
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    return command()
