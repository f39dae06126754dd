"""Commands that ask: status, prices, why, shadow, decide, journal export. See ``operate``."""

from __future__ import annotations

from typing import Annotated

import typer

from autoscaler.cli.interface import options
from autoscaler.cli.terminal.outcome import told

journal = typer.Typer(help="Look into the journal, also while a daemon writes it.", no_args_is_help=True)


@told
def status(config: options.Config = None, json: options.Json = False) -> int:
    """Services, deployments, replicas, prices and cost per hour.

    From the running daemon, else from the journal; it says which, and how old that is.

    \b
    Example:
      autoscaler status
    """
    from autoscaler.cli.commands.status import run_status

    return run_status(config, as_json=json)


@told
def prices(config: options.Config = None, json: options.Json = False) -> int:
    """What a GPU-hour costs at each provider, cheapest first.

    Every price that is known, of GPU types that no deployment uses too: its change in 24 hours, age, source,
    and which deployments pay it. From the running daemon, else from the journal and the configuration; it
    says which. Exit status 1 where no price is known.

    \b
    Example:
      autoscaler prices
    """
    from autoscaler.cli.commands.prices import run_prices

    return run_prices(config, as_json=json)


@told
def why(
    service: options.Named,
    at: options.At = None,
    config: options.Config = None,
    json: options.Json = False,
) -> int:
    """Why a service has this many replicas, now or earlier.

    The recorded decision: facts, each policy's opinion, need, limits, each guard, what bound the number, and
    what would have changed it. From the running daemon, else from the journal.

    \b
    Example:
      autoscaler why chat --at -2h
      autoscaler why chat --at 2026-11-21T03:10:00Z
    """
    from autoscaler.cli.commands.why import run_why

    return run_why(config, service, at, as_json=json)


@told
def shadow(service: options.Named, config: options.Config = None, json: options.Json = False) -> int:
    """What a service's shadow policies would have cost and served.

    The policies named in [services.NAME] shadow are evaluated live on the same signals and never act.
    From the running daemon, else from the journal. Exit status 1 where the service has none.

    \b
    Example:
      autoscaler shadow chat
    """
    from autoscaler.cli.commands.shadow import run_shadow

    return run_shadow(config, service, as_json=json)


@told
def decide(config: options.Config = None) -> int:
    """The decision as a filter: snapshots in, plans out.

    One snapshot as JSON per input line, one plan per output line, written at once, with memory kept between
    them. No secrets are needed. A line that cannot be used gives
    {"error": "..."} in its place and changes nothing. Set interval_s to the spacing of the lines.

    \b
    Example:
      autoscaler journal export --since -2h | autoscaler decide --config other.toml
    """
    from autoscaler.cli.commands.decide import run_decide

    return run_decide(config)


@journal.command()
@told
def export(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="ISO 8601 with a zone, or -2h. Default: the oldest.", show_default=False
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="As --since. Default: the newest.", show_default=False)
    ] = None,
    config: options.Config = None,
) -> int:
    """The journal's snapshots as lines for decide.

    The first line carries the memory from before it. One export covers one configuration and names its
    hash; where another configuration begins it stops and says so.

    \b
    Example:
      autoscaler journal export --since -1d > yesterday.jsonl
    """
    from autoscaler.cli.commands.journal import run_export

    return run_export(config, since, until)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (status, prices, why, shadow, decide):
        app.command()(command)
    app.add_typer(journal, name="journal")
