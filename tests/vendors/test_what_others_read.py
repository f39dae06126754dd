"""What the daemon set is what the vendors' own clients read."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from exoscale.api.v2 import Client as Exoscale

from tests.vendors.street import Place, Shop, a_street

pytestmark = pytest.mark.virtual_time

AT = {
    "exo": Place("exoscale", "exo", "gpua5000", 1.10, replicas=1),
    "di": Place("deepinfra", "di", "L40S-48GB", 1.10, replicas=1),
    "bt": Place(
        "baseten", "bt", "H100", 1.10, replicas=1, options={"model_id": "m", "environment": "production"}
    ),
}
SHOPS = {name: Shop((place,), lambda _: 36.0) for name, place in AT.items()}


async def test_the_official_clients_read_what_the_daemon_set(tmp_path: Path) -> None:
    baseten = pytest.importorskip("baseten.client", reason="the package baseten is not installed")
    # The packages sign by this machine's clock: the run shall end about now.
    async with a_street(tmp_path, SHOPS, starts_at=time.time() - 900) as street:
        await street.run(900)
        set_now = {name: street.replicas(name)[name] for name in AT}
        assert all(count >= 2 for count in set_now.values())
        keys = {kind: server.vendor.credentials() for kind, server in street.servers.items()}
        urls = {kind: server.base_url for kind, server in street.servers.items()}

        def exoscale() -> Any:
            account = keys["exoscale"]
            client = Exoscale(account["api_key"], account["api_secret"], url=urls["exoscale"])
            try:
                return client.get_deployment(id=street.id_of("exo", "exo"))["replicas"]
            finally:
                client.http_client.close()

        assert await asyncio.to_thread(exoscale) == set_now["exo"]

        # DeepInfra has no client for its management: its documented call is what anybody would use.
        headers = {"Authorization": f"Bearer {keys['deepinfra']['api_token']}"}
        url = f"{urls['deepinfra']}/deploy/{street.id_of('di', 'di')}"
        async with ClientSession(headers=headers) as session, session.get(url) as reply:
            settings = (await reply.json())["settings"]
        assert settings == {"min_instances": set_now["di"], "max_instances": set_now["di"]}

        def chat() -> Any:
            with baseten.ManagementClient(
                api_key=keys["baseten"]["api_key"], base_url_override=urls["baseten"]
            ) as client:
                return client.api.get_models_environments_env_name(
                    model_id="m", env_name="production"
                ).autoscaling_settings

        read = await asyncio.to_thread(chat)
        assert (read.min_replica, read.max_replica) == (set_now["bt"], set_now["bt"])
