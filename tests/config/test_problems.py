"""Everything that is wrong is told at once, with file, line, key, value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.config.allowed import fields_of
from autoscaler.config.document import Document
from autoscaler.config.models import DaemonSettings, ServiceSettings
from autoscaler.config.problems import listed
from autoscaler.config.reader import Reader
from autoscaler.durations import DURATION_S_MAX
from tests.config.files import GOOD, ID, KINDS, OTHER_ID, Folder

SECOND = f"""
[[services.chat.deployments]]
name = "second"
provider = "exo"
id = "{OTHER_ID}"
capacity_per_replica = 16
max_replicas = 4
"""

OTHER_SERVICE = f"""
[services.code]
policies = []
[[services.code.deployments]]
name = "a"
provider = "exo"
id = "{ID.upper()}"
capacity_per_replica = 1
max_replicas = 1
"""

PRICE = """
[[prices]]
provider = "exo"
gpu_type = "gpua5000"
usd_per_gpu_hour = 1.10
"""

CHAINS = """
[providers.ch]
kind = "chains"
token = "not-a-real-one"
[services.stages]
policies = []
[[services.stages.deployments]]
name = "first"
provider = "ch"
chain_id = "c1"
environment = "production"
chainlet = "Llm"
capacity_per_replica = 1
max_replicas = 1
[[services.stages.deployments]]
name = "second"
provider = "ch"
chain_id = "c1"
environment = "production"
chainlet = "Embed"
capacity_per_replica = 1
max_replicas = 1
"""

KINDS_BASE = Path("/nonexistent")


@pytest.mark.parametrize(
    ("changes", "added", "expected"),
    [
        pytest.param(
            [("port = 0", "prot = 0")],
            "",
            ["config.toml:3: http.prot = 0: unknown key; did you mean port?"],
            id="unknown key",
        ),
        pytest.param(
            [],
            "[deamon]\nmode = 'act'\n",
            ["config.toml:27: deamon: unknown key; did you mean daemon?"],
            id="unknown section",
        ),
        pytest.param(
            [("[http]", "[daemon]\ninterval_s = '15'\n[http]")],
            "",
            [
                'config.toml:3: daemon.interval_s = "15": wrong type, text; '
                "allowed is a number of seconds from 1 to 3600"
            ],
            id="text for a number",
        ),
        pytest.param(
            [("max_replicas = 6", "max_replicas = true")],
            "",
            [
                "config.toml:26: services.chat.deployments[exo-a5000].max_replicas = true: "
                "wrong type, true or false; allowed is a whole number from 0 to 10000"
            ],
            id="boolean for a number",
        ),
        pytest.param(
            [("max_replicas = 6", "max_replicas = 2.0")],
            "",
            [
                "config.toml:26: services.chat.deployments[exo-a5000].max_replicas = 2.0: "
                "wrong type, a number; allowed is a whole number from 0 to 10000"
            ],
            id="fraction for replicas",
        ),
        pytest.param(
            [("port = 0", "port = 65536")],
            "",
            ["config.toml:3: http.port = 65536: out of range; allowed is a whole number from 0 to 65535"],
            id="port",
        ),
        pytest.param(
            [("[http]", "[daemon]\njournal = 'postgres://x'\nmode = 'acting'\n[http]")],
            "",
            [
                'config.toml:3: daemon.journal = "postgres://x": not a journal; allowed is sqlite:PATH',
                'config.toml:4: daemon.mode = "acting": not allowed; allowed is "act" or "observe"',
            ],
            id="journal and mode",
        ),
        pytest.param(
            [("[sources.gateway]", "[sources.Gate_way]")],
            "",
            [
                "config.toml:11: sources.Gate_way: 'Gate_way' is not a name; allowed is [a-z][a-z0-9-]*",
                *(
                    f'config.toml:{line}: services.chat.signals.{name}.source = "gateway": '
                    "no [sources.gateway] table; did you mean Gate_way?"
                    for line, name in enumerate(
                        ("queued", "running", "arrived_total", "started_total"), start=16
                    )
                ),
            ],
            id="name, and those that refer to it",
        ),
        pytest.param(
            [('kind = "exoscale"', 'kind = "exoscle"')],
            "",
            [
                'config.toml:6: providers.exo.kind = "exoscle": unknown kind; '
                f"allowed is {listed(KINDS.providers)}; did you mean exoscale?"
            ],
            id="unknown kind of provider",
        ),
        pytest.param(
            [('kind = "push"\n', "")],
            "",
            [
                "config.toml:11: sources.gateway.kind: is required; "
                "allowed is baseten, deepinfra, prometheus or push"
            ],
            id="no kind",
        ),
        pytest.param(
            [('api_secret = "hush-hush-secret"\n', "")],
            "",
            [
                "config.toml:5: providers.exo.api_secret: is required; allowed is text, "
                "or the path of a file that holds it in api_secret_file"
            ],
            id="missing secret",
        ),
        pytest.param(
            [('provider = "exo"', 'provider = "exoo"')],
            "",
            [
                'config.toml:23: services.chat.deployments[exo-a5000].provider = "exoo": '
                "no [providers.exoo] table; did you mean exo?"
            ],
            id="unknown provider",
        ),
        pytest.param(
            [("max_replicas = 6", "max_replicas = 6\nmin_replicas = 7")],
            "",
            [
                "config.toml:27: services.chat.deployments[exo-a5000].min_replicas = 7: "
                "is above max_replicas; allowed is 0 to 6"
            ],
            id="min above max",
        ),
        pytest.param(
            [("[services.chat]", "[services.chat]\nbaseline_replicas = 11")],
            SECOND,
            [
                "config.toml:15: services.chat.baseline_replicas = 11: is above the sum of max_replicas; "
                "allowed is 0 to 10"
            ],
            id="baseline",
        ),
        pytest.param(
            [('name = "exo-a5000"', 'name = "second"')],
            SECOND,
            [
                'config.toml:29: services.chat.deployments[second].name = "second": '
                "a second deployment of this name; allowed is one per service"
            ],
            id="two deployments of one name",
        ),
        pytest.param(
            [],
            OTHER_SERVICE,
            [
                "config.toml:30: services.code.deployments[a]: chat/exo-a5000 is the same deployment; "
                "allowed is once in the file"
            ],
            id="one deployment in two services",
        ),
        pytest.param(
            [("max_replicas = 6", 'max_replicas = 6\ncontrol = "floor"')],
            SECOND,
            [
                'config.toml:27: services.chat.deployments[exo-a5000].control = "floor": such a deployment '
                'must be the only one of its service; allowed beside others is "pin"'
            ],
            id="floor beside another",
        ),
        pytest.param(
            [],
            CHAINS,
            [
                'config.toml:46: services.stages.deployments[second].chainlet = "Embed": '
                "first is another stage of this chain, and cannot replace it; allowed is one service for each"
            ],
            id="two chainlets of a chain",
        ),
        pytest.param(
            [],
            PRICE + PRICE,
            [
                "config.toml:33: prices[2]: a second price for gpua5000 at exo; allowed is one",
            ],
            id="two prices",
        ),
        pytest.param(
            [
                ("max_replicas = 6", "max_replicas = 6\nmin_replicas = 4"),
                (
                    "[services.chat]",
                    "[budget]\nusd_per_hour = 4.0\n[services.chat]\nbudget_usd_per_hour = 4.39",
                ),
            ],
            PRICE,
            [
                "config.toml:15: budget.usd_per_hour = 4.0: min_replicas alone cost 4.40 by [[prices]]; "
                "allowed is at least that, or lower min_replicas",
                "config.toml:17: services.chat.budget_usd_per_hour = 4.39: min_replicas alone cost 4.40 by "
                "[[prices]]; allowed is at least that, or lower min_replicas",
            ],
            id="floors above the budgets",
        ),
        pytest.param(
            [('policies = ["queue-depth"]', 'policies = ["queue-dept", "always-two", "always-two", 3]')],
            "",
            [
                'config.toml:15: services.chat.policies[queue-dept] = "queue-dept": no such policy file, '
                "policies/queue-dept.toml; did you mean queue-depth?",
                'config.toml:15: services.chat.policies[always-two] = "always-two": always-two is named '
                "twice; allowed is once per service",
                "config.toml:15: services.chat.policies[4] = 3: not a policy; allowed is the name of a "
                'policy file, or { name = "...", and keys to override }',
            ],
            id="policies",
        ),
        pytest.param(
            [('["queue-depth"]', '[{ name = "queue-depth", target_utilisation = 1.5, kind = "x" }]')],
            "",
            [
                'config.toml:15: services.chat.policies[queue-depth].kind = "x": a policy\'s kind cannot be '
                "overridden; write another policy file",
            ],
            id="kind overridden",
        ),
        pytest.param(
            [('["queue-depth"]', '[{ name = "queue-depth", target_utilisation = 1.5, x = 1 }]')],
            "",
            [
                "config.toml:15: services.chat.policies[queue-depth].x = 1: unknown key; known are "
                "drain_within_s, idle_s, service_s, signals or target_utilisation",
                "config.toml:15: services.chat.policies[queue-depth].target_utilisation = 1.5: out of range; "
                "allowed is a number above 0 and at most 1",
            ],
            id="bad override",
        ),
        pytest.param(
            [('signals.running = { source = "gateway" }\n', "")],
            "",
            [
                "config.toml:14: services.chat.signals: the policy queue-depth reads running, which is not "
                "defined here; defined are arrived_total, queued or started_total"
            ],
            id="signal that a policy needs",
        ),
        pytest.param(
            [
                (
                    'signals.running = { source = "gateway"',
                    'signals.running = { source = "gateway", query = "x"',
                )
            ],
            "",
            [
                'config.toml:17: services.chat.signals.running.query = "x": unknown key; '
                "known are exists_at_zero, max_age_s or source"
            ],
            id="a pushed signal has no query",
        ),
        pytest.param(
            [],
            "[defaults]\ncooldown_s = -1\nmoed = 'act'\n",
            [
                "config.toml:28: defaults.cooldown_s = -1: out of range; "
                "allowed is a number of seconds from 0 to 2592000",
                'config.toml:29: defaults.moed = "act": unknown key; did you mean mode?',
            ],
            id="defaults are told once, where they stand",
        ),
        pytest.param(
            [],
            "[[defaults.deployments]]\nname = 'a'\n",
            [
                "config.toml:27: defaults.deployments: deployments belong to one service; "
                "allowed is any other key of a service"
            ],
            id="deployments in defaults",
        ),
    ],
)
def test_a_problem_names_file_line_key_value_and_what_is_allowed(
    folder: Folder, changes: list[tuple[str, str]], added: str, expected: list[str]
) -> None:
    folder.change(*changes)
    folder.add(added)

    assert folder.problems() == expected


def test_all_problems_are_told_at_once_in_the_order_of_the_file(folder: Folder) -> None:
    folder.change(("port = 0", "port = -1"), ("max_replicas = 6", ""), ('zone = "at-vie-2"', "zone = 2"))
    folder.policy("broken", 'kind = "queue_depth"\nidle_s = -1\n')

    problems = folder.problems({"AUTOSCALER_DAEMON__INTERVAL_S": "0"})

    assert [line.split(": ")[1].split(" = ")[0] for line in problems] == [
        "http.port",
        "providers.exo.zone",
        "services.chat.deployments[exo-a5000].max_replicas",
        "AUTOSCALER_DAEMON__INTERVAL_S",
        "idle_s",
    ]


def test_bounds_are_compared_although_another_key_of_the_service_is_wrong(folder: Folder) -> None:
    folder.change(
        ("[services.chat]", "[services.chat]\ncooldown_s = -1"),
        (ID, "not-a-uuid"),
        ("max_replicas = 6", "max_replicas = 6\nmin_replicas = 7"),
    )

    keys = [line.split(": ")[1].split(" = ")[0].rsplit(".", 1)[-1] for line in folder.problems()]

    assert keys == ["cooldown_s", "id", "min_replicas"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[daemon]\ninterval_s = \n", "config.toml:2: is not TOML: Invalid value (column 14)"),
        ("[daemon]\n[daemon]\n", "config.toml:2: is not TOML: Cannot declare ('daemon',) twice (column 8)"),
        (
            "[daemon",
            "config.toml:1: is not TOML: Expected ']' at the end of a table declaration (end of file)",
        ),
    ],
)
def test_a_file_that_is_not_toml_is_told_with_line_and_column(
    folder: Folder, text: str, expected: str
) -> None:
    folder.write(text)

    problems = folder.problems()

    assert problems == [expected]


def test_a_file_that_is_not_there_or_not_text_is_one_problem(folder: Folder) -> None:
    folder.file.write_bytes(b"# fine\n\xff\n")
    assert folder.problems() == ["config.toml:2: is not UTF-8 text"]
    folder.file.unlink()
    assert folder.problems() == ["config.toml: no such file"]
    folder.file.mkdir()
    assert folder.problems() == ["config.toml: cannot be read: Is a directory"]


def test_a_missing_policy_folder_is_told_with_its_path(folder: Folder) -> None:
    folder.change(("[http]", '[daemon]\npolicy_dir = "rules"\n[http]'))

    assert folder.problems() == [
        'config.toml:3: daemon.policy_dir = "rules": rules cannot be read: No such file or directory; '
        "allowed is a folder of policy files"
    ]


def test_a_fleet_without_services_is_an_error(folder: Folder) -> None:
    folder.write("")

    assert folder.problems() == [
        "config.toml: services: is required; allowed is at least one [services.NAME] table"
    ]


def test_a_service_without_deployments_or_policies_is_an_error(folder: Folder) -> None:
    folder.write("[services.chat]\n")

    assert folder.problems() == [
        "config.toml:1: services.chat.policies: is required; allowed is a list",
        "config.toml:1: services.chat.deployments: is required; "
        "allowed is at least one [[services.NAME.deployments]] table",
    ]


@given(
    text=st.text(max_size=60),
    junk=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_whatever_stands_in_a_table_is_a_problem_or_a_model_and_never_a_crash(
    text: str, junk: object
) -> None:
    for key in ("interval_s", "mode", "journal", "policy_dir", text):
        reader = Reader(Document("c", {}), {}, KINDS_BASE, reads_secrets=True)
        model = reader.model(DaemonSettings, {key: junk}, ("daemon",))
        assert model is not None or reader.problems


@given(seconds=st.floats(allow_nan=True) | st.integers())
def test_durations_are_from_0_to_30_days(seconds: float) -> None:
    for key in (key for key in fields_of(ServiceSettings) if key.endswith("_s")):
        reader = Reader(Document("c", {}), {}, KINDS_BASE, reads_secrets=True)
        reader.model(ServiceSettings, {"policies": [], key: seconds}, ("services", "a"))
        assert (not reader.problems) == (0 <= seconds <= DURATION_S_MAX)


@given(seconds=st.floats() | st.integers())
def test_the_interval_is_from_1_to_3600_seconds(seconds: float) -> None:
    reader = Reader(Document("c", {}), {}, KINDS_BASE, reads_secrets=True)
    reader.model(DaemonSettings, {"interval_s": seconds}, ("daemon",))

    assert (not reader.problems) == (1 <= seconds <= 3600)


def test_a_section_of_the_wrong_shape_is_told_without_what_it_holds(folder: Folder) -> None:
    folder.write("http = 'not-to-be-shown'\nprices = 3\n" + GOOD.replace("[http]\nport = 0\n", ""))

    assert folder.problems() == [
        "config.toml:1: http: wrong type; allowed is a table, [http]",
        "config.toml:2: prices: wrong type; allowed is an array of tables, [[prices]]",
    ]
