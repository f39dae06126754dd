"""Human acts as values: what each changes, and how long the record of it is needed."""

from __future__ import annotations

import pytest

from autoscaler.core.model import Human, Override, Pause
from autoscaler.daemon.people import (
    journal_act,
    resumed,
    with_override,
    with_pause,
    without_override,
)
from autoscaler.journals.memory import MemoryJournal


def a_pause(service: str | None = "chat", direction: str | None = None, until: float | None = 900.0) -> Pause:
    return Pause(service, direction, until, "a freeze", "anna")


def an_override(
    deployment: str | None = None, until: float | None = 500.0, service: str = "chat"
) -> Override:
    return Override(service, deployment, 3, None, until, "a launch", "anna")


def test_a_pause_takes_the_place_of_one_for_the_same_service_and_direction() -> None:
    human = Human(pauses=(a_pause(), a_pause(direction="down"), a_pause("draw")))

    changed = with_pause(human, a_pause(until=1200.0))

    assert changed.pauses == (a_pause(direction="down"), a_pause("draw"), a_pause(until=1200.0))


def test_resume_ends_the_pauses_of_its_service_and_direction_and_no_others() -> None:
    human = Human(pauses=(a_pause(), a_pause(direction="down"), a_pause("draw"), a_pause(None)))

    assert resumed(human, "chat", None).pauses == (a_pause("draw"), a_pause(None))
    assert resumed(human, "chat", "down").pauses == (a_pause(), a_pause("draw"), a_pause(None))
    assert resumed(human, None, None).pauses == ()
    assert resumed(human, "chat", None).resumes == ("chat",)


def test_an_override_takes_the_place_of_one_for_the_same_name() -> None:
    human = Human(overrides=(an_override(), an_override("a"), an_override(service="draw")))

    changed = with_override(human, an_override("a", until=700.0))

    assert changed.overrides == (an_override(), an_override(service="draw"), an_override("a", until=700.0))
    assert without_override(human, "chat", "a").overrides == (an_override(), an_override(service="draw"))
    assert without_override(human, "chat", None).overrides == (an_override(service="draw"),)


@pytest.mark.parametrize(
    ("human", "until"),
    [
        (Human((a_pause(until=900.0),), (an_override(until=500.0),)), 900.0),
        (Human((a_pause(until=400.0),), (an_override(until=500.0),)), 500.0),
        (Human((a_pause(until=None),), (an_override(until=500.0),)), None),
        (Human(), 100.0),
    ],
)
async def test_an_act_is_needed_until_the_last_of_what_is_in_force_has_ended(
    human: Human, until: float | None
) -> None:
    journal = MemoryJournal()

    await journal_act(journal, 100.0, "pause", human, {"service": "chat"})

    (record,) = await journal.read(kinds=("human",))
    assert record.body["until"] == until
    assert record.body["act"] == "pause"
