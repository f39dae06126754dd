"""The report as one page: the table, and plots that a small script of our own draws from the series.

The page holds all that it needs and asks nobody for anything: its content security policy allows its own
style and its own script, by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autoscaler import __version__
from autoscaler.durations import spoken
from autoscaler.sim.report.figures import Figures, compare, compare_service, services_of
from autoscaler.sim.report.payload import drawn
from autoscaler.sim.report.table import Column, broken, columns, remarks, span_of
from autoscaler.sim.result import RunResult

OPEN_MAX: Final = 8
"""Services whose plots are open from the start; of more, each is drawn when it is opened."""


def page(runs: Sequence[RunResult], title: str) -> str:
    """The whole report as HTML. ``title`` says in a person's words what was simulated."""
    assert runs, "a report is of at least one run"
    services = services_of(runs)
    plots = drawn(runs)
    return _PAGE.render(
        title=title,
        version=__version__,
        span=span_of(runs),
        tables=[_table("All services" if len(services) > 1 else "", runs, compare(runs))]
        + [_table(name, runs, compare_service(runs, name)) for name in services if len(services) > 1],
        marked={run.name for run in runs if run.violations},
        broken=[text for run in runs if (text := broken(run)) is not None],
        remarks=list(remarks(runs)),
        services=services,
        bucket=None if plots is None else _bucket(plots[0]),
        data=None if plots is None else Markup(plots[1]),  # noqa: S704  # holds no "<"
        open_max=OPEN_MAX,
        policy=_POLICY,
        style=_STYLE,
        script=_SCRIPT,
    )


def _table(caption: str, runs: Sequence[RunResult], figures: Sequence[Figures]) -> dict[str, Any]:
    heads: tuple[Column, ...] = columns(figures)
    kinds = {run.name: run.kind for run in runs}
    return {
        "caption": caption,
        "heads": heads,
        "rows": [
            {
                "name": one.name,
                "kind": kinds[one.name],
                "cells": [(head, head.cell(one)) for head in heads],
            }
            for one in figures
        ],
    }


def _bucket(content: dict[str, Any]) -> str:
    """What one point of a plot stands for."""
    ticks = round(content["width_s"] / content["interval_s"])
    width = spoken(content["width_s"])
    if ticks == 1:
        return f"Each point is a tick of {width}."
    return f"Each point stands for {width} ({ticks} ticks), from the lowest to the highest value in it."


def _own(name: str) -> Markup:
    """A file of this package, as it is."""
    return Markup((files(__package__) / "static" / name).read_text(encoding="utf-8"))  # noqa: S704


def _hash(text: str) -> str:
    """As a content security policy names what it allows (CSP level 3, section 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_STYLE: Final = _own("report.css")
_SCRIPT: Final = _own("plots.js")
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src {_hash(_STYLE)}",
        f"script-src {_hash(_SCRIPT)}",
        "img-src data:",  # the empty icon, so that a browser asks for none
        "base-uri 'none'",
        "form-action 'none'",
    )
)
_PAGE: Final = Environment(
    loader=PackageLoader("autoscaler.sim.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("report.html")
