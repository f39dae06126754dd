"""The cheap vendor has no GPU left: the next cheapest covers at once, and replicas return when it pays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vendors.street import Place, Shop, a_street

pytestmark = pytest.mark.virtual_time

CHEAP = {
    "exoscale": Place("exoscale", "cheap", "gpua5000", 0.80, replicas=2, start_up_s=60),  # answers 412
    "deepinfra": Place(
        "deepinfra", "cheap", "L40S-48GB", 0.80, replicas=2, start_up_s=60
    ),  # says what it has
}
DEAR = {
    "exoscale": Place("deepinfra", "dear", "H100-80GB", 2.00, start_up_s=60),
    "deepinfra": Place("exoscale", "dear", "gpurtx6000pro", 2.00, start_up_s=60),
}


@pytest.mark.parametrize("vendor", CHEAP)
async def test_the_next_cheapest_covers_and_the_cheap_one_returns(tmp_path: Path, vendor: str) -> None:
    cheap = CHEAP[vendor]
    shop = Shop((cheap, DEAR[vendor]), lambda at: 20.0 if at < 900 else 60.0)
    async with a_street(tmp_path, {"chat": shop}) as street:
        await street.run(840)
        street.world.set_stock(cheap.gpu_type, 2)
        await street.run(60)

        first = len(street.reports)
        await street.run(90)
        told_at, covered_at = [], []
        for tick, report in enumerate(street.reports[first:]):
            refused = any(word in ("rejected", "failed") for _, word in report.scale_calls)
            for one in report.plan.decisions:
                if one.deployment == "cheap" and (refused or one.reason == "no_capacity"):
                    told_at.append(tick)
                if one.deployment == "dear" and one.changes:
                    covered_at.append(tick)
        assert covered_at[0] <= told_at[0] + 1, "within the same tick, or the next"
        assert street.replicas()["cheap"] <= 3

        street.world.set_stock(cheap.gpu_type, 16)
        await street.run(1500)
        counts = street.replicas()
        assert counts["cheap"] >= 4
        assert counts["dear"] == 0
        assert street.late_share() < 0.1
