from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from autoscaler.core.proposals import Policy, Proposal, View
from autoscaler.policies.queue_depth import QueueDepth
from autoscaler.policies.registry import GROUP, PolicyKindError, collect, load_policies
from tests.packages.install import python_with_policies, third_party_environment

HERE = __name__


class Kindless(Policy):
    def propose(self, view: View) -> tuple[Proposal, ...]:
        return ()


class Speechless(Policy, kind="speechless"):
    pass


class Budget(Kindless, kind="budget"):
    pass


class Shouting(Kindless, kind="LOUD!"):
    pass


class Second(Kindless, kind="queue_depth"):
    pass


class Heir(QueueDepth, kind="heir"):
    pass


NOT_A_CLASS = 3
OURS = EntryPoint("queue_depth", "autoscaler.policies.queue_depth:QueueDepth", GROUP)


def _entry(name: str) -> EntryPoint:
    return EntryPoint(name.lower(), f"{HERE}:{name}", GROUP)


def test_the_built_in_kind_is_found_as_anyone_elses_is() -> None:
    assert load_policies()["queue_depth"] is QueueDepth


def test_kinds_are_looked_up_once_and_cannot_be_changed() -> None:
    kinds = load_policies()

    assert load_policies() is kinds
    with pytest.raises(TypeError):
        kinds["mine"] = QueueDepth  # type: ignore[index]


def test_a_kind_may_extend_a_built_in_one() -> None:
    kinds = collect([_entry("Heir"), OURS])

    assert set(kinds) == {"heir", "queue_depth"}
    assert kinds["heir"].demand


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("Kindless", 'has no kind; write class Name(Policy, kind="...")'),
        ("Speechless", "does not define propose(view)"),
        ("Budget", "has the kind 'budget', which is a reason code of the core"),
        ("Shouting", "has the kind 'LOUD!'; allowed is a lower-case letter, then a-z 0-9 _"),
        ("NOT_A_CLASS", "is not a subclass of autoscaler.core.proposals.Policy"),
        ("Path", "is not a subclass of autoscaler.core.proposals.Policy"),
        ("Absent", "cannot be loaded: AttributeError"),
    ],
)
def test_an_entry_point_that_is_no_policy_is_named(name: str, trouble: str) -> None:
    entry = _entry(name)

    with pytest.raises(
        PolicyKindError, match=re.escape(f"entry point {entry.name} = {entry.value} {trouble}")
    ):
        collect([OURS, entry])


def test_an_entry_point_whose_module_breaks_is_named_with_the_cause() -> None:
    with pytest.raises(
        PolicyKindError, match="cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"
    ):
        collect([EntryPoint("gone", "nowhere:Gone", GROUP)])


def test_the_second_to_claim_a_kind_is_blamed() -> None:
    with pytest.raises(PolicyKindError) as caught:
        collect([_entry("Second"), OURS])

    assert "claims the kind 'queue_depth', which is taken by" in str(caught.value)


def test_all_troubles_are_told_at_once() -> None:
    with pytest.raises(PolicyKindError) as caught:
        collect([_entry("Kindless"), _entry("Budget"), OURS])

    assert len(str(caught.value).splitlines()) == 2


PROGRAM = """
from autoscaler.policies.registry import load_policies
kinds = load_policies()
policy = kinds["steady"].model_validate({"replicas": 3})
print(*sorted(kinds))
print(type(policy).__module__, policy.propose(None)[0].at_least)
"""


def test_a_third_partys_distribution_adds_a_kind_by_being_installed(tmp_path: Path) -> None:
    target = third_party_environment(tmp_path)

    ended = python_with_policies(target, "-c", PROGRAM)

    assert ended.stderr == ""
    kinds, made = ended.stdout.splitlines()
    assert {"queue_depth", "steady"} <= set(kinds.split())
    assert made == "autoscaler_steady 3"


def test_a_third_party_that_claims_our_kind_is_blamed_by_its_distributions_name(tmp_path: Path) -> None:
    target = third_party_environment(tmp_path)
    module = target / "autoscaler_steady.py"
    module.write_text(module.read_text().replace('kind="steady"', 'kind="queue_depth"'))
    (metadata,) = target.glob("autoscaler_steady-*.dist-info/METADATA")
    metadata.write_text(metadata.read_text().replace("Name: autoscaler-steady", "Name: acme-steady"))

    ended = python_with_policies(target, "-c", PROGRAM)

    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert "acme-steady: entry point steady = autoscaler_steady:Steady claims the kind" in last
    assert "taken by autoscaler: entry point queue_depth" in last


def test_finding_policies_loads_no_machinery_of_the_edge() -> None:
    program = (
        "import sys\n"
        "import autoscaler.policies.registry, autoscaler.policies.queue_depth\n"
        "print([name for name in ('aiohttp', 'sqlite3', 'structlog', 'apscheduler') if name in sys.modules])"
    )

    assert python_with_policies(Path(sys.prefix), "-c", program).stdout.strip() == "[]"
