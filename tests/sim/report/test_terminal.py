"""The table in the terminal: complete, aligned, and honest about what was broken or is not known."""

from __future__ import annotations

import pytest

from autoscaler.cli.terminal.simulation import print_simulation
from autoscaler.sim.report.figures import compare
from autoscaler.sim.report.table import on_time_percent
from autoscaler.sim.result import RunResult
from tests.sim.report.samples import a_run, a_service

IDEAL = a_run("clairvoyant", a_service(usd=8.0), kind="clairvoyant")


class Terminal:
    """Prints results and gives the lines, as at a pipe or at a screen of so many columns."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def lines(self, *runs: RunResult, columns: int | None = None) -> list[str]:
        if columns is not None:
            self._monkeypatch.setattr("sys.stdout.isatty", lambda: True)
            self._monkeypatch.setenv("COLUMNS", str(columns))
            self._monkeypatch.setenv("TERM", "dumb")
        print_simulation(runs)
        return self._capsys.readouterr().out.splitlines()


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(capsys, monkeypatch)


def row(lines: list[str], name: str) -> str:
    return next(line for line in lines if line.startswith(f"{name} "))


def test_a_row_has_every_figure_of_the_run(terminal: Terminal) -> None:
    lines = terminal.lines(a_run(), IDEAL)

    assert row(lines, "new").split() == [
        "new",
        "12.00",
        "10.0",
        "98.00",
        "0.0",
        "4.5",
        "12.2",
        "4.00",
        "1.50",
    ]
    assert row(lines, "clairvoyant").split()[-1] == "1.00"


def test_each_number_stands_right_aligned_under_its_head_and_unit(terminal: Terminal) -> None:
    lines = terminal.lines(a_run("a", a_service(usd=12_345.678)), IDEAL)
    head = next(at for at, line in enumerate(lines) if line.startswith("run"))

    ends = [lines[head].index(unit) + len(unit) for unit in ("USD", "hours", "%", "per h", "ideal")]
    assert all(
        lines[at][end - 1].isdigit() and not lines[at][end : end + 1].strip()
        for at in (head + 2, head + 3)
        for end in ends
    )
    assert "12,345.68" in row(lines, "a")


def test_a_run_that_broke_promises_is_marked_and_listed(terminal: Terminal) -> None:
    lines = terminal.lines(a_run("new", violations={"7": 2, "5": 1}), a_run("old"))

    assert row(lines, "new").startswith("new ! ")
    assert "!" not in row(lines, "old")
    told = next(line for line in lines if line.startswith("! new broke promise 7"))
    assert "no decrease lowers capacity, or serving capacity, below need), 2 times; promise 5" in told
    assert told.endswith("once.")


def test_notes_are_told_once_with_the_runs_they_are_about(terminal: Terminal) -> None:
    lines = terminal.lines(
        a_run("a", notes=("Slow.", "Same.")),
        a_run("b", notes=("Slow.", "Same.")),
        a_run("c", notes=("Same.",)),
    )

    assert lines.count("a, b: Slow.") == 1
    assert lines.count("All runs: Same.") == 1


def test_several_services_have_the_totals_first_and_then_a_table_each(terminal: Terminal) -> None:
    services = a_service("chat", usd=1.25), a_service("code", usd=2.5)
    lines = terminal.lines(a_run("new", *services))

    costs = [line.split()[1] for line in lines if line.startswith("new ")]
    assert costs == ["3.75", "1.25", "2.50"]
    assert [line for line in lines if line in ("All services:", "chat:", "code:")] == [
        "All services:",
        "chat:",
        "code:",
    ]
    assert any("the service that waits longest" in line for line in lines)


def test_one_service_has_one_table(terminal: Terminal) -> None:
    assert sum(line.startswith("new ") for line in terminal.lines(a_run())) == 1


def test_what_is_not_known_is_no_number(terminal: Terminal) -> None:
    silent = a_service(requests=0, late=0, p50_s=None, p95_s=None, p99_s=None)

    assert row(terminal.lines(a_run("new", silent)), "new").split()[3:] == ["?", "?", "?", "?", "4.00", "-"]


def test_the_bound_has_a_column_where_it_is_known(terminal: Terminal) -> None:
    told = a_run("clairvoyant", a_service(usd=8.0), kind="clairvoyant", usd_lower_bound=6.0)
    lines = terminal.lines(a_run(), told)

    assert row(lines, "new").split()[-2:] == ["1.50", "2.00"]
    assert any("the bound of 6.00 USD" in line for line in lines)
    assert not any("bound" in line for line in terminal.lines(a_run(), IDEAL))


@pytest.mark.parametrize(
    ("requests", "late", "text"),
    [
        (100, 0, "100.00"),
        (1_000_000, 1, "99.99"),
        (10_000, 1, "99.99"),
        (10_000, 57, "99.43"),
        (3, 1, "66.66"),
        (7, 7, "0.00"),
        (0, 0, "?"),
    ],
)
def test_a_late_request_is_never_rounded_away(requests: int, late: int, text: str) -> None:
    (one,) = compare([a_run("new", a_service(requests=requests, late=late))])

    assert on_time_percent(one) == text


def test_a_believable_table_fits_into_80_columns(terminal: Terminal) -> None:
    big = a_service(usd=1234.56, gpu_hours=987.6, p50_s=0.4, p95_s=12.5, p99_s=123.4)
    best = a_service(usd=1000.0, gpu_hours=800.0)
    ideal = a_run("clairvoyant", best, kind="clairvoyant", usd_lower_bound=900.0)  # which adds a column
    lines = terminal.lines(a_run("candidate", big, violations={"7": 2}), ideal, columns=80)
    table = [line for line in lines if line.startswith(("candidate", "run", "clairvoyant"))]

    assert len(table) == 3
    assert max(map(len, table)) <= 80
    assert row(lines, "candidate").split()[-2:] == ["1.23", "1.37"]


def test_in_a_narrow_terminal_a_long_name_folds_and_no_figure_is_lost(terminal: Terminal) -> None:
    name = "a-configuration-with-a-name-longer-than-any-column"
    big = a_service(usd=1_234_567.89, gpu_hours=987_654.3, p50_s=1000.5, p95_s=20_000.5, p99_s=300_000.5)
    lines = terminal.lines(a_run(name, big), IDEAL, columns=80)
    start = next(at for at, line in enumerate(lines) if line.startswith("─"))
    table = lines[start + 1 : next(at for at, line in enumerate(lines) if at > start and not line)]

    words = {word for line in table for word in line.split()}
    assert {"1,234,568", "987,654", "98.00", "1,000.5", "20,000", "300,000", "4.00", "154,321"} <= words
    assert "".join(line.split()[0] for line in table) == f"{name}clairvoyant"


def test_at_a_pipe_nothing_is_cut(terminal: Terminal) -> None:
    name = "n" * 300

    assert any(line.startswith(f"{name} ") for line in terminal.lines(a_run(name), IDEAL))


def test_a_name_cannot_steer_the_terminal(terminal: Terminal) -> None:
    out = "\n".join(terminal.lines(a_run("new\x1b[31m", notes=("\x1b]0;x\x07",), violations={"1": 1})))

    assert "\x1b" not in out
    assert "\x07" not in out


def test_the_first_line_says_what_was_played(terminal: Terminal) -> None:
    run = a_run("new", a_service("chat", requests=12_345), length_s=604_800.0)

    assert terminal.lines(run)[0] == (
        "7 d from 2026-11-23 00:00:00 UTC, 12,345 requests, a decision every 15 s. Promised wait: chat 10 s."
    )
