"""The filter: a line in, a line out, whatever the line is."""

from __future__ import annotations

import io
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.cli.commands import decide as decide_module
from autoscaler.cli.commands.decide import Decider, filter_lines
from autoscaler.core.codec import instant_text, line_of_plan, memory_to_json, snapshot_to_json
from autoscaler.core.decide import step
from autoscaler.core.memory import Memory
from tests.cli.support import command, environment, invoke, run, write_config
from tests.core.fleets import START, a_fleet, a_snapshot

FLEET = a_fleet(interval_s=15.0)


def a_line(at: float = 0.0, running: float = 60.0, **more: Any) -> dict[str, Any]:
    return {**snapshot_to_json(a_snapshot(at, 3.0, running)), **more}


def answers(*lines: object, warnings: list[str] | None = None) -> list[dict[str, Any]]:
    """What the filter answers to these lines: bytes as they are, anything else as JSON."""
    told: list[str] = [] if warnings is None else warnings
    raw = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines]
    out = io.BytesIO()
    filter_lines(Decider(FLEET, told.append), io.BytesIO(b"".join(one + b"\n" for one in raw)), out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


# --- plans --------------------------------------------------------------------------------------


def test_a_line_is_answered_with_the_plan_of_the_decision_function() -> None:
    memory = Memory()
    expected = []
    for at, running in ((0.0, 60.0), (15.0, 90.0), (30.0, 10.0)):
        plan, memory = step(memory, a_snapshot(at, 3.0, running), FLEET)
        expected.append(line_of_plan(plan))

    assert answers(a_line(0, 60), a_line(15, 90), a_line(30, 10)) == expected


def test_the_output_has_the_published_keys_in_their_order() -> None:
    (answer,) = answers(a_line())

    assert list(answer) == ["at", "decisions"]
    assert list(answer["decisions"][0]) == [
        *("service", "deployment", "replicas_from", "replicas_to", "reason", "why"),
    ]


def test_unknown_keys_services_and_deployments_are_ignored() -> None:
    line = a_line()
    strange = {
        **line,
        "colour": "blue",
        "signals": {**line["signals"], "nobody": {"queued": {"value": 1, "at": line["at"]}}},
        "deployments": {**line["deployments"], "nobody/x": {"replicas_set": 3, "hue": 1}},
    }

    assert answers(strange) == answers(line)


def test_two_lines_of_the_same_instant_are_both_decided() -> None:
    assert all("decisions" in one for one in answers(a_line(0), a_line(0)))


# --- lines that cannot be used ------------------------------------------------------------------

BAD_LINES = [
    b"",
    b"   ",
    b"{",
    b"not json",
    b"[]",
    b"null",
    b"3",
    b'"text"',
    b"{}",
    b'{"at": NaN}',
    b'{"at": Infinity}',
    b'{"at": 5}',
    b'{"at": true}',
    b'{"at": "2026-11-21T12:00:30"}',
    b'{"at": "yesterday"}',
    b'{"at": "2026-11-21T12:00:30Z", "at": "2026-11-21T12:00:31Z"}',
    b'{"at": "9999-12-31T23:59:59-14:00"}',
    b'{"at": "0001-01-01T00:00:00+14:00"}',
    b"\xff\xfe",
    b'{"at": "2026-11-21T12:00:30Z", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"at": "2026-11-21T12:00:30Z", "x": ' + b"9" * 5000 + b"}",
    *(
        b'{"at": "2026-11-21T12:00:30Z", "signals": {"chat": {"queued": {"value": %s, '
        b'"at": "2026-11-21T12:00:30Z"}}}}' % value
        for value in (b"-1", b"true", b"1e999", b"NaN", b"-Infinity", b'"3"', b"null")
    ),
    b'{"at": "2026-11-21T12:00:30Z", "signals": {"chat": {"queued": 3}}}',
    b'{"at": "2026-11-21T12:00:30Z", "deployments": {"chat/a": {"replicas_set": -1}}}',
    b'{"at": "2026-11-21T12:00:30Z", "deployments": {"chat/a": {"replicas_set": 1.5}}}',
    b'{"at": "2026-11-21T12:00:30Z", "deployments": {"chat/a": {"range": [3, 1]}}}',
    b'{"at": "2026-11-21T12:00:30Z", "deployments": {"chat/a": {"replicas_set": 1, "replicas_set": 2}}}',
    b'{"at": "2026-11-21T12:00:30Z", "deployments": []}',
    b'{"at": "2026-11-21T12:00:30Z", "human": []}',
    b'{"at": "2026-11-21T12:00:30Z", "outcomes": [{"outcome": "odd"}]}',
    b'{"at": "2026-11-21T11:59:59Z"}',  # before the line before it
]


@pytest.mark.parametrize("bad", BAD_LINES, ids=lambda bad: repr(bad[:60]))
def test_a_bad_line_gets_an_error_in_its_place_and_changes_nothing(bad: bytes) -> None:
    warnings: list[str] = []
    good = answers(a_line(0), a_line(15), a_line(30, 10))
    with_bad = answers(a_line(0), a_line(15), bad, a_line(30, 10), warnings=warnings)

    assert list(with_bad[2]) == ["error"]
    assert with_bad[2]["error"]
    assert [*with_bad[:2], with_bad[3]] == good
    assert [text for text in warnings if "report" in text] == []


@given(st.binary(max_size=60))
def test_any_bytes_are_answered_with_one_line(raw: bytes) -> None:
    line = raw.replace(b"\n", b" ")
    found = answers(line, a_line())

    assert len(found) == 2
    assert list(found[0]) in (["error"], ["at", "decisions"])
    assert found[1] == answers(a_line())[0]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.just("2026-11-21T12:00:00Z"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "chat",
                    "queued",
                    "value",
                    "at",
                    "chat/a",
                    "replicas_set",
                    "range",
                    "memory",
                    "version",
                    "absent",
                    "pauses",
                    "overrides",
                    "error",
                    "phase",
                    "until",
                    "exo/gpua5000",
                    "usd_per_gpu_hour",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["signals", "deployments", "prices", "human", "outcomes", "clock", "memory", "config"]
        ),
        JSON,
        max_size=4,
    )
)
def test_any_json_is_answered_without_a_fault_of_ours(body: dict[str, Any]) -> None:
    warnings: list[str] = []
    found = answers({"at": instant_text(START), **body}, warnings=warnings)

    assert len(found) == 1
    assert [text for text in warnings if "report" in text] == []


