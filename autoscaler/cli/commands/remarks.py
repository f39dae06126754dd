"""What adapters remark during one look, kept for the person at the terminal."""

from __future__ import annotations

from typing import Final

from autoscaler.core.model import ErrorKind

REMARKS_MAX: Final = 1000


class Remarks:
    """A :class:`~autoscaler.ports.Telemetry` that keeps each remark once, in the order of first sight."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def request(self, provider: str, operation: str, duration_s: float, error: ErrorKind | None) -> None:
        """Calls are not counted here: what came of them is the answer itself."""

    def unknown_word(self, provider: str, word: str, where: str) -> None:
        """A vendor's word that the adapter does not know."""
        self._keep(f"{provider}: unknown word {word!r} in {where}; it is never acted on")

    def first_sight(self, provider: str, fact: str, seen: str) -> None:
        """An open question of the vendor's documentation, answered."""
        self._keep(f"{provider}: {fact}: {seen}")

    def _keep(self, text: str) -> None:
        if text not in self.texts and len(self.texts) < REMARKS_MAX:
            self.texts.append(text)
