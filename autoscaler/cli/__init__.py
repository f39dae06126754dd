"""The command line: the outermost layer, and the only one that talks to a terminal."""

from __future__ import annotations


def main() -> None:
    """The console script. Expected trouble is a sentence on standard error and an exit status."""
    # Imported here, so that importing the package costs nothing.
    from autoscaler.cli.app import app

    app(prog_name="autoscaler")
