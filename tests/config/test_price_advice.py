"""A limit on the price that every configured price exceeds is told before it caps for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.config import load_for_decide
from tests.cli.support import write_config


def warned(folder: Path, limit: str, more: str = "", change: tuple[str, str] = ("", "")) -> list[str]:
    """Warnings about prices of a configuration whose one GPU type costs 1.10 by ``[[prices]]``."""
    path = write_config(folder, more=more)
    text = path.read_text().replace("policies = [", 'policies = ["gpu-price", ').replace(*change)
    path.write_text(text)
    (folder / "policies" / "gpu-price.toml").write_text(f'kind = "gpu_price"\n{limit}\n')
    found = [str(one) for one in load_for_decide(path, environ={}).warnings]
    return [one for one in found if "price_usd_per_gpu_hour_max" in one]


@pytest.mark.parametrize(
    ("limit", "is_told"),
    [
        ("price_usd_per_gpu_hour_max = 1.09", True),
        ("price_usd_per_gpu_hour_max = 1", True),
        ("price_usd_per_gpu_hour_max = 1.10", False),
        ("", False),
    ],
)
def test_a_limit_below_every_configured_price_is_warned_about(
    tmp_path: Path, limit: str, is_told: bool
) -> None:
    found = warned(tmp_path, limit)

    assert bool(found) == is_told
    if is_told:
        assert "services.chat.policies" in found[0]
        assert "gpu-price has a price_usd_per_gpu_hour_max of 1" in found[0]
        assert "from 1.1: they are always dear" in found[0]


def test_where_the_vendor_may_tell_a_price_nothing_is_said(tmp_path: Path) -> None:
    known = ("max_replicas = 6\n", 'max_replicas = 6\ngpu_type = "gpua5000"\n')
    other = """
[[services.chat.deployments]]
name = "b"
provider = "exo"
id = "5f3c2b1a-0000-4000-8000-000000000002"
gpu_type = "gpua30"
capacity_per_replica = 16
max_replicas = 5
"""

    assert warned(tmp_path, "price_usd_per_gpu_hour_max = 1.0", change=known)
    assert not warned(tmp_path, "price_usd_per_gpu_hour_max = 1.0", other, known)
