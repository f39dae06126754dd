"""The environment goes before the file, and a name of ours that means nothing is an error."""

from __future__ import annotations

import os

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from autoscaler.config import load
from autoscaler.config.environment import Names, name_of, overlay
from autoscaler.config.names import SECTIONS, names_for
from autoscaler.providers.exoscale import ExoscaleSettings
from autoscaler.sources.prometheus import PrometheusSettings
from tests.config.files import GOOD, KINDS, Folder

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,5}){0,2}", fullmatch=True)


def test_a_value_of_the_environment_goes_before_the_files(folder: Folder) -> None:
    config = folder.load(
        {
            "AUTOSCALER_DAEMON__INTERVAL_S": "7.5",
            "AUTOSCALER_HTTP__HOST": "0.0.0.0",
            "AUTOSCALER_PROVIDERS__EXO__API_SECRET": "12345678",
            "AUTOSCALER_PROVIDERS__EXO__ALLOW_HTTP": "true",
            "AUTOSCALER_SERVICES__CHAT__MODE": "observe",
            "AUTOSCALER_SERVICES__CHAT__SIGNALS__ARRIVED_TOTAL__MAX_AGE_S": "5",
            "AUTOSCALER_SERVICES__CHAT__LABELS__TEAM": "search",
            "AUTOSCALER_SERVICES__CHAT__POLICIES": '["queue-depth", {"name": "always-two", "replicas": 3}]',
            "AUTOSCALER_DEFAULTS__PRIORITY": "4",
        }
    )

    service = config.fleet.services["chat"]
    exo = config.providers["exo"]
    assert isinstance(exo, ExoscaleSettings)
    assert (config.daemon.interval_s, config.fleet.interval_s, config.http.host) == (7.5, 7.5, "0.0.0.0")
    assert exo.api_secret == SecretStr("12345678")
    assert exo.allow_http is True
    assert (service.mode, service.priority) == ("observe", 4)
    assert service.signals["arrived_total"].max_age_s == 5
    assert [policy.name for policy in service.policies] == ["queue-depth", "always-two"]
    assert config.labels == {"chat": {"team": "search"}}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "AUTOSCALER_PROVIDERS__EX0__API_SECRET",
            "never-to-be-shown",
            "environment: AUTOSCALER_PROVIDERS__EX0__API_SECRET = (hidden): unknown name; "
            "did you mean AUTOSCALER_PROVIDERS__EXO__API_SECRET?",
        ),
        (
            "AUTOSCALER_DAEMON__interval_s",
            "5",
            'environment: AUTOSCALER_DAEMON__interval_s = "5": unknown name; '
            "did you mean AUTOSCALER_DAEMON__INTERVAL_S?",
        ),
        (
            "AUTOSCALER_DAEMON__INTERVAL_S",
            "soon",
            'environment: AUTOSCALER_DAEMON__INTERVAL_S = "soon": wrong type, text; '
            "allowed is a number of seconds from 1 to 3600",
        ),
        (
            "AUTOSCALER_DAEMON__INTERVAL_S",
            "1e999",
            "environment: AUTOSCALER_DAEMON__INTERVAL_S = inf: out of range; "
            "allowed is a number of seconds from 1 to 3600",
        ),
        (
            "AUTOSCALER_DEFAULTS__COOLDOWN_S",
            "-1",
            "environment: AUTOSCALER_DEFAULTS__COOLDOWN_S = -1: out of range; "
            "allowed is a number of seconds from 0 to 2592000",
        ),
        (
            "AUTOSCALER_PRICES__0__USD_PER_GPU_HOUR",
            "1",
            'environment: AUTOSCALER_PRICES__0__USD_PER_GPU_HOUR = "1": unknown name; '
            "arrays of tables come from the file only",
        ),
        (
            "AUTOSCALER_SERVICES__CHAT__DEPLOYMENTS__0__NAME",
            "a",
            'environment: AUTOSCALER_SERVICES__CHAT__DEPLOYMENTS__0__NAME = "a": unknown name; '
            "arrays of tables come from the file only",
        ),
        (
            "AUTOSCALER_SERVICES__CHAT__SIGNALS__QUEUD__MAX_AGE_S",
            "1",
            'environment: AUTOSCALER_SERVICES__CHAT__SIGNALS__QUEUD__MAX_AGE_S = "1": unknown name; '
            "did you mean AUTOSCALER_SERVICES__CHAT__SIGNALS__QUEUED__MAX_AGE_S?",
        ),
    ],
)
def test_a_name_or_value_that_cannot_be_is_an_error(
    folder: Folder, name: str, value: str, expected: str
) -> None:
    assert folder.problems({name: value}) == [expected]


