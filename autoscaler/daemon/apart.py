"""Work on a thread that nobody has to wait for: what may be slow must not hold up a tick, nor the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

T = TypeVar("T")


class _Loose(Executor):
    """A thread for each piece of work. None is joined: one that never ends ends with the process."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - whoever waits gets it
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, daemon=True, name="apart").start()
        return future


_LOOSE = _Loose()


async def apart(work: Callable[[], T], deadline_s: float) -> T:
    """The work's result. It must be pure: after the deadline (seconds of the event loop) nobody stops it.

    Raises: TimeoutError, and what the work raises.
    """
    pending = asyncio.get_running_loop().run_in_executor(_LOOSE, work)
    async with asyncio.timeout(deadline_s):
        return await pending
