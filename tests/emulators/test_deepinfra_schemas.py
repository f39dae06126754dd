"""What the emulated DeepInfra answers fits DeepInfra's own OpenAPI document.

The document is not a part of this repository: it is looked for in the folder that AUTOSCALER_SPECS names,
else beside the repository; where there is none these tests are skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from autoscaler.emulators.deepinfra import LEGACY_ID, DeepInfraSettings
from tests.emulators.deepinfra_client import ID, NEW, ONE, Client, emulated

_BESIDE: Final = Path(__file__).parents[2].parent / "shared" / "providers" / "specs"
DOCUMENT: Final = Path(os.environ.get("AUTOSCALER_SPECS") or _BESIDE) / "deepinfra.json"

pytestmark = pytest.mark.skipif(not DOCUMENT.is_file(), reason="no deepinfra.json; see AUTOSCALER_SPECS")

NOT_EMULATED: Final = {
    "/v1/metrics/live",  # the public front page, of the whole company
    "/v1/containers/gpu_availability",  # containers are another product
}

QUERIES: Final = {
    "/deploy/stats": "?from=now-5m",
    "/deploy/{deploy_id}/stats": "?from=now-5m",
    "/deploy/{deploy_id}/stats2": "?from=now-5m",
    "/v1/deployment_logs/query": f"?deploy_id={ID}",
    "/payment/usage/rent": "?from=0",
}

Spec = dict[str, Any]


@pytest.fixture(scope="module")
def spec() -> Spec:
    document: Spec = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return document


def fits(spec: Spec, path: str, method: str, status: int, body: object) -> None:
    """Fail unless the document has this answer, and the body fits it."""
    answers = spec["paths"][path][method]["responses"]
    assert str(status) in answers, f"{method} {path} is not documented to answer {status}"
    schema = answers[str(status)]["content"]["application/json"]["schema"]
    # References point into the whole document, so the schema takes its components along.
    Draft202012Validator({**schema, "components": spec["components"]}).validate(body)


async def busy(client: Client) -> None:
    """Traffic, a change, a deployment in every stage that there is."""
    await client.load(requests_per_s=1.5, service_s=2)
    await client.bound(3, 4)
    await client.call("POST", "/deploy/llm", NEW)
    client.pass_s(120)


def calls(spec: Spec, method: str) -> list[str]:
    return [path for path, found in spec["paths"].items() if method in found and path not in NOT_EMULATED]


async def test_every_get_of_the_document_answers_by_its_schema(spec: Spec) -> None:
    async with emulated() as client:
        await busy(client)
        for path in calls(spec, "get"):
            reply = await client.call("GET", path.format(deploy_id=ID) + QUERIES.get(path, ""))
            assert reply.status == 200, (path, reply)
            fits(spec, path, "get", 200, reply.body)


async def test_every_status_of_a_deployment_fits_the_schema(spec: Spec) -> None:
    async with emulated() as client:
        made = (await client.call("POST", "/deploy/llm", NEW)).body
        fits(spec, "/deploy/llm", "post", 200, made)
        path = f"/deploy/{made['deploy_id']}"
        words = {made["status"]}
        for seconds, method, call in (
            (10, "GET", path),
            (70, "GET", path),
            (10_000, "GET", path),
            (0, "POST", f"{path}/stop"),
            (0, "DELETE", path),
        ):
            client.pass_s(seconds)
            assert (await client.call(method, call)).status == 200
            body = await client.get(path)
            fits(spec, "/deploy/{deploy_id}", "get", 200, body)
            words.add(body["status"])
        fits(spec, "/deploy/{deploy_id}", "get", 200, await client.get(f"/deploy/{LEGACY_ID}"))
        assert words == {"initializing", "downloading", "deploying", "running", "stopped", "deleted"}


async def test_every_write_answers_by_its_schema(spec: Spec) -> None:
    one = "/deploy/{deploy_id}"
    async with emulated() as client:
        for method, path, body in (
            ("put", one, {"settings": {}}),
            ("post", f"{one}/stop", None),
            ("post", f"{one}/start", None),
            ("post", "/deploy/llm", NEW),
            ("delete", one, None),
        ):
            reply = await client.call(method.upper(), path.format(deploy_id=ID), body)
            fits(spec, path, method, 200, reply.body)


async def test_every_refusal_is_documented_and_fits_its_schema(spec: Spec) -> None:
    one, refusing = "/deploy/{deploy_id}", DeepInfraSettings(refuses_repeats=True, has_funds=False)
    async with emulated(settings=refusing) as client:
        nowhere = "/deploy/nowhere"
        for path, method, reply, status in (
            ("/deploy/list", "get", await client.call("GET", "/deploy/list?status=x"), 400),
            (one, "get", await client.call("GET", nowhere), 404),
            (one, "put", await client.call("PUT", ONE, {}), 422),
            (one, "put", await client.put({"min_instances": 3}), 400),
            (one, "put", await client.call("PUT", ONE, {"settings": {}}, {}), 401),
            (one, "put", await client.put({}, nowhere), 404),
            (one, "delete", await client.call("DELETE", nowhere), 404),
            (f"{one}/stop", "post", await client.call("POST", f"{nowhere}/stop"), 404),
            (f"{one}/start", "post", await client.call("POST", f"{ONE}/start"), 400),
            (f"{one}/stats", "get", await client.call("GET", f"{ONE}/stats"), 422),
            (f"{one}/stats", "get", await client.call("GET", f"{nowhere}/stats?from=now-5m"), 404),
            ("/deploy/stats", "get", await client.call("GET", "/deploy/stats"), 422),
            ("/deploy/llm", "post", await client.call("POST", "/deploy/llm", {"gpu": "x"}), 422),
            ("/deploy/llm", "post", await client.call("POST", "/deploy/llm", NEW), 402),
            ("/payment/usage/rent", "get", await client.call("GET", "/payment/usage/rent"), 422),
        ):
            assert reply.status == status, (path, reply)
            fits(spec, path, method, status, reply.body)
        await client.call("DELETE", ONE)
        for kind in ("stats", "stats2"):
            reply = await client.call("GET", f"{ONE}/{kind}?from=now-5m")
            fits(spec, f"{one}/{kind}", "get", 410, reply.body)
