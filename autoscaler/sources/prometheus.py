"""Signals from a Prometheus server, or anything that speaks its query API (Thanos, Mimir, VictoriaMetrics).

Source: Prometheus HTTP API, POST /api/v1/query
(https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries).

Which clock: no ``time`` is sent, so the server evaluates at its own now, and the sample is dated by
*our* clock: the moment at which the query was sent, less the age that ``age_query`` measured wholly on
the server's clock. No instant of one clock is ever subtracted from one of the other, so a skewed clock
makes nothing look older or newer than it is.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from autoscaler.core.model import Absence, Reading
from autoscaler.ports import Clock, SignalQuery
from autoscaler.sources.http import CONNECTIONS_MAX, HttpReader, HttpSettings, ReadError
from autoscaler.sources.values import from_json, reading

QUERY_CHARS_MAX: Final = 16_384
AGE_SLACK_S: Final = 1.0  # a target's own timestamps may lead the server's clock by this much

_DECIMAL: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INFINITE: Final = frozenset({"Inf", "+Inf", "-Inf"})


class PrometheusSettings(HttpSettings):
    """A ``[sources.NAME]`` table of kind ``prometheus``."""

    kind: Literal["prometheus"] = Field(default="prometheus", description="The kind of source.")


class PrometheusSignal(BaseModel):
    """The keys of a signal that is read from Prometheus."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str = Field(
        min_length=1,
        max_length=QUERY_CHARS_MAX,
        description="PromQL that gives exactly one number: aggregate, for example with sum().",
    )
    age_query: str | None = Field(
        default=None,
        min_length=1,
        max_length=QUERY_CHARS_MAX,
        description="PromQL that gives the age in seconds of the oldest sample that `query` rests on.",
    )

    @field_validator("query", "age_query")
    @classmethod
    def _is_not_from_a_dashboard(cls, text: str | None) -> str | None:
        if text is not None and not text.strip():
            raise ValueError("must be a PromQL expression, not blank")
        if text is not None and ("$__" in text or "${" in text):
            raise ValueError("contains a variable of Grafana; write a duration instead, such as [1m]")
        return text


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query gave, and when it was sent by our clock."""

    number: float | Absence
    sent_at: float


class PrometheusSource:
    """Reads each signal by an instant query, all in parallel over one session."""

    def __init__(self, name: str, settings: PrometheusSettings, clock: Clock) -> None:
        """Raises: ValueError when ``ca_file`` cannot be used."""
        self.name = name
        self._clock = clock
        self._http = HttpReader(settings, clock)

    async def read(self, queries: Sequence[SignalQuery]) -> Mapping[tuple[str, str], Reading]:
        """One reading per query. Equal expressions are sent once.

        What has no answer after ``deadline_s`` is absent (``timeout``); the rest is not lost with it.
        """
        expressions = sorted({text for query in queries for text in (query.query, query.age_query) if text})
        late = self._http.late().absence
        answers = dict.fromkeys(expressions, Answer(late, self._clock.now()))
        waiting = iter(expressions)

        async def ask_in_turn() -> None:
            for expression in waiting:
                answers[expression] = await self._ask(expression)

        # One deadline for all, and as many tasks as there are connections: one for each query costs more
        # than the query.
        with suppress(TimeoutError):
            async with self._clock.deadline(self._http.deadline_s), asyncio.TaskGroup() as group:
                for _ in range(min(CONNECTIONS_MAX, len(expressions))):
                    group.create_task(ask_in_turn())
        return {query.key: _reading(query, answers) for query in queries}

    async def _ask(self, expression: str) -> Answer:
        sent_at = self._clock.now()
        # Thanos would else answer with a part of the series, which looks like less demand.
        form = {"query": expression, "partial_response": "false"}
        try:
            reply = await self._http.exchange("POST", "/api/v1/query", form)
        except ReadError as error:
            return Answer(error.absence, sent_at)
        number = parse(reply.status, reply.body)
        if isinstance(number, Absence):
            number = Absence(number.reason, self._http.clean(number.detail))
        return Answer(number, sent_at)

    async def close(self) -> None:
        """Give back the connections; a second call does nothing."""
        await self._http.close()


def _reading(query: SignalQuery, answers: Mapping[str, Answer]) -> Reading:
    if not query.query:
        return Absence("missing", "the signal has no query")
    answer = answers[query.query]
    if isinstance(answer.number, Absence):
        return answer.number
    if not query.age_query:
        return reading(answer.number, answer.sent_at)
    age = answers[query.age_query]
    if isinstance(age.number, Absence):  # of unknown age: never taken as fresh
        return Absence(age.number.reason, f"age_query: {age.number.detail}")
    if age.number < -AGE_SLACK_S:
        return Absence("negative", f"age_query: {age.number:g} s is in the future")
    return reading(answer.number, min(answer.sent_at, age.sent_at) - max(age.number, 0.0))


# --- the reply ----------------------------------------------------------------------------------


def parse(status: int, body: bytes) -> float | Absence:
    """The one finite number in a reply to an instant query, of either sign, or why there is none."""
    try:
        reply = from_json(body)
    except ValueError:
        reply = None
    if isinstance(reply, dict) and reply.get("status") == "error":
        return Absence("error", f"{_text(reply.get('errorType'))}: {_text(reply.get('error'))}")
    if not 200 <= status <= 299:
        return Absence("error", f"HTTP {status}")
    if not isinstance(reply, dict) or reply.get("status") != "success":
        return Absence("bad_reply", "the reply is not that of a Prometheus query API")
    if reply.get("isPartial") is True:
        return Absence("error", "the reply rests on a part of the data only")
    data = reply.get("data")
    if not isinstance(data, dict):
        return Absence("bad_reply", "the reply has no data")
    return _from_result(data.get("resultType"), data.get("result"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else "(no text)"


def _from_result(kind: object, result: object) -> float | Absence:
    if kind == "scalar":
        return _from_point(result)
    if kind in ("matrix", "string"):
        return Absence("not_a_number", f"the query gives a {kind}; it must give one number")
    if kind != "vector" or not isinstance(result, list):
        return Absence("bad_reply", "the reply has no result of a known type")
    if not result:
        return Absence("empty", "the query matches no series")
    if len(result) > 1:
        return Absence("several_series", f"{len(result)} series: aggregate in the query, as sum(...) does")
    series = result[0]
    if not isinstance(series, dict):
        return Absence("bad_reply", "a series is not an object")
    if "value" not in series and "histogram" in series:
        return Absence("not_a_number", "the query gives a histogram; it must give one number")
    return _from_point(series.get("value"))


def _from_point(point: Any) -> float | Absence:
    """The number of a ``[time, "number"]`` pair; its time is the server's clock, which is not used."""
    if not isinstance(point, list) or len(point) != 2 or not isinstance(point[1], str):
        return Absence("bad_reply", "a value is not a pair of time and text")
    text = point[1]
    if text == "NaN":
        return Absence("nan", "the query gives NaN, as a division of zero by zero does")
    if text in _INFINITE:
        return Absence("infinite", f"the query gives {text}, as a division by zero does")
    if not _DECIMAL.fullmatch(text):
        return Absence("bad_reply", "a value is not a number's text")
    number = float(text)
    if math.isinf(number):
        return Absence("infinite", "the value is larger than any float")
    return number
