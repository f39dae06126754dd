"""What every source promises, whatever it reads from. A new source adds one harness here."""

from __future__ import annotations

import re
import sys
import types
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from aiohttp import web
from pydantic import ValidationError

from autoscaler.core.model import Absence, Sample
from autoscaler.ports import SignalQuery, SignalSource
from autoscaler.sources import SOURCES, SourceKind
from autoscaler.sources.push import PushSource
from tests.servers import Prometheus, free_port, serving
from tests.sources.conftest import REASONS, SettableClock

GUIDE = Path(__file__).parents[2] / "docs" / "sources" / "writing-a-source.md"


class Harness(ABC):
    """One kind of source, and where it finds a signal of value 8, one of value 0, and trouble.

    ``behind_s``: how old what it reads is, by its own account, when it is read.
    """

    behind_s: ClassVar[float] = 0.0

    def __init__(self, kind: SourceKind, clock: SettableClock) -> None:
        self.kind = kind
        self.clock = clock

    eight: SignalQuery
    zero: SignalQuery
    troubles: Sequence[SignalQuery]

    @abstractmethod
    async def make(self) -> SignalSource:
        """A source that can reach what it reads."""

    async def make_cut_off(self) -> SignalSource:
        """A source that can reach nothing, or that has heard nothing."""
        settings = self.kind.settings.model_validate({"url": f"http://127.0.0.1:{free_port()}"})
        return self.kind.create("source", settings, self.clock)


class PrometheusHarness(Harness):
    eight = SignalQuery("chat", "queued", "sum(gateway_queued)")
    zero = SignalQuery("chat", "idle", "sum(idle_running)", "time() - min(timestamp(idle_running))")
    troubles = (
        SignalQuery("chat", "empty", "sum(no_such_metric)"),
        SignalQuery("chat", "several", "gateway_queued"),
        SignalQuery("chat", "wrong", "sum("),
        SignalQuery("chat", "nan", "idle_running / idle_running"),
        SignalQuery("chat", "undated", "idle_running", "time() - timestamp(no_such_metric)"),
        SignalQuery("chat", "unset"),
    )

    def __init__(self, kind: SourceKind, clock: SettableClock, url: str) -> None:
        super().__init__(kind, clock)
        self.url = url

    async def make(self) -> SignalSource:
        return self.kind.create("source", self.kind.settings.model_validate({"url": self.url}), self.clock)


class PushHarness(Harness):
    eight = SignalQuery("chat", "queued")
    zero = SignalQuery("chat", "idle")
    troubles = (SignalQuery("chat", "not_sent"), SignalQuery("chat", "not_configured"))

    async def make(self) -> SignalSource:
        source = await self.make_cut_off()
        assert isinstance(source, PushSource)
        source.push(*self.eight.key, 8)
        source.push(*self.zero.key, 0)
        return source

    async def make_cut_off(self) -> SignalSource:
        source = self.kind.create("source", self.kind.settings.model_validate({}), self.clock)
        assert isinstance(source, PushSource)
        source.expect([self.eight.key, self.zero.key, self.troubles[0].key])
        return source


class GuideHarness(Harness):
    """The source that the guide for authors writes: its text is its test."""

    eight = SignalQuery("chat", "queued", options={"path": "/eight"})
    zero = SignalQuery("chat", "idle", options={"path": "/zero"})
    troubles = tuple(
        SignalQuery("chat", path, options={"path": f"/{path}"})
        for path in ("negative", "nan", "true", "text", "empty", "deep", "list", "404")
    )
    bodies: ClassVar = {
        "eight": '{"value": 8}',
        "zero": '{"value": 0}',
        "negative": '{"value": -1}',
        "nan": '{"value": NaN}',
        "true": '{"value": true}',
        "text": "<html>",
        "empty": "{}",
        "deep": "[" * 100_000,
        "list": "[8]",
    }

    def __init__(self, kind: SourceKind, clock: SettableClock, url: str) -> None:
        super().__init__(kind, clock)
        self.url = url

    async def make(self) -> SignalSource:
        return self.kind.create("source", self.kind.settings.model_validate({"url": self.url}), self.clock)

    @classmethod
    @asynccontextmanager
    async def running(cls, kind: SourceKind, clock: SettableClock) -> AsyncIterator[GuideHarness]:
        async def answer(request: web.Request) -> web.Response:
            body = cls.bodies.get(request.match_info["name"])
            return web.Response(text=body) if body is not None else web.Response(status=404)

        app = web.Application()
        app.router.add_get("/{name}", answer)
        async with serving(app) as url:
            yield cls(kind, clock, url)


