"""From a command's function to an exit status: trouble is told in a sentence, never as a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.cli.terminal.say import note

P = ParamSpec("P")


def told(command: Callable[P, int]) -> Callable[P, None]:
    """The command as typer calls it: its return value is the exit status."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            status = command(*args, **kwargs)
        except Trouble as trouble:
            note(str(trouble))
            status = trouble.status
        except BrokenPipeError:
            # Whoever read our output has enough of it, as in `| head`; the flush at exit must not complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = Exit.OK
        except KeyboardInterrupt:
            status = Exit.INTERRUPTED
        raise typer.Exit(int(status))

    return run
