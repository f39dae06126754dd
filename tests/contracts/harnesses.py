"""Every adapter with what stands behind it: each ``vendor_*.py`` here, and the documented example."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

from autoscaler.providers import PROVIDERS
from tests.contracts.documented_example import documented_example
from tests.contracts.harness import Start

_VENDORS: Final = [
    import_module(f"tests.contracts.{path.stem}")
    for path in sorted(Path(__file__).parent.glob("vendor_*.py"))
]

EMULATED: Final[dict[str, Start]] = {
    **{name: start for vendor in _VENDORS for name, start in vendor.EMULATED.items()},
    "documented-example": documented_example,
}
"""How each adapter is started over its emulator."""

LIVE: Final[dict[str, tuple[Start, tuple[str, ...]]]] = {
    name: live for vendor in _VENDORS for name, live in vendor.LIVE.items()
}
"""Every adapter whose account may be had from the environment, and the variables that this takes."""


def vendors_without_a_harness() -> set[str]:
    """Kinds of provider that the contract would miss."""
    return {kind for kind in PROVIDERS if not any(name.split("-")[0] == kind for name in EMULATED)}


def live_params() -> Iterator[Any]:
    """A parameter for each live account; without its variables it is skipped, in one line of the report."""
    for name, (_, needs) in LIVE.items():
        missing = [variable for variable in needs if not os.environ.get(variable)]
        reason = f"a live account needs {', '.join(missing)} in the environment"
        yield pytest.param(name, marks=[pytest.mark.skip(reason=reason)] if missing else [])
