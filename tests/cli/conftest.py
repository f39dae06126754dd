"""Emulator and daemon as processes of their own, shared by the tests that only look at them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest
import structlog

from tests.cli.support import running


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Commands set up logging for the whole process, on streams that end with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    """The configuration that ``autoscaler emulate`` prints while it runs."""
    with running("emulate", "--port", "0", "--speed", "60") as process:
        assert process.stderr is not None
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stderr:
            if "Ctrl-C" in line:
                break
        while not lines or 'id = "72aba64e' not in lines[-1]:
            lines.append(process.stdout.readline())
        yield "".join(lines)


@pytest.fixture(scope="module")
def base_url(emulator: str) -> str:
    found = re.search(r'kind = "exoscale"\nbase_url = "([^"]+)"', emulator)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def chat_id(emulator: str) -> str:
    """Id of the first emulated deployment at Exoscale."""
    found = re.search(r'^provider = "exo"\nid = "([^"]+)"', emulator, re.M)
    assert found is not None
    return found[1]
