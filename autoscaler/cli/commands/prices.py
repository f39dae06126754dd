"""``autoscaler prices``: what a GPU-hour costs where, from the daemon or else from its journal."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from autoscaler.cli.reach.client import Client, NoDaemon
from autoscaler.cli.reach.moments import now_of
from autoscaler.cli.reach.past import from_journal, prices_of
from autoscaler.cli.reach.settings import public
from autoscaler.cli.terminal import tables
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.cli.terminal.say import answer, answer_json, note
from autoscaler.cli.terminal.times import clock_text
from autoscaler.clock import SystemClock
from autoscaler.config import Config
from autoscaler.core.memory import Memory
from autoscaler.daemon.price_list import price_list
from autoscaler.daemon.prices import PriceBook
from autoscaler.durations import spoken

NONE: Final = "-"
"""There is none, or it is not known since when."""

Price = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """The prices, and who told them: ``daemon``, ``journal`` or ``configuration``.

    ``without`` says why it was not a better one.
    """

    source: str
    place: str
    body: Mapping[str, Any]
    without: Sequence[str] = ()


def run_prices(option: Path | None, *, as_json: bool) -> int:
    """Show every price; exit status 1 where none is known. Raises: Trouble."""
    config = public(option)
    told = _ask(config)
    at = told.body["at"]
    age_s = None if at is None else max(0.0, now_of(told.body) - datetime.fromisoformat(at).timestamp())
    if as_json:
        age = None if age_s is None else round(age_s, 3)
        answer_json({"source": told.source, "place": told.place, "age_s": age, **told.body})
    else:
        for reason in told.without:
            answer(f"{reason[0].upper()}{reason[1:]}.")
        answer(_where_from(told, at, age_s))
        _print(told.body)
    if not told.body["prices"]:
        note(_nothing(told, config))
        return Exit.NO
    return Exit.OK


def _ask(config: Config) -> Told:
    """From the daemon, else from the journal, else from the configuration alone."""
    client = Client(config)
    try:
        return Told("daemon", client.address, client.get("prices"))
    except NoDaemon as error:
        without = str(error)
    now = SystemClock().now()
    try:
        body = asyncio.run(
            from_journal(config, lambda journal: prices_of(journal, config.fleet, config.refs.keys(), now))
        )
        return Told("journal", str(config.daemon.journal_path), body, (without,))
    except Trouble as trouble:
        fixed = PriceBook().catalogue(config.fleet)
        body = {"at": None, **price_list(fixed, Memory(), config.fleet, now=now, day_ago=None)}
        return Told("configuration", str(config.path), body, (without, str(trouble)))


def _where_from(told: Told, at: str | None, age_s: float | None) -> str:
    if told.source == "configuration":
        return f"From the configuration {told.place}."
    tick = "no tick yet" if at is None else f"tick of {clock_text(at)}, {spoken(age_s or 0.0)} ago"
    return f"From the {told.source} {'at ' if told.source == 'daemon' else ''}{told.place}, {tick}."


def _print(body: Mapping[str, Any]) -> None:
    rows: Sequence[Price] = body["prices"]
    if rows:
        answer("")
        tables.show(
            (
                *("provider", "GPU", ">GPUs", ">USD/GPU-h", ">USD/replica-h"),
                *(">24 h", ">age", "available", "source", "used by"),
            ),
            _lines(rows),
        )
        answer("Before tax; a replica-hour is that of all its GPUs. 24 h is the change since 24 hours ago.")
        if any(row["stale"] for row in rows):
            answer("A price that is marked old starts no move.")
    unpriced = [one for one in body["unpriced"] if one["gpu_type"] is not None]
    if unpriced and rows:
        names = ", ".join(f"{one['deployment']} ({one['gpu_type']} at {one['provider']})" for one in unpriced)
        answer(f"No price is known for {names}; [[prices]] can say it.")


def _lines(rows: Sequence[Price]) -> Iterator[tuple[str, ...]]:
    """A line for each price; sizes of a GPU type that cost the same per GPU share one."""
    sizes = {_per_gpu(row) for row in rows if row["configuration"]}
    groups: dict[tuple[str, ...], list[Price]] = {}
    for row in rows:
        if not row["configuration"] and not row["deployments"] and _per_gpu(row) in sizes:
            continue  # The price of the GPU type says nothing more, where it is that of its sizes.
        groups.setdefault((row["provider"], row["gpu_type"], *_facts(row)), []).append(row)
    prices = Counter(key[:2] for key in groups)
    for key, group in groups.items():
        whole = [row["configuration"] for row in group if row["configuration"]]
        gpu = ", ".join(whole) if whole and prices[key[:2]] > 1 else key[1]
        yield (key[0], gpu, *_sizes(group), *key[3:], _users(group))


def _per_gpu(row: Price) -> tuple[str, str, str]:
    return row["provider"], row["gpu_type"], tables.usd(row["usd_per_gpu_hour"])


def _facts(row: Price) -> tuple[str, ...]:
    price = tables.usd(row["usd_per_gpu_hour"])
    return price, _change(row["change_percent"]), _age(row), _available(row), row["source"]


def _sizes(rows: Sequence[Price]) -> tuple[str, str, str]:
    """GPUs, USD per GPU-hour and USD per replica-hour of these."""
    gpus = sorted({row["gpus"] for row in rows if row["gpus"] is not None})
    costs = sorted(row["usd_per_replica_hour"] for row in rows if row["usd_per_replica_hour"] is not None)
    cost = NONE if not costs else tables.usd(costs[0])
    if costs and costs[-1] > costs[0]:
        cost = f"{cost} to {tables.usd(costs[-1])}"
    each = tables.usd(rows[0]["usd_per_gpu_hour"])
    return " ".join(str(count) for count in gpus) or NONE, each, cost


def _users(rows: Sequence[Price]) -> str:
    return ", ".join(dict.fromkeys(name for row in rows for name in row["deployments"])) or NONE


def _change(percent: float | None) -> str:
    if percent is None:
        return NONE
    return "0 %" if percent == 0.0 else f"{percent:+.1f} %"


def _age(row: Price) -> str:
    if row["age_s"] is None:
        return "fixed"
    return f"{spoken(row['age_s'])}{', old' if row['stale'] else ''}"


def _available(row: Price) -> str:
    if not row["listed"]:
        return "not listed"
    return {True: "yes", False: "no", None: tables.UNKNOWN}[row["available"]]


def _nothing(told: Told, config: Config) -> str:
    """Why there is no price, and what to do about it."""
    providers = ", ".join(sorted(config.refs))
    why = {
        "daemon": f"no vendor has told one ({providers}; not every vendor publishes prices)",
        "journal": f"the journal holds none of any vendor ({providers}; not every vendor publishes prices)",
        "configuration": "no daemon has asked a vendor yet",
    }[told.source]
    seen = next((one for one in told.body["unpriced"] if one["gpu_type"] is not None), None)
    provider = seen["provider"] if seen else min(config.refs, default="exo")
    gpu_type = seen["gpu_type"] if seen else "the vendor's word for the GPU"
    return (
        f"no price is known: {why}, and {config.path.name} has no [[prices]]. Say there what you pay:\n\n"
        f'[[prices]]\nprovider = "{provider}"\ngpu_type = "{gpu_type}"\nusd_per_gpu_hour = 1.10\n'
    )
