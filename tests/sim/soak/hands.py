"""Hands off: after somebody else has set a count, nothing is written there for a while."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

OURS_FOR_S: Final = 4 * 3600.0
"""A range that we meant or saw so lately may be our own, or an old read of it: no foul is called on it.

The daemon's own rule is sharper; this one must hold whatever start-up times it has learned.
"""

Spread = tuple[int, int]


@dataclass
class Hands:
    """Whose range each deployment has, by its key."""

    seen: dict[str, Spread] = field(default_factory=dict)
    ours: dict[str, dict[Spread, float]] = field(default_factory=dict)  # and when it was last meant or seen
    off_until: dict[str, float] = field(default_factory=dict)

    def meant(self, key: str, spread: Spread, at: float) -> None:
        """A plan with this write was journalled."""
        self.ours.setdefault(key, {})[spread] = at

    def see(self, key: str, spread: Spread, at: float, hold_s: float) -> None:
        """A journalled snapshot has this range."""
        ours = self.ours.setdefault(key, {})
        is_ours = spread in ours and at - ours[spread] < OURS_FOR_S
        if key in self.seen and self.seen[key] != spread and not is_ours:
            self.off_until[key] = at + hold_s
        self.seen[key] = spread
        ours[spread] = at

    def resume(self, services: Iterable[str | None]) -> None:
        """A person ended the holds of these services; None is all."""
        ended = set(services)
        self.off_until = {
            key: until
            for key, until in self.off_until.items()
            if None not in ended and key.partition("/")[0] not in ended
        }

    def are_off(self, key: str, at: float) -> bool:
        """Whether nothing may be written there now."""
        return at < self.off_until.get(key, at)

    def forget_all_but(self, keys: Collection[str]) -> None:
        """What the configuration no longer names is met anew when it comes back."""
        for known in (self.seen, self.ours, self.off_until):
            for key in [key for key in known if key not in keys]:
                del known[key]
