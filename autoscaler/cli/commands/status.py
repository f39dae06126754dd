"""``autoscaler status``: what is there and what it costs, from the daemon or else from its journal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from autoscaler.cli.reach.client import Client, NoDaemon
from autoscaler.cli.reach.moments import now_of
from autoscaler.cli.reach.past import from_journal, status_of
from autoscaler.cli.reach.settings import public
from autoscaler.cli.terminal import tables
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.cli.terminal.say import answer, answer_json
from autoscaler.cli.terminal.times import clock_text
from autoscaler.config import Config
from autoscaler.durations import spoken

Status = Mapping[str, Any]


def run_status(option: Path | None, *, as_json: bool) -> int:
    """Show the fleet. Raises: Trouble where neither daemon nor journal can say."""
    config = public(option)
    client = Client(config)
    try:
        source, place, fleet = "daemon", client.address, client.get("services")
        without = ""
    except NoDaemon as error:
        without = str(error)
        source, place = "journal", str(config.daemon.journal_path)
        fleet = _from_journal(config, without)
    age_s = max(0.0, now_of(fleet) - datetime.fromisoformat(fleet["at"]).timestamp())
    if as_json:
        answer_json({"source": source, "place": place, "age_s": round(age_s, 3), **fleet})
        return Exit.OK
    if source == "daemon":
        answer(f"From the daemon at {place}, its tick of {clock_text(fleet['at'])}, {spoken(age_s)} ago.")
    else:
        answer(f"{without[0].upper()}{without[1:]}.")
        answer(f"From the journal {place}, last tick {clock_text(fleet['at'])}, {spoken(age_s)} ago.")
    _print(fleet)
    return Exit.OK


def _from_journal(config: Config, without: str) -> Status:
    try:
        return asyncio.run(from_journal(config, lambda journal: status_of(journal, config.fleet)))
    except Trouble as trouble:
        raise Trouble(f"{without}\n{trouble}", trouble.status) from trouble


def _print(fleet: Status) -> None:
    answer("")
    services = fleet["services"]
    tables.show(
        ("service", ">demand", ">need", ">replicas", ">USD/h", ">budget", "state"),
        [
            (
                one["service"],
                tables.number(one["demand"]),
                tables.number(one["need"]),
                _replicas(one["deployments"]),
                _cost(one),
                _budget(one["budget_usd_per_hour"]),
                _state(one),
            )
            for one in services
        ],
    )
    tables.show(
        (
            *("deployment", "GPU", ">set", ">ready", ">starting", ">min", ">max", ">price", ">USD/h"),
            "last decision",
        ),
        [_deployment_row(one["service"], each) for one in services for each in one["deployments"]],
    )
    answer(_total(fleet))
    for pause in fleet["pauses"]:
        if pause["service"] is None:
            what = (
                "Decreases of the whole fleet are" if pause["direction"] == "down" else "The whole fleet is"
            )
            answer(f"{what} paused{_until(pause)}.")
    if fleet["brake"]:
        answer(f"The fleet brake holds {', '.join(fleet['brake'])}: demand of most services fell at once.")


def _replicas(deployments: list[Status]) -> str:
    counts = [one["replicas_set"] for one in deployments]
    known = sum(count for count in counts if count is not None)
    return f"{known}{'+?' if None in counts else ''}"


def _cost(one: Status) -> str:
    return f"{tables.usd(one['usd_per_hour'])}{'' if one['usd_per_hour_complete'] else '+?'}"


def _budget(value: float | None) -> str:
    return "-" if value is None else tables.usd(value)


def _state(one: Status) -> str:
    words = []
    if one["mode"] == "observe":
        words.append("observe")
    if one["blind"]:
        words.append("blind")
    if one["brake"]:
        words.append("brake")
    if one["paused"] is not None:
        words.append(_paused(one))
    words.extend(_override(each) for each in one["overrides"])
    return ", ".join(words) or "ok"


def _paused(one: Status) -> str:
    """The strongest pause in force; the fleet's own is told once, below the tables."""
    words = "paused down" if one["paused"] == "down" else "paused"
    strongest = [each for each in one["pauses"] if (each["direction"] is None) == (one["paused"] == "both")]
    if not strongest or strongest[0]["service"] is None:
        return words
    return f"{words}{_until(strongest[0])}"


def _override(one: Status) -> str:
    low, high = one["at_least"], one["at_most"]
    if low == high:
        limits = f"{low}"
    else:
        limits = " ".join(
            text
            for text in (
                f"at least {low}" if low is not None else "",
                f"at most {high}" if high is not None else "",
            )
            if text
        )
    whom = f" of {one['deployment']}" if one["deployment"] else ""
    return f"override {limits}{whom}{_until(one)}"


def _until(act: Status) -> str:
    actor = f" by {act['actor']}" if act["actor"] else ""
    until = f" until {clock_text(act['until'])}" if act["until"] else ""
    reason = f" ({act['reason']})" if act["reason"] else ""
    return f"{actor}{until}{reason}"


def _deployment_row(service: str, one: Status) -> tuple[str, ...]:
    decision = one["decision"]
    gpus = one["gpus_per_replica"]
    gpu = "?" if one["gpu_type"] is None else f"{f'{gpus} x ' if gpus and gpus > 1 else ''}{one['gpu_type']}"
    overdue = f" ({one['replicas_overdue']} overdue)" if one["replicas_overdue"] else ""
    asked = tables.number(one["replicas_set"])
    if one["range"] is not None:
        asked = f"{one['range'][0]}-{one['range'][1]}"
    return (
        f"{service}/{one['deployment']}",
        gpu,
        asked,
        tables.number(one["replicas_ready"]),
        f"{tables.number(one['replicas_starting'])}{overdue}",
        tables.number(one["replicas_min"]),
        tables.number(one["replicas_max"]),
        tables.usd(one["price_usd_per_gpu_hour"]),
        tables.usd(one["usd_per_hour"]),
        "?" if decision is None else _decision(one, decision),
    )


def _decision(one: Status, decision: Status) -> str:
    old, new = decision["replicas_from"], decision["replicas_to"]
    if new is None:
        return f"{decision['reason']}: {one['error'] or 'not read'}"
    return f"{old} -> {new}, {decision['reason']}" if old != new else str(decision["reason"])


def _total(fleet: Status) -> str:
    text = f"Total {tables.usd(fleet['usd_per_hour'])} USD/h"
    if not fleet["usd_per_hour_complete"]:
        text += " of what is known"
    if fleet["budget_usd_per_hour"] is not None:
        text += f", budget {tables.usd(fleet['budget_usd_per_hour'])}"
    return f"{text}. Price is USD per GPU-hour; ? is not known."