class BasetenHarness(Harness):
    behind_s = 30.0
    eight = SignalQuery("chat", "queued", 'baseten_concurrent_requests{deployment_id="eight"}')
    zero = SignalQuery("chat", "idle", 'baseten_concurrent_requests{deployment_id="zero"}')
    troubles = (
        *(
            SignalQuery("chat", name, f'baseten_concurrent_requests{{deployment_id="{name}"}}')
            for name in ("none", "nan", "infinite", "negative", "twice", "broken", "long")
        ),
        SignalQuery("chat", "no_such_metric", "no_such_metric"),
        SignalQuery("chat", "no_queue", 'async_queue{model_id="m", deployment_id="none"}'),
        SignalQuery("chat", "half", 'async_in_progress{model_id="m", deployment_id="half"}'),
        SignalQuery("chat", "unset"),
    )
    export: ClassVar = (
        "# TYPE baseten_concurrent_requests gauge\n"
        'baseten_concurrent_requests{deployment_id="eight",rollout_phase="stable"} 5\n'
        'baseten_concurrent_requests{deployment_id="eight",rollout_phase="promoting"} 3\n'
        'baseten_concurrent_requests{deployment_id="zero"} 0\n'
        'baseten_concurrent_requests{deployment_id="nan"} NaN\n'
        'baseten_concurrent_requests{deployment_id="infinite"} +Inf\n'
        'baseten_concurrent_requests{deployment_id="negative"} -1\n'
        'baseten_concurrent_requests{deployment_id="twice"} 1\n'
        'baseten_concurrent_requests{deployment_id="twice"} 1\n'
        'baseten_concurrent_requests{deployment_id="broken"} 1 2 three\n'
        f'baseten_concurrent_requests{{deployment_id="long",a="{"a" * 5000}"}} 1\n'
    )

    def __init__(self, kind: SourceKind, clock: SettableClock, url: str) -> None:
        super().__init__(kind, clock)
        self.url = url

    async def make(self) -> SignalSource:
        return self._at(self.url)

    async def make_cut_off(self) -> SignalSource:
        return self._at(f"http://127.0.0.1:{free_port()}")

    def _at(self, url: str) -> SignalSource:
        keys = {"api_key": "key", "metrics_base_url": url, "inference_base_url": url + "/model-{model_id}"}
        return self.kind.create("source", self.kind.settings.model_validate(keys), self.clock)

    @classmethod
    @asynccontextmanager
    async def running(cls, clock: SettableClock) -> AsyncIterator[BasetenHarness]:
        async def export(_: web.Request) -> web.Response:
            return web.Response(text=cls.export)

        async def status(_: web.Request) -> web.Response:
            return web.json_response({"num_queued_requests": 8})

        app = web.Application()
        app.router.add_get("/metrics", export)
        app.router.add_get("/model-m/deployment/half/async_queue_status", status)
        async with serving(app) as url:
            yield cls(SOURCES["baseten"], clock, url)


class DeepInfraHarness(Harness):
    behind_s = 30.0
    eight = SignalQuery("chat", "queued", 'in_flight{deploy_id="eight"}')
    zero = SignalQuery("chat", "idle", 'in_flight{deploy_id="zero"}')
    troubles = (
        *(
            SignalQuery("chat", name, f'in_flight{{deploy_id="{name}"}}')
            for name in ("gone", "unknown", "timeless", "negative", "text", "list")
        ),
        SignalQuery("chat", "unset"),
        SignalQuery("chat", "always_stale", 'in_flight{deploy_id="eight"}', max_age_s=30.0),
    )
    bodies: ClassVar[dict[str, Any]] = {
        "eight": {"requests": 240, "avg_time": 2000, "errors": 0},
        "zero": {"requests": 0, "avg_time": None, "errors": 0},
        "timeless": {"requests": 1, "avg_time": None, "errors": 0},
        "negative": {"requests": -1, "avg_time": 2000, "errors": 0},
        "text": {"requests": "240", "avg_time": "2000", "errors": 0},
        "list": [],
    }

    def __init__(self, kind: SourceKind, clock: SettableClock, url: str) -> None:
        super().__init__(kind, clock)
        self.url = url

    async def make(self) -> SignalSource:
        return self._at(self.url)

    async def make_cut_off(self) -> SignalSource:
        return self._at(f"http://127.0.0.1:{free_port()}")

    def _at(self, url: str) -> SignalSource:
        keys = {"api_token": "token", "base_url": url, "window_s": 60}
        return self.kind.create("source", self.kind.settings.model_validate(keys), self.clock)

    @classmethod
    @asynccontextmanager
    async def running(cls, clock: SettableClock) -> AsyncIterator[DeepInfraHarness]:
        async def stats(request: web.Request) -> web.Response:
            body = cls.bodies.get(request.match_info["id"])
            if body is None:
                status = 410 if request.match_info["id"] == "gone" else 404
                return web.json_response({"error": "Model not found"}, status=status)
            return web.json_response(body)

        app = web.Application()
        app.router.add_get("/deploy/{id}/stats", stats)
        async with serving(app) as url:
            yield cls(SOURCES["deepinfra"], clock, url)


