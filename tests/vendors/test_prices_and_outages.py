"""One service on three vendors: prices change, vendors fail, replicas move, and nobody waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.emulators.faults import Fault, FaultKind
from tests.vendors.street import Place, Shop, a_street

pytestmark = pytest.mark.virtual_time

CHEAP_FIRST = 'kind = "gpu_price"\nswitch_if_saves_percent = 10\n'

THREE = (
    Place("exoscale", "exo", "gpua5000", 1.10, replicas=5),
    Place("deepinfra", "di", "L40S-48GB", 1.50),
    Place(
        "baseten",
        "bt",
        "H100",
        2.00,
        options={"model_id": "chatmodel", "environment": "production", "scale_down_delay": 300},
    ),
)
STEADY = Shop(THREE, lambda _: 60.0, policies=("queue-depth", "cheap-first"))


async def test_as_prices_change_and_vendors_fail_replicas_move_and_nobody_waits(tmp_path: Path) -> None:
    async with a_street(tmp_path, {"chat": STEADY}, policies={"cheap-first": CHEAP_FIRST}) as street:
        await street.run(1800)
        assert street.where() == {"exo"}

        street.servers["deepinfra"].vendor.set_price("L40S-48GB", 0.60)
        await street.run(1800)
        assert street.where() == {"di"}
        moved = [one.why for one in street.changes() if one.deployment == "di"]
        assert any("USD/h instead of" in why for why in moved), moved

        # The cheap vendor's API hangs: its replicas serve on, and are paid.
        street.servers["deepinfra"].faults.set([Fault(kind=FaultKind.HANG)])
        await street.run(900)
        assert street.where() == {"di"}

        # It answers again, and is dear now, and so is the next: the third has it.
        street.servers["deepinfra"].faults.clear()
        street.servers["deepinfra"].vendor.set_price("L40S-48GB", 4.00)
        street.servers["baseten"].vendor.set_price("H100", 0.80)
        await street.run(2400)
        assert street.where() == {"bt"}

        # The third has no GPU left for more: the cheapest of the others covers what is missing.
        street.world.set_stock("H100", 5)
        await street.run(600)

        assert street.late_share() < 0.001
        assert sum(len(report.violations) for report in street.reports) == 0
