"""Secrets come from the file, the environment or files of their own, and show up nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.config import Config, ConfigError
from autoscaler.providers.exoscale import ExoscaleSettings
from autoscaler.sources.prometheus import PrometheusSettings
from tests.config.files import Folder

SECRET = "correct-horse-battery-staple"


def secret_of(config: Config) -> str:
    exo = config.providers["exo"]
    assert isinstance(exo, ExoscaleSettings)
    return exo.api_secret.get_secret_value()


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", "\n\n"])
def test_a_secret_comes_from_its_file_without_the_line_end(folder: Folder, ending: str) -> None:
    (folder.path / "run").mkdir()
    (folder.path / "run/secret").write_bytes(SECRET.encode() + ending.encode())
    folder.change(('api_secret = "hush-hush-secret"', 'api_secret_file = "run/secret"'))

    assert secret_of(folder.load()) == SECRET


def test_the_path_of_a_secret_file_may_come_from_the_environment_and_be_absolute(
    folder: Folder, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(SECRET)
    config = folder.load({"AUTOSCALER_HTTP__ADMIN_TOKEN_FILE": str(tmp_path / "token")})

    assert config.http.admin_token is not None
    assert config.http.admin_token.get_secret_value() == SECRET


def test_a_username_has_a_file_twin_and_is_kept_like_a_secret(folder: Folder) -> None:
    (folder.path / "user").write_text("scraper\n")
    folder.add(
        '[sources.prom]\nkind = "prometheus"\nurl = "http://127.0.0.1"\nusername_file = "user"\n'
        'password = "pass-word"\n'
    )

    prom = folder.load().sources["prom"]

    assert isinstance(prom, PrometheusSettings)
    assert prom.username == "scraper"
    assert folder.load_for_decide().fleet == folder.load().fleet  # the hash, too


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read: No such file or directory; allowed is a file that holds the secret"),
        (b"", "is empty; allowed is a file that holds the secret"),
        (b"\n", "is empty; allowed is a file that holds the secret"),
        (b"\xff\xfe", "is not UTF-8 text; allowed is a file that holds the secret alone"),
        (b"x" * 65_537, "is larger than 65536 bytes; no secret is that long"),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_an_error(
    folder: Folder, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (folder.path / "s").write_bytes(content)
    folder.change(('api_secret = "hush-hush-secret"', 'api_secret_file = "s"'))

    assert folder.problems() == [f'config.toml:9: providers.exo.api_secret_file = "s": {expected}']


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_secret_file_without_permission_is_an_error(folder: Folder) -> None:
    (folder.path / "s").touch(mode=0)
    folder.change(('api_secret = "hush-hush-secret"', 'api_secret_file = "s"'))

    assert "Permission denied" in folder.problems()[0]


def test_a_secret_and_its_file_at_once_are_an_error(folder: Folder) -> None:
    (folder.path / "s").write_text(SECRET)
    expected = "providers.exo.api_secret_file: given as well as api_secret; allowed is one of the two"
    folder.change(("api_secret", 'api_secret_file = "s"\napi_secret'))

    assert folder.problems() == [f"config.toml:9: {expected}"]


def test_a_secret_is_in_no_message_and_no_repr(folder: Folder) -> None:
    folder.change(
        ("hush-hush-secret", f"{SECRET} with spaces"),
        ("EXO0123456789", f'{SECRET}"\napi_sekret = "{SECRET}'),
        ("port = 0", f'port = 0\npush_token = "{SECRET}\\n"\nadmin_token = 5'),
    )
    folder.add(
        f'[sources.prom]\nkind = "prometheus"\nurl = "http://u:{SECRET}@h"\n'
        f'headers = {{ A = "{SECRET}\\n" }}\n'
    )
    environ = {"AUTOSCALER_PROVIDERS__EXO__TOKN": SECRET, "AUTOSCALER_SOURCES__PROM__PASSWORD": SECRET}

    with pytest.raises(ConfigError) as caught:
        folder.load(environ)

    assert len(caught.value.problems) >= 6
    assert SECRET not in str(caught.value) + repr(caught.value) + repr(caught.value.problems)
    chain = caught.value.__cause__, caught.value.__context__
    assert SECRET not in repr(chain)


def test_a_short_secret_is_hidden_by_its_key_and_by_what_its_key_was_meant_to_be(folder: Folder) -> None:
    folder.change(('"hush-hush-secret"', "77"), ('"EXO0123456789"', '"EXO0"\napi_kee = "q7x"\nzoone = "q8x"'))

    assert folder.problems() == [
        "config.toml:9: providers.exo.api_kee = (hidden): unknown key; did you mean api_key?",
        "config.toml:10: providers.exo.zoone = (hidden): unknown key; did you mean zone?",
        "config.toml:11: providers.exo.api_secret = (hidden): wrong type, a whole number; allowed is text",
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    secret=st.text(
        st.characters(min_codepoint=33, max_codepoint=126, blacklist_characters='\\" ,'), min_size=8
    )
)
def test_no_secret_whatever_it_is_shows_in_a_configuration(folder: Folder, secret: str) -> None:
    secret = f"~{secret}~"
    config = folder.load({"AUTOSCALER_PROVIDERS__EXO__API_SECRET": secret})

    assert secret_of(config) == secret
    assert secret not in repr(config) + str(config.fleet) + config.fleet.config_hash
    assert secret in config.secrets()


def test_decide_needs_no_secrets_and_opens_no_secret_file(folder: Folder) -> None:
    folder.change(
        ('api_key = "EXO0123456789"\n', ""),
        ('api_secret = "hush-hush-secret"', 'api_secret_file = "/nonexistent"'),
        ("port = 0", 'port = 0\nadmin_token_file = "/nonexistent"'),
    )
    config = folder.load_for_decide({"AUTOSCALER_PROVIDERS__EXO__API_KEY": SECRET})

    assert SECRET not in config.secrets()
    assert config.secrets() == ()
    assert dict(config.providers) == {}
    assert list(config.fleet.services) == ["chat"]


def test_decide_finds_every_other_problem(folder: Folder) -> None:
    folder.change(('zone = "at-vie-2"', "zone = 2"), ('api_key = "EXO0123456789"\n', ""))

    with pytest.raises(ConfigError) as caught:
        folder.load_for_decide()

    assert [problem.key for problem in caught.value.problems] == ["providers.exo.zone"]


def test_decide_and_run_have_one_hash_and_it_does_not_depend_on_secrets(folder: Folder) -> None:
    config = folder.load()

    assert config.fleet == folder.load_for_decide().fleet
    changed = folder.load({"AUTOSCALER_PROVIDERS__EXO__API_SECRET": SECRET, "AUTOSCALER_HTTP__PORT": "1"})
    assert changed.fleet.config_hash == config.fleet.config_hash


def test_a_file_that_a_provider_trusts_is_relative_to_the_configuration(folder: Folder) -> None:
    folder.change(("api_key =", 'ca_file = "ca.pem"\napi_key ='))
    assert folder.problems() == [
        'config.toml:8: providers.exo.ca_file = "ca.pem": cannot be read: No such file or directory; '
        "allowed is a file"
    ]
    (folder.path / "ca.pem").write_text("PEM")

    exo = folder.load().providers["exo"]

    assert isinstance(exo, ExoscaleSettings)
    assert exo.ca_file == folder.path / "ca.pem"
