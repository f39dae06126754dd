"""Signals that Baseten itself has: its metrics export, and the asynchronous queues of its models.

Source: docs.baseten.co, observability/export-metrics (overview, supported-metrics) for the export; for the
queues api-reference/deployment-get-async-queue-status, and PyPI ``baseten`` 0.13.1 (``client/inferenceapi``).

What the numbers mean: ``baseten_concurrent_requests`` counts requests in service **and waiting**, synchronous
ones only. How old they may be: the export is renewed every 30 s, and nothing tells when it last was; so a
sample is dated 30 s before the scrape was sent, by our clock, and keeps that date until the next scrape. The
queues' figures are those of the moment. What a partial answer looks like: an export that ends in the midst of
a line is refused as a whole; one that lacks a series looks as if there were none, which is absence.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from autoscaler.core.model import Absence, Reading
from autoscaler.credentials import HeaderSecret
from autoscaler.ports import Clock, SignalQuery
from autoscaler.sources.http import HttpReader, ReadError, plain_base, refusal
from autoscaler.sources.in_turn import each_once
from autoscaler.sources.kinds import Borrowing, SourceKind
from autoscaler.sources.patience import Patience
from autoscaler.sources.scrape import Scraped, SharedScrape
from autoscaler.sources.selector import CHARS_MAX, Selector, parse_selector
from autoscaler.sources.values import from_json, reading
from autoscaler.sources.vendor import VendorSettings

RENEWED_S: Final = 30.0
"""How often the vendor renews what it exports: the most that a figure is behind when it is read."""

SCRAPES_APART_S: Final = 10.0
"""6 scrapes a minute are allowed to an organisation, all its tools together."""

QUEUES_AT_ONCE: Final = 4
QUEUES_APART_S: Final = 0.05
"""20 calls a second are allowed for the queues."""

EXPORT_BYTES_MAX: Final = 8 * 1024 * 1024

_PLACE: Final = "{model_id}"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_QUEUES: Final = {"async_queue": "num_queued_requests", "async_in_progress": "num_in_progress_requests"}
_WHERE: Final = "allowed are model_id, and one of deployment_id and environment"


def _inference_base(text: str) -> str:
    base = plain_base(text.replace(_PLACE, "abcd1234"))
    if "{" in base or "}" in base:
        raise ValueError(f"has other braces than {_PLACE}, which stands for the model's id")
    return text.rstrip("/")


class BasetenSettings(VendorSettings):
    """A ``[sources.NAME]`` table of kind ``baseten``: one organisation."""

    kind: Literal["baseten"] = Field(default="baseten", description="The kind of source.")
    api_key: HeaderSecret = Field(
        description="API key that may read metrics and, for queues, call the model; or that of a `provider`."
    )
    metrics_base_url: Annotated[str, Field(max_length=2048), AfterValidator(plain_base)] = Field(
        default="https://app.baseten.co", description="Where the metrics export is, without /metrics."
    )
    inference_base_url: Annotated[str, Field(max_length=2048), AfterValidator(_inference_base)] = Field(
        default=f"https://model-{_PLACE}.api.baseten.co",
        description="Where the asynchronous queues are; {model_id} in it stands for the model's id.",
    )
    scrape_interval_s: float = Field(
        default=15.0,
        ge=SCRAPES_APART_S,
        le=3600,
        allow_inf_nan=False,
        description="Seconds between two scrapes of the export, for all signals together. The vendor allows "
        "6 a minute to the whole organisation.",
    )
    reply_bytes_max: int = Field(
        default=EXPORT_BYTES_MAX, ge=1, le=67_108_864, description="A longer reply is not read."
    )

    def addresses(self) -> Mapping[str, str]:
        """Every address that the key is sent to, by its key."""
        return {
            "metrics_base_url": self.metrics_base_url,
            "inference_base_url": self.inference_base_url.replace(_PLACE, "abcd1234"),
        }

    def request_headers(self) -> dict[str, str]:
        """All headers to send; contains the key."""
        return {"Authorization": f"Api-Key {self.api_key.get_secret_value()}"}

    def secrets(self) -> tuple[str, ...]:
        """The key."""
        return (self.api_key.get_secret_value(),)


class BasetenSignal(BaseModel):
    """The key of a signal that is read from Baseten."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str = Field(
        min_length=1,
        max_length=CHARS_MAX,
        description="A metric of the export with the labels to match, whose series are added up; or "
        'async_queue or async_in_progress with {model_id="...", deployment_id="..."}.',
    )

    @field_validator("query")
    @classmethod
    def _is_one_of_ours(cls, text: str) -> str:
        asked(text)
        return text


@dataclass(frozen=True, slots=True)
class Queue:
    """One asynchronous queue: whose it is, and the path of its status at the model's host."""

    model_id: str
    path: str


@dataclass(frozen=True, slots=True)
class QueueFigure:
    """One field of a queue's status."""

    queue: Queue
    field: str


