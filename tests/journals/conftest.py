"""Both journals behind one door, for the contract."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autoscaler.journals import MemoryJournal, SqliteJournal

AnyJournal = MemoryJournal | SqliteJournal


@pytest.fixture(params=["memory", "sqlite"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AnyJournal]:
    """An empty journal of each kind."""
    opened: AnyJournal = (
        MemoryJournal() if request.param == "memory" else await SqliteJournal.open(tmp_path / "journal.db")
    )
    yield opened
    await opened.close()
