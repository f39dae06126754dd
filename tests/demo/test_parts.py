"""The demo's parts: demand, fixed capacity, the patient loop, what is shown."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from autoscaler.clock import SystemClock
from autoscaler.config import load
from autoscaler.demo import words
from autoscaler.demo.demand import (
    CHAT_AT_ONCE,
    DAY_S,
    LoadMeter,
    Stretch,
    batch_rows,
    code_rows,
    generated_day,
    traced,
)
from autoscaler.demo.files import copy_policies, shipped_policies
from autoscaler.demo.loop import PatientLoop
from autoscaler.demo.scenario import Access, config_toml, emulated_fleet, policy_files
from autoscaler.demo.screen import draw, spark
from autoscaler.demo.summary import fixed_replicas, summarise
from autoscaler.emulators.registry import EMULATORS
from autoscaler.world.service_time import MeanServiceTime
from autoscaler.world.trace import Row
from tests.demo.program import played

DAY = Stretch(6 * 3600.0, 6 * 3600.0 + DAY_S)


def written(folder: Path) -> Path:
    """The demo's configuration with its policies, as it would be beside its emulators."""
    copy_policies(policy_files(), folder / "policies")
    fleet = emulated_fleet(0)
    world, clock = fleet.build(0.0), SystemClock()
    emulators = [EMULATORS[kind](fleet, world, clock) for kind in fleet.kinds]
    vendors = tuple((one, f"http://127.0.0.1:1{one.base_path}") for one in emulators)
    access = Access(vendors, "127.0.0.1", 9464, "push-token-of-tests", "admin-token-of-tests")
    (folder / "config.toml").write_text(config_toml(access, 15.0), encoding="utf-8")
    return folder / "config.toml"


def test_the_configuration_is_one_that_nothing_needs_to_be_said_about(tmp_path: Path) -> None:
    config = load(written(tmp_path), environ={})

    assert config.warnings == ()
    assert set(config.fleet.services) == {"chat", "code", "batch"}


def test_the_policies_are_the_shipped_files() -> None:
    shipped = shipped_policies() / "queue-depth.toml"
    repository = Path(__file__).parents[2] / "policies" / "queue-depth.toml"

    assert shipped.read_text(encoding="utf-8") == repository.read_text(encoding="utf-8")


def test_demand_is_the_same_for_a_seed_and_another_for_another() -> None:
    def day(seed: int) -> list[Row]:
        return [*generated_day(8.0).rows(seed), *code_rows(DAY, seed)]

    assert day(1) == day(1)
    assert day(1) != day(2)


def test_code_is_quiet_at_night_and_batch_most_of_the_day() -> None:
    code = {row.t_s: row.requests for row in code_rows(DAY, 0)}
    batch = [row.requests for row in batch_rows(DAY)]

    assert min(code) == DAY.from_s
    assert max(code) < DAY.to_s
    assert code[DAY_S] == 0.0
    assert code[11 * 3600.0] > 60
    assert sum(requests == 0 for requests in batch) / len(batch) > 0.9


def test_a_trace_is_thinned_until_its_busiest_row_has_the_size_of_the_demo(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("t_s,requests\n0,1000\n60,90000\n120,10\n", encoding="utf-8")

    chat = traced(trace, 8.0)

    assert chat.scale * 90_000 / 60 * 8.0 == pytest.approx(CHAT_AT_ONCE)
    assert chat.stretch == Stretch(0.0, 180.0)


def test_the_load_of_the_busiest_window_is_kept() -> None:
    rows = [Row(t * 60.0, 60.0, requests) for t, requests in enumerate((6, 60, 120, 0, 0))]
    meter = LoadMeter(rows, MeanServiceTime(10.0), window_s=120.0)

    assert list(meter) == rows
    assert meter.peak(299.0) == pytest.approx((60 + 120) * 10 / 120)
    assert meter.peak(60.0) == pytest.approx((6 + 60) * 10 / 120)
    assert meter.peak(59.0) == pytest.approx(6 * 10 / 60)  # rows that were drawn ahead are not the past
    assert meter.peak(-1.0) == 0.0


def test_fixed_capacity_is_the_cheapest_that_carries_the_peak(tmp_path: Path) -> None:
    chat = load(written(tmp_path), environ={}).fleet.services["chat"]
    prices = {"exo-a5000": 1.1, "di-l40s": 1.9, "bt-h100": 6.5}

    assert fixed_replicas(chat, prices, 0.0) == {"exo-a5000": 0, "di-l40s": 0, "bt-h100": 0}
    assert fixed_replicas(chat, prices, 12.8) == {"exo-a5000": 1, "di-l40s": 0, "bt-h100": 0}  # 16 at 0.8
    # 93.75 at once for 7.10 USD/h; five and one are 7.40, and there are no six.
    assert fixed_replicas(chat, prices, 75.0) == {"exo-a5000": 3, "di-l40s": 2, "bt-h100": 0}
    assert fixed_replicas(chat, prices, 1e6) == {
        "exo-a5000": 5,
        "di-l40s": 4,
        "bt-h100": 2,
    }  # no more can be had


def test_work_that_blocks_the_loop_counts_no_more_than_a_simulated_second() -> None:
    async def run() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        started = loop.time()
        time.sleep(0.1)  # noqa: ASYNC251 - this is the stall
        await asyncio.to_thread(time.sleep, 0.1)
        stalled = loop.time() - started
        started = loop.time()
        await asyncio.sleep(0.05)
        return stalled, loop.time() - started

    with asyncio.Runner(loop_factory=lambda: PatientLoop(100.0)) as runner:
        stalled, slept = runner.run(run())

    assert stalled < 0.09  # a few rounds of 1 s at speed 100
    assert slept == pytest.approx(0.05, abs=0.02)


def test_the_view_fits_every_usual_terminal(tmp_path: Path) -> None:
    on, _ = played(tmp_path, for_s=2.0)
    for number in range(80):
        on.tally.event(on.starts_at, f"event {number} " + "that has a lot to tell " * 20)

    for width, height in ((80, 24), (100, 30), (200, 60)):
        console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True)
        shown = console.render_lines(draw(on, tmp_path, width, height), console.options)
        text = "\n".join("".join(segment.text for segment in line) for line in shown)
        assert len(shown) <= height
        assert "exo-rtx3080ti" in text
        assert on.url in text
        assert "event 79 that" in text
        assert all(sum(segment.cell_length for segment in line) <= width for line in shown)


def test_the_command_that_is_shown_is_one_that_works_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [".venv/bin/autoscaler", "demo"])
    assert words.ask(tmp_path).startswith(".venv/bin/autoscaler why chat ")

    (tmp_path / "autoscaler").touch(mode=0o755)
    assert words.ask(tmp_path).startswith("autoscaler why chat ")


def test_the_summary_fits_eighty_columns(tmp_path: Path) -> None:
    on, _ = played(tmp_path, for_s=1.0)

    assert max(len(line) for line in words.closing(summarise(on))) <= 80


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.99999, "99.9 %"), (1.0, "100.0 %"), (0.0, "0.0 %"), (-0.101, "-10.1 %"), (None, "-")],
)
def test_a_share_below_one_is_never_told_as_a_hundred(share: float | None, text: str) -> None:
    assert words.percent(share, 1) == text


def test_the_spark_line_shows_the_last_values_and_never_more_than_its_width() -> None:
    assert spark([0, 0], 8) == "▁▁"
    assert spark(range(100), 4)[-1] == "█"
    assert len(spark(range(100), 4)) == 4
    assert spark([], 4) == ""
