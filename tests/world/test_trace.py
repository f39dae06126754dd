"""Traces are read strictly, row by row, whatever their size."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.world.trace import Row, TraceError, read_trace

GOOD = "t_s,requests,prompt_tokens,output_tokens\r\n0,3,300,30\r\n60,0,,\r\n120,5,500,50\r\n"


def trace(tmp_path: Path, text: str | bytes, name: str = "trace.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_trace_is_read_with_crlf_gzip_and_missing_tokens(tmp_path: Path) -> None:
    expected = [
        Row(0, 60, 3, 300, 30),
        Row(60, 60, 0, None, None),
        Row(120, 60, 5, 500, 50),
    ]
    assert list(read_trace(trace(tmp_path, GOOD))) == expected
    assert list(read_trace(trace(tmp_path, gzip.compress(GOOD.encode()), "t.csv.gz"))) == expected
    assert list(read_trace(trace(tmp_path, "\ufeffrequests,t_s\n1,0\n2,10\n"))) == [
        Row(0, 10, 1),
        Row(10, 10, 2),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: empty"),
        ("t_s,requests\n0,1\n", "line 2: at least two rows"),
        ("t_s,requests\n", "line 1: at least two rows"),
        ("time,requests\n0,1\n60,1\n", "line 1: columns 'time,requests'"),
        ("t_s,requests,prompt_tokens\n0,1,1\n60,1,1\n", "line 1: columns"),
        ("t_s,requests,requests\n0,1,1\n60,1,1\n", "line 1: columns"),
        ("t_s,requests\n0,1\n60,1\n180,1\n", "line 4: t_s is 180 after 60"),
        ("t_s,requests\n0,1\n60,1\n30,1\n", "line 4: t_s is 30 after 60"),
        ("t_s,requests\n60,1\n0,1\n", "line 3: t_s is 0 after 60"),
        ("t_s,requests\n0,1\n0,1\n", "line 3: t_s is 0 after 0"),
        ("t_s,requests\n0,1\n60,-1\n", "line 3: requests is '-1'"),
        ("t_s,requests\n0,1\n60,nan\n", "line 3: requests is 'nan'"),
        ("t_s,requests\n0,1\n60,inf\n", "line 3: requests is 'inf'"),
        ("t_s,requests\n0,1\n60,\n", "line 3: requests is ''"),
        ("t_s,requests\n0,1\n60,many\n", "line 3: requests is 'many'"),
        ("t_s,requests\n0,1\n60\n", "line 3: 1 values for 2 columns"),
        ("t_s,requests\n0,1\n60,1,2\n", "line 3: 3 values for 2 columns"),
    ],
)
def test_a_bad_trace_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(TraceError, match=r"trace\.csv") as caught:
        list(read_trace(trace(tmp_path, text)))
    assert says in str(caught.value)


@pytest.mark.parametrize("content", [b"not gzip", gzip.compress(GOOD.encode())[:-12]])
def test_a_broken_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(TraceError, match="not readable"):
        list(read_trace(trace(tmp_path, content, "t.csv.gz")))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="not readable"):
        list(read_trace(trace(tmp_path, b"t_s,requests\n0,\xff\n")))


def test_a_trace_is_streamed_and_an_error_comes_only_where_it_stands(tmp_path: Path) -> None:
    rows = read_trace(trace(tmp_path, "t_s,requests\n0,1\n60,1\n120,x\n"))
    assert next(rows).t_s == 0
    with pytest.raises(TraceError):
        list(rows)


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=20), st.sampled_from([1, 10, 60, 0.5]))
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, counts: list[float], step_s: float
) -> None:
    text = "t_s,requests\n" + "".join(f"{i * step_s},{count!r}\n" for i, count in enumerate(counts))
    path = trace(tmp_path_factory.mktemp("trace"), text)
    assert [row.requests for row in read_trace(path)] == counts
    assert {row.step_s for row in read_trace(path)} == {step_s}


def test_lines_are_counted_as_an_editor_does_empty_ones_too(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"line 6: requests is 'x'"):
        list(read_trace(trace(tmp_path, "\r\nt_s,requests\r\n0,1\r\n\r\n60,1\r\n120,x\r\n")))


def test_a_line_without_end_is_refused_before_it_is_read(tmp_path: Path) -> None:
    text = b"t_s,requests\n0,1\n60,1\n120," + b"1" * 5000
    for content, name in ((text, "a.csv"), (gzip.compress(text), "a.csv.gz")):
        with pytest.raises(TraceError, match=r"line 4: begins with '120,111.* longer than 4096 characters"):
            list(read_trace(trace(tmp_path, content, name)))
    with (
        endless(tmp_path, (b"0," for _ in count())) as path,
        pytest.raises(TraceError, match="line 1: begins"),
    ):
        list(read_trace(path))


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(tmp_path: Path) -> None:
    rows = (b'%d,"1\n' % n if n == 2 else b"%d,1\n" % n for n in count())
    with endless(tmp_path, rows, b"t_s,requests\n") as path, pytest.raises(TraceError, match="field larger"):
        list(read_trace(path))


def test_a_broken_gzip_says_after_which_line(tmp_path: Path) -> None:
    text = "t_s,requests\n" + "".join(f"{n},{n % 7}\n" for n in range(100_000))
    content = gzip.compress(text.encode())
    path = trace(tmp_path, content[: len(content) // 2], "t.csv.gz")
    with pytest.raises(TraceError, match=r"t\.csv\.gz, after line [1-9]\d{3,}: not readable"):
        list(read_trace(path))


def test_a_number_is_a_number_as_other_programs_read_it(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"line 3: requests is '1_0'"):
        list(read_trace(trace(tmp_path, "t_s,requests\n0,1\n60,1_0\n")))


def test_a_length_ends_the_trace_after_so_many_seconds_from_its_first_row(tmp_path: Path) -> None:
    text = "t_s,requests\n" + "".join(f"{1000 + 10 * n},{n}\n" for n in range(20))
    path = trace(tmp_path, text)
    assert [row.t_s for row in read_trace(path, length_s=30.0)] == [1000.0, 1010.0, 1020.0]
    assert [row.t_s for row in read_trace(path, length_s=30.1)] == [1000.0, 1010.0, 1020.0, 1030.0]
    assert [row.t_s for row in read_trace(path, length_s=0.1)] == [1000.0]
    assert list(read_trace(path, length_s=1e9)) == list(read_trace(path))


def test_what_lies_behind_the_length_is_not_checked(tmp_path: Path) -> None:
    path = trace(tmp_path, "t_s,requests\n0,1\n60,1\n120,1\n180,1\n240,x\n")
    assert len(list(read_trace(path, length_s=120.0))) == 2


@pytest.mark.parametrize("length_s", [0.0, -1.0, float("nan")])
def test_an_impossible_length_is_refused_at_once(tmp_path: Path, length_s: float) -> None:
    with pytest.raises(ValueError, match="length_s is"):
        read_trace(tmp_path / "none.csv", length_s=length_s)


@contextmanager
def endless(tmp_path: Path, pieces: Iterator[bytes], first: bytes = b"") -> Iterator[Path]:
    """A pipe with a name, into which somebody writes until nobody reads any more."""
    path = tmp_path / f"pipe-{os.urandom(4).hex()}.csv"
    os.mkfifo(path)

    def write() -> None:
        try:
            with path.open("wb", buffering=0) as file:
                file.write(first)
                for piece in pieces:
                    file.write(piece)
        except BrokenPipeError:
            return

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    yield path
    writer.join(timeout=30.0)
    assert not writer.is_alive()


def test_a_trace_that_has_no_end_can_be_read_from(tmp_path: Path) -> None:
    written = count()
    rows = (b"%d,1\n" % next(written) for _ in count())
    with endless(tmp_path, rows, b"t_s,requests\n") as path:
        assert len(list(read_trace(path, length_s=5000.0))) == 5000
    # What was written beyond that is what the pipe and one buffer hold, 64 KiB and 8 KiB here.
    assert next(written) < 5000 + 200_000 / len(b"5000,1\n")


def test_a_row_is_there_before_the_one_after_the_next_is_written(tmp_path: Path) -> None:
    may_go_on = threading.Event()

    def rows() -> Iterator[bytes]:
        yield b"0,1\n10,2\n"
        assert may_go_on.wait(30.0)
        yield b"20,3\n"

    with endless(tmp_path, rows(), b"t_s,requests\n") as path:
        found = read_trace(path)
        assert next(found) == Row(0.0, 10.0, 1.0)
        may_go_on.set()
        assert [row.requests for row in found] == [2.0, 3.0]
