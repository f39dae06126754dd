"""``autoscaler plan``: observe once, decide, check, show. Nothing is written anywhere."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from autoscaler.cli.commands.remarks import Remarks
from autoscaler.cli.reach.settings import BadConfig, whole
from autoscaler.cli.terminal import tables
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.cli.terminal.quiet import quiet_logs
from autoscaler.cli.terminal.say import answer, answer_json, note
from autoscaler.cli.terminal.times import clock_text
from autoscaler.config import Config, ConfigError
from autoscaler.core.codec import instant_text, line_of_plan
from autoscaler.core.decide import step
from autoscaler.core.model import Absence, Decision, Plan, Reading, Sample, Snapshot
from autoscaler.core.promises import Violation, violations
from autoscaler.daemon.observe import Observer, instant_of_tick
from autoscaler.daemon.recall import snapshot_of
from autoscaler.ports import JournalError, Record
from autoscaler.sources.push import PushSource
from autoscaler.wiring import Looking, look


def run_plan(option: Path | None, *, as_json: bool) -> int:
    """Show one plan. Raises: Trouble."""
    config = whole(option)
    quiet_logs(config)
    remarks = Remarks()
    try:
        looked = asyncio.run(_look(config, remarks))
    except JournalError as error:
        raise Trouble(str(error), Exit.UNREACHABLE) from error
    except ConfigError as error:
        raise BadConfig(error) from error
    plan, broken, has_journal = looked
    if as_json:
        answer_json(_as_json(config, plan, broken, has_journal))
    else:
        _print(config, plan, has_journal)
    for text in remarks.texts:
        note(f"note: {text}")
    for violation in broken:
        note(
            f"promise {violation.promise} would be broken for {violation.key}: {violation.text}. "
            "The daemon would not send this; please report it as a bug."
        )
    if broken:
        return Exit.NO
    if plan.decisions and all(one.replicas_from is None for one in plan.decisions):
        note("no deployment could be read: see autoscaler check --online")
        return Exit.UNREACHABLE
    return Exit.OK


async def _look(config: Config, remarks: Remarks) -> tuple[Plan, tuple[Violation, ...], bool]:
    async with look(config, remarks) as looking:
        snapshot = await _snapshot(looking)
        plan, after = step(looking.recalled.memory, snapshot, config.fleet)
        return plan, violations(plan, snapshot, after.human, config.fleet), looking.has_journal


async def _snapshot(looking: Looking) -> Snapshot:
    observer = Observer(looking.setup, looking.clock)
    recalled = looking.recalled
    (deployments, _), signals, prices = await asyncio.gather(
        observer.deployments(), observer.signals(), observer.prices()
    )
    return Snapshot(
        at=instant_of_tick(looking.clock.now(), recalled.memory),
        signals=_with_pushed(signals, looking),
        deployments=deployments,
        prices=prices,
        human=recalled.human,
        outcomes=recalled.outcomes,
    )


def _with_pushed(signals: dict[str, dict[str, Reading]], looking: Looking) -> dict[str, dict[str, Reading]]:
    """Pushed samples are in the running daemon's memory; the newest that it journalled stand for them."""
    last = _journalled(looking.recalled.last_tick)
    found = {service: dict(named) for service, named in signals.items()}
    for name, source in looking.setup.sources.items():
        if not isinstance(source, PushSource):
            continue
        for query in looking.setup.queries.get(name, ()):
            held = last.get(query.service, {}).get(query.signal)
            if isinstance(held, Sample) and isinstance(found[query.service][query.signal], Absence):
                found[query.service][query.signal] = held
    return found


def _journalled(record: Record | None) -> dict[str, Any]:
    if record is None or "snapshot" not in record.body:
        return {}
    return dict(snapshot_of(record).signals)


def _as_json(config: Config, plan: Plan, broken: tuple[Violation, ...], has_journal: bool) -> dict[str, Any]:
    body = line_of_plan(plan)
    for decision in body["decisions"]:
        decision["mode"] = config.fleet.services[decision["service"]].mode
    body["journal_read"] = has_journal
    body["promises_broken"] = [
        {"promise": v.promise, "service": v.service, "deployment": v.deployment, "text": v.text}
        for v in broken
    ]
    return body


def _print(config: Config, plan: Plan, has_journal: bool) -> None:
    changes = sum(1 for one in plan.decisions if one.changes)
    answer(
        f"Plan of {clock_text(instant_text(plan.at))}: {changes} of {len(plan.decisions)} deployments would "
        f"change. Nothing was changed.\n"
    )
    tables.show(
        ("service", "deployment", ">replicas", "reason", "why"),
        [(one.service, one.deployment, _change(one), one.reason, one.why) for one in plan.decisions],
    )
    observing = [name for name, mode in config.modes.items() if mode == "observe"]
    if observing:
        answer(f"Mode is observe for {', '.join(observing)}: the daemon would not send these changes.")
    if not has_journal:
        answer("There is no journal yet, so nothing is known of the past: decreases wait until it is.")


def _change(decision: Decision) -> str:
    old, new = decision.replicas_from, decision.replicas_to
    if old is None or new is None:
        return tables.UNKNOWN
    low, high = decision.range_from, decision.range_to
    if low is not None and high is not None and not (low.is_exact and high.is_exact):
        return f"{low[0]}-{low[1]} -> {high[0]}-{high[1]}" if decision.changes else f"{low[0]}-{low[1]}"
    return f"{old} -> {new}" if old != new else f"{old}"