MINIMAL: dict[str, dict[str, str]] = {
    "baseten": {"api_key": "key"},
    "deepinfra": {"api_token": "token"},
    "prometheus": {"url": "http://127.0.0.1:1"},
    "push": {},
    "guide": {"url": "http://127.0.0.1:1"},
}
"""The least that a table of each kind must say."""


@pytest.fixture(scope="module")
def guide_kind() -> Iterator[SourceKind]:
    code = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    module = types.ModuleType("guide_source")
    sys.modules["guide_source"] = module  # pydantic looks annotations up there
    exec(compile("\n".join(code), str(GUIDE), "exec"), module.__dict__)
    yield module.__dict__["KIND"]
    del sys.modules["guide_source"]


@pytest.fixture(params=[*SOURCES, "guide"])
async def harness(
    request: pytest.FixtureRequest, clock: SettableClock, guide_kind: SourceKind
) -> AsyncIterator[Harness]:
    match request.param:
        case "prometheus":
            prometheus: Prometheus = request.getfixturevalue("prometheus")
            yield PrometheusHarness(SOURCES["prometheus"], clock, prometheus.url)
        case "baseten":
            async with BasetenHarness.running(clock) as baseten:
                yield baseten
        case "deepinfra":
            async with DeepInfraHarness.running(clock) as deepinfra:
                yield deepinfra
        case "push":
            yield PushHarness(SOURCES["push"], clock)
        case "guide":
            async with GuideHarness.running(guide_kind, clock) as guide:
                yield guide
        case other:
            pytest.fail(f"the source {other!r} has no harness: every kind must pass the contract")


async def test_a_value_is_read_as_a_dated_sample(harness: Harness) -> None:
    before = harness.clock.now()
    source = await harness.make()
    reading = (await source.read([harness.eight]))[harness.eight.key]
    await source.close()

    assert isinstance(reading, Sample)
    assert reading.value == 8
    assert before - harness.behind_s <= reading.at <= harness.clock.now() - harness.behind_s


async def test_zero_is_a_value(harness: Harness) -> None:
    source = await harness.make()
    reading = (await source.read([harness.zero]))[harness.zero.key]
    await source.close()

    assert isinstance(reading, Sample)
    assert reading.value == 0
    assert reading.at <= harness.clock.now()


async def test_trouble_is_a_named_absence_and_never_an_exception_or_zero(harness: Harness) -> None:
    source = await harness.make()
    readings = await source.read(harness.troubles)
    await source.close()

    assert set(readings) == {query.key for query in harness.troubles}
    for reading in readings.values():
        assert isinstance(reading, Absence)
        assert reading.reason in REASONS
        assert reading.detail


async def test_one_signals_trouble_does_not_cost_another_its_value(harness: Harness) -> None:
    source = await harness.make()
    asked = [harness.eight, *harness.troubles, harness.zero]
    readings = await source.read(asked)
    await source.close()

    assert len(readings) == len(asked)
    assert isinstance(readings[harness.eight.key], Sample)
    assert isinstance(readings[harness.zero.key], Sample)


async def test_a_source_that_is_cut_off_is_absent(harness: Harness) -> None:
    source = await harness.make_cut_off()
    readings = await source.read([harness.eight, harness.zero])
    await source.close()

    assert len(readings) == 2
    assert all(isinstance(reading, Absence) and reading.reason in REASONS for reading in readings.values())


async def test_reading_nothing_gives_nothing(harness: Harness) -> None:
    source = await harness.make()
    readings = await source.read([])
    await source.close()

    assert readings == {}


async def test_close_is_idempotent_and_a_read_after_it_raises_nothing(harness: Harness) -> None:
    source = await harness.make()
    await source.read([harness.eight])
    await source.close()
    await source.close()
    readings = await source.read([harness.eight])
    await source.close()

    assert set(readings) == {harness.eight.key}


async def test_the_source_has_the_name_that_it_was_given(harness: Harness) -> None:
    source = await harness.make()
    await source.close()

    assert source.name == "source"


def test_every_kinds_models_are_frozen_strict_and_described(guide_kind: SourceKind) -> None:
    for kind in (*SOURCES.values(), guide_kind):
        for model in (kind.settings, kind.signal_options):
            assert model.model_config.get("frozen") is True
            with pytest.raises(ValidationError, match="Extra inputs"):
                model.model_validate({"no_such_key": 1})
            assert all(field.description for field in model.model_fields.values())
        assert not {"source", "max_age_s", "exists_at_zero"} & set(kind.signal_options.model_fields)


def test_a_source_is_made_without_an_event_loop(clock: SettableClock, guide_kind: SourceKind) -> None:
    for word, kind in {**SOURCES, "guide": guide_kind}.items():
        settings = kind.settings.model_validate(MINIMAL[word])
        assert kind.create("source", settings, clock).name == "source"
