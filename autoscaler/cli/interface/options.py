"""Options that several commands share, each with its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.terminal.times import duration_s

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Configuration file. Default: AUTOSCALER_CONFIG, else ./config.toml.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, and nothing else there.")]


def seconds(option: str, text: str) -> float:
    """Seconds of a typed duration. Raises: BadParameter, a usage error."""
    try:
        return duration_s(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


For = Annotated[str, typer.Option("--for", metavar="DURATION", help="How long: 90s, 30m, 2h, 3d or seconds.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever asks later.")]
Actor = Annotated[
    str | None, typer.Option("--actor", help="Who. Default: your login name.", show_default=False)
]
Named = Annotated[str, typer.Argument(help="Name of the service.", show_default=False)]
Service = Annotated[str | None, typer.Argument(help="Default: the whole fleet.", show_default=False)]
At = Annotated[
    str | None,
    typer.Option(
        "--at", metavar="TIME", help="ISO 8601 with a zone, or back from now: -2h.", show_default=False
    ),
]
