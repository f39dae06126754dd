"""What something at a vendor showed at any recent instant: reads may be late, as the fault switches ask."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import Final, Generic, TypeVar

Face = TypeVar("Face")

FACES_KEPT: Final = 2000
"""Per shown thing; older ones are forgotten."""


class Faces(Generic[Face]):
    """Frozen pictures of one thing, each shown from its instant (epoch seconds) until the next one's.

    The first is shown from ``since`` on.
    """

    def __init__(self, since: float, face: Face) -> None:
        self.since = since
        self._latest = since  # instant that anything was shown at, the same face again included
        self._instants: deque[float] = deque([since], maxlen=FACES_KEPT)
        self._faces: deque[Face] = deque([face], maxlen=FACES_KEPT)

    @property
    def now(self) -> Face:
        """The latest face."""
        return self._faces[-1]

    def show(self, at: float, face: Face) -> None:
        """This face from now on; time does not go back. An equal face takes no place of its own."""
        self._latest = max(self._latest, at)
        if face == self.now:
            return
        self._instants.append(self._latest)
        self._faces.append(face)

    def at(self, instant: float) -> Face | None:
        """The face at this instant; None before there was one. Very old instants get the oldest kept."""
        if instant < self.since:
            return None
        return self._faces[max(0, bisect_right(self._instants, instant) - 1)]
