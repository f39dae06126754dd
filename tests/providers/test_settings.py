from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from autoscaler.clock import SystemClock
from autoscaler.providers import PROVIDERS
from autoscaler.providers.exoscale import ExoscaleSettings
from tests.providers.support import CHAT, KEY, SECRET, Recorder

GOOD = {"kind": "exoscale", "zone": "at-vie-2", "api_key": KEY, "api_secret": SECRET}


def test_the_default_address_is_the_zones() -> None:
    assert ExoscaleSettings.model_validate(GOOD).address == "https://api-at-vie-2.exoscale.com/v2"


@pytest.mark.parametrize(
    "base_url",
    [
        "http://127.0.0.1:8081/v2",
        "http://localhost:8081/v2",
        "http://[::1]:8081/v2/",
        "https://proxy.example.com/exo/v2",
    ],
)
def test_a_base_url_that_keeps_the_key_safe_is_taken(base_url: str) -> None:
    assert ExoscaleSettings.model_validate({**GOOD, "base_url": base_url}).address == base_url.rstrip("/")


@pytest.mark.parametrize(
    ("base_url", "why"),
    [
        ("http://10.0.0.7/v2", "in clear"),
        ("http://127.0.0.1.example.com/v2", "in clear"),
        ("https://api.example.com", "must end in /v2"),
        ("https://u:p@api.example.com/v2", "user name"),
        ("https://api.example.com/v2?x=/v2", "query"),
        ("ftp://api.example.com/v2", "http"),
        ("https:///v2", "host"),
        ("https://api.example.com:99999/v2", "not an address"),
        ("https://api example.com/v2", "white space"),
    ],
)
def test_a_base_url_that_cannot_be_meant_is_refused(base_url: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ExoscaleSettings.model_validate({**GOOD, "base_url": base_url})


def test_http_beyond_this_machine_needs_a_word_of_its_own() -> None:
    taken = ExoscaleSettings.model_validate(
        {**GOOD, "base_url": "http://emulator:8081/v2", "allow_http": True}
    )

    assert taken.address == "http://emulator:8081/v2"


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "at-vie-2.evil.example/"},
        {"zone": ""},
        {"api_key": ""},
        {"api_secret": "two\nlines"},
        {"api_key": "EXO,signature=x"},
        {"deadline_s": 0},
        {"connections_max": 0},
        {"reply_bytes_max": 1},
        {"colour": "red"},
        {"kind": "deepinfra"},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExoscaleSettings.model_validate({**GOOD, **wrong})


def test_a_secret_file_may_end_in_a_line_end() -> None:
    settings = ExoscaleSettings.model_validate({**GOOD, "api_secret": f"{SECRET}\n"})

    assert settings.api_secret.get_secret_value() == SECRET


def test_secrets_are_in_no_repr_and_in_no_validation_error() -> None:
    settings = ExoscaleSettings.model_validate(GOOD)

    assert SECRET not in repr(settings) + str(settings)
    assert KEY not in repr(settings)
    with pytest.raises(ValidationError) as caught:
        ExoscaleSettings.model_validate({**GOOD, "api_secret": f"{SECRET} x", "colour": SECRET})
    assert SECRET not in str(caught.value)


def test_every_kind_describes_its_settings_and_ids() -> None:
    for kind in PROVIDERS.values():
        fields = {**kind.settings.model_fields, **kind.ids.model_fields}
        assert all(field.description for field in fields.values())
        assert "kind" in kind.settings.model_fields


def test_an_id_that_is_no_uuid_is_refused() -> None:
    kind = PROVIDERS["exoscale"]

    assert str(kind.ids.model_validate({"id": CHAT.upper()}).model_dump(mode="json")["id"]) == CHAT
    with pytest.raises(ValidationError):
        kind.ids.model_validate({"id": "5f3c..."})
    with pytest.raises(ValidationError):
        kind.ids.model_validate({"id": CHAT, "model_id": "x"})


def test_the_registry_makes_a_provider_without_a_running_loop() -> None:
    kind = PROVIDERS["exoscale"]

    provider = kind.create("exo", kind.settings.model_validate(GOOD), SystemClock(), Recorder())

    assert provider.name == "exo"
    assert SECRET not in repr(provider)


def test_an_unreadable_ca_file_is_named(tmp_path: Path) -> None:
    kind = PROVIDERS["exoscale"]
    (tmp_path / "ca.pem").write_text("not a certificate")

    for name in ("ca.pem", "missing.pem"):
        settings = kind.settings.model_validate({**GOOD, "ca_file": str(tmp_path / name)})
        with pytest.raises(ValueError, match=name):
            kind.create("exo", settings, SystemClock(), Recorder())
