from __future__ import annotations

import pytest
from pydantic import ValidationError

from autoscaler.providers import PROVIDERS
from autoscaler.providers.baseten import BasetenIds, BasetenSettings

KEY = "worked-example-key-not-real"
GOOD = {"kind": "baseten", "api_key": KEY}


def test_the_default_addresses_are_the_vendors() -> None:
    settings = BasetenSettings.model_validate(GOOD)

    assert settings.address == "https://api.baseten.co"
    assert settings.metrics_address == "https://app.baseten.co"
    assert settings.inference_address("abcd1234") == "https://model-abcd1234.api.baseten.co"


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("http://127.0.0.1:8083", "http://127.0.0.1:8083"),
        ("http://127.0.0.1:8083/model-{model_id}/", "http://127.0.0.1:8083/model-abcd1234"),
        ("https://model-{model_id}.proxy.example.com", "https://model-abcd1234.proxy.example.com"),
    ],
)
def test_another_inference_address_may_hold_the_models_id(told: str, address: str) -> None:
    settings = BasetenSettings.model_validate({**GOOD, "inference_base_url": told})

    assert settings.inference_address("abcd1234") == address


@pytest.mark.parametrize("key", ["base_url", "inference_base_url", "metrics_base_url"])
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://10.0.0.7", "in clear"),
        ("https://u:p@api.example.com", "user name"),
        ("https://api.example.com?x=1", "query"),
        ("ftp://api.example.com", "http"),
        ("https:///v1", "host"),
    ],
)
def test_an_address_that_would_leak_the_key_is_refused(key: str, address: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        BasetenSettings.model_validate({**GOOD, key: address})

    assert KEY not in str(caught.value)
    if why == "in clear":
        assert f"{key} of http://" in str(caught.value)
        BasetenSettings.model_validate({**GOOD, key: address, "allow_http": True})


def test_only_the_models_id_stands_in_braces() -> None:
    with pytest.raises(ValidationError, match="no other braces"):
        BasetenSettings.model_validate({**GOOD, "inference_base_url": "https://{model}.example.com"})


def test_the_key_is_in_no_repr() -> None:
    assert KEY not in repr(BasetenSettings.model_validate(GOOD))


@pytest.mark.parametrize(
    "ids",
    [
        {"model_id": "abcd1234", "deployment_id": "wxyz789"},
        {"model_id": "abcd1234", "environment": "production"},
        {"chain_id": "c1", "environment": "staging-2", "chainlet": "Llm"},
    ],
)
def test_ids_come_in_three_shapes(ids: dict[str, str]) -> None:
    assert BasetenIds.model_validate(ids).model_dump(exclude_none=True) == ids


@pytest.mark.parametrize(
    ("ids", "why"),
    [
        ({}, "no id given; allowed are model_id and deployment_id, model_id and environment, or chain_id"),
        ({"model_id": "a"}, "model_id given; allowed"),
        ({"model_id": "a", "deployment_id": "b", "environment": "c"}, "model_id, deployment_id, environment"),
        ({"model_id": "a", "environment": "c", "chainlet": "Llm"}, "given; allowed"),
        ({"chain_id": "a", "chainlet": "Llm"}, "chain_id, chainlet given"),
        ({"chain_id": "a", "environment": "c"}, "given; allowed"),
        ({"model_id": "a", "deployment_id": "production"}, 'environment = "production" instead'),
        ({"model_id": "a", "environment": "development"}, "is not scaled"),
        ({"model_id": "a/../b", "deployment_id": "c"}, "pattern"),
        ({"model_id": "a", "deployment_id": "b", "id": "c"}, "Extra"),
    ],
)
def test_other_ids_are_refused_in_clear_words(ids: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        BasetenIds.model_validate(ids)


def test_the_registry_knows_it() -> None:
    assert PROVIDERS["baseten"].settings is BasetenSettings
    assert PROVIDERS["baseten"].ids is BasetenIds
