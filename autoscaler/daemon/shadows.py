"""Shadow policies beside the daemon's ticks: evaluated when a tick's own work is done, and unable to act.

A shadow is handed values (what was seen, what was decided) and gives values back; no vendor is within its
reach. It runs apart with a deadline: one that fails or is late is set aside, and says so, until the
configuration is read again or the daemon starts anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import structlog

from autoscaler.core.codec import decision_to_json
from autoscaler.core.fleet import Fleet
from autoscaler.core.memory import Memory
from autoscaler.core.model import Plan, Snapshot
from autoscaler.core.shadow import Shadow, advance, begin, shadow_from_json, shadow_to_json
from autoscaler.daemon.apart import apart
from autoscaler.daemon.recall import damage_told, last_checkpoint, made_after, plan_of, snapshot_of
from autoscaler.daemon.report import Standing
from autoscaler.ports import Journal, JournalError, Record

KIND: Final = "shadow"
"""Records of what shadows decided, where it is something new; with ``state`` where one began."""

PART: Final = "shadows"
"""The part of a checkpoint that holds their states, by service."""

DEADLINE_S: Final = 1.0
"""How long one service's shadow may take at a tick; a thousand times what one needs."""

ALL_S: Final = 2.0
"""How long all of them may take at one tick; those that are not reached see a gap."""

PAGE: Final = 20
"""Records that are folded within one deadline when a shadow is recalled."""

log = structlog.stdlib.get_logger("autoscaler.shadow")

Append = Callable[[str, dict[str, object]], Awaitable[int | None]]
"""Journals a record of this kind and body; None where the journal cannot be written."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One journalled tick as shadows see it; ``memory`` is the real one after it."""

    seq: int
    snapshot: Snapshot
    plan: Plan
    memory: Memory


@dataclass(slots=True)
class Shadows:
    """The shadows of one configuration: by service, the service alone with its shadow policies."""

    journal: Journal
    alone: Mapping[str, Fleet] = field(default_factory=dict)
    standing: dict[str, Standing] = field(default_factory=dict)
    deadline_s: float = DEADLINE_S
    all_s: float = ALL_S

    def reconfigure(self, alone: Mapping[str, Fleet]) -> None:
        """From the next tick on. A comparison that is about the same goes on; trouble is forgotten."""
        self.standing = {
            name: Standing(policies_of(alone[name]), one.shadow)
            for name, one in self.standing.items()
            if name in alone and one.shadow is not None and one.shadow.name == alone[name].config_hash
        }
        self.alone = alone

    async def follow(self, tick: Tick, append: Append) -> None:
        """Let every shadow see this tick, as far as there is time. Raises nothing that a shadow raises."""
        if not self.alone:
            return
        now = asyncio.get_running_loop().time
        ends = now() + self.all_s
        for name, alone in self.alone.items():
            known = self.standing.get(name)
            if now() < ends and (known is None or known.trouble is None):
                await self._follow(name, alone, tick, append)

    async def _follow(self, name: str, alone: Fleet, tick: Tick, append: Append) -> None:
        policies = policies_of(alone)
        known = self.standing.get(name, Standing(policies)).shadow
        try:
            if known is None:
                known = await recalled(self.journal, name, alone, tick.seq, self.deadline_s)
            after, own = await apart(partial(_seen, known, tick, alone), self.deadline_s)
        except JournalError as error:
            log.warning(
                "a shadow cannot be recalled: after the next tick again", service=name, error=str(error)
            )
        except TimeoutError:
            self._set_aside(name, policies, f"it took over {self.deadline_s:g} s")
        except Exception as error:  # noqa: BLE001 - another's code, and no part of what was promised
            self._set_aside(name, policies, f"it failed: {type(error).__name__}: {error}")
        else:
            self.standing[name] = Standing(policies, after)
            news = _news(known, after, own)
            if news:
                await append(KIND, {"service": name, "tick": tick.seq, **news})

    def _set_aside(self, name: str, policies: tuple[str, ...], trouble: str) -> None:
        known = self.standing.get(name)
        self.standing[name] = Standing(policies, known.shadow if known else None, trouble)
        log.error("a shadow is set aside until the configuration is read again", service=name, error=trouble)

    def checkpoint(self) -> dict[str, Any]:
        """The part of a checkpoint that they are recalled from."""
        states = {name: shadow_to_json(one.shadow) for name, one in self.standing.items() if one.shadow}
        return {PART: states} if states else {}


def policies_of(alone: Fleet) -> tuple[str, ...]:
    """Names of the shadow's policies."""
    return tuple(named.name for service in alone.services.values() for named in service.policies)


def _seen(known: Shadow | None, tick: Tick, alone: Fleet) -> tuple[Shadow, Plan]:
    if known is None:
        known = begin(tick.snapshot, tick.memory, alone)
    return advance(known, tick.snapshot, tick.plan, alone)


def _news(before: Shadow | None, after: Shadow, own: Plan) -> dict[str, object]:
    """What the journal is told: how it began, and decisions that change or newly differ."""
    if before is not None and before.differences == after.differences and not after.written:
        return {}
    news: dict[str, object] = {"decisions": [decision_to_json(one) for one in own.decisions]}
    if before is None:
        news["state"] = shadow_to_json(after)
    return news


# --- from the journal ---------------------------------------------------------------------------


async def recalled(
    journal: Journal, service: str, alone: Fleet, before_seq: int | None, deadline_s: float
) -> Shadow | None:
    """The shadow before this record (None: at the end), from the last checkpoint and the ticks after it.

    None: there is none, or it was about another configuration. Raises: JournalError, TimeoutError.
    """
    start = await last_checkpoint(journal)
    known: Shadow | None = None
    after = 0
    if start is not None:
        after = made_after(start)
        known = _state(start, start.body.get(PART, {}).get(service), alone)
    while True:
        page = await journal.read(kinds=("tick", KIND), after_seq=after, limit=PAGE)
        whole = [one for one in page if before_seq is None or one.seq < before_seq]
        known = await apart(partial(_folded, known, whole, service, alone), deadline_s)
        if len(whole) < PAGE:
            return known
        after = whole[-1].seq


def _folded(known: Shadow | None, records: Sequence[Record], service: str, alone: Fleet) -> Shadow | None:
    for record in records:
        if record.kind == KIND:
            if record.body.get("service") == service and "state" in record.body:
                known = _state(record, record.body["state"], alone)
        elif known is not None and "snapshot" in record.body:
            known, _ = advance(known, snapshot_of(record, service), plan_of(record, service), alone)
    return known


def _state(record: Record, body: Any, alone: Fleet) -> Shadow | None:
    if body is None:
        return None
    with damage_told(record):
        found = shadow_from_json(body)
    return found if found is not None and found.name == alone.config_hash else None
