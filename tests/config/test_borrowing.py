"""A source that names a provider: what it takes from there, what goes before, and what is told where."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.config import Config
from autoscaler.sources.baseten import BasetenSettings
from autoscaler.sources.deepinfra import DeepInfraSettings
from tests.config.files import Folder

KEY = "b4s3t3n-k3y-of-the-provider"
OWN = "b4s3t3n-k3y-of-the-source"
ACCOUNT = f"""
[providers.bt]
kind = "baseten"
api_key = "{KEY}"
base_url = "http://127.0.0.1:8083"
metrics_base_url = "http://127.0.0.1:8083"
inference_base_url = "http://127.0.0.1:8083/model-{{model_id}}"
"""

SOURCE = """
[sources.load]
kind = "baseten"
provider = "bt"

[services.chat.signals.late_total]
source = "load"
query = 'baseten_concurrent_requests{deployment_id="wxyz789"}'
"""


def source_of(config: Config) -> BasetenSettings:
    settings = config.sources["load"]
    assert isinstance(settings, BasetenSettings)
    return settings


def test_a_source_takes_the_credential_and_the_addresses_of_its_provider(folder: Folder) -> None:
    folder.add(ACCOUNT + SOURCE)

    config = folder.load()

    source = source_of(config)
    assert source.api_key.get_secret_value() == KEY
    assert source.metrics_base_url == "http://127.0.0.1:8083"
    assert source.inference_base_url == "http://127.0.0.1:8083/model-{model_id}"
    assert config.warnings == ()  # a provider that only lends is used


def test_what_the_source_says_itself_goes_before(folder: Folder) -> None:
    (folder.path / "key").write_text(f"{OWN}\n")
    folder.add(ACCOUNT + SOURCE)
    folder.change(
        ('provider = "bt"', 'provider = "bt"\napi_key_file = "key"\nmetrics_base_url = "https://m.example"')
    )

    source = source_of(folder.load())

    assert source.api_key.get_secret_value() == OWN
    assert source.metrics_base_url == "https://m.example"
    assert source.inference_base_url == "http://127.0.0.1:8083/model-{model_id}"


def test_the_providers_credential_may_come_from_a_file_or_the_environment(folder: Folder) -> None:
    (folder.path / "key").write_text(f"{OWN}\n")
    folder.add(ACCOUNT + SOURCE)
    environ = {"AUTOSCALER_PROVIDERS__BT__API_KEY": OWN}

    assert source_of(folder.load(environ)).api_key.get_secret_value() == OWN

    folder.change((f'api_key = "{KEY}"', 'api_key_file = "key"'))

    assert source_of(folder.load()).api_key.get_secret_value() == OWN


def test_a_source_may_have_an_account_of_its_own_and_come_from_the_environment(folder: Folder) -> None:
    folder.add(SOURCE.replace('provider = "bt"', f'api_key = "{OWN}"'))
    source = source_of(folder.load())

    assert source.api_key.get_secret_value() == OWN
    assert source.metrics_base_url == "https://app.baseten.co"

    folder.add(ACCOUNT)
    folder.change((f'api_key = "{OWN}"', ""))

    assert source_of(folder.load({"AUTOSCALER_SOURCES__LOAD__PROVIDER": "bt"})).provider == "bt"


def test_a_path_is_taken_from_where_the_provider_has_it(folder: Folder) -> None:
    (folder.path / "ca.pem").touch()
    folder.add(ACCOUNT + SOURCE)
    folder.change((f'api_key = "{KEY}"', f'api_key = "{KEY}"\nca_file = "ca.pem"'))

    assert source_of(folder.load()).ca_file == folder.path / "ca.pem"


def test_deepinfra_lends_too(folder: Folder) -> None:
    folder.add(
        f'[providers.di]\nkind = "deepinfra"\napi_token = "{KEY}"\nbase_url = "http://127.0.0.1:8082"\n'
        + SOURCE.replace("baseten_concurrent_requests{deployment_id", "in_flight{deploy_id").replace(
            'kind = "baseten"\nprovider = "bt"', 'kind = "deepinfra"\nprovider = "di"'
        )
    )
    source = folder.load().sources["load"]

    assert isinstance(source, DeepInfraSettings)
    assert (source.api_token.get_secret_value(), source.base_url) == (KEY, "http://127.0.0.1:8082")


# --- what is told -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('provider = "x"', 'sources.load.provider = "x": no [providers.x] table; allowed are bt or exo'),
        ('provider = "btt"', 'sources.load.provider = "btt": no [providers.btt] table; did you mean bt?'),
        (
            'provider = "exo"',
            'sources.load.provider = "exo": is of kind exoscale; allowed is a provider of kind baseten: bt',
        ),
        ("provider = 5", "sources.load.provider = 5: wrong type, a whole number; allowed is text"),
        (
            "",
            "sources.load.api_key: is required; allowed is text, or the path of a file that holds it in "
            "api_key_file, or provider, the name of a [providers.NAME] table of kind baseten",
        ),
    ],
)
def test_a_provider_that_cannot_lend_is_told_once(folder: Folder, line: str, expected: str) -> None:
    folder.add(ACCOUNT + SOURCE.replace('provider = "bt"', line))

    (problem,) = folder.problems()

    assert problem.split(": ", 1)[1] == expected


def test_a_file_without_a_provider_of_the_kind_says_so(folder: Folder) -> None:
    folder.add(SOURCE.replace('"bt"', '"exo"'))

    (problem,) = folder.problems()

    assert problem.endswith("allowed is a provider of kind baseten: none, since the file has none")


def test_a_mistake_of_the_provider_is_told_there_and_not_again(folder: Folder) -> None:
    folder.add(ACCOUNT.replace(KEY, "two words") + SOURCE)

    (problem,) = folder.problems()

    assert "providers.bt.api_key = (hidden)" in problem


def test_mistakes_of_the_source_are_told_beside_the_providers(folder: Folder) -> None:
    folder.add(ACCOUNT.replace(KEY, "two words") + SOURCE)
    folder.change(('provider = "bt"', 'provider = "bt"\nscrape_interval_s = 5'))

    found = folder.problems()

    assert len(found) == 2
    assert (
        "sources.load.scrape_interval_s = 5: out of range; allowed is a number of seconds from 10" in found[1]
    )


def test_a_borrowed_credential_is_in_no_message(folder: Folder) -> None:
    folder.add(ACCOUNT + SOURCE)
    folder.change(('provider = "bt"', 'provider = "bt"\nscrape_interval_s = 5\nmetrics_base_url = "x"'))

    assert KEY not in "\n".join(folder.problems())


# --- what follows from it -----------------------------------------------------------------------


def test_a_borrowed_credential_is_a_secret_to_the_logs(folder: Folder) -> None:
    folder.add(ACCOUNT + SOURCE)
    config = folder.load()

    assert KEY in config.secrets()
    assert KEY not in repr(config)


def test_the_hash_knows_what_is_borrowed_but_for_the_credential(folder: Folder) -> None:
    folder.add(ACCOUNT + SOURCE)
    hashes = {folder.load().fleet.config_hash}
    folder.change((KEY, OWN))
    hashes.add(folder.load().fleet.config_hash)

    assert len(hashes) == 1

    folder.change(
        ('metrics_base_url = "http://127.0.0.1:8083"', 'metrics_base_url = "http://127.0.0.1:8084"')
    )

    assert folder.load().fleet.config_hash not in hashes


@pytest.mark.parametrize("credential", [f'api_key = "{KEY}"', 'api_key_file = "no/such/file"', ""])
def test_deciding_needs_no_credential_and_decides_the_same(folder: Folder, credential: str) -> None:
    folder.add(ACCOUNT + SOURCE)
    fleet = folder.load().fleet
    folder.change((f'api_key = "{KEY}"', credential))

    assert folder.load_for_decide().fleet == fleet


def test_settings_that_changed_at_the_provider_are_others_at_the_source(
    folder: Folder, tmp_path: Path
) -> None:
    folder.add(ACCOUNT + SOURCE)
    before = source_of(folder.load())
    folder.change((KEY, OWN))

    assert source_of(folder.load()) != before  # so a reload makes the source anew
