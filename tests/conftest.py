"""What all tests share: the choice of event loop, and fixtures over real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import Prometheus, program, running_prometheus
from tests.virtual_time import VirtualTimeLoop

# How long generating or running takes is a fact of the machine, and a busy one is no defect of ours.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests marked ``virtual_time`` jump to the next timer; all others run in real time."""
    if item.get_closest_marker("virtual_time"):
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}


@pytest.fixture(scope="session")
def promtool() -> str:
    """Path of promtool, for ``check metrics``, ``check rules`` and ``test rules``."""
    return program("promtool", "prometheus")


@pytest.fixture(scope="session")
def start_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Prometheus]]:
    """Starts a Prometheus that runs until the session's end: ``start_prometheus(config, openmetrics)``."""
    with ExitStack() as running:

        def start(config: str = "{}", openmetrics: str | None = None, *options: str) -> Prometheus:
            directory = tmp_path_factory.mktemp("prometheus")
            return running.enter_context(running_prometheus(directory, config, openmetrics, *options))

        yield start
