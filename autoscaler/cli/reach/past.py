"""The last tick of the journal as the running daemon would tell it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final, TypeVar

from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.config import Config
from autoscaler.core.codec import instant_text
from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import DAY_S
from autoscaler.daemon.past import why_at
from autoscaler.daemon.price_list import price_list
from autoscaler.daemon.prices import held_at, last_record
from autoscaler.daemon.prices import recalled as recalled_prices
from autoscaler.daemon.recall import Recalled, plan_of, recall, snapshot_of
from autoscaler.daemon.report import ControlError, Invalid, Standing, TickReport, start_up_estimates
from autoscaler.daemon.shadow_status import shadow_status
from autoscaler.daemon.shadows import policies_of
from autoscaler.daemon.shadows import recalled as recalled_shadow
from autoscaler.daemon.status import fleet_status
from autoscaler.journals import open_journal
from autoscaler.ports import Journal, JournalError

T = TypeVar("T")

RECALL_S: Final = 30.0
"""How long a shadow's ticks may take to be folded, twenty at a time."""


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


async def prices_of(journal: Journal, fleet: Fleet, providers: Collection[str], now: float) -> dict[str, Any]:
    """The prices in force at the last tick, and the configuration's own. Raises: JournalError."""
    memory = (await recall(journal, fleet)).memory
    book = recalled_prices(await last_record(journal), memory)
    catalogue = book.after({}, memory, fleet, providers).catalogue(fleet)
    day_ago = await held_at(journal, now - DAY_S)
    at = None if memory.at is None else instant_text(memory.at)
    return {"at": at, **price_list(catalogue, memory, fleet, now=now, day_ago=day_ago)}


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


async def shadow_of(journal: Journal, config: Config, service: str) -> dict[str, Any]:
    """A service's shadow at the last tick. Raises: JournalError, Trouble where there is none."""
    alone = config.shadows.get(service)
    standing: Standing | None = None
    try:
        if alone is not None:
            found = await recalled_shadow(journal, service, alone, None, RECALL_S)
            standing = None if found is None else Standing(policies_of(alone), found)
        return shadow_status(config.fleet, service, standing)
    except ControlError as error:
        raise Trouble(str(error), Exit.NO) from error
    except TimeoutError:
        text = (
            f"the shadow of {service} takes over {RECALL_S:g} s for twenty ticks: a policy of it is too slow"
        )
        raise Trouble(text, Exit.NO) from None
