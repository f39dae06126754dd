"""The page: what the fleet does now and why, as plain HTML without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from autoscaler import __version__
from autoscaler.daemon.report import TickReport
from autoscaler.daemon.setup import late_after_s
from autoscaler.daemon.status import fleet_status

REFRESH_S: Final = 15
_FRAGMENTS_PER_PART: Final = 500  # about 1 ms of work
_UNKNOWN: Final = "not known"


def parts(report: TickReport | None, now: float) -> Iterator[str]:
    """The page as of ``now``, epoch seconds, in pieces: a large fleet's need not be made in one go.

    Without a report it says that the first tick is awaited.
    """
    fleet = None if report is None else fleet_status(report)
    age_s = None if report is None else max(0.0, now - report.at)
    stream = _PAGE.stream(
        fleet=fleet,
        age_s=age_s,
        late=report is not None and age_s is not None and age_s > late_after_s(report.fleet.interval_s),
        refresh_s=REFRESH_S,
        version=__version__,
        budget_share=None if fleet is None else _share(fleet),
    )
    stream.enable_buffering(_FRAGMENTS_PER_PART)
    return iter(stream)


def usd(value: float | None) -> str:
    """Money to the cent; finer where it is below ten cents and not zero."""
    if value is None:
        return _UNKNOWN
    return f"{value:,.4f}" if 0 < value < 0.1 else f"{value:,.2f}"


def amount(value: float | None) -> str:
    """A number of capacity units with at most one decimal."""
    if value is None:
        return _UNKNOWN
    return f"{value:,.1f}".removesuffix(".0")


def span(seconds: float | None) -> str:
    """A duration in its largest fitting unit: 45 s, 12 min, 3 h, 2 d."""
    if seconds is None:
        return _UNKNOWN
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def clock(iso: str | None) -> str:
    """An ISO instant as a person reads it: 2026-11-21 12:00:00 UTC."""
    return "further notice" if iso is None else iso[:19].replace("T", " ") + " UTC"


def _share(fleet: dict[str, Any]) -> int | None:
    budget = fleet["budget_usd_per_hour"]
    if not budget:
        return None
    return round(100 * float(fleet["usd_per_hour"]) / float(budget))


_environment: Final = Environment(
    loader=PackageLoader("autoscaler.daemon"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(usd=usd, amount=amount, span=span, clock=clock)
_PAGE: Final = _environment.get_template("page.html")
