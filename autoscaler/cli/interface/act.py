"""Commands by which a person acts on the running daemon: pause, resume, override. See ``operate``."""

from __future__ import annotations

from typing import Annotated

import typer

from autoscaler.cli.interface import options
from autoscaler.cli.terminal.outcome import told

NO_REASON = "no reason given"
COUNT = {"min": 0, "max": 10_000, "metavar": "N", "show_default": False}


@told
def pause(
    service: options.Service = None,
    for_: options.For = "1h",
    down: Annotated[bool, typer.Option("--down", help="Only decreases; increases go on.")] = False,
    reason: options.Reason = NO_REASON,
    actor: options.Actor = None,
    config: options.Config = None,
    json: options.Json = False,
) -> int:
    """Write nothing for a while: the whole fleet, or one service.

    Needs admin_token in [http]. It ends by itself.

    \b
    Example:
      autoscaler pause chat --down --for 2h --reason "load test"
    """
    from autoscaler.cli.commands.people import run_pause

    return run_pause(
        config, service, options.seconds("--for", for_), down=down, reason=reason, actor=actor, as_json=json
    )


@told
def resume(
    service: options.Service = None,
    down: Annotated[bool, typer.Option("--down", help="End only pauses of decreases.")] = False,
    reason: options.Reason = NO_REASON,
    actor: options.Actor = None,
    for_: Annotated[str | None, typer.Option("--for", metavar="DURATION", hidden=True)] = None,
    config: options.Config = None,
    json: options.Json = False,
) -> int:
    """Go on after a pause, drift or the fleet brake.

    Ends pauses, and what waits for a person: hands off after drift, the fleet brake.

    \b
    Example:
      autoscaler resume chat --reason "load test is over"
    """
    from autoscaler.cli.commands.people import run_resume

    del for_  # A resume has no end; taken so that the three acts take the same options.
    return run_resume(config, service, down=down, reason=reason, actor=actor, as_json=json)


@told
def override(
    service: options.Named,
    deployment: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="One deployment. Default: the service's total.", show_default=False
        ),
    ] = None,
    replicas: Annotated[int | None, typer.Option(help="Exactly so many.", **COUNT)] = None,
    at_least: Annotated[int | None, typer.Option(help="So many or more.", **COUNT)] = None,
    at_most: Annotated[int | None, typer.Option(help="So many or fewer.", **COUNT)] = None,
    clear: Annotated[bool, typer.Option("--clear", help="End the override instead.")] = False,
    for_: options.For = "1h",
    reason: options.Reason = NO_REASON,
    actor: options.Actor = None,
    config: options.Config = None,
    json: options.Json = False,
) -> int:
    """Set limits by hand for a while.

    They are stronger than policies, floors and the budget; max_replicas stays. Needs admin_token in
    [http]. It ends by itself, or with --clear.

    \b
    Example:
      autoscaler override chat --at-least 4 --for 2h --reason "launch day"
      autoscaler override chat --replicas 0 --deployment exo-a5000 --for 1d
      autoscaler override chat --clear
    """
    from autoscaler.cli.commands.people import Limits, run_clear, run_override

    limits = Limits(replicas, at_least, at_most)
    if clear:
        limits.refuse_with("--clear")
        return run_clear(config, service, deployment, reason=reason, actor=actor, as_json=json)
    for_s = options.seconds("--for", for_)
    return run_override(config, service, deployment, limits, for_s, reason=reason, actor=actor, as_json=json)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (pause, resume, override):
        app.command()(command)
