"""Adding a vendor touches one module, one emulator, one page and one line: nothing else knows its name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from autoscaler.emulators.registry import EMULATORS
from autoscaler.providers import PROVIDERS
from autoscaler.sources import SOURCES

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "autoscaler"
EXAMPLES: Final = {  # choose among vendors as a user does; no vendor needs a place there
    "emulators/fleet.py",
    "demo/scenario.py",
    "demo/events.py",
    "cli/commands/emulate.py",
}


def knowing(vendor: str) -> set[str]:
    """Modules that name the vendor in code, apart from what is the vendor's own."""
    word = re.compile(rf"\b{vendor}\b", re.IGNORECASE)
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        own = name.startswith((f"providers/{vendor}", f"emulators/{vendor}", f"sources/{vendor}"))
        if not own and word.search(_code(path.read_text(encoding="utf-8"))):
            found.add(name)
    return found - EXAMPLES


def _code(text: str) -> str:
    """Without documentation and comments: those may give a vendor as an example."""
    return re.sub(r'"""[\s\S]*?"""|#[^\n]*', "", text)


@pytest.mark.parametrize("vendor", PROVIDERS)
def test_no_module_but_the_registries_knows_a_vendors_name(vendor: str) -> None:
    registries = {"providers/__init__.py"} | ({"sources/__init__.py"} if vendor in SOURCES else set())

    assert knowing(vendor) == registries


@pytest.mark.parametrize("vendor", PROVIDERS)
def test_every_vendor_has_an_emulator_a_page_and_a_harness(vendor: str) -> None:
    assert vendor in EMULATORS
    assert (ROOT / "docs" / "providers" / f"{vendor}.md").is_file()
    assert (ROOT / "tests" / "contracts" / f"vendor_{vendor}.py").is_file()
    assert f'kind = "{vendor}"' in (ROOT / "docs" / "providers" / f"{vendor}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("vendor", PROVIDERS)
def test_one_line_registers_a_vendor(vendor: str) -> None:
    lines = (PACKAGE / "providers" / "__init__.py").read_text(encoding="utf-8").splitlines()

    assert [line.strip() for line in lines if f'"{vendor}"' in line] == [f'"{vendor}": {vendor}.KIND,']
