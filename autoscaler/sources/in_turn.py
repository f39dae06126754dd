"""Many questions, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


async def each_once(
    questions: Collection[Q], ask: Callable[[Q], Awaitable[A]], at_once_max: int
) -> dict[Q, A]:
    """The answer to each; equal questions are asked once. ``ask`` raises nothing for expected trouble."""
    answers: dict[Q, A] = {}
    waiting = iter(dict.fromkeys(questions))

    async def ask_in_turn() -> None:
        for question in waiting:
            answers[question] = await ask(question)

    # As many as there are connections: a task for each question costs more than the question.
    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once_max, len(questions))):
            group.create_task(ask_in_turn())
    return answers
