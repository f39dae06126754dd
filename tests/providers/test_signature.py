"""Exoscale's signature, against worked examples and against the official signer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from exoscale_auth import ExoscaleV2Auth  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.providers.exoscale.signature import authorization
from tests.providers.support import CHAT, KEY, SECRET

EXPIRES = 1795219200  # 2026-11-21T00:00:00Z
START = f"EXO2-HMAC-SHA256 credential={KEY},"


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "rest"),
    [
        (
            "POST",
            f"/v2/ai/deployment/{CHAT}/scale",
            (),
            b'{"replicas": 3}',
            "expires=1795219200,signature=UNwQHLcENZkJ7Ubtk9o3CLuV/T+go9sD2BVp9gpWZ54=",
        ),
        (
            "GET",
            "/v2/ai/deployment",
            (("visibility", "private"),),
            b"",
            "signed-query-args=visibility,expires=1795219200,"
            "signature=/boL/GGJwXU1xZPqDqH7FIW5zyW50E1PG6BZOSJxPtQ=",
        ),
        (
            "GET",
            f"/v2/ai/deployment/{CHAT}/logs",
            (("tail", "50"), ("stream", "false")),
            b"",
            "signed-query-args=stream;tail,expires=1795219200,"
            "signature=imprxxSC989iMHR9nIVXu+KHD/mCWMVOV3QFBwa02fE=",
        ),
    ],
)
def test_worked_examples_are_signed_as_published(
    method: str, path: str, query: tuple[tuple[str, str], ...], body: bytes, rest: str
) -> None:
    assert authorization(KEY, SECRET, method, path, query, body, EXPIRES) == START + rest


NAMES = st.sampled_from(["a", "b", "tail", "stream"])
VALUES = st.sampled_from(["", "1", "x y", "ü", "a;b", "&="])


@given(
    st.sampled_from(["GET", "POST"]),
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.sampled_from([b"", b'{"replicas": 0}']),
)
def test_any_call_is_signed_as_the_official_signer_does(
    method: str, query: list[tuple[str, str]], body: bytes
) -> None:
    path = f"/v2/ai/deployment/{CHAT}"
    url = f"https://api-at-vie-2.exoscale.com{path}" + (f"?{urlencode(query)}" if query else "")
    official: Any = requests.Request(method, url, data=body).prepare()
    ExoscaleV2Auth(KEY, SECRET)._sign_request(official, EXPIRES)

    ours = authorization(KEY, SECRET, method, path, query, body, EXPIRES)

    assert ours == official.headers["Authorization"]
