"""What a good configuration becomes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autoscaler.config import ConfigError, load
from autoscaler.core.fleet import Deployment, SignalRule
from autoscaler.policies.queue_depth import QueueDepth
from autoscaler.ports import Ref, SignalQuery
from tests.config.files import ID, KINDS, Folder

PROMETHEUS = """
[sources.prom]
kind = "prometheus"
url = "http://127.0.0.1:9090"
[[prices]]
provider = "exo"
gpu_type = "gpua5000"
usd_per_gpu_hour = 1.10
[defaults]
policies = ["always-two"]
labels = { team = "search", tier = "a" }
cooldown_s = 30
signals.running = { source = "prom", query = "sum(x)", age_query = "time() - 1" }
[services.code]
labels = { tier = "b" }
start_up_s = 45
mode = "observe"
signals.running = { max_age_s = 15 }
[[services.code.deployments]]
name = "b"
provider = "exo"
id = "0b9b2c5e-7a41-4b0e-8a53-5f3a8f3c9d10"
capacity_per_replica = 2
max_replicas = 1
[[services.code.deployments]]
name = "a"
provider = "exo"
id = "0b9b2c5e-7a41-4b0e-8a53-5f3a8f3c9d11"
capacity_per_replica = 2
max_replicas = 3
min_replicas = 1
"""


def test_the_fleet_is_built_whole(folder: Folder) -> None:
    folder.add(PROMETHEUS)
    config = folder.load()

    code = config.fleet.services["code"]
    assert [policy.name for policy in code.policies] == ["always-two"]
    assert (code.mode, code.cooldown_s, code.stabilise_down_s) == ("observe", 30, 300)
    assert code.deployments == (
        Deployment("code", "a", "exo", 2, 3, min_replicas=1, start_up_s=45),
        Deployment("code", "b", "exo", 2, 1, start_up_s=45),
    )
    assert code.signals == {"running": SignalRule(15, False)}
    assert config.fleet.fixed_prices == {"exo/gpua5000": 1.10}
    assert config.modes == {"chat": "act", "code": "observe"}
    assert config.labels == {"chat": {"team": "search", "tier": "a"}, "code": {"team": "search", "tier": "b"}}
    assert Ref("chat/exo-a5000", {"id": ID}) in config.refs["exo"]
    assert config.queries["prom"] == (SignalQuery("code", "running", "sum(x)", "time() - 1", 15),)
    assert {query.signal for query in config.queries["gateway"]} >= {"queued", "arrived_total"}


def test_a_signal_with_a_source_of_its_own_takes_nothing_from_the_defaults(folder: Folder) -> None:
    folder.add(PROMETHEUS)
    config = folder.load()

    (ours,) = (query for query in config.queries["gateway"] if query.signal == "running")
    assert ours == SignalQuery("chat", "running")


def test_an_override_makes_a_policy_of_its_own(folder: Folder) -> None:
    folder.change(('["queue-depth"]', '[{ name = "queue-depth", target_utilisation = 0.6 }]'))

    (named,) = folder.load().fleet.services["chat"].policies

    assert named.name == "queue-depth"
    assert named.policy == QueueDepth(target_utilisation=0.6)


def test_an_override_leaves_the_files_other_keys_and_other_services_alone(folder: Folder) -> None:
    folder.policy("queue-depth", 'kind = "queue_depth"\nidle_s = 10\ntarget_utilisation = 0.9\n')
    folder.change(('["queue-depth"]', '[{ name = "queue-depth", target_utilisation = 0.6 }]'))
    folder.add(PROMETHEUS.replace('["always-two"]', '["queue-depth"]').replace("running = {", "queued = {"))
    folder.add('[services.code.signals.running]\nsource = "gateway"\n')
    services = folder.load().fleet.services

    assert services["chat"].policies[0].policy == QueueDepth(idle_s=10, target_utilisation=0.6)
    assert services["code"].policies[0].policy == QueueDepth(idle_s=10, target_utilisation=0.9)


def test_a_budget_may_be_exactly_what_the_floors_cost(folder: Folder) -> None:
    folder.add(PROMETHEUS)
    folder.change(
        ("max_replicas = 6", "max_replicas = 6\nmin_replicas = 3"),
        ("[services.chat]", "[services.chat]\nbudget_usd_per_hour = 3.30"),
    )

    assert folder.load().fleet.services["chat"].budget_usd_per_hour == 3.30


def test_floors_are_priced_only_where_the_file_tells_the_price(folder: Folder) -> None:
    folder.add(PROMETHEUS + '[[prices]]\nprovider = "exo"\ngpu_type = "gpu3"\nusd_per_gpu_hour = 2\n')
    folder.change(
        ("max_replicas = 6", "max_replicas = 6\nmin_replicas = 3"),
        ("[services.chat]", "[services.chat]\nbudget_usd_per_hour = 1"),
    )
    folder.load()

    folder.change(("min_replicas = 3", 'min_replicas = 3\ngpu_type = "gpu3"\ngpus_per_replica = 4'))

    assert "min_replicas alone cost 24.00" in folder.problems()[0]


def test_relative_paths_start_at_the_file_wherever_the_process_is(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load("etc/config.toml", {}, KINDS)

    assert config.path == tmp_path / "etc/config.toml"
    assert config.daemon.policy_dir == tmp_path / "etc/policies"
    assert config.daemon.journal == f"sqlite:{tmp_path}/etc/autoscaler.db"
    assert config.daemon.journal_path == tmp_path / "etc/autoscaler.db"


def test_a_link_to_a_file_elsewhere_keeps_the_links_folder(folder: Folder, tmp_path: Path) -> None:
    # Kubernetes mounts a ConfigMap as links into a folder whose name changes.
    (tmp_path / "data").mkdir()
    os.rename(folder.file, tmp_path / "data/config.toml")
    folder.file.symlink_to(tmp_path / "data/config.toml")

    assert folder.load().daemon.policy_dir == folder.path / "policies"


def test_reading_twice_gives_the_same_and_leaves_nothing_behind(folder: Folder) -> None:
    before = sorted(folder.path.rglob("*"))

    assert folder.load() == folder.load()
    assert sorted(folder.path.rglob("*")) == before


def test_the_hash_follows_what_is_decided_and_not_how_it_is_written(folder: Folder) -> None:
    folder.add(PROMETHEUS)
    first = folder.load().fleet.config_hash
    assert len(first) == 12

    folder.change(
        ("max_replicas = 6", "max_replicas = 6\nmin_replicas = 0  # the default"), ("[http]", "\n\n[http]")
    )
    assert folder.load().fleet.config_hash == first
    folder.policy("unused", 'kind = "always_two"\n')
    assert folder.load({"AUTOSCALER_DAEMON__JOURNAL": "sqlite:/tmp/x.db"}).fleet.config_hash == first

    changed = {first}
    for environ in (
        {"AUTOSCALER_DAEMON__INTERVAL_S": "16"},
        {"AUTOSCALER_SERVICES__CHAT__COOLDOWN_S": "1"},
        {"AUTOSCALER_SERVICES__CHAT__SIGNALS__QUEUED__MAX_AGE_S": "61"},
        {"AUTOSCALER_BUDGET__USD_PER_HOUR": "9"},
    ):
        changed.add(folder.load(environ).fleet.config_hash)
    folder.policy("queue-depth", 'kind = "queue_depth"\ntarget_utilisation = 0.7\n')
    changed.add(folder.load().fleet.config_hash)
    assert len(changed) == 6


def test_money_keeps_its_digits(folder: Folder) -> None:
    folder.add(PROMETHEUS.replace("1.10", "0.1234567"))

    assert repr(folder.load().fleet.fixed_prices["exo/gpua5000"]) == "0.1234567"


# --- policy files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "broken",
            'kind = "queue_depth"\ntarget_utilisation = 2\n',
            "policies/broken.toml:2: target_utilisation = 2: out of range; "
            "allowed is a number above 0 and at most 1",
        ),
        (
            "broken",
            'kind = "queue_depth"\n\nidle = 3\n',
            "policies/broken.toml:3: idle = 3: unknown key; did you mean idle_s?",
        ),
        (
            "broken",
            'kind = "que_depth"\n',
            'policies/broken.toml:1: kind = "que_depth": unknown kind of policy; '
            "known are always_two or queue_depth",
        ),
        ("broken", "", "policies/broken.toml: kind: is required; known kinds are always_two or queue_depth"),
        ("broken", "kind = ", "policies/broken.toml:1: is not TOML: Invalid value (end of file)"),
        (
            "Bro_ken",
            'kind = "queue_depth"\n',
            "policies/Bro_ken.toml: the file's name is the policy's; allowed is [a-z][a-z0-9-]*.toml",
        ),
    ],
)
def test_a_bad_policy_file_is_told_by_its_own_name(
    folder: Folder, name: str, text: str, expected: str
) -> None:
    folder.policy(name, text)

    assert folder.problems() == [expected]


def test_files_that_are_no_policies_are_left_alone(folder: Folder) -> None:
    folder.policy(".queue-depth", "half written")
    (folder.path / "policies/README.md").write_text("not TOML")

    folder.load()


def test_no_policy_folder_is_needed_where_no_policy_is_named(folder: Folder) -> None:
    folder.change(('policies = ["queue-depth"]', "policies = []"))
    for file in (folder.path / "policies").iterdir():
        file.unlink()
    (folder.path / "policies").rmdir()

    assert folder.load().fleet.services["chat"].policies == ()


# --- warnings -------------------------------------------------------------------------------------


def warnings(folder: Folder) -> list[str]:
    return [str(warning).replace(f"{folder.path}/", "") for warning in folder.load().warnings]


def test_a_query_without_age_is_warned_about(folder: Folder) -> None:
    folder.add(PROMETHEUS.replace(', age_query = "time() - 1"', ""))

    assert warnings(folder) == [
        "config.toml:44: services.code.signals.running: an instant query hides the age of what it returns, "
        "up to 5 minutes; add age_query"
    ]


def test_a_queue_that_is_counted_in_full_is_warned_about_where_start_up_is_long(folder: Folder) -> None:
    folder.change(('signals.started_total = { source = "gateway" }\n', ""))
    assert "counted in full by queue-depth" in warnings(folder)[0]

    folder.change(("[services.chat]", "[services.chat]\nstart_up_s = 60"))
    assert warnings(folder) == []


def test_a_service_that_nothing_wakes_is_warned_about(folder: Folder) -> None:
    folder.change((", exists_at_zero = true", ""))
    assert "has exists_at_zero = true" in warnings(folder)[0]

    folder.change(("max_replicas = 6", "max_replicas = 6\nmin_replicas = 1"))
    assert warnings(folder) == []


def test_a_service_that_never_runs_is_warned_about(folder: Folder) -> None:
    folder.change(('policies = ["queue-depth"]', "policies = []"))

    assert "the baseline is 0" in warnings(folder)[0]


def test_a_fallback_above_the_maximum_unused_tables_and_weak_tokens_are_warned_about(folder: Folder) -> None:
    folder.change(
        ("[services.chat]", "[services.chat]\nfallback_replicas = 7"),
        ("port = 0", 'port = 0\nadmin_token = "short"\npush_token = "short"'),
    )
    folder.add('[sources.spare]\nkind = "push"\n')

    assert warnings(folder) == [
        "config.toml:17: services.chat.fallback_replicas = 7: is above the sum of max_replicas "
        "and counts as that, 6",
        "config.toml:30: sources.spare: nothing uses it",
        "config.toml:4: http.admin_token: is short; take at least 16 random characters",
        "config.toml:5: http.push_token: is short; take at least 16 random characters",
        "config.toml:5: http.push_token: is the admin token; whoever pushes signals can pause and override",
    ]


def test_warnings_stop_nothing_and_errors_stop_everything(folder: Folder) -> None:
    folder.change((", exists_at_zero = true", ""))
    assert folder.load().warnings
    folder.change(("port = 0", "port = -1"))
    with pytest.raises(ConfigError):
        folder.load()
