"""Every file in policies/ loads, says for whom it is, and behaves over a day of views."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from autoscaler.core.exact import replicas_needed
from autoscaler.core.proposals import Policy, View
from autoscaler.policies.queue_depth import QueueDepth
from autoscaler.policies.registry import load_policies
from autoscaler.policies.schedule import Schedule
from tests.policies.schedules import ZURICH, Said, instant, said
from tests.policies.views import a_view

FILES = sorted((Path(__file__).parents[2] / "policies").glob("*.toml"))
QUEUE_DEPTH = [path for path in FILES if path.name.startswith("queue-depth")]


def _load(path: Path) -> Policy:
    table: dict[str, Any] = tomllib.loads(path.read_text())
    return load_policies()[table.pop("kind")].model_validate(table)


def _steps(*steps: tuple[float, float]) -> View:
    """A view after these values of queued and running, one every 15 s."""
    history = {
        name: {15.0 * (len(steps) - 1 - i): step[column] for i, step in enumerate(steps)}
        for column, name in enumerate(("queued", "running"))
    }
    queued, running = steps[-1]
    return a_view({"queued": queued, "running": running}, history=history)


def test_there_are_ready_made_files() -> None:
    assert "queue-depth.toml" in {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_loads_and_says_for_whom_it_is(path: Path) -> None:
    policy = _load(path)

    assert policy.kind
    assert path.read_text().startswith("# For: ")
    assert path.stem.replace("-", "").isalnum()
    assert all(len(line) <= 120 for line in path.read_text().splitlines())


@pytest.mark.parametrize("path", QUEUE_DEPTH, ids=lambda path: path.stem)
def test_a_file_follows_a_day_of_demand(path: Path) -> None:
    policy = _load(path)

    def want(view: View) -> float:
        (proposal,) = policy.propose(view)
        assert proposal.want is not None
        assert not proposal.blind
        return proposal.want

    night = want(_steps((0, 0), (0, 0), (0, 0), (0, 0), (0, 0)))
    morning = want(_steps((0, 2), (0, 3), (0, 4), (0, 5), (0, 6)))
    noon = want(_steps((0, 30), (10, 32), (20, 32), (30, 32), (40, 32)))
    evening = want(_steps((40, 32), (20, 32), (0, 32), (0, 20), (0, 8)))

    assert night == 0.0
    assert 6.0 <= morning <= 10.0
    assert noon > 32.0
    assert 0.0 < evening < noon


@pytest.mark.parametrize("path", QUEUE_DEPTH, ids=lambda path: path.stem)
def test_a_file_is_blind_without_its_signals_and_never_wants_less_than_it_knows(path: Path) -> None:
    policy = _load(path)
    view = a_view({"running": 32}, missing={"queued": "missing"})

    (proposal,) = policy.propose(view)

    assert proposal.blind
    assert proposal.want is not None
    assert proposal.want >= 32.0


def test_the_default_file_says_the_defaults() -> None:
    assert _load(Path(FILES[0].parent, "queue-depth.toml")) == QueueDepth()


def test_the_eager_file_wants_a_third_more() -> None:
    view = a_view({"queued": 3, "running": 57})

    (eager,) = _load(Path(FILES[0].parent, "queue-depth-eager.toml")).propose(view)

    assert eager.want == 100.0


def test_the_long_start_up_file_does_not_count_a_queue_again_and_again() -> None:
    growing = [(260.0 - 6.5 * (4 - i), 32.0) for i in range(5)]

    (careful,) = _load(Path(FILES[0].parent, "queue-depth-long-start-up.toml")).propose(_steps(*growing))

    assert careful.want == 58.0
    assert replicas_needed(58.0, 16.0) == 4


def test_the_batch_file_works_off_a_queue_within_the_hour() -> None:
    view = a_view({"queued": 3600, "running": 0}, history={"queued": {15.0 * i: 3600.0 for i in range(1, 6)}})

    (patient,) = _load(Path(FILES[0].parent, "queue-depth-batch.toml")).propose(view)

    assert patient.want == 60.0


# --- schedules ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "office-hours",
            {
                "11-23 07:54": (0, None),
                "11-23 07:55": (2, None),
                "11-23 18:59": (2, None),
                "11-23 19:00": (0, None),
            }
            | {"11-21 12:00": (0, None)},
        ),
        (
            "weekends-off",
            {"11-20 18:59": (0, None), "11-20 19:00": (0, 0), "11-21 12:00": (0, 0), "11-22 23:59": (0, 0)}
            | {
                "11-23 06:54": (0, 0),
                "11-23 06:55": (1, 0),
                "11-23 07:00": (1, None),
                "11-23 08:00": (0, None),
            },
        ),
        (
            "night-cap",
            {
                "11-23 21:59": (0, None),
                "11-23 22:00": (0, 1),
                "11-24 05:59": (0, 1),
                "11-24 06:00": (0, None),
            },
        ),
        (
            "holiday",
            {"12-24 12:00": (2, None), "12-24 23:59": (0, None), "12-25 00:00": (0, 0), "12-25 12:00": (0, 0)}
            | {"12-28 12:00": (2, None)},
        ),
    ],
)
def test_a_schedule_file_does_what_it_says(name: str, expected: dict[str, tuple[int, int | None]]) -> None:
    schedule = _load(Path(FILES[0].parent, f"{name}.toml"))
    assert isinstance(schedule, Schedule)

    for at, limits in expected.items():
        assert said(schedule, instant(f"2026-{at}", ZURICH), p90_s=300.0) == Said(*limits), at


def test_a_file_that_needs_what_is_not_installed_loads_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "holidays", None)

    schedule = _load(Path(FILES[0].parent, "holiday.toml"))

    assert isinstance(schedule, Schedule)
    assert [keys for keys, _ in schedule.lacks()] == [("holidays", "country")]