def test_a_line_that_is_too_long_is_skipped_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide_module, "LINE_BYTES_MAX", 2000)
    found = answers(b"x" * 9000, a_line())

    assert list(found[0]) == ["error"]
    assert "decisions" in found[1]


def test_odd_characters_come_back_as_ascii() -> None:
    line = json.dumps(a_line()).encode().replace(b'"chat/a"', b'"chat/\\ud800"')
    out = io.BytesIO()
    filter_lines(Decider(FLEET, print), io.BytesIO(line + b"\n"), out)

    assert out.getvalue().isascii()


# --- memory on the first line -------------------------------------------------------------------


def test_the_first_line_may_bring_the_memory() -> None:
    memory = Memory()
    plans = []
    for index in range(4):
        before = memory
        plan, memory = step(memory, a_snapshot(15.0 * index, 3.0, 60.0 - 15 * index), FLEET)
        plans.append((before, line_of_plan(plan)))
    carried = a_line(30, 30, memory=memory_to_json(plans[2][0]), config=FLEET.config_hash)

    assert answers(carried, a_line(45, 15)) == [plans[2][1], plans[3][1]]


def test_memory_on_a_later_line_is_ignored_as_any_unknown_key() -> None:
    later = a_line(15, memory={"version": 99})

    assert answers(a_line(0), later) == answers(a_line(0), a_line(15))


