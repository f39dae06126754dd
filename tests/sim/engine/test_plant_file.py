"""A plant file is optional in every part, and wrong in none without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.sim.plant_file import DeploymentFacts, PlantFile, PlantFileError, read_plant_file

WHOLE = """
[services.chat]
promise_wait_s = 5
service_s = 4.5
signals.in_flight = "queued + running"
[services.chat.deployments.a]
gpu_type = "gpua5000"
gpus_per_replica = 2
usd_per_gpu_hour = 1.25
start_up_median_s = 120
start_up_p95_s = 300
billing_block_s = 3600
[stock]
gpua5000 = 8
[[price_changes]]
at_s = 3600
deployment = "chat/a"
usd_per_gpu_hour = 2.5
[[stock_changes]]
at_s = 60
gpu_type = "gpua5000"
"""


def _read(folder: Path, text: str) -> PlantFile:
    path = folder / "plant.toml"
    path.write_text(text)
    return read_plant_file(path)


def test_every_part_is_read(tmp_path: Path) -> None:
    plant = _read(tmp_path, WHOLE)
    assert plant.service("chat").promise_wait_s == 5
    assert plant.deployment("chat", "a").start_up_p95_s == 300
    assert plant.stock == {"gpua5000": 8}
    assert plant.price_changes[0].usd_per_gpu_hour == 2.5
    assert plant.stock_changes[0].gpus is None


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert _read(tmp_path, "") == PlantFile()
    assert PlantFile().deployment("any", "one") == DeploymentFacts()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[services.chat]\nprice = 1\n", "services.chat.price"),
        (
            "[services.chat.deployments.a]\nusd_per_gpu_hour = -1\n",
            "services.chat.deployments.a.usd_per_gpu_hour",
        ),
        ("[services.chat.deployments.a]\nusd_per_gpu_hour = nan\n", "usd_per_gpu_hour"),
        ("[services.chat.deployments.a]\nstart_up_p95_s = 10\n", "start_up_p95_s needs start_up_median_s"),
        (
            "[services.chat.deployments.a]\nstart_up_median_s = 20\nstart_up_p95_s = 10\n",
            "is not below it",
        ),
        ("[stock]\ngpu = 1.5\n", "stock.gpu"),
        ("[[price_changes]]\nat_s = 1\n", "price_changes.0.deployment"),
        ("[services.chat]\nstart_up_failure_share = 1\n", "start_up_failure_share"),
        ("= 3", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PlantFileError) as error:
        _read(tmp_path, text)
    assert said in str(error.value)
    assert str(tmp_path / "plant.toml") in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PlantFileError, match="No such file"):
        read_plant_file(tmp_path / "none.toml")
