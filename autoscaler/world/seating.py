"""Which replica takes the next request: the one that runs the fewest, the lowest seat where equal."""

from __future__ import annotations

from itertools import count
from typing import Final

from autoscaler.world.deployment import Replica

_WIDTH_AT_FIRST: Final = 8


class Seat:
    """A replica's place in a gateway. Not a dataclass: it is on the fast path."""

    __slots__ = ("busy_s", "done", "flips", "number", "places", "replica", "running", "speed", "taking")

    def __init__(self, replica: Replica, number: int, places: int, speed: float) -> None:
        self.replica = replica
        self.number = number
        self.places = places
        self.speed = speed
        self.running = 0
        self.done = 0
        self.busy_s = 0.0
        self.taking = True  # False: draining
        self.flips: list[int] = []


class Seating:
    """The seats of a gateway, with those that have a free place in order of who is next.

    The order is the whole number ``free``: a seat that takes requests and runs ``n`` of them, fewer than
    it has places, is bit ``n * width + number``, and ``width`` is a power of two above every seat's number.
    The lowest bit is therefore the seat that runs the fewest, the lowest seat where equal. ``flips[n]`` of
    a seat are the bits that change when it goes from ``n`` to ``n + 1`` requests, or back: its bit for ``n``,
    and its bit for ``n + 1`` unless it is full then. So one exclusive-or seats a request, and another one
    lets it go; a seat that is closed changes nothing any more. The gateway's loop does both in place.
    """

    def __init__(self) -> None:
        self.free = 0
        self.width = _WIDTH_AT_FIRST
        self.at: dict[int, Seat] = {}  # by number
        self.of: dict[Replica, Seat] = {}

    def open(self, replica: Replica, places: int, speed: float) -> Seat:
        """The lowest free seat is this replica's from now."""
        number = next(number for number in count() if number not in self.at)
        if number == self.width:
            self._widen()
        seat = Seat(replica, number, places, speed)
        self.at[number] = self.of[replica] = seat
        self._place(seat)
        return seat

    def close(self, seat: Seat) -> None:
        """It takes nothing new. Closed already: nothing changes."""
        if not seat.taking:
            return
        seat.taking = False
        if seat.running < seat.places:
            self.free ^= 1 << (seat.running * self.width + seat.number)
        seat.flips = [0] * seat.places

    def forget(self, seat: Seat) -> None:
        """Its number is free again."""
        del self.at[seat.number]
        del self.of[seat.replica]

    def idlest(self) -> Seat:
        """The seat that is next; there must be one with a free place."""
        return self.at[((self.free & -self.free).bit_length() - 1) & (self.width - 1)]

    def occupy(self, seat: Seat) -> None:
        """One request more runs on it."""
        self.free ^= seat.flips[seat.running]
        seat.running += 1

    def _place(self, seat: Seat) -> None:
        """Its flips, and its bit in the order."""
        bits = [1 << (n * self.width + seat.number) for n in range(seat.places)]
        seat.flips = [bit ^ after for bit, after in zip(bits, [*bits[1:], 0], strict=True)]
        if seat.running < seat.places:
            self.free ^= bits[seat.running]

    def _widen(self) -> None:
        self.width *= 2
        self.free = 0
        for seat in self.of.values():
            if seat.taking:
                self._place(seat)