@pytest.mark.parametrize(
    "memory", [{}, {"version": 2}, [], 3, {"version": 1, "services": 5}, {"version": 1, "at": "x"}]
)
def test_a_memory_that_cannot_be_read_is_an_error_of_that_line(memory: object) -> None:
    found = answers(a_line(0, memory=memory), a_line(15))

    assert list(found[0]) == ["error"]
    assert found[1] == answers(a_line(15))[0]


def test_a_first_line_from_before_its_memory_goes_back() -> None:
    _, memory = step(Memory(), a_snapshot(100.0), FLEET)
    (found,) = answers(a_line(0, memory=memory_to_json(memory)))

    assert "goes back" in found["error"]


def test_lines_of_another_configuration_are_decided_with_a_warning() -> None:
    warnings: list[str] = []
    found = answers(a_line(0, config="abc123"), warnings=warnings)

    assert "decisions" in found[0]
    assert len(warnings) == 1
    assert "abc123" in warnings[0]


# --- gaps ---------------------------------------------------------------------------------------


def test_three_gaps_in_a_row_warn_once() -> None:
    warnings: list[str] = []
    answers(*(a_line(at) for at in (0, 130, 260, 390, 520)), warnings=warnings)

    assert len(warnings) == 1
    assert "interval_s" in warnings[0]


def test_two_gaps_and_lines_at_the_limit_do_not_warn() -> None:
    warnings: list[str] = []
    answers(*(a_line(at) for at in (0, 120, 240, 360, 500, 640, 655, 800, 940)), warnings=warnings)

    assert warnings == []


# --- as a program -------------------------------------------------------------------------------


def test_each_answer_comes_before_the_next_line_is_written(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("decide", "--config", write_config(tmp_path)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for second in (0, 15):
            line = {
                "at": instant_text(START + second),
                "deployments": {"chat/exo-a5000": {"replicas_set": 2}},
            }
            process.stdin.write(json.dumps(line).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert answer["at"] == line["at"]
            assert answer["decisions"][0]["deployment"] == "exo-a5000"
        process.stdin.close()
        assert process.wait(timeout=10) == 0


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    lines = "".join(json.dumps(a_line(second)) + "\n" for second in range(3000))
    process = subprocess.Popen(
        command("decide", "--config", write_config(tmp_path)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(lines[: lines.index("\n") + 1].encode())
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        try:
            process.stdin.write(lines.encode())
            process.stdin.close()
        except BrokenPipeError:
            pass
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == b""


def test_no_secret_is_needed_and_none_is_read(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(
        path.read_text().replace('api_secret = "emulator-secret-not-real"', 'api_secret_file = "/nowhere"')
    )
    done = invoke("decide", "--config", path, given=json.dumps(a_line()) + "\n")

    assert done.exit_code == 0
    assert "decisions" in json.loads(done.stdout)


def test_a_bad_configuration_ends_with_status_2_and_nothing_on_standard_output(tmp_path: Path) -> None:
    done = run("decide", "--config", write_config(tmp_path, more="\n[nonsense]\nx = 1\n"), given="{}\n")

    assert done.returncode == 2
    assert done.stdout == ""
    assert "nonsense" in done.stderr


def test_reading_and_writing_lines_is_a_small_part_of_the_work() -> None:
    raw = json.dumps(a_line()).encode() + b"\n"
    started = time.perf_counter()
    for _ in range(300):
        decide_module.parse_line(raw)
    parse_s = (time.perf_counter() - started) / 300
    decider = Decider(FLEET, print)
    lines = [json.dumps(a_line(15.0 * index)).encode() for index in range(300)]
    started = time.perf_counter()
    for line in lines:
        decider.answer(line)
    whole_s = (time.perf_counter() - started) / 300

    assert parse_s < 0.3 * whole_s
