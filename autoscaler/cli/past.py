"""The last tick of the journal as the running daemon would tell it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from autoscaler.cli.exits import Exit, Trouble
from autoscaler.config import Config
from autoscaler.core.fleet import Fleet
from autoscaler.daemon.past import why_at
from autoscaler.daemon.recall import Recalled, plan_of, recall, snapshot_of
from autoscaler.daemon.report import Invalid, TickReport, start_up_estimates
from autoscaler.daemon.status import fleet_status
from autoscaler.journals import open_journal
from autoscaler.ports import Journal, JournalError

T = TypeVar("T")


async def from_journal(config: Config, ask: Callable[[Journal], Awaitable[T]]) -> T:
    """What ``ask`` finds in the journal, opened for reading. Raises: Trouble."""
    try:
        journal = await open_journal(config.daemon.journal, read_only=True)
        try:
            return await ask(journal)
        finally:
            await journal.close()
    except JournalError as error:
        raise Trouble(str(error), Exit.UNREACHABLE) from error


async def status_of(journal: Journal, fleet: Fleet) -> dict[str, Any]:
    """The fleet at the last tick. Raises: JournalError, Trouble where there is none."""
    recalled = await recall(journal, fleet)
    return fleet_status(_report(recalled, fleet))


def _report(recalled: Recalled, fleet: Fleet) -> TickReport:
    last, memory = recalled.last_tick, recalled.memory
    if last is None or "snapshot" not in last.body:
        raise Trouble("the journal holds no whole tick yet", Exit.NO)
    return TickReport(
        at=last.at,
        fleet=fleet,
        snapshot=snapshot_of(last),
        plan=plan_of(last),
        start_up_estimates=start_up_estimates(fleet, memory),
        human=recalled.human or memory.human,
    )


async def why_of(journal: Journal, fleet: Fleet, service: str, at: float) -> dict[str, Any]:
    """The recorded decision at an instant. Raises: JournalError, Trouble where there is none."""
    try:
        return dict(await why_at(journal, fleet, service, at))
    except Invalid as error:
        raise Trouble(str(error), Exit.NO) from error