def asked(query: str) -> Selector | QueueFigure:
    """What a query means: series of the export, or a figure of a queue.

    Raises: ValueError that says what is wrong and what is allowed.
    """
    selector = parse_selector(query)
    if selector.name not in _QUEUES:
        return selector
    labels = selector.labels
    where = [key for key in ("deployment_id", "environment") if key in labels]
    if len(where) != 1 or set(labels) != {"model_id", where[0]}:
        raise ValueError(f"{selector.name} needs to know which queue; {_WHERE}")
    for label, value in labels.items():
        if not _ID.fullmatch(value):
            raise ValueError(f"{label} {value[:64]!r} is no id; allowed are letters, digits, - and _")
    place = "deployment" if where[0] == "deployment_id" else "environments"
    queue = Queue(labels["model_id"], f"/{place}/{labels[where[0]]}/async_queue_status")
    return QueueFigure(queue, _QUEUES[selector.name])


class BasetenSource:
    """Reads all metrics from one scrape, and each queue by one call."""

    def __init__(self, name: str, settings: BasetenSettings, clock: Clock) -> None:
        """Raises: ValueError when ``ca_file`` cannot be used."""
        self.name = name
        self._settings = settings
        self._clock = clock
        self._http = HttpReader(settings, clock)
        self._scrape = SharedScrape(
            self._http,
            clock,
            f"{settings.metrics_base_url}/metrics",
            interval_s=settings.scrape_interval_s,
            apart_s_min=SCRAPES_APART_S,
        )
        self._patience = Patience(clock)
        self._next_queue_at = 0.0

    async def read(self, queries: Sequence[SignalQuery]) -> Mapping[tuple[str, str], Reading]:
        """One reading per query. What has no answer after ``deadline_s`` is absent, or as old as it is."""
        wanted = {query.key: asked(query.query) for query in queries if query.query}
        ends_at = self._clock.monotonic() + self._http.deadline_s
        async with asyncio.TaskGroup() as group:
            scraping = group.create_task(self._scraped(wanted.values(), ends_at))
            asking = group.create_task(self._queue_statuses(wanted.values(), ends_at))
        scraped, statuses = scraping.result(), asking.result()

        def of(query: SignalQuery) -> Reading:
            what = wanted.get(query.key)
            if what is None:
                return Absence("missing", "the signal has no query")
            if isinstance(what, Selector):
                return self._of_export(what, scraped, query.max_age_s)
            status = statuses[what.queue]
            return status if isinstance(status, Absence) else status[what.field]

        return {query.key: of(query) for query in queries}

    # --- the export -----------------------------------------------------------------------------

    async def _scraped(self, wanted: Iterable[Selector | QueueFigure], ends_at: float) -> Scraped:
        if not any(isinstance(what, Selector) for what in wanted):
            return Scraped()  # Queues alone need no scrape.
        return await self._scrape.latest(ends_at - self._clock.monotonic())

    def _of_export(self, selector: Selector, scraped: Scraped, max_age_s: float) -> Reading:
        if scraped.exposition is None:
            return scraped.trouble or Absence("timeout", "the first scrape is still under way")
        at = scraped.sent_at - RENEWED_S
        # Of a sample that nobody may use, the reason is of more use than the age.
        if scraped.trouble is not None and self._clock.now() - at > max_age_s:
            return scraped.trouble
        total = scraped.exposition.total(selector)
        return total if isinstance(total, Absence) else reading(total, at)

    # --- the queues -----------------------------------------------------------------------------

    async def _queue_statuses(
        self, wanted: Iterable[Selector | QueueFigure], ends_at: float
    ) -> Mapping[Queue, Mapping[str, Reading] | Absence]:
        async def ask(queue: Queue) -> Mapping[str, Reading] | Absence:
            return await self._ask(queue, ends_at)

        queues = [what.queue for what in wanted if isinstance(what, QueueFigure)]
        return await each_once(queues, ask, QUEUES_AT_ONCE)

    async def _ask(self, queue: Queue, ends_at: float) -> Mapping[str, Reading] | Absence:
        if (waiting := self._patience.waiting()) is not None:
            return waiting
        turn_s = max(0.0, self._next_queue_at - self._clock.monotonic())
        if self._clock.monotonic() + turn_s >= ends_at:
            return Absence("timeout", f"its turn did not come within {self._http.deadline_s:g} s")
        self._next_queue_at = self._clock.monotonic() + turn_s + QUEUES_APART_S
        await self._clock.sleep(turn_s)
        base = self._settings.inference_base_url.replace(_PLACE, queue.model_id)
        sent_at = self._clock.now()
        try:
            reply = await self._http.fetch(
                "GET", f"{base}{queue.path}", within_s=ends_at - self._clock.monotonic()
            )
        except ReadError as error:
            return error.absence
        self._patience.heed(reply)
        if reply.status != 200:
            return self._patience.waiting() or refusal(reply.status)
        return queue_status(reply.body, sent_at)

    async def close(self) -> None:
        """Give back the connections; a second call does nothing."""
        await self._http.close()


def queue_status(body: bytes, at: float) -> Mapping[str, Reading] | Absence:
    """Both figures of a queue's status, dated ``at``."""
    try:
        status = from_json(body)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        return Absence("bad_reply", "the reply is not the status of a queue")
    return {
        field: reading(status[field], at)
        if field in status
        else Absence("bad_reply", f"the reply has no {field}")
        for field in _QUEUES.values()
    }


KIND: Final = SourceKind(
    BasetenSettings,
    BasetenSignal,
    BasetenSource,
    Borrowing("baseten", "api_key", ("metrics_base_url", "inference_base_url", "allow_http", "ca_file")),
)
"""How a source of this kind is configured and made."""
