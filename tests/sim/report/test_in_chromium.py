"""The page in a real browser: every plot is drawn, the pointer works, and nobody is asked for anything."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from autoscaler.sim.report.page import page
from autoscaler.sim.result import RunResult
from tests.sim.report.browser import FLAGS, Tab, a_browser, a_tab, chromium
from tests.sim.report.samples import AT, a_comparison, a_run, a_series, recorded
from tests.sim.report.test_page import HOSTILE, hostile_runs

DUMP_S_MAX: Final = 60.0
LEFT, RIGHT = 46, 10  # the plots' margins

pytestmark = pytest.mark.timeout(240)  # the first test may have to install Chromium


class Drawn(HTMLParser):
    """The page as Chromium left it: the plots, and what the script noted on the root element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.root: dict[str, str | None] = {}
        self.plots: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        if tag == "html":
            self.root = values
        if values.get("class") == "plot":
            self.plots.append(values)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with a_browser(tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest_asyncio.fixture
async def tab(browser: str) -> AsyncIterator[Tab]:
    """A tab of 1200 by 900 CSS pixels."""
    async with a_tab(browser) as one:
        await one.looks(width=1200, height=900)
        yield one


async def open_page(tab: Tab, folder: Path, html: str) -> str:
    """Open it from a file; gives the address."""
    file = folder / "report.html"
    file.write_text(html, encoding="utf-8")
    await tab.open(file.as_uri())
    return file.as_uri()


async def drawn_by(tab: Tab, folder: Path, html: str) -> Drawn:
    """The page as it stands after its script ran."""
    await open_page(tab, folder, html)
    return Drawn(await tab.value("document.documentElement.outerHTML"))


def small() -> list[RunResult]:
    """100 ticks from Monday midnight: demand is the tick, two deployments, each reason in turn."""
    ticks = 100
    told = ["hold", "queue_depth"] * (ticks // 2)
    series = a_series(
        list(range(ticks)), {"a5000": [2] * ticks, "l40s": [1] * ticks}, late=[1] * ticks, reasons=told
    )
    return [a_run("new", recorded(series)), a_run("old", recorded(series))]


def one_of(demand: list[int]) -> RunResult:
    return a_run("new", recorded(a_series(demand, {"a": [1] * len(demand)})))


async def texts(tab: Tab, selector: str) -> list[str]:
    found: list[str] = await tab.value(
        f"Array.from(document.querySelectorAll({json.dumps(selector)}), (one) => one.textContent)"
    )
    return found


async def where(tab: Tab, plot: int, share: float) -> tuple[float, float]:
    """The point at a share of a plot's span of time, scrolled into view."""
    left, top, width, height = await tab.value(
        f"(() => {{ const svg = document.querySelectorAll('svg.plot')[{plot}];"
        "svg.scrollIntoView({block: 'center'}); const box = svg.getBoundingClientRect();"
        "return [box.left, box.top, box.width, box.height]; })()"
    )
    return left + LEFT + share * (width - LEFT - RIGHT), top + height / 2


async def drag(tab: Tab, plot: int, begin: float, end: float) -> None:
    x, y = await where(tab, plot, begin)
    await tab.mouse("mouseMoved", x, y)
    await tab.mouse("mousePressed", x, y, clicks=1)
    x, y = await where(tab, plot, end)
    await tab.mouse("mouseMoved", x, y)
    await tab.mouse("mouseReleased", x, y, clicks=1)


# --- drawing ------------------------------------------------------------------------------------


def test_every_plot_is_drawn_and_no_script_fails(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page(a_comparison(2000, ("chat", "code")), "Two services"), encoding="utf-8")
    command = [chromium(), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri()]

    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DUMP_S_MAX, check=True
    )

    drawn = Drawn(done.stdout)

    assert "data-error" not in drawn.root
    # The total; per service cost and late requests, and for each of the two runs shown the four of its own.
    assert len(drawn.plots) == 1 + 2 * (2 + 2 * 4)
    assert drawn.root["data-plots"] == str(len(drawn.plots))
    lines = [int(plot["data-drawn"] or 0) for plot in drawn.plots]
    assert lines[0] == 5  # a line of cost for each run
    assert lines[1:11] == [5, 5, 4, 1, 6, 4, 4, 1, 6, 4]
    assert lines[11:] == lines[1:11]


async def test_every_plot_says_in_words_what_it_shows(tab: Tab, tmp_path: Path) -> None:
    drawn = await drawn_by(tab, tmp_path, page(small(), "Small"))
    words = [plot["aria-label"] or "" for plot in drawn.plots]

    assert words[0] == "Cost since the start, USD, chat: new 1.00; old 1.00"
    assert words[1] == "Late requests since the start, requests, chat: new 100; old 100"
    assert words[2].startswith(
        "Demand against capacity, requests at once, chat in new: ready + starting max 48"
    )
    assert "queue_depth 50.0 %" in words[5]


@pytest.mark.parametrize("ticks", [1, 2, 3])
async def test_a_run_of_a_few_ticks_is_drawn_as_well(tab: Tab, tmp_path: Path, ticks: int) -> None:
    drawn = await drawn_by(
        tab, tmp_path, page([a_run("new", recorded(a_series([5] * ticks, {"a": [1] * ticks})))], "Few")
    )

    assert "data-error" not in drawn.root
    assert [plot["data-drawn"] for plot in drawn.plots] == ["1", "1", "4", "1", "2", "1"]
    assert not any(re.search("NaN|Infinity|undefined", str(plot)) for plot in drawn.plots)


async def test_a_name_is_shown_and_never_run(tab: Tab, tmp_path: Path) -> None:
    drawn = await drawn_by(tab, tmp_path, page(hostile_runs(), HOSTILE))

    assert "data-error" not in drawn.root
    assert "data-pwned" not in drawn.root
    assert "img" not in drawn.tags
    assert len(drawn.plots) == 1 + 2 * (2 + 2 * 4)


async def test_what_fails_in_the_page_is_told_in_the_page(tab: Tab, tmp_path: Path) -> None:
    broken = page(small(), "Small").replace('"kind":"config","services":[', '"kind":"config","service":[')

    drawn = await drawn_by(tab, tmp_path, broken)

    assert "services" in (drawn.root["data-error"] or "")
    assert drawn.tags.count("p") == 1 + Drawn(broken).tags.count("p")


# --- in use -------------------------------------------------------------------------------------


async def test_pointing_at_one_plot_reads_all_of_them_at_that_moment(tab: Tab, tmp_path: Path) -> None:
    await open_page(tab, tmp_path, page(small(), "Small"))

    x, y = await where(tab, 2, 0.405)  # the bucket of tick 40
    await tab.mouse("mouseMoved", x, y)

    assert await texts(tab, "#when") == ["2026-11-23 00:10:00 UTC"]
    values = await texts(tab, "figure b")
    assert values[:4] == ["0.41", "0.41", "41", "41"]
    assert values[4:8] == ["48", "48", "40", "0"]
    assert values[8:10] == ["2 of 2", "1 of 1"]
    assert values[10:12] == ["100.0 %", "0.0 %"] or values[10:12] == ["100 %", "0.0 %"]
    lines: list[str] = await tab.value(
        "Array.from(document.querySelectorAll('.cursor'), (one) => one.getAttribute('d'))"
    )
    assert len(lines) == 10
    assert all(lines)


async def test_one_tick_of_many_is_seen_and_read_as_the_highest_of_its_point(
    tab: Tab, tmp_path: Path
) -> None:
    demand = [3] * 3000
    demand[1201] = 999
    await open_page(tab, tmp_path, page([one_of(demand)], "Spike"))
    assert "demand (running + waiting)max 999" in await texts(tab, ".legend li")

    x, y = await where(tab, 2, 600.5 / 1500)
    await tab.mouse("mouseMoved", x, y)

    assert "demand (running + waiting)3–999" in await texts(tab, ".legend li")


async def test_dragging_shows_that_span_in_all_plots_and_a_double_click_the_whole(
    tab: Tab, tmp_path: Path
) -> None:
    await open_page(tab, tmp_path, page(small(), "Small"))
    whole = await texts(tab, "#when")
    before: list[str] = await tab.value(
        "Array.from(document.querySelectorAll('.plot'), (one) => one.innerHTML)"
    )

    await drag(tab, 3, 0.205, 0.395)
    await tab.mouse("mouseMoved", 1, 1)

    assert whole == ["2026-11-23 00:00:00 to 2026-11-23 00:25:00 UTC"]
    assert await texts(tab, "#when") == ["2026-11-23 00:05:00 to 2026-11-23 00:10:00 UTC"]
    after: list[str] = await tab.value(
        "Array.from(document.querySelectorAll('.plot'), (one) => one.innerHTML)"
    )
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert "demand (running + waiting)max 39" in await texts(tab, ".legend li")

    x, y = await where(tab, 0, 0.5)
    for clicks in (1, 2):
        await tab.mouse("mousePressed", x, y, clicks=clicks)
        await tab.mouse("mouseReleased", x, y, clicks=clicks)
    await tab.mouse("mouseMoved", 1, 1)

    assert await texts(tab, "#when") == whole


async def test_the_runs_shown_can_be_chosen(tab: Tab, tmp_path: Path) -> None:
    await open_page(tab, tmp_path, page(a_comparison(400), "Five runs"))
    assert await texts(tab, "h3") == ["candidate-policy", "config.example"]

    await tab.value("document.querySelectorAll('#runs input')[4].click()")
    await tab.value("document.querySelectorAll('#runs input')[0].click()")

    assert await texts(tab, "h3") == ["config.example", "clairvoyant"]
    assert await tab.value("document.querySelectorAll('.plot[data-drawn]').length") == 2 + 2 * 4


async def test_of_a_large_fleet_a_service_is_drawn_when_it_is_opened(tab: Tab, tmp_path: Path) -> None:
    series = a_series([1, 2, 3], {"a": [1, 1, 1]})
    run = a_run("new", *(recorded(series, f"service-{at}") for at in range(9)))
    await open_page(tab, tmp_path, page([run], "Fleet"))
    assert await tab.value("document.querySelectorAll('.plot').length") == 1  # the total

    await tab.value("document.querySelectorAll('.service summary')[4].click()")
    await tab.value("new Promise((done) => setTimeout(done, 100))")

    assert await tab.value("document.querySelectorAll('.plot[data-drawn]').length") == 1 + 6
    assert (await texts(tab, ".service[open] h2")) == ["service-4"]


async def test_the_keyboard_moves_the_cursor_and_the_span(tab: Tab, tmp_path: Path) -> None:
    await open_page(tab, tmp_path, page(small(), "Small"))
    await tab.value("document.querySelectorAll('.plot')[2].focus()")

    await tab.key("ArrowRight")
    assert await texts(tab, "#when") == ["2026-11-23 00:12:45 UTC"]
    await tab.key("+")
    assert await texts(tab, "#when") == ["2026-11-23 00:06:30 to 2026-11-23 00:19:00 UTC"]
    await tab.key("Escape")
    assert await texts(tab, "#when") == ["2026-11-23 00:00:00 to 2026-11-23 00:25:00 UTC"]


@pytest.mark.parametrize("width", [1200, 700, 390, 320])
async def test_nothing_is_wider_than_the_screen(tab: Tab, tmp_path: Path, width: int) -> None:
    await tab.looks(width=width, height=800)
    await open_page(tab, tmp_path, page([*hostile_runs(), *a_comparison(400)], "w" * 200))

    assert await tab.value("document.documentElement.scrollWidth") == width
    cut: list[Any] = await tab.value(
        "Array.from(document.querySelectorAll('.plot text')).filter((text) => {"
        "const a = text.getBoundingClientRect(), b = text.ownerSVGElement.getBoundingClientRect();"
        "return a.left < b.left - 0.5 || a.right > b.right + 0.5; }).map((text) => text.textContent)"
    )
    assert cut == []


# --- nobody is asked ----------------------------------------------------------------------------


async def test_the_page_asks_nobody_for_anything(tab: Tab, tmp_path: Path) -> None:
    address = await open_page(tab, tmp_path, page(a_comparison(400), "Alone"))
    await drag(tab, 2, 0.2, 0.6)

    assert [url for url in tab.requests if url != "data:,"] == [address]
    assert await tab.value("document.documentElement.dataset.error") is None


async def test_what_would_ask_somebody_is_stopped_and_told(tab: Tab, tmp_path: Path) -> None:
    planted = page(small(), "Small").replace("</body>", '<img src="http://127.0.0.1:9/pixel.png"></body>')

    await open_page(tab, tmp_path, planted)

    assert (
        await tab.value("document.documentElement.dataset.error")
        == "http://127.0.0.1:9/pixel.png was blocked"
    )


async def test_a_request_would_have_been_seen(tab: Tab, tmp_path: Path) -> None:
    await open_page(tab, tmp_path, '<!doctype html><img src="http://127.0.0.1:9/pixel.png">')

    assert "http://127.0.0.1:9/pixel.png" in tab.requests


def test_the_sample_begins_on_a_monday_at_midnight() -> None:
    assert AT % 604_800 == 4 * 86_400
