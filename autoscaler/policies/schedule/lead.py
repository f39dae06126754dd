"""How early floors open: what was learned, fixed for each start once it is within reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

STATE_VERSION: Final = 1
STARTS_MAX: Final = 400
"""No more starts than this are remembered; a schedule has at most 200 windows, each with one next start."""

LEAD_S_MAX: Final = 2_592_000.0

Leads = Mapping[int, float]
"""Seconds by which floors open early, by the instant of the start."""


@dataclass(frozen=True, slots=True)
class Early:
    """A floor whose window begins later; it opens ``lead_s`` seconds before. None: as learned."""

    start: int
    lead_s: float | None
    floor: int
    window: int  # its position in the file

    def lead(self, fixed: Leads, learned_s: float) -> float:
        """Seconds, by the file, else as fixed before, else as learned now."""
        if self.lead_s is not None:
            return self.lead_s
        return fixed.get(self.start, learned_s)


def fixed_leads(state: Mapping[str, Any]) -> Leads:
    """The leads in a state of our version; none from any other."""
    leads = state.get("leads")
    if state.get("v") != STATE_VERSION or not isinstance(leads, Mapping):
        return {}
    found = {}
    for start, kept in list(leads.items())[:STARTS_MAX]:
        lead_s = _lead(kept)
        if _is_instant(start) and lead_s is not None:
            found[int(start)] = lead_s
    return found


def _is_instant(start: object) -> bool:
    return isinstance(start, str) and len(start) <= 15 and start.isascii() and start.isdecimal()


def _lead(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0.0 <= value <= LEAD_S_MAX else None


def fix(fixed: Leads, coming: Iterable[Early], at: float, learned_s: float) -> Leads:
    """With the starts that came within reach of what is learned now, and without those that are past.

    The same object where nothing changes.
    """
    learned_s = min(learned_s, LEAD_S_MAX)
    new = [
        early.start
        for early in coming
        if early.start - learned_s <= at and early.lead_s is None and early.start not in fixed
    ]
    if not new and all(start > at for start in fixed):
        return fixed
    return {start: lead_s for start, lead_s in fixed.items() if start > at} | dict.fromkeys(new, learned_s)


def state_of(leads: Leads) -> Mapping[str, Any]:
    """What is kept: ``{"v": 1, "leads": {"1795262400": 300.0}}``, or nothing."""
    if not leads:
        return {}
    kept = sorted(leads)[:STARTS_MAX]
    return {"v": STATE_VERSION, "leads": {str(start): leads[start] for start in kept}}
