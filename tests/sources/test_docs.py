"""The pages about sources: their configuration is valid, and their PromQL is what Prometheus accepts."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from autoscaler.clock import SystemClock
from autoscaler.config import load
from autoscaler.core.model import Absence
from autoscaler.ports import SignalQuery
from autoscaler.sources import SOURCES
from autoscaler.sources.prometheus import PrometheusSettings, PrometheusSource
from tests.servers import Prometheus

PAGES = Path(__file__).parents[2] / "docs" / "sources"
OF_EVERY_KIND = {"source", "max_age_s", "exists_at_zero"}


def blocks(page: str) -> list[dict[str, Any]]:
    return [
        tomllib.loads(text)
        for text in re.findall(r"```toml\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)
    ]


def signals(page: str) -> list[dict[str, Any]]:
    services = [service for block in blocks(page) for service in block.get("services", {}).values()]
    return [signal for service in services for signal in service["signals"].values()]


@pytest.mark.parametrize("page", ["prometheus.md", "push.md"])
def test_the_configuration_on_a_page_is_valid(page: str) -> None:
    kind = SOURCES[page.removesuffix(".md")]
    sources = [source for block in blocks(page) for source in block.get("sources", {}).values()]

    assert sources
    assert signals(page)
    for source in sources:
        kind.settings.model_validate(source)
    for signal in signals(page):
        kind.signal_options.model_validate({k: v for k, v in signal.items() if k not in OF_EVERY_KIND})


@pytest.mark.parametrize(
    ("page", "credential"), [("baseten.md", "BT__API_KEY"), ("deepinfra.md", "DI__API_TOKEN")]
)
def test_the_configuration_on_a_vendors_page_works_as_it_stands(
    page: str, credential: str, tmp_path: Path
) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)
    (tmp_path / "config.toml").write_text(text)
    environ = {
        f"AUTOSCALER_PROVIDERS__{credential}": "a-key",
        "AUTOSCALER_DAEMON__POLICY_DIR": str(PAGES.parents[1] / "policies"),
    }

    config = load(tmp_path / "config.toml", environ)

    (source,) = config.sources.values()
    assert source.kind == page.removesuffix(".md")


async def test_the_queries_on_a_page_are_promql(prometheus: Prometheus) -> None:
    text = (PAGES / "prometheus.md").read_text()
    queries = {
        query for signal in signals("prometheus.md") for query in (signal["query"], signal.get("age_query"))
    }
    queries |= set(re.findall(r"`((?:sum|min|max|time)\([^`]*[^`.]{3}\))`", text)) - {"sum(...)", "max(...)"}
    queries -= {query for query in queries if query and "..." in query}
    asked = [SignalQuery("docs", query, query) for query in sorted(filter(None, queries))]
    source = PrometheusSource("prom", PrometheusSettings(url=prometheus.url), SystemClock())
    readings = await source.read(asked)
    await source.close()

    assert len(asked) >= 11
    wrong = {
        key[1]: found
        for key, found in readings.items()
        if isinstance(found, Absence) and found.reason == "error"
    }
    assert wrong == {}


async def test_the_guarded_sum_of_the_page_is_absent_unless_every_target_is_up(
    prometheus: Prometheus,
) -> None:
    source = PrometheusSource("prom", PrometheusSettings(url=prometheus.url), SystemClock())
    guarded = "sum(vllm:num_requests_running) and on() (min(target_up{{job='{}'}}) == 1)"
    tied = "sum(no_such_queue) or 0 * (min(target_up{{job='{}'}}) == 1)"
    queries = {
        f"{name} {job}": text.format(job)
        for job in ("all", "some", "none")
        for name, text in (("guarded", guarded), ("tied", tied))
    }
    readings = await source.read([SignalQuery("docs", name, text) for name, text in queries.items()])
    await source.close()
    values = {key[1]: None if isinstance(found, Absence) else found.value for key, found in readings.items()}

    assert values == {
        "guarded all": 42,
        "guarded some": None,
        "guarded none": None,
        "tied all": 0,
        "tied some": None,
        "tied none": None,
    }
