"""The example and the reference say what the models say."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from autoscaler.config import allowed, load
from autoscaler.config.models import (
    BudgetSettings,
    DaemonSettings,
    DeploymentSettings,
    HttpSettings,
    PriceSettings,
    ServiceSettings,
    SignalSettings,
)
from autoscaler.config.reader import names_of
from autoscaler.config.reference import reference
from autoscaler.emulators.exoscale.emulator import API_KEY
from autoscaler.emulators.fleet import DEFAULT_FLEET
from autoscaler.providers import PROVIDERS
from autoscaler.sources import SOURCES, SourceKind

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config.example.toml"
SWITCHED_OFF = re.compile(r"^#(?=[a-z\[])", re.MULTILINE)
BLOCK = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)

NO_DEFAULT: Any = object()


def whole() -> dict[str, Any]:
    """The example with every line switched on."""
    return tomllib.loads(SWITCHED_OFF.sub("", EXAMPLE.read_text(encoding="utf-8")))


def pages(section: str, kind: str) -> list[dict[str, Any]]:
    """The TOML examples of the page of this kind, with every line switched on."""
    page = ROOT / "docs" / section / f"{kind.replace('_', '-')}.md"
    return [
        tomllib.loads(SWITCHED_OFF.sub("", text)) for text in BLOCK.findall(page.read_text(encoding="utf-8"))
    ]


def deployments_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        one for service in document.get("services", {}).values() for one in service.get("deployments", ())
    ]


def signals_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for service in document.get("services", {}).values() for one in service["signals"].values()]


def tables(all_of_it: dict[str, Any]) -> list[tuple[str, type[BaseModel], list[Mapping[str, Any]]]]:
    """Each model, and the example's tables of it."""
    services = list(all_of_it["services"].values())
    signals, deployments = signals_of(all_of_it), deployments_of(all_of_it)
    found: list[tuple[str, type[BaseModel], list[Mapping[str, Any]]]] = [
        ("daemon", DaemonSettings, [all_of_it["daemon"]]),
        ("http", HttpSettings, [all_of_it["http"]]),
        ("budget", BudgetSettings, [all_of_it["budget"]]),
        ("prices", PriceSettings, all_of_it["prices"]),
        ("service", ServiceSettings, services),
        ("signal", SignalSettings, signals),
        ("deployment", DeploymentSettings, deployments),
    ]
    # What only one kind has may be shown on the page of that kind instead.
    for section, kinds in (("providers", PROVIDERS), ("sources", SOURCES)):
        for kind, one in kinds.items():
            shown = [all_of_it, *pages(section, kind)]
            named = [
                {name: table for name, table in document.get(section, {}).items() if table["kind"] == kind}
                for document in shown
            ]
            of_kind = [table for tables in named for table in tables.values()]
            found.append((f"{section} {kind}", one.settings, of_kind))
            own = list(zip(shown, named, strict=True))
            if isinstance(one, SourceKind):
                options = [s for document, names in own for s in signals_of(document) if s["source"] in names]
                found.append((f"signal of {kind}", one.signal_options, options))
            else:
                ids = [
                    d for document, names in own for d in deployments_of(document) if d["provider"] in names
                ]
                found.append((f"ids of {kind}", one.ids, ids))
    return found


def test_the_example_works_as_it_stands() -> None:
    config = load(EXAMPLE, {})

    assert config.warnings == ()
    assert config.daemon.mode == "observe"


def test_the_example_speaks_of_the_emulators_own_deployment() -> None:
    example = whole()
    account = DEFAULT_FLEET.account("exoscale")
    exo = example["providers"]["exo"]

    assert exo["api_key"] == API_KEY
    assert exo["api_secret"] == account.api_secret.get_secret_value()
    assert exo["zone"] == account.zone
    assert exo["base_url"] == f"http://127.0.0.1:{account.port}/v2"
    ids = {deployment.deployment_id: deployment for deployment in DEFAULT_FLEET.at("exoscale")}
    (ours,) = example["services"]["chat"]["deployments"]
    assert ids[ours["id"]].concurrency == ours["capacity_per_replica"]
    assert ids[ours["id"]].gpu_type == ours["gpu_type"] == example["prices"][0]["gpu_type"]


@pytest.mark.parametrize(
    ("what", "model", "found"), tables(whole()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_key_of_every_table_is_in_the_example(
    what: str, model: type[BaseModel], found: list[Mapping[str, Any]]
) -> None:
    shown = {key for table in found for key in table}

    assert names_of(model) - shown == set()


def test_every_default_in_the_example_is_the_programs() -> None:
    switched_on = tables(tomllib.loads(EXAMPLE.read_text(encoding="utf-8")))
    on = {(what, key) for what, _, found in switched_on for table in found for key in table}
    for what, model, found in tables(whole()):
        for key, schema in allowed.fields_of(model).items():
            default = schema.get("default", NO_DEFAULT)
            default = {} if default is NO_DEFAULT and allowed.types_of(schema) == {"object"} else default
            if default is None or default is NO_DEFAULT or key == "kind":
                continue
            for table in found:
                if key in table and (what, key) not in on:
                    assert table[key] == default, f"{what}: {key}"


def test_the_example_has_no_key_that_is_unknown() -> None:
    example = whole()
    known = {key for _, model, _ in tables(whole()) for key in names_of(model)}
    for section in ("daemon", "http", "budget"):
        assert set(example[section]) <= known
    for section in ("providers", "sources", "services"):
        for table in example[section].values():
            assert set(table) <= known


def test_the_reference_is_fresh() -> None:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")

    assert page == reference(), "run python -m autoscaler.config.reference docs/configuration.md"


def test_the_reference_has_every_key_with_a_description() -> None:
    page = reference()
    for what, model, _ in tables(whole()):
        for key, schema in allowed.fields_of(model).items():
            assert f"| `{key}` |" in page, f"{what}: {key}"
            assert schema.get("description"), f"{what}: {key} has no description"
