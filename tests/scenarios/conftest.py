"""``pytest tests/scenarios --update-golden`` writes the transcripts anew; read the difference first."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/scenarios/*.txt from what is decided now"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    # Known only where this folder is named on the command line.
    return bool(request.config.getoption("--update-golden", default=False))
