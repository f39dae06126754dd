"""``shadow``: other policies of a service, read like its own, and no part of what is decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.core.fleet import Fleet
from autoscaler.policies.queue_depth import QueueDepth
from tests.config.files import Folder

POLICIES = 'policies = ["queue-depth"]'


def shadowed(folder: Folder, shadow: str) -> Fleet:
    """The shadow of ``chat``."""
    folder.change((POLICIES, f"{POLICIES}\nshadow = {shadow}"))
    return folder.load().shadows["chat"]


def test_a_shadow_is_the_service_alone_with_the_other_policies(folder: Folder) -> None:
    folder.change(("[http]", "[budget]\nusd_per_hour = 9.0\n[http]"))

    alone = shadowed(folder, '[{ name = "queue-depth", target_utilisation = 0.6 }, "always-two"]')

    config = folder.load()
    (service,) = alone.services.values()
    assert [one.name for one in service.policies] == ["queue-depth", "always-two"]
    assert service.policies[0].policy == QueueDepth(target_utilisation=0.6)
    assert service.deployments == config.fleet.services["chat"].deployments
    assert config.fleet.services["chat"].policies[0].policy == QueueDepth()
    assert alone.budget_usd_per_hour is None
    assert alone.interval_s == config.fleet.interval_s


def test_a_shadow_acts_on_its_own_plant_also_where_the_service_only_observes(folder: Folder) -> None:
    folder.change(("[http]", '[daemon]\nmode = "observe"\n[http]'))

    assert shadowed(folder, '["always-two"]').services["chat"].mode == "act"


def test_a_shadow_in_the_defaults_is_every_services_but_where_one_says_otherwise(folder: Folder) -> None:
    folder.change(("[http]", '[defaults]\nshadow = ["always-two"]\n[http]'))
    assert list(folder.load().shadows) == ["chat"]

    folder.change((POLICIES, f"{POLICIES}\nshadow = []"))
    assert folder.load().shadows == {}


def test_the_configurations_hash_does_not_follow_the_shadow_and_the_shadows_follows_both(
    folder: Folder,
) -> None:
    plain = folder.load().fleet.config_hash
    names = [shadowed(folder, '["always-two"]').config_hash]
    assert folder.load().fleet.config_hash == plain
    assert folder.load().shadows["chat"].config_hash == names[0]

    for change in (
        ('shadow = ["always-two"]', 'shadow = [{ name = "always-two", replicas = 3 }]'),
        (POLICIES, f"stabilise_down_s = 60\n{POLICIES}"),
        (POLICIES, 'policies = [{ name = "queue-depth", idle_s = 9 }]'),
        ("[http]", "[daemon]\ninterval_s = 30\n[http]"),
    ):
        folder.change(change)
        names.append(folder.load().shadows["chat"].config_hash)

    assert len(set(names)) == 5


@pytest.mark.parametrize(
    ("shadow", "told"),
    [
        ('["allways-two"]', 'services.chat.shadow[allways-two] = "allways-two": no such policy file'),
        ('["queue-depth"]', "services.chat.shadow: these are the policies that are active already"),
        ("[3]", "services.chat.shadow[1] = 3: not a policy"),
        ('["always-two", "always-two"]', "always-two is named twice"),
        (
            '[{ name = "always-two", replicas = -1 }]',
            "services.chat.shadow[always-two].replicas = -1: out of range",
        ),
        ('"always-two"', "services.chat.shadow"),
    ],
)
def test_a_shadow_that_cannot_be_is_told_with_its_place(folder: Folder, shadow: str, told: str) -> None:
    folder.change((POLICIES, f"{POLICIES}\nshadow = {shadow}"))

    problems = folder.problems()

    assert any(told in problem for problem in problems), problems


def test_the_same_policies_under_another_name_are_no_shadow(folder: Folder) -> None:
    folder.policy("twin", 'kind = "queue_depth"\ntarget_utilisation = 0.8\n')
    folder.change((POLICIES, f'{POLICIES}\nshadow = ["twin"]'))

    (problem,) = folder.problems()

    assert "active already" in problem


def test_what_a_shadow_reads_must_be_defined(folder: Folder, tmp_path: Path) -> None:
    folder.policy("strange", 'kind = "queue_depth"\nsignals = ["tokens"]\n')
    folder.change((POLICIES, f'{POLICIES}\nshadow = ["strange"]'))

    (problem,) = folder.problems()

    assert "the policy strange reads tokens, which is not defined here" in problem
