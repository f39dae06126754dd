"""What every source promises, whatever it reads from. A new source adds one harness here."""

from __future__ import annotations

import re
import sys
import types
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

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
    """One kind of source, and where it finds a signal of value 8, one of value 0, and trouble."""

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
    assert before <= reading.at <= harness.clock.now()


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
    for kind in (*SOURCES.values(), guide_kind):
        needs_url = "url" in kind.settings.model_fields
        settings = kind.settings.model_validate({"url": "http://127.0.0.1:1"} if needs_url else {})
        assert kind.create("source", settings, clock).name == "source"
