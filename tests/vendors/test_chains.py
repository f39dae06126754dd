"""Two chainlets of one chain, each a service of its own, scaled by its own queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vendors.street import Place, Shop, a_street

pytestmark = pytest.mark.virtual_time


def chainlet(name: str) -> Place:
    options = {"chain_id": "c1", "environment": "production", "chainlet": name, "scale_down_delay": 120}
    return Place("baseten", "bt", "H100", 6.5, replicas=1, options=options)


SHOPS = {
    "embed": Shop((chainlet("Embed"),), lambda at: 8.0 if at < 1200 else 40.0),
    "answer": Shop((chainlet("Llm"),), lambda at: 50.0 if 600 <= at < 2400 else 8.0),
}


async def test_two_chainlets_of_one_chain_follow_their_own_queues(tmp_path: Path) -> None:
    async with a_street(tmp_path, SHOPS) as street:
        await street.run(600)
        assert (street.replicas("embed"), street.replicas("answer")) == ({"bt": 1}, {"bt": 1})
        await street.run(600)
        assert street.replicas("embed") == {"bt": 1}
        assert street.replicas("answer")["bt"] in (4, 5)
        await street.run(900)
        assert street.replicas("embed")["bt"] in (3, 4)
        await street.run(1500)

        assert street.replicas("answer") == {"bt": 1}
        assert street.replicas("embed")["bt"] in (3, 4)
        paths = {one.path for one in street.servers["baseten"].requests.recent if one.method == "PATCH"}
        assert paths == {"/v1/chains/c1/environments/production/chainlet_settings/autoscaling_settings"}, (
            "by name, in the environment"
        )
