"""Logs are one JSON object per line, dated in UTC, and hold no secret in any field."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.daemon import logs

SECRET = "s3cr3t/with+odd=chars"


@pytest.fixture(autouse=True)
def clean_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    logs._secrets.clear()
    logs._known = None


def configured(style: Any = "json", level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(style, level, stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_object_with_message_facts_level_and_utc_time() -> None:
    stream = configured()
    structlog.stdlib.get_logger("autoscaler.x").warning("provider trouble began", provider="exo", errors=3)

    (line,) = lines(stream)
    assert (line["event"], line["provider"], line["errors"], line["level"]) == (
        "provider trouble began",
        "exo",
        3,
        "warning",
    )
    assert datetime.fromisoformat(line["at"]).utcoffset() == timedelta(0)


def test_a_registered_secret_is_in_no_field_at_any_depth() -> None:
    stream = configured()
    logs.register_secret(SECRET)
    structlog.get_logger().info(
        f"called with {SECRET}", url=f"http://h/?k={SECRET}", deep={"list": [{"a": (SECRET,)}]}, obj=Odd()
    )

    assert SECRET not in stream.getvalue()
    assert stream.getvalue().count(logs.REDACTED) == 4


class Odd:
    def __repr__(self) -> str:
        return f"Odd({SECRET})"


def test_a_secret_is_redacted_where_it_is_url_encoded_too() -> None:
    logs.register_secret(SECRET)

    assert logs.redact("k=s3cr3t%2Fwith%2Bodd%3Dchars;") == f"k={logs.REDACTED};"


def test_each_secret_of_a_text_is_hidden_however_often_it_comes() -> None:
    logs.register_secret(SECRET)
    logs.register_secret("another-secret")

    told = logs.redact(f"{SECRET}, another-secret and {SECRET}")

    assert told == f"{logs.REDACTED}, {logs.REDACTED} and {logs.REDACTED}"


def test_a_secret_that_starts_with_another_is_hidden_whole() -> None:
    logs.register_secret("abcd")
    logs.register_secret("abcdefgh")

    assert logs.redact("abcdefgh") == logs.REDACTED


def test_the_text_of_an_exception_is_redacted() -> None:
    stream = configured()
    logs.register_secret(SECRET)
    try:
        raise RuntimeError(f"denied for {SECRET}")
    except RuntimeError:
        structlog.get_logger().exception("request failed")
        logging.getLogger("aiohttp.server").exception("Error handling request")

    assert SECRET not in stream.getvalue()
    assert [line["event"] for line in lines(stream)] == ["request failed", "Error handling request"]
    assert all("RuntimeError: denied for [redacted]" in line["exception"] for line in lines(stream))


@pytest.mark.parametrize(
    "key", ["api_secret", "admin_token", "password", "Authorization", "apiKey", "bearer_token"]
)
def test_a_key_that_looks_like_a_secret_hides_its_value(key: str) -> None:
    stream = configured()
    structlog.get_logger().info("configured", facts={key: "hunter2hunter2"}, **{key: "hunter2hunter2"})

    assert "hunter2" not in stream.getvalue()


def test_numbers_and_absences_are_no_secrets() -> None:
    stream = configured()
    structlog.get_logger().info("read", tokens=512, push_token=None)

    assert (lines(stream)[0]["tokens"], lines(stream)[0]["push_token"]) == (512, None)


def test_credentials_in_headers_and_addresses_are_hidden_though_never_registered() -> None:
    text = logs.redact("GET https://anna:hunter22@host/ Authorization: Bearer abcdef123456")

    assert text == "GET https://[redacted]@host/ Authorization: Bearer [redacted]"


def test_libraries_log_through_the_same_redaction() -> None:
    stream = configured()
    logs.register_secret(SECRET)
    logging.getLogger("somebody").warning("got %s", SECRET)
    logging.getLogger("apscheduler.executors").info("ran a job")

    assert [line["event"] for line in lines(stream)] == [f"got {logs.REDACTED}"]


def test_a_level_below_the_setting_is_not_written() -> None:
    stream = configured(level="warning")
    structlog.get_logger().info("quiet")

    assert stream.getvalue() == ""


def test_an_unknown_level_is_named() -> None:
    with pytest.raises(ValueError, match="loud"):
        logs.configure("json", "loud", io.StringIO())


def test_configuring_twice_writes_each_line_once() -> None:
    first, second = configured(), configured()
    structlog.get_logger().info("once")

    assert (first.getvalue(), len(lines(second))) == ("", 1)


def test_the_console_is_for_people_and_redacted_as_well() -> None:
    stream = configured("console")
    logs.register_secret(SECRET)
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        structlog.get_logger().exception("request failed", provider="exo")

    assert "request failed" in stream.getvalue()
    assert "provider=exo" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_what_is_no_terminal_gets_json() -> None:
    stream = configured("auto")
    structlog.get_logger().info("started")

    assert lines(stream)[0]["event"] == "started"


@given(
    secret=st.text("abcdef+/% ", min_size=4, max_size=12),
    before=st.text("xyz:=", max_size=5),
    after=st.text("xyz:=", max_size=5),
)
def test_redaction_leaves_the_rest_of_the_line_and_nothing_of_the_secret(
    secret: str, before: str, after: str
) -> None:
    logs._secrets.clear()
    logs._known = None
    logs.register_secret(secret)

    assert logs.redact(before + secret + after) == before + logs.REDACTED + after
