"""Questions to a rival: one at a time, or in a row against a service that follows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from autoscaler.sim.facts import Facts, Rival, Task

INTERVAL_S: Final = 15.0


def a_task(
    min_replicas: int = 1,
    max_replicas: int = 24,
    concurrency: int = 4,
    interval_s: float = INTERVAL_S,
    peak_at_once: float = 48.0,
) -> Task:
    return Task(min_replicas, max_replicas, concurrency, interval_s, peak_at_once=peak_at_once, service_s=8.0)


def facts(
    at: float = 0.0, *, queued: int = 0, running: int = 0, arrived: int = 0, ready: int = 0, starting: int = 0
) -> Facts:
    return Facts(at, queued, running, arrived, ready, starting)


def asked_in_a_row(rival: Rival, task: Task, loads: Iterable[int], ready: int) -> list[int]:
    """Answers when so many requests are there at each question, and replicas come and go at once."""
    answers = []
    for turn, load in enumerate(loads):
        running = min(load, ready * task.concurrency)
        arrived = round(load / task.service_s * task.interval_s)
        ready = rival.tick(
            facts(
                turn * task.interval_s, queued=load - running, running=running, arrived=arrived, ready=ready
            )
        )
        answers.append(ready)
    return answers


def answers_at(
    rival: Rival, questions: Iterable[float], load: Callable[[float], int], ready: int
) -> list[int]:
    """Answers at these instants while ``ready`` replicas are there, whatever was asked for."""
    return [rival.tick(facts(at, running=load(at), ready=ready)) for at in questions]
