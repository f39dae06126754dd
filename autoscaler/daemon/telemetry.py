"""What the daemon tells Prometheus, and how the exposition is written without holding up the loop.

Gauges are read off the last tick's report (``gauges.py``); counters and histograms are kept here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client import Gauge as PlainGauge
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics import MetricWrapperBase

from autoscaler import __version__
from autoscaler.core.fleet import Fleet
from autoscaler.core.model import ErrorKind, OutcomeWord
from autoscaler.daemon.gauges import GAUGES, PREFIX, ReportCollector
from autoscaler.daemon.report import TickReport
from autoscaler.daemon.shadow_gauges import SHADOW_GAUGES
from autoscaler.daemon.spend import SpendMeter
from autoscaler.daemon.status import direction_of
from autoscaler.daemon.trouble import TroubleLog

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PROMISES: Final = tuple(str(number) for number in range(1, 13))

_REQUEST_BUCKETS_S: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_START_UP_BUCKETS_S: Final = (5, 15, 30, 60, 120, 240, 480, 900, 1800, 3600)
_TICK_BUCKETS_S: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SAMPLES_PER_SLICE: Final = 200  # about 1 ms of work
_OPERATIONS_MAX: Final = 32
_SIGHTS_MAX: Final = 1000
_WORD_LENGTH_MAX: Final = 200

log = structlog.stdlib.get_logger("autoscaler.telemetry")


class _Counters:
    """The counters and histograms, by the names of the published interface."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(PREFIX + name, text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(PREFIX + name, text, labels, registry=registry, buckets=buckets)

        deployment = ("service", "deployment")
        self.decisions = counter(
            "decisions_total", "Decisions of all plans, holds too", *deployment, "direction", "reason"
        )
        self.scale_calls = counter(
            "scale_calls_total", "Writes and what became of them", "provider", "outcome"
        )
        self.request_seconds = histogram(
            "provider_request_duration_seconds",
            "Duration of calls to a provider",
            _REQUEST_BUCKETS_S,
            "provider",
            "operation",
        )
        self.provider_errors = counter(
            "provider_errors_total", "Calls to a provider that failed", "provider", "kind"
        )
        self.unknown_words = counter(
            "unknown_words_total", "Words of a vendor that its adapter does not know", "provider"
        )
        self.start_up_seconds = histogram(
            "start_up_seconds", "Time from scale call to ready", _START_UP_BUCKETS_S, *deployment
        )
        self.spend = counter(
            "spend_usd_total", "Cost over time since the daemon started, in USD", *deployment
        )
        self.tick_seconds = histogram("tick_duration_seconds", "Duration of whole ticks", _TICK_BUCKETS_S)
        self.violations = counter(
            "promise_violations_total", "Plans that broke a promise, and were not carried out", "promise"
        )
        self.drift = counter("drift_total", "Times that somebody else changed the replicas", *deployment)
        self.journal_errors = counter("journal_errors_total", "Failed reads and writes of the journal")
        self.config_reload_ok = PlainGauge(
            PREFIX + "config_reload_ok",
            "1 if the last read of the configuration succeeded",
            registry=registry,
        )
        build = PlainGauge(PREFIX + "build_info", "Version of the daemon", ["version"], registry=registry)
        build.labels(__version__).set(1)
        self.config_reload_ok.set(1)
        for promise in PROMISES:
            self.violations.labels(promise)

    def by_deployment(self) -> tuple[MetricWrapperBase, ...]:
        """Families whose first labels are service and deployment."""
        return self.decisions, self.start_up_seconds, self.spend, self.drift

    def by_provider(self) -> tuple[MetricWrapperBase, ...]:
        """Families whose first label is the provider."""
        return self.scale_calls, self.request_seconds, self.provider_errors, self.unknown_words


