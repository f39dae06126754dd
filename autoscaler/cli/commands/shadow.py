"""``autoscaler shadow``: what other policies would have cost and served, beside those that are active."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoscaler.cli.reach.client import Client, NoDaemon
from autoscaler.cli.reach.past import from_journal, shadow_of
from autoscaler.cli.reach.settings import public
from autoscaler.cli.terminal import tables
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.cli.terminal.say import answer, answer_json, note
from autoscaler.cli.terminal.times import clock_text
from autoscaler.config import Config
from autoscaler.durations import spoken

Side = Mapping[str, Any]


def run_shadow(option: Path | None, service: str, *, as_json: bool) -> int:
    """Show both sides. Raises: Trouble."""
    config = public(option)
    try:
        shadow = Client(config).get("services", service, "shadow")
    except NoDaemon as error:
        note(f"{error}; from the journal {config.daemon.journal_path}:")
        shadow = _from_journal(config, service)
    if as_json:
        answer_json(shadow)
    else:
        _print(shadow)
    return Exit.OK


def _from_journal(config: Config, service: str) -> Mapping[str, Any]:
    if service not in config.fleet.services:
        known = ", ".join(sorted(config.fleet.services))
        raise Trouble(f"there is no service {service!r}; there is {known}")
    return asyncio.run(from_journal(config, lambda journal: shadow_of(journal, config, service)))


def _print(shadow: Mapping[str, Any]) -> None:
    active, other = shadow["active"], shadow["shadow"]
    answer(
        f"{shadow['service']}: {_names(active)} act, {_names(other)} would; compared since "
        f"{clock_text(shadow['since'])}, for {spoken(shadow['seen_s'])}.\n"
    )
    tables.show(
        ("", ">USD", ">replica-hours", ">short", ">missing x s", ">changes", ">USD/h now", ">replicas"),
        [_row("active", active), _row("shadow", other), _less(shadow)],
    )
    if shadow["decisions_that_differ"]:
        tables.show(
            ("last decisions that differ", "deployment", "active", "shadow"),
            [
                (clock_text(one["at"]), one["deployment"], _verdict(one["active"]), _verdict(one["shadow"]))
                for one in shadow["decisions_that_differ"]
            ],
        )
    answer(shadow["sentence"])
    answer(
        "Short is time in which demand exceeded what serves. The signals are those of the real fleet: a "
        "queue that the shadow would have avoided is seen by it all the same."
    )
    if shadow["unseen_s"]:
        unseen = spoken(shadow["unseen_s"])
        answer(f"For {unseen} of it there were no ticks: cost goes on, and demand is not known.")
    if shadow["trouble"]:
        note(f"it was set aside at {clock_text(shadow['at'])}: {shadow['trouble']}")


def _names(side: Side) -> str:
    return ", ".join(side["policies"]) or "no policies"


def _row(name: str, side: Side) -> tuple[str, ...]:
    return (
        name,
        tables.usd(side["usd"]),
        f"{side['replica_hours']:.2f}",
        spoken(side["short_s"]),
        f"{side['short_capacity_s']:.0f}",
        str(side["changes"]),
        tables.usd(side["usd_per_hour"]),
        tables.number(side["replicas"]),
    )


def _less(shadow: Mapping[str, Any]) -> tuple[str, ...]:
    less, active, other = shadow["difference"], shadow["active"], shadow["shadow"]
    percent = "" if less["percent"] is None else f" ({less['percent']:+.0f} %)"
    return (
        "difference",
        f"{less['usd']:+.2f}{percent}",
        f"{other['replica_hours'] - active['replica_hours']:+.2f}",
        ("+" if less["short_s"] > 0 else "") + spoken(less["short_s"]),
        f"{less['short_capacity_s']:+.0f}",
        f"{other['changes'] - active['changes']:+d}",
        "",
        "",
    )


def _verdict(one: Side) -> str:
    old, new = tables.number(one["replicas_from"]), tables.number(one["replicas_to"])
    return f"{old} -> {new}, {one['reason']}" if old != new else f"stays at {new}, {one['reason']}"
