"""The door of the Exoscale emulator: requests that the official signer makes, and no others."""

from __future__ import annotations

from typing import Final

import pytest

from autoscaler.emulators.exoscale.signature import refusal
from tests.emulators.client import CHAT, ID, ONE, authorization, emulated, hands

KEY: Final = "EXO0123456789abcdef01234567"
SECRET: Final = "worked-example-secret-not-real"
EXPIRES: Final = 1795219200
DEPLOYMENT: Final = "/v2/ai/deployment/3c1f5d0e-8a6b-4f2d-9b1e-2a7c4d5e6f70"
EXAMPLES: Final = [
    (
        "POST",
        f"{DEPLOYMENT}/scale",
        b'{"replicas": 3}',
        f"expires={EXPIRES},signature=UNwQHLcENZkJ7Ubtk9o3CLuV/T+go9sD2BVp9gpWZ54=",
    ),
    (
        "GET",
        "/v2/ai/deployment?visibility=private",
        b"",
        f"signed-query-args=visibility,expires={EXPIRES},"
        "signature=/boL/GGJwXU1xZPqDqH7FIW5zyW50E1PG6BZOSJxPtQ=",
    ),
    (
        "GET",
        f"{DEPLOYMENT}/logs?tail=50&stream=false",
        b"",
        f"signed-query-args=stream;tail,expires={EXPIRES},"
        "signature=imprxxSC989iMHR9nIVXu+KHD/mCWMVOV3QFBwa02fE=",
    ),
]


def judge(
    method: str, target: str, body: bytes, header: str | None, now: float = EXPIRES - 600
) -> str | None:
    return refusal(
        authorization=header, method=method, target=target, body=body, now=now, secrets={KEY: SECRET}
    )


@pytest.mark.parametrize(("method", "target", "body", "pragmas"), EXAMPLES)
def test_the_worked_examples_are_let_in(method: str, target: str, body: bytes, pragmas: str) -> None:
    header = f"EXO2-HMAC-SHA256 credential={KEY},{pragmas}"
    keys = {"api_key": KEY, "api_secret": SECRET}

    assert judge(method, target, body, header) is None
    assert authorization(method, "https://h" + target, body, EXPIRES, keys) == header


@pytest.mark.parametrize(("method", "target", "body", "pragmas"), EXAMPLES)
def test_any_change_to_a_worked_example_is_refused(
    method: str, target: str, body: bytes, pragmas: str
) -> None:
    header = f"EXO2-HMAC-SHA256 credential={KEY},{pragmas}"
    changed = {
        "method": ("PUT", target, body, header),
        "path": (method, target.replace("/v2/ai", "/v2/AI"), body, header),
        "encoded path": (method, target.replace("deployment", "deploymen%74", 1), body, header),
        "body": (method, target, body + b" ", header),
        "credential": (method, target, body, header.replace(KEY, KEY[:-1])),
        "expiry": (method, target, body, header.replace(str(EXPIRES), str(EXPIRES + 1))),
        "signature": (method, target, body, header[:-2] + "A="),
        "scheme": (method, target, body, header.replace("EXO2", "EXO3")),
        "argument": (method, target + ("&" if "?" in target else "?") + "a=1", body, header),
        "twice": (method, target, body, header + ",expires=" + str(EXPIRES)),
        "nothing": (method, target, body, None),
        "letters": (method, target, body, header.replace(str(EXPIRES), "soon")),
    }

    reasons = {name: judge(*request) for name, request in changed.items()}
    assert all(reasons.values()), reasons
    assert SECRET not in str(reasons)


def test_a_signature_holds_until_it_expires() -> None:
    method, target, body, pragmas = EXAMPLES[0]
    header = f"EXO2-HMAC-SHA256 credential={KEY},{pragmas}"

    assert judge(method, target, body, header, now=EXPIRES) is None
    assert judge(method, target, body, header, now=EXPIRES + 1) == "signature has expired"


async def test_an_unsigned_request_is_refused_with_code_and_error_and_zones_need_no_signature() -> None:
    async with emulated() as client:
        refused = await client.call("GET", ONE, signed=False)
        assert refused.status == 403
        assert set(refused.body) == {"code", "error"}
        nowhere = await client.call("GET", "/v2/nowhere", signed=False)
        assert nowhere.status == 403

        zones = await client.call("GET", "/v2/zone", signed=False)
        assert zones.body["zones"] == [{"name": "at-vie-2", "api-endpoint": client.server.base_url}]


async def test_an_old_signature_is_refused_over_http() -> None:
    async with emulated() as client:
        url = client.server.url + ONE
        keys = client.server.vendor.credentials()
        header = authorization("GET", url, b"", int(client.clock.now()) + 600, keys)
        async with client.session.get(url, headers={"Authorization": header}) as reply:
            assert reply.status == 200
        hands(client).pass_s(601)
        async with client.session.get(url, headers={"Authorization": header}) as reply:
            assert reply.status == 403


@pytest.mark.parametrize(
    "path",
    [
        f"{ONE}/logs?tail=5&stream=false",
        f"{ONE}/logs?tail=&stream=false",  # an empty value is not signed
        f"{ONE}/logs?stream=false&x=a%20b%2Bc&x=2",  # an argument given twice is named, not signed
        f"/v2/ai/deploymen%74/{ID}",  # the path as sent, not as decoded
    ],
)
async def test_the_request_line_is_what_is_signed(path: str) -> None:
    async with emulated() as client:
        reply = await client.call("GET", path)
        assert reply.status in (200, 400), reply  # 400: let in, and an empty tail is no number
        assert reply.body != {"id": CHAT.name}
