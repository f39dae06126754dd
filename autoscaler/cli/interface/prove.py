"""Commands that prove: simulate. See ``operate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.interface import options
from autoscaler.cli.terminal.outcome import told


@told
def simulate(
    config: Annotated[
        list[Path] | None,
        typer.Option(
            "--config",
            "-c",
            metavar="FILE",
            help="Configuration to try; again for more, side by side. Default: AUTOSCALER_CONFIG, else "
            "./config.toml.",
            show_default=False,
        ),
    ] = None,
    trace: Annotated[
        list[str] | None,
        typer.Option(
            "--trace",
            metavar="[SERVICE=]FILE",
            help="Demand: a CSV of t_s,requests[,prompt_tokens,output_tokens], gzip too. Without SERVICE: "
            "for all that have none of their own.",
            show_default=False,
        ),
    ] = None,
    shape: Annotated[
        str | None,
        typer.Option(
            "--shape",
            metavar="SHAPE",
            help="Made-up demand: diurnal, weekly, bursty, flash-crowd, step or idle-night. Default, where "
            "there is no other demand: weekly.",
            show_default=False,
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal",
            metavar="FILE",
            help="Demand and facts as recorded: the history in a daemon's journal.",
            show_default=False,
        ),
    ] = None,
    rivals: Annotated[
        str,
        typer.Option(
            "--rivals",
            metavar="NAMES",
            help="all, none, or names with commas: fixed-peak, hpa, keda, knative, ray-serve, skyserve, "
            "dynamo, clairvoyant and others; an unknown name lists them. Default: clairvoyant, who knew the "
            "future, where numpy is installed.",
            show_default=False,
        ),
    ] = "",
    for_: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="DURATION",
            help="How much of the demand: 90m, 12h, 7d. Default: all of a trace or journal; 7d of a shape.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start",
            metavar="TIME",
            help="When the demand starts, for schedules: ISO 8601 with a zone. Default: "
            "2026-01-05T00:00:00Z, a Monday; of a journal: its beginning.",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(help="Multiply the demand of traces and journals.", min=0, show_default=False),
    ] = None,
    peak: Annotated[
        float | None,
        typer.Option(
            help="Scale the demand so that its busiest step offers so many requests at once. Default for a "
            "shape: three quarters of what max_replicas hold.",
            min=0,
            show_default=False,
        ),
    ] = None,
    service_s: Annotated[
        float,
        typer.Option(
            help="Mean seconds of a request, where neither tokens nor plant file say it.", min=0.001
        ),
    ] = 8.0,
    wait_s: Annotated[float, typer.Option(help="The promised wait: who waits longer is late.", min=0)] = 10.0,
    share: Annotated[
        float, typer.Option(help="The promised share on time, which clairvoyant keeps.", min=0, max=1)
    ] = 0.99,
    start_up: Annotated[
        str | None,
        typer.Option(
            "--start-up",
            metavar="MEDIAN[,P95]",
            help="Seconds from scale call to ready. Default: as learned in the journal, else start_up_s.",
            show_default=False,
        ),
    ] = None,
    plant: Annotated[
        Path | None,
        typer.Option(
            "--plant",
            metavar="FILE",
            help="TOML of what is known of the plant: prices, stock, billing blocks, replicas that fail.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another number is another chance.")] = 0,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if",
            metavar="CONDITION",
            help="Exit status 1 where it holds, such as 'new.cost > 1.05 * old.cost': stems of the "
            "configurations and names of rivals; cost, share, p99 and others.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write a page with plots, which needs no network.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="FOLDER",
            help="Keep each configuration's journal here, for why and replay.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(help="Runs at the same time. Default: one per processor.", min=1, show_default=False),
    ] = None,
    json: options.Json = False,
) -> int:
    """What a configuration would have cost, and who would have waited.

    The decision of the daemon, with its policies, guards and promises, in virtual time over a simulated
    plant: every request queues, every replica takes its time to start, everything is billed. Beside it the
    same demand under other configurations and other autoscalers. Needs no secrets and calls nobody.

    \b
    Examples:
      autoscaler simulate --config config.toml
      autoscaler simulate -c old.toml -c new.toml --trace week.csv.gz --rivals all --html report.html
      autoscaler simulate -c config.toml --journal autoscaler.db
      autoscaler simulate -c old.toml -c new.toml --trace week.csv \\
        --fail-if 'new.cost > 1.05 * old.cost' --fail-if 'new.share < 0.99'
    """
    from autoscaler.cli.commands.simulate import run_simulation
    from autoscaler.cli.commands.simulation_inputs import Wish

    return run_simulation(
        Wish(
            configs=tuple(config or ()),
            traces=tuple(trace or ()),
            shape=shape,
            journal=journal,
            rivals=rivals,
            length_s=None if for_ is None else options.seconds("--for", for_),
            start=start,
            scale=scale,
            peak=peak,
            service_s=service_s,
            wait_s=wait_s,
            share=share,
            start_up=start_up,
            plant=plant,
            seed=seed,
            fail_if=tuple(fail_if or ()),
            html=html,
            keep=keep,
            jobs=jobs,
            as_json=json,
        )
    )


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(simulate)
