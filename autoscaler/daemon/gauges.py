"""Gauges over the last tick's report: a value that is not known is absent, and what left the
configuration is gone with the next tick."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from prometheus_client.core import Metric

from autoscaler.core.fleet import Deployment, Service
from autoscaler.core.model import Absence, Observation, Opinion, ServiceEvidence
from autoscaler.daemon.report import TickReport
from autoscaler.daemon.status import cost_usd_per_hour, overrides_of, pauses_of, replicas_starting

PREFIX: Final = "autoscaler_"
FLEET_SCOPE: Final = "fleet"

Row = tuple[tuple[str, ...], float | None]


class Gauge(NamedTuple):
    """One family: name without prefix, help, labels, and how its rows come out of a report."""

    name: str
    help: str
    labels: tuple[str, ...]
    rows: Callable[[TickReport], Iterable[Row]]
    # promtool wants a label "quantile" on summaries only; these have no sum and no count.
    type: str = "gauge"

    def family(self, report: TickReport | None) -> Metric:
        """The family with its samples; without a report HELP and TYPE alone."""
        metric = Metric(PREFIX + self.name, self.help, self.type)
        sample = f"{PREFIX}{self.name}_total" if self.type == "counter" else PREFIX + self.name
        for values, number in () if report is None else self.rows(report):
            if number is not None:
                metric.add_sample(sample, dict(zip(self.labels, values, strict=True)), number)
        return metric


def _services(report: TickReport) -> Iterator[tuple[Service, ServiceEvidence]]:
    for name in sorted(report.fleet.services):
        evidence = report.plan.services.get(name)
        if evidence is not None:
            yield report.fleet.services[name], evidence


def _deployments(report: TickReport) -> Iterator[Deployment]:
    for name in sorted(report.fleet.services):
        yield from report.fleet.services[name].deployments


def _demand(report: TickReport) -> Iterator[Row]:
    for service, evidence in _services(report):
        yield (service.name,), evidence.demand


def _blind(report: TickReport) -> Iterator[Row]:
    for service, evidence in _services(report):
        yield (service.name,), float(evidence.blind)


def _paused(report: TickReport) -> Iterator[Row]:
    for name in sorted(report.fleet.services):
        yield (name,), float(bool(pauses_of(report, name)))


def _overridden(report: TickReport) -> Iterator[Row]:
    for name in sorted(report.fleet.services):
        yield (name,), float(bool(overrides_of(report, name)))


def _signal_rows(report: TickReport, of_age: bool) -> Iterator[Row]:
    for name in sorted(report.fleet.services):
        known = report.fleet.services[name].signals
        for signal, reading in sorted(report.snapshot.signals.get(name, {}).items()):
            if signal in known and not isinstance(reading, Absence):
                yield (name, signal), max(0.0, report.at - reading.at) if of_age else reading.value


def _proposals(report: TickReport) -> Iterator[Row]:
    """One row per policy, scope and verb; where a policy says one thing twice, the binding one."""
    rows: dict[tuple[str, ...], float] = {}
    for service, evidence in _services(report):
        for opinion in evidence.opinions:
            for verb, value in _verbs(opinion):
                key = (service.name, opinion.policy, opinion.deployment or "", verb)
                tighter = min if verb == "at_most" else max
                rows[key] = tighter(rows[key], value) if key in rows else value
    return iter(rows.items())


def _verbs(opinion: Opinion) -> Iterator[tuple[str, float]]:
    for verb, value in (("want", opinion.want), ("at_least", opinion.at_least), ("at_most", opinion.at_most)):
        if value is not None:
            yield verb, float(value)


def _observed(count: Callable[[Observation], int | None]) -> Callable[[TickReport], Iterator[Row]]:
    def rows(report: TickReport) -> Iterator[Row]:
        for one in _deployments(report):
            seen = report.snapshot.deployments.get(one.key)
            yield (one.service, one.name, one.provider), None if seen is None else count(seen)

    return rows


def _configured(bound: Callable[[Deployment], int]) -> Callable[[TickReport], Iterator[Row]]:
    def rows(report: TickReport) -> Iterator[Row]:
        for one in _deployments(report):
            yield (one.service, one.name, one.provider), bound(one)

    return rows


def _wanted(report: TickReport) -> Iterator[Row]:
    decided = {(one.service, one.deployment): one.replicas_to for one in report.plan.decisions}
    for one in _deployments(report):
        yield (one.service, one.name, one.provider), decided.get((one.service, one.name))


def _overdue(report: TickReport) -> Iterator[Row]:
    for service, evidence in _services(report):
        for one in service.deployments:
            facts = evidence.deployments.get(one.name)
            yield (service.name, one.name), None if facts is None else facts.replicas_overdue


def _cost(report: TickReport) -> Iterator[Row]:
    for service, evidence in _services(report):
        for one in service.deployments:
            facts = evidence.deployments.get(one.name)
            yield (service.name, one.name), None if facts is None else cost_usd_per_hour(one, facts)


def _prices(report: TickReport) -> Iterator[Row]:
    for key in sorted(report.prices):
        provider, _, gpu_type = key.partition("/")
        yield (provider, gpu_type), report.prices[key]


def _budgets(report: TickReport) -> Iterator[Row]:
    yield (FLEET_SCOPE,), report.fleet.budget_usd_per_hour
    for name in sorted(report.fleet.services):
        # A service may be called like the fleet's own scope.
        scope = f"service/{name}" if name == FLEET_SCOPE else name
        yield (scope,), report.fleet.services[name].budget_usd_per_hour


def _start_ups(report: TickReport) -> Iterator[Row]:
    for one in _deployments(report):
        for quantile, value in zip(("0.5", "0.9"), report.start_up_estimates.get(one.key, ()), strict=False):
            yield (one.service, one.name, quantile), value


def _last_tick(report: TickReport) -> Iterator[Row]:
    yield (), report.at


def _brake(report: TickReport) -> Iterator[Row]:
    yield (), float(bool(report.plan.brake))


_SERVICE: Final = ("service",)
_DEPLOYMENT: Final = ("service", "deployment")
_AT_PROVIDER: Final = ("service", "deployment", "provider")

GAUGES: Final = (
    Gauge(
        "service_demand", "Capacity in use or queued now, in the unit of the demand signal", _SERVICE, _demand
    ),
    Gauge(
        "signal_value",
        "Last value read of a signal",
        ("service", "signal"),
        lambda report: _signal_rows(report, of_age=False),
    ),
    Gauge(
        "signal_age_seconds",
        "Age of that value at the last tick",
        ("service", "signal"),
        lambda report: _signal_rows(report, of_age=True),
    ),
    Gauge(
        "policy_proposal",
        "What a policy asks for: want in capacity, at_least and at_most in replicas; deployment empty is the"
        " whole service",
        ("service", "policy", "deployment", "verb"),
        _proposals,
    ),
    Gauge(
        "replicas_set",
        "Replicas last asked for; the minimum where the vendor has an autoscaler of its own",
        _AT_PROVIDER,
        _observed(lambda seen: None if seen.replicas is None else seen.replicas.minimum),
    ),
    Gauge("replicas_ready", "Replicas that serve", _AT_PROVIDER, _observed(lambda seen: seen.ready)),
    Gauge(
        "replicas_starting",
        "Replicas asked for that do not serve yet",
        _AT_PROVIDER,
        _observed(replicas_starting),
    ),
    Gauge("replicas_wanted", "Replicas that the last plan decided on", _AT_PROVIDER, _wanted),
    Gauge(
        "replicas_min",
        "Configured min_replicas",
        _AT_PROVIDER,
        _configured(lambda one: one.min_replicas),
    ),
    Gauge(
        "replicas_max",
        "Configured max_replicas",
        _AT_PROVIDER,
        _configured(lambda one: one.max_replicas),
    ),
    Gauge(
        "start_up_estimate_seconds",
        "Learned time from scale call to ready",
        ("service", "deployment", "quantile"),
        _start_ups,
        "summary",
    ),
    Gauge("scale_overdue", "Replicas that did not start before their deadline", _DEPLOYMENT, _overdue),
    Gauge(
        "gpu_price_usd_per_hour",
        "Last known price of one GPU-hour, configured or the vendor's; gpu_type may be a whole configuration",
        ("provider", "gpu_type"),
        _prices,
    ),
    Gauge("cost_usd_per_hour", "Price x GPUs x replicas of what is there now", _DEPLOYMENT, _cost),
    Gauge(
        "budget_usd_per_hour",
        "Configured limit on cost; scope is a service, or fleet",
        ("scope",),
        _budgets,
    ),
    Gauge("last_tick_timestamp_seconds", "Instant of the last whole tick", (), _last_tick),
    Gauge("blind", "1 while a demand signal of the service is missing or stale", _SERVICE, _blind),
    Gauge("paused", "1 while a person has paused writes to the service", _SERVICE, _paused),
    Gauge("override_active", "1 while a person's override of the service is in force", _SERVICE, _overridden),
    Gauge("fleet_brake", "1 while the fleet brake holds services", (), _brake),
)


class ReportCollector:
    """Families of the latest report; one consistent report per family set."""

    def __init__(self, latest: Callable[[], TickReport | None], gauges: tuple[Gauge, ...]) -> None:
        self._latest = latest
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        """Every family, one at a time, so that the reader may pause between them."""
        report = self._latest()
        for gauge in self._gauges:
            yield gauge.family(report)

    def describe(self) -> Iterator[Metric]:
        """Names for the registry's check against duplicates."""
        for gauge in self._gauges:
            yield gauge.family(None)