class PrometheusTelemetry:
    """The daemon's metrics in one registry; implements the Telemetry port for adapters.

    ``monotonic`` (seconds) dates the starts and ends of trouble in the log. Not for several threads.
    """

    def __init__(self, registry: CollectorRegistry, monotonic: Callable[[], float]) -> None:
        self._registry = registry
        self._counters = _Counters(registry)
        self._trouble = TroubleLog(monotonic)
        self._spend = SpendMeter()
        self._latest: TickReport | None = None
        self._known: Fleet | None = None
        self._keys: frozenset[str] = frozenset()
        self._operations: dict[str, set[str]] = {}
        self._sights: set[tuple[str, str, str]] = set()
        self._rendering: asyncio.Task[bytes] | None = None
        registry.register(ReportCollector(lambda: self._latest, (*GAUGES, *SHADOW_GAUGES)))

    # --- from adapters ------------------------------------------------------------------------

    def request(self, provider: str, operation: str, duration_s: float, error: ErrorKind | None) -> None:
        """One call to a provider ended after ``duration_s``."""
        seen = self._operations.setdefault(provider, set())
        if operation not in seen and len(seen) >= _OPERATIONS_MAX:
            operation = "other"
        seen.add(operation)
        self._counters.request_seconds.labels(provider, operation).observe(duration_s)
        if error is not None:
            self._counters.provider_errors.labels(provider, str(error)).inc()
        self._trouble.request(provider, operation, error)

    def unknown_word(self, provider: str, word: str, where: str) -> None:
        """Counts each sight of a vendor's unknown word; logs the first."""
        self._counters.unknown_words.labels(provider).inc()
        word, where = word[:_WORD_LENGTH_MAX], where[:_WORD_LENGTH_MAX]
        if self._first((provider, "word " + where, word)):
            log.warning("provider said an unknown word", provider=provider, word=word, where=where)

    def first_sight(self, provider: str, fact: str, seen: str) -> None:
        """A fact that the documentation leaves open was observed; logged once per fact."""
        if self._first((provider, "fact", fact[:_WORD_LENGTH_MAX])):
            log.info("provider fact observed", provider=provider, fact=fact, seen=seen[:_WORD_LENGTH_MAX])

    def _first(self, sight: tuple[str, str, str]) -> bool:
        if sight in self._sights or len(self._sights) >= _SIGHTS_MAX:
            return False
        self._sights.add(sight)
        return True

    # --- from the daemon ----------------------------------------------------------------------

    def tick(self, report: TickReport) -> None:
        """One whole tick has ended."""
        counters = self._counters
        if report.fleet is not self._known:
            self._reconfigured(report.fleet)
        for decision in report.plan.decisions:
            labels = (decision.service, decision.deployment, direction_of(decision), decision.reason)
            counters.decisions.labels(*labels).inc()
        for provider, outcome in report.scale_calls:
            counters.scale_calls.labels(provider, outcome).inc()
        for promise, count in report.violations.items():
            assert promise in PROMISES, f"there is no promise {promise!r}"
            counters.violations.labels(promise).inc(count)
        for key, seconds in report.start_ups:
            if key in self._keys:
                counters.start_up_seconds.labels(*key.split("/", 1)).observe(seconds)
        for key in report.drift_started:
            if key in self._keys:
                counters.drift.labels(*key.split("/", 1)).inc()
        for deployment, usd in self._spend.advance(report):
            counters.spend.labels(deployment.service, deployment.name).inc(usd)
        counters.tick_seconds.observe(report.duration_s)
        self._trouble.settle()
        self._latest = report

    def journal_error(self) -> None:
        """A read or write of the journal failed."""
        self._counters.journal_errors.inc()

    def config_reloaded(self, ok: bool) -> None:
        """The configuration was read again; ``ok`` False: the old one stays in force."""
        self._counters.config_reload_ok.set(float(ok))

    def _reconfigured(self, fleet: Fleet) -> None:
        """Series of what the fleet names start at zero, those of what left it end."""
        self._known = fleet
        counters = self._counters
        members = [one for service in fleet.services.values() for one in service.deployments]
        names = {(one.service, one.name) for one in members}
        self._keys = frozenset(one.key for one in members)
        providers = frozenset(one.provider for one in members)
        for family in counters.by_deployment():
            _keep(family, lambda labels: labels[:2] in names)
        for family in counters.by_provider():
            _keep(family, lambda labels: labels[0] in providers)
        for service, deployment in names:
            counters.spend.labels(service, deployment)
            counters.drift.labels(service, deployment)
        for provider in providers:
            counters.unknown_words.labels(provider)
            for outcome in OutcomeWord:
                counters.scale_calls.labels(provider, str(outcome))
            for kind in ErrorKind:
                counters.provider_errors.labels(provider, str(kind))
        self._trouble.forget_all_but(providers)
        # Two whole intervals without an error, so that rare ticks do not end a trouble between two errors.
        self._trouble.quiet_s = max(60.0, 2.5 * fleet.interval_s)

    # --- to Prometheus ------------------------------------------------------------------------

    async def exposition(self) -> bytes:
        """All metrics in the text format 0.0.4.

        500 deployments are some 10,000 samples and 50 ms of work. It is done in slices of about a
        millisecond, with other tasks between them. Not on a thread: that would contend for the
        interpreter, and stand still under a simulated clock. Not cached per tick either: errors
        between ticks would show late.
        Scrapes that arrive together share one rendering.
        """
        if self._rendering is None or self._rendering.done():
            self._rendering = asyncio.create_task(self._render())
        # One scraper that hangs up must not cancel the others' answer.
        return await asyncio.shield(self._rendering)

    async def _render(self) -> bytes:
        parts: list[bytes] = []
        for family in self._registry.collect():
            for part in _text(family):
                parts.append(part)
                await asyncio.sleep(0)
        return b"".join(parts)


class _One:
    """A registry of one family, which is what the library's writer takes."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family


def _text(family: Metric) -> Iterator[bytes]:
    # The library adds "_created" gauges, which are not part of the interface.
    samples = [one for one in family.samples if not one.name.endswith("_created")]
    for start in range(0, max(1, len(samples)), _SAMPLES_PER_SLICE):
        part = Metric(family.name, family.documentation, family.type)
        part.samples = samples[start : start + _SAMPLES_PER_SLICE]
        text = generate_latest(_One(part))
        # HELP and TYPE, the first two lines, belong to the family and not to the slice.
        yield text if start == 0 else text.split(b"\n", 2)[2]


def _keep(family: MetricWrapperBase, wanted: Callable[[tuple[str, ...]], bool]) -> None:
    """Remove the children whose label values are not wanted."""
    present = {
        tuple(value for name, value in sample.labels.items() if name != "le")
        for metric in family.collect()
        for sample in metric.samples
    }
    for labels in present:
        if not wanted(labels):
            family.remove(*labels)
