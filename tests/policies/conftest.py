"""Find the built-in kinds as an installed product does, in a source tree that may not be installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import entry_points

import pytest

from autoscaler.policies.registry import GROUP, load_policies
from tests.packages.install import announce_ourselves


@pytest.fixture(scope="session", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    target: str | None = None
    if not entry_points(group=GROUP):
        directory = tmp_path_factory.mktemp("metadata")
        announce_ourselves(directory)
        target = str(directory)
        sys.path.append(target)
    load_policies.cache_clear()
    yield
    if target is not None:
        sys.path.remove(target)
        load_policies.cache_clear()
