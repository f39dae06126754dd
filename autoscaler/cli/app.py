"""The program's commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from autoscaler import __version__
from autoscaler.cli.interface import act, ask, operate, prove

HELP = """Keep hosted GPU inference as cheap as its promises allow.

\b
Start here:
  autoscaler demo                 a whole day in minutes, nothing to sign up for
  autoscaler check --online       is the configuration right, and does everyone answer?
  autoscaler plan                 what would it do now, and why? changes nothing
  autoscaler run                  the daemon
  autoscaler why chat             why does chat have this many replicas?

\b
Exit status:
    0  done
    1  a negative answer: trouble or warnings found, nothing found, refused
    2  the configuration or the command line is wrong; nothing was sent
    3  daemon, journal, vendor or the address to listen on cannot be reached
    4  another process holds the journal
  130  interrupted
"""

app = typer.Typer(
    name="autoscaler",
    help=HELP,
    no_args_is_help=True,
    # Plain text: it starts in half the time, and a terminal of any width shows all of it.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"autoscaler {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Options of the program itself."""


for part in (operate, ask, prove, act):
    part.register(app)
