"""What the documentation shows is run as it is printed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoscaler.core.exact import quotient, replicas_needed
from autoscaler.core.proposals import Policy
from autoscaler.policies.queue_depth import QueueDepth
from autoscaler.policies.registry import collect, load_policies
from tests.packages.install import install, python_with_policies
from tests.policies.views import a_view

DOCS = Path(__file__).parents[2] / "docs"


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def _written_policy() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "acme_policies"}
    for block in _blocks("policies/writing-a-policy.md", "python"):
        exec(compile(block, "writing-a-policy.md", "exec", dont_inherit=True), names)
    return names


def test_the_policy_of_the_page_passes_the_tests_of_the_page() -> None:
    names = _written_policy()
    tests: list[Callable[[], None]] = [value for name, value in names.items() if name.startswith("test_")]

    assert len(tests) == 2
    for test in tests:
        test()


def test_the_policy_of_the_page_fits_25_lines() -> None:
    code = _blocks("policies/writing-a-policy.md", "python")[0]

    assert len([line for line in code.splitlines() if line.strip()]) <= 25


def test_the_distribution_of_the_page_installs_and_its_policy_file_loads(tmp_path: Path) -> None:
    page = "policies/writing-a-policy.md"
    source = tmp_path / "acme"
    source.mkdir()
    pyproject, policy_file = _blocks(page, "toml")
    (source / "pyproject.toml").write_text(pyproject)
    (source / "acme_policies.py").write_text(_blocks(page, "python")[0])
    install(source, tmp_path / "site")
    table = tomllib.loads(policy_file)
    program = (
        "import json, sys\n"
        "from autoscaler.policies.registry import load_policies\n"
        "table = json.loads(sys.argv[1])\n"
        "print(repr(load_policies()[table.pop('kind')].model_validate(table)))"
    )

    ended = python_with_policies(tmp_path / "site", "-c", program, json.dumps(table))

    assert ended.stderr == ""
    assert ended.stdout.strip() == "TokensWaiting(signal='tokens_waiting', tokens_per_request=2000.0)"


def test_the_class_of_the_page_is_a_policy_that_measures_demand() -> None:
    policy = _written_policy()["TokensWaiting"]

    assert issubclass(policy, Policy)
    assert policy.demand
    assert policy.kind not in collect([])


def test_the_first_policy_file_loads_and_wants_what_the_page_says() -> None:
    policy_file, service = (tomllib.loads(block) for block in _blocks("first-policy.md", "toml"))
    policy = load_policies()[policy_file.pop("kind")].model_validate(policy_file)
    line = json.loads(_blocks("first-policy.md", "json")[0])
    values = {name: reading["value"] for name, reading in line["signals"]["chat"].items()}

    (proposal,) = policy.propose(a_view(values))

    assert proposal.want is not None
    supply = f"{replicas_needed(proposal.want, 16.0)} replicas of 16"
    said = re.sub(r"\s+", " ", (DOCS / "first-policy.md").read_text())
    assert f"`{proposal.reason.format(supply=supply)}`" in said
    assert set(policy.signals_read()) <= set(service["services"]["chat"]["signals"])


def test_the_table_of_keys_is_that_of_the_policy() -> None:
    text = (DOCS / "policies/queue-depth.md").read_text()
    keys = re.findall(r"^\| `(\w+)` \|", text.split("## Keys")[1].split("## How much")[0], re.MULTILINE)

    assert keys == list(QueueDepth.model_fields)


@pytest.mark.parametrize(
    "path", sorted((DOCS.parent / "policies").glob("queue-depth*.toml")), ids=lambda path: path.stem
)
def test_every_ready_made_file_of_the_kind_is_in_the_table(path: Path) -> None:
    assert f"| `{path.name}` |" in (DOCS / "policies/queue-depth.md").read_text()


def test_the_example_of_the_page_is_right() -> None:
    assert max(quotient(45.0, 0.8), 45 + 260 * 30 / 600) == 58.0
    assert replicas_needed(58.0, 16.0) == replicas_needed(56.25, 16.0) == 4
    assert replicas_needed(quotient(260.0 + 32.0, 0.8), 16.0) == 23