def test_names_of_others_are_left_alone(folder: Folder) -> None:
    config = folder.load(
        {
            "AUTOSCALER_CONFIG": "elsewhere.toml",
            "AUTOSCALER_PORT_9464_TCP": "tcp://10.0.0.1:9464",
            "AUTOSCALER_SERVICE_HOST": "10.0.0.1",
            "AUTOSCALER_DAEMON": "x",
            "AUTOSCALER_OTHER__KEY": "x",
            "DAEMON__INTERVAL_S": "3",
        }
    )

    assert config == folder.load()


def test_a_table_may_come_from_the_environment_alone_where_its_kind_does(folder: Folder) -> None:
    config = folder.load(
        {
            "AUTOSCALER_SOURCES__PROM_EU__KIND": "prometheus",
            "AUTOSCALER_SOURCES__PROM_EU__URL": "http://127.0.0.1:9090",
        }
    )

    prom = config.sources["prom-eu"]
    assert isinstance(prom, PrometheusSettings)
    assert prom.url == "http://127.0.0.1:9090"


def test_two_keys_that_share_a_name_are_told_apart_in_the_file_only(folder: Folder) -> None:
    folder.change(
        (
            "signals.queued",
            'signals.a-b = { source = "gateway" }\nsignals.a_b = { source = "gateway" }\nsignals.queued',
        )
    )

    assert folder.problems({"AUTOSCALER_SERVICES__CHAT__SIGNALS__A_B__MAX_AGE_S": "3"}) == [
        'environment: AUTOSCALER_SERVICES__CHAT__SIGNALS__A_B__MAX_AGE_S = "3": means more than one key; '
        "set services.chat.signals.a-b.max_age_s or services.chat.signals.a_b.max_age_s in the file"
    ]


def test_names_below_a_table_of_unknown_kind_are_not_told_too(folder: Folder) -> None:
    folder.change(('kind = "exoscale"', 'kind = "nobody"'))

    problems = folder.problems({"AUTOSCALER_PROVIDERS__EXO__WHATEVER": "x"})

    assert len(problems) == 1
    assert "unknown kind" in problems[0]


def test_the_process_environment_is_read_by_default(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "AUTOSCALER_DAEMON__INTERVAL_S", "11")

    assert load(folder.file, kinds=KINDS).daemon.interval_s == 11


@given(providers=st.lists(NAMES, min_size=1, max_size=4, unique=True), seconds=st.floats(0.1, 300))
def test_every_key_of_every_provider_has_exactly_one_name(providers: list[str], seconds: float) -> None:
    tables = {"providers": {name: {"kind": "exoscale"} for name in providers}}
    environ = {name_of(("providers", name, "deadline_s")): repr(seconds) for name in providers}
    assert len(environ) == len(providers)

    found = overlay(environ, names_for(tables, environ, KINDS), SECTIONS)

    assert found.problems == ()
    assert found.table == {"providers": {name: {"deadline_s": seconds} for name in providers}}


@given(rest=st.from_regex(r"[A-Z_0-9]{1,12}", fullmatch=True), section=st.sampled_from(sorted(SECTIONS)))
def test_no_name_of_ours_is_ignored(rest: str, section: str) -> None:
    names = names_for({}, {}, KINDS)
    name = f"AUTOSCALER_{section.upper()}__{rest}"
    assume(not (section in ("providers", "sources") and rest.endswith("__KIND")))

    found = overlay({name: "text"}, names, SECTIONS)

    assert (not found.problems) == bool(names.find(name))
    assert bool(found.table) == bool(names.find(name))


@given(text=st.text(max_size=30))
def test_any_text_of_a_string_key_stays_that_text(text: str) -> None:
    names = Names()
    names.add(("http", "host"), {"type": "string"})

    assert overlay({"AUTOSCALER_HTTP__HOST": text}, names, SECTIONS).table == {"http": {"host": text}}


def test_the_good_file_is_good(folder: Folder) -> None:
    assert folder.file.read_text(encoding="utf-8") == GOOD
    assert folder.load().warnings == ()
