"""Other processes that use a journal: real ones, so that their death and their locks are real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WRITER = """
import asyncio, sys
from autoscaler.journals import SqliteJournal
from autoscaler.ports import Record
from tests.journals.bodies import T0, a_tick

async def main(path):
    journal = await SqliteJournal.open(path)
    print("open", flush=True)
    for i in range(1_000_000):
        seq = await journal.append(Record("tick", T0 + 15 * i, a_tick(T0 + 15 * i, demand=i % 50)))
        print(seq, flush=True)
        if i % 40 == 39:
            await journal.append(Record("checkpoint", T0 + 15 * i, {"i": i}))
            await journal.prune(T0 + 15 * (i - 20) + 7 * 86400)

asyncio.run(main(sys.argv[1]))
"""

LIMITED = """
import asyncio, resource, sys
from autoscaler.journals import SqliteJournal
from autoscaler.ports import JournalError, Record

async def main(path):
    journal = await SqliteJournal.open(path)
    await journal.append(Record("event", 1.0, {"n": 0}))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, hard))
    try:
        for n in range(1, 10_000):
            await journal.append(Record("event", 1.0, {"n": n, "fill": [i * n for i in range(400)]}))
    except JournalError as error:
        print(error)
    try:
        await journal.append(Record("new kind", 1.0, {"fill": list(range(5000))}))
    except JournalError:
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    print(n, await journal.append(Record("event", 2.0, {"room": True})))
    await journal.append(Record("new kind", 2.0, {"room": True}))
    await journal.close()

asyncio.run(main(sys.argv[1]))
"""


def started(script: str, path: Path) -> subprocess.Popen[str]:
    """A Python process that runs one of the scripts on this journal."""
    return subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
