"""Commands that run or judge the daemon: run, check, plan, replay, emulate, demo.

Here is what a person types; the work is imported only when a command runs, so that help is quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.interface import options
from autoscaler.cli.terminal.outcome import told


@told
def run(config: options.Config = None) -> int:
    """Run the daemon until SIGTERM or Ctrl-C.

    Logs go to standard error. SIGHUP reads the configuration again (an invalid one is refused and the old
    one stays); [http] and the journal are read at the start only. SIGTERM or Ctrl-C finishes the tick under
    way and ends; a second Ctrl-C ends at once.

    \b
    Example:
      autoscaler run --config config.toml
    """
    from autoscaler.cli.commands.run import run_daemon

    return run_daemon(config)


@told
def check(
    config: options.Config = None,
    online: Annotated[
        bool, typer.Option("--online", help="Also ask each vendor and each source, changing nothing.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit status 1 where there are warnings.")] = False,
    json: options.Json = False,
) -> int:
    """Is the configuration right? Shows what it means, with warnings.

    With --online: does each credential work, is each deployment there, which GPU types may the account use,
    what does it run that the configuration does not name, and what does each query give? Exit status 1
    where something of that is wrong.

    \b
    Example:
      autoscaler check --online --config config.toml
    """
    from autoscaler.cli.commands.check import run_check

    return run_check(config, online=online, strict=strict, as_json=json)


@told
def plan(config: options.Config = None, json: options.Json = False) -> int:
    """Look once, and show what would be done and why. Changes nothing.

    Memory (past demand, pauses, learned start-up times) is read from the journal if there is one; a
    running daemon is not disturbed.

    \b
    Example:
      autoscaler plan --config config.toml
    """
    from autoscaler.cli.commands.plan import run_plan

    return run_plan(config, as_json=json)


@told
def replay(
    recording: Annotated[
        Path,
        typer.Argument(
            metavar="JOURNAL",
            help="A journal's file, or a file of lines from journal export.",
            show_default=False,
        ),
    ],
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="ISO 8601 with a zone, or -2h. Default: the oldest.", show_default=False
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="As --since. Default: the newest.", show_default=False)
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, max=100_000, metavar="N", help="Most differences that are listed.")
    ] = 100,
    follow: Annotated[
        bool, typer.Option("--follow", help="Remember today's plans instead of the recorded ones.")
    ] = False,
    config: options.Config = None,
    json: options.Json = False,
) -> int:
    """Decide a recording again, and list what differs from then.

    The recorded snapshots go through the decision of this version, with the configuration that is given.
    Numbers, ranges and reasons are compared, sentences are not; a difference that lasts is listed once.
    Use it before an upgrade, and to look into a bug report.

    Each tick is judged by itself, with the memory that the recorded plans left, so that one difference
    does not lead to others. With --follow memory is what the plans of today leave, as if this version had
    run then, while the facts stay those that the recorded plans led to.

    The file is only read; a journal of an older version is brought up to date on a copy. Snapshots are
    kept for 7 days: what is older cannot be replayed, and that is said. Exit status: 0 no difference,
    1 differences, 2 wrong command line or configuration, 3 the recording cannot be read, or holds nothing
    to compare.

    \b
    Example:
      autoscaler replay autoscaler.db --config config.toml
      autoscaler replay report.jsonl --since 2026-11-21T03:00:00Z
    """
    from autoscaler.cli.commands.replay import run_replay

    return run_replay(config, recording, since, until, limit=limit, follows=follow, as_json=json)


@told
def emulate(
    config: options.Config = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Port of the first vendor, the others follow; 0 is any free one.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    fleet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file of emulated deployments. Default: a few at each vendor.",
            show_default=False,
        ),
    ] = None,
    speed: Annotated[
        float, typer.Option(min=0.01, max=100_000, help="How many times as fast replicas start.")
    ] = 1.0,
) -> int:
    """Serve look-alikes of the vendors' APIs, to try things on.

    Until Ctrl-C. Prints addresses, credentials and a configuration that uses them; it needs none itself.

    \b
    Example:
      autoscaler emulate --speed 60
    """
    from autoscaler.cli.commands.emulate import run_emulators

    del config  # Taken so that every command takes it.
    return run_emulators(port=port, host=host, fleet_file=fleet, speed=speed)


@told
def demo(
    config: options.Config = None,
    for_: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="DURATION",
            help="End after this long (of real time): 90s, 30m, 2h. Default: when the day is over.",
            show_default=False,
        ),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Demand to replay. Default: a made-up day.", show_default=False),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            min=1, max=3600, help="How many seconds pass in one of ours. Default: 360.", show_default=False
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="Port of the page; 0 is any free one. Default: 9464.", show_default=False
        ),
    ] = None,
    live: Annotated[bool, typer.Option("--live/--no-live", help="Show a live table in the terminal.")] = True,
    seed: Annotated[
        int | None, typer.Option(help="Another number is another day. Default: 0.", show_default=False)
    ] = None,
    json: options.Json = False,
) -> int:
    """A day of demand on emulated vendors, sped up.

    With the daemon, its page and a table in the terminal. Nothing to sign up for, nothing to configure.

    \b
    Example:
      autoscaler demo --for 3m
    """
    from autoscaler.cli.commands.demonstrate import run_demo

    del config  # Taken so that every command takes it; the demo brings its own.
    for_s = None if for_ is None else options.seconds("--for", for_)
    return run_demo(for_s=for_s, trace=trace, speed=speed, port=port, live=live, seed=seed, as_json=json)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (run, check, plan, replay, emulate, demo):
        app.command()(command)
