"""The dynamic programme behind plan and bound: serving replicas per tick, given what lateness costs.

State before a tick: how many replicas serve (a level), and the backlog in cells of a grid on which one
replica-tick is a whole number of cells, so that no step of the recursion rounds. In a tick the level moves to
any other, ``held_s`` is paid per replica and ``started_s`` per replica more than before, the tick's load
joins the backlog, the replicas take off it what they can, and what is left costs the tick's price.

The horizon is cut into segments, which are gone through side by side: numpy's cost is per call. Each begins
from whatever state suits it, so the sum of their least costs is never above that of the whole, which is what
a lower bound needs. A plan looks ``look_ahead`` ticks beyond each segment, so that cuts hardly matter.

Inside, money is whole numbers (rounded down to 1/32 of a replica-second, coarser above 64 levels) whose
lowest bits carry the level that was chosen, so that one minimum finds both. They are 32 bits wide; every few
ticks the least value is taken off and what is far above it is cut, which can only lower the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Reals = NDArray[np.float64]
_Money = NDArray[np.int32]

_BITS: Final = 11  # of a number below one replica-second: for the level, the rest for fractions
_LEVELS_MOST: Final = 1 << (_BITS - 1)
_FORBIDDEN: Final = 1 << 30
_FAR: Final = 1 << 28  # far above the least value: never chosen
_PRICE_MOST: Final = (1 << 25) - (1 << _BITS)
_EVERY: Final = 8  # ticks between cuts: _FAR + _EVERY * (price and keep) stays below _FORBIDDEN
_SEGMENT_TICKS: Final = 2880
_SEGMENTS_MOST: Final = 16


@dataclass(frozen=True, slots=True)
class Programme:
    """What is given. Levels are ``lowest`` to ``highest`` serving replicas, ``first`` before the first tick.

    ``load`` (ticks) joins the backlog, in cells; ``carried`` cells go per replica and tick, all of them where
    ``highest_carries_all`` and the level is the highest. ``price_s`` (ticks, cells) is for the backlog at the
    end of each tick, in replica-seconds as ``held_s`` and ``started_s`` are; a larger backlog counts as the
    largest cell. ``at_least`` and ``at_most`` (ticks) bound the level.
    """

    lowest: int
    highest: int
    first: int
    load: Whole
    carried: int
    price_s: Reals
    held_s: float
    started_s: float
    at_least: Whole
    at_most: Whole
    highest_carries_all: bool = False

    def __post_init__(self) -> None:
        if self.levels > _LEVELS_MOST:
            raise ValueError(f"{self.levels} replicas to choose from; the programme takes {_LEVELS_MOST}")

    @property
    def levels(self) -> int:
        """How many there are."""
        return self.highest - self.lowest + 1

    @property
    def cells(self) -> int:
        """How many backlogs there are."""
        return int(self.price_s.shape[1])


def least_cost_s(programme: Programme) -> float:
    """Replica-seconds that no choice of levels undercuts."""
    return _Sweep(programme, look_ahead=0).run(None)


def best_levels(programme: Programme, *, look_ahead: int) -> list[int]:
    """A level per tick, the best but for the cuts."""
    sweep = _Sweep(programme, look_ahead)
    kept = np.empty((sweep.length, sweep.segments, programme.levels, programme.cells), np.int16)
    sweep.run(kept)
    return _forwards(programme, kept.transpose(1, 0, 2, 3).reshape(-1, programme.levels, programme.cells))


class _Sweep:
    """One pass from the last tick of all segments to their first. Arrays are levels x segments x cells."""

    def __init__(self, programme: Programme, look_ahead: int) -> None:
        ticks = len(programme.load)
        self.programme = programme
        self.segments = max(1, min(_SEGMENTS_MOST, ticks // _SEGMENT_TICKS))
        self.length = -(-ticks // self.segments)
        self.look_ahead = look_ahead if self.segments > 1 else 0
        self.missing = self.length * self.segments - ticks  # ticks before the first, in the first segment
        self.row = self.segments * programme.cells
        self.size = programme.levels * self.row
        self.fraction = 1 << max(1, (programme.levels - 1).bit_length())
        # Tick of the programme by step and segment; outside, any tick will do: its values are not used.
        steps = np.arange(self.length + self.look_ahead)[:, None]
        at = steps + np.arange(self.segments)[None, :] * self.length - self.missing
        self.tick = np.clip(at, 0, ticks - 1)

    def run(self, kept: NDArray[np.int16] | None) -> float:
        """The sum of the segments' least costs; levels are kept where there is room for them."""
        programme, row, size = self.programme, self.row, self.size
        held, started = self._money(programme.lowest, programme.held_s), self._money(0, programme.started_s)
        held += np.repeat(np.arange(programme.levels, dtype=np.int32), row)
        prices, forbidden = self._prices(), self._forbidden()
        load = programme.load[self.tick]
        left = self._left()
        start_of = np.repeat(np.arange(self.segments) * programme.cells, programme.cells)
        start_of = np.tile(start_of, programme.levels)
        level_of = np.repeat(np.arange(programme.levels) * row, row)
        strides = [1 << k for k in range(programme.levels.bit_length()) if 1 << k < programme.levels]
        # Rows of forbidden values around the levels stand in for what lies outside.
        pad = (strides[-1] if strides else 0) * row
        here, there, rising, other = (np.full(size + pad, _FORBIDDEN, np.int32) for _ in range(4))
        value, taken, priced = (np.zeros(size, np.int32) for _ in range(3))
        states = np.empty(size, np.int64)
        shaped = states.reshape(programme.levels, self.segments, programme.cells)
        parts = value.reshape(shaped.shape)
        base = np.zeros(self.segments, np.int64)
        total, mask, minimum = 0, np.int32(self.fraction - 1), np.minimum
        for step in range(len(self.tick) - 1, -1, -1):
            if step == self.length - 1:
                parts[:, -1] = 0  # the end of the horizon; the other segments have looked ahead
                if not self.look_ahead:
                    parts[...] = 0
            np.add(left, load[step][None, :, None], out=shaped)
            np.maximum(states, 0, out=states)
            minimum(states, programme.cells - 1, out=states)
            if programme.highest_carries_all:
                shaped[-1] = 0
            states += start_of
            prices[self.tick[step]].ravel().take(states, out=priced, mode="clip")
            states += level_of
            value.take(states, out=taken, mode="clip")
            taken += priced
            np.add(taken, held, out=here[pad:])
            for segment, least, most in forbidden.get(step, ()):
                rows = here[pad:].reshape(shaped.shape)
                rows[:least, segment] = _FORBIDDEN
                rows[most:, segment] = _FORBIDDEN
            np.add(here[pad:], started, out=rising[:size])
            for stride in strides:  # minima of prefixes by doubling: the level may come from any other
                shift = stride * row
                minimum(here[pad:], here[pad - shift : size + pad - shift], out=there[pad:])
                minimum(rising[:size], rising[shift : size + shift], out=other[:size])
                here, there, rising, other = there, here, other, rising
            np.subtract(rising[:size], started, out=taken)
            minimum(taken, here[pad:], out=value)
            np.bitwise_and(value, mask, out=taken)
            if kept is not None and step < self.length:
                kept[step] = taken.reshape(shaped.shape).transpose(1, 0, 2)
            value -= taken
            if step == self.missing:
                total = int(base[0]) + int(parts[programme.first - programme.lowest, 0, 0])
            if step % _EVERY == 0:
                lowest = parts.min(axis=(0, 2))
                base += lowest
                parts -= lowest[None, :, None]
                minimum(value, _FAR, out=value)
        return (total + int(base[1:].sum())) / (1 << _BITS)

    def _money(self, first: int, each_s: float) -> _Money:
        """So much per replica, for every state."""
        whole = math.floor(each_s * (1 << _BITS) / self.fraction) * self.fraction
        numbers = np.arange(first, first + self.programme.levels)
        return np.repeat(np.minimum(numbers * whole, _FAR), self.row).astype(np.int32)

    def _prices(self) -> _Money:
        scaled = self.programme.price_s * ((1 << _BITS) / self.fraction)
        return np.minimum(scaled, _PRICE_MOST // self.fraction).astype(np.int32) * np.int32(self.fraction)

    def _left(self) -> Whole:
        """Backlog after a tick without load; negative where replicas could carry more."""
        programme = self.programme
        levels = np.arange(programme.lowest, programme.highest + 1)[:, None, None]
        left = np.arange(programme.cells)[None, None, :] - levels * programme.carried
        return np.repeat(left, self.segments, axis=1)

    def _forbidden(self) -> dict[int, list[tuple[int, int, int]]]:
        """By step: segment, how many levels from below are forbidden, and from which on all are."""
        programme = self.programme
        found: dict[int, list[tuple[int, int, int]]] = {}
        bound = (programme.at_least > programme.lowest) | (programme.at_most < programme.highest)
        for tick in np.flatnonzero(bound).tolist():
            segment, step = divmod(tick + self.missing, self.length)
            least = int(programme.at_least[tick]) - programme.lowest
            most = min(int(programme.at_most[tick]), programme.highest) - programme.lowest + 1
            found.setdefault(step, []).append((segment, max(0, least), most))
        return found


def _forwards(programme: Programme, kept: NDArray[np.int16]) -> list[int]:
    """From the first tick on; ``kept`` may have ticks before it."""
    cells, lowest, carried = programme.cells, programme.lowest, programme.carried
    level, backlog, path = programme.first - lowest, 0, list[int]()
    missing = len(kept) - len(programme.load)
    for choices, load in zip(kept[missing:], programme.load.tolist(), strict=True):
        level = int(choices[level, backlog])
        path.append(level + lowest)
        backlog = min(max(backlog + load - path[-1] * carried, 0), cells - 1)
    return path
