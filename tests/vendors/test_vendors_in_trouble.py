"""Three vendors in one tick: one hangs, one limits calls, the third works."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.emulators.faults import Fault, FaultKind
from tests.vendors.street import Place, Shop, Street, a_street

pytestmark = pytest.mark.virtual_time

AT = {
    "exoscale": Place("exoscale", "exo", "gpua5000", 1.10, replicas=2),
    "deepinfra": Place("deepinfra", "di", "L40S-48GB", 1.10, replicas=2),
    "baseten": Place(
        "baseten", "bt", "H100", 1.10, replicas=2, options={"model_id": "m", "environment": "production"}
    ),
}


def rising(at: float) -> float:
    """20 requests at once, and 60 from the tenth minute on."""
    return 20.0 if at < 600 else 60.0


SHOPS = {vendor: Shop((place,), rising) for vendor, place in AT.items()}


def calls(street: Street, vendor: str, kind: str, since: float) -> list[float]:
    """When this vendor was asked (``reads`` or ``writes``) since then, in seconds from the start."""
    start = street.clock.now() - street.clock.monotonic()
    return [
        one.at - start
        for one in street.servers[vendor].requests.recent
        if one.at >= since and (one.method == "GET") == (kind == "reads")
    ]


@pytest.mark.parametrize("kind", ["reads", "writes"])
@pytest.mark.parametrize(
    ("hangs", "limits", "works"),
    [
        ("exoscale", "deepinfra", "baseten"),
        ("deepinfra", "baseten", "exoscale"),
        ("baseten", "exoscale", "deepinfra"),
    ],
)
async def test_one_hangs_one_limits_calls_and_the_third_scales_in_the_same_tick(
    tmp_path: Path, hangs: str, limits: str, works: str, kind: str
) -> None:
    async with a_street(tmp_path, SHOPS) as street:
        await street.run(585)
        street.servers[hangs].faults.set([Fault(kind=FaultKind.HANG)])
        limit = Fault(kind=FaultKind.RATE_LIMITED, applies_to=kind, retry_after_s=120, requests=1)
        street.servers[limits].faults.set([limit])
        began, before = street.clock.now(), street.replicas(hangs)

        await street.run(105)
        assert all(report.duration_s < 15 for report in street.reports), "nobody waits for the one that hangs"
        assert street.replicas(works)[AT[works].name] >= 4
        limited_at = min(calls(street, limits, kind, began))
        asked_again = [at for at in calls(street, limits, kind, began) if limited_at < at < limited_at + 120]
        assert asked_again == [], "no call of the limited kind before its time"
        other = "writes" if kind == "reads" else "reads"
        if kind == "writes":
            assert calls(street, limits, other, began), "reads go on while writes are limited"
        assert street.replicas(hangs) == before

        street.servers[hangs].faults.clear()
        await street.run(300)
        assert all(street.replicas(vendor)[place.name] >= 4 for vendor, place in AT.items())
