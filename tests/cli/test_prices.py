"""``autoscaler prices``: what a GPU-hour costs where, by whoever can tell."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from autoscaler.clock import SystemClock
from autoscaler.config import load_for_decide
from autoscaler.core.codec import plan_to_json, snapshot_to_json
from autoscaler.core.decide import step
from autoscaler.core.memory import Memory
from autoscaler.core.model import Observation, Price, Snapshot, exactly
from autoscaler.daemon.prices import KIND, PriceBook, body_of
from autoscaler.journals import open_journal
from autoscaler.ports import Record
from tests.cli.support import invoke, write_config
from tests.cli.test_running import Daemon, daemon

HOUR = 3600.0
OTHER = """
[providers.spare]
kind = "exoscale"
zone = "at-vie-2"
api_key = "EXOemulator0123456789abcdef"
api_secret = "emulator-secret-not-real"
"""


def configured(folder: Path, *, fixed: bool = True) -> Path:
    """Two providers; with or without the price of the one GPU type in use."""
    path = write_config(folder, more=OTHER)
    text = path.read_text()
    start, end = text.index("[[prices]]"), text.index("[services.chat]")
    if not fixed:
        path.write_text(text[:start] + text[end:])
    return path


def journal(config: Path, *listings: tuple[float, Mapping[str, Price]]) -> None:
    """A journal of a daemon that saw two replicas, and these prices so long ago (seconds)."""
    asyncio.run(_write(config, listings))


async def _write(config: Path, listings: tuple[tuple[float, Mapping[str, Price]], ...]) -> None:
    settings = load_for_decide(config, environ={})
    now, memory, book = SystemClock().now(), Memory(), PriceBook()
    writer = await open_journal(settings.daemon.journal)
    seen = Observation(exactly(2), 2, gpu_type="gpua5000", gpus_per_replica=2)
    for ago_s, prices in listings:
        snapshot = Snapshot(now - ago_s, deployments={"chat/exo-a5000": seen}, prices=prices)
        plan, memory = step(memory, snapshot, settings.fleet)
        body = {"snapshot": snapshot_to_json(snapshot), "plan": plan_to_json(plan), "writes": []}
        await writer.append(Record("tick", snapshot.at, body))
        book = book.after(prices, memory, settings.fleet, settings.refs.keys())
        catalogue = body_of(book.catalogue(settings.fleet))
        await writer.append(Record(KIND, snapshot.at, catalogue))
    await writer.close()


def listed(usd: float, ago_s: float, **more: Any) -> Price:
    return Price(usd, round(SystemClock().now() - ago_s, 3), **more)


def row(text: str, *words: str) -> list[str]:
    """The cells of the table's one row with these words."""
    (found,) = [line for line in text.splitlines() if all(word in line.split() for word in words)]
    return found.split()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, base_url: str, chat_id: str) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("daemon"), base_url, chat_id) as found:
        yield found


def test_prices_come_from_the_daemon_and_it_says_so(shared: Daemon) -> None:
    done = invoke("prices", "--config", shared.config)
    body = json.loads(invoke("prices", "--json", "--config", shared.config).stdout)

    assert done.exit_code == 0
    assert done.stdout.startswith(f"From the daemon at http://127.0.0.1:{shared.port}, tick of ")
    cells = row(done.stdout, "gpua5000")
    assert cells == [
        "exo",
        "gpua5000",
        "1",
        "1.10",
        "1.10",
        "-",
        "fixed",
        "?",
        "configuration",
        "chat/exo-a5000",
    ]
    assert (body["source"], body["place"]) == ("daemon", f"http://127.0.0.1:{shared.port}")
    assert [one["deployments"] for one in body["prices"]] == [["chat/exo-a5000"]]
    assert body["age_s"] >= 0.0


def test_without_a_daemon_they_come_from_the_journal_with_the_change_of_a_day(tmp_path: Path) -> None:
    config = configured(tmp_path, fixed=False)
    day_ago = {"exo/gpua5000": listed(2.0, 30 * HOUR), "exo/gpu3080ti": listed(0.5, 30 * HOUR)}
    now = {
        "exo/gpua5000": listed(2.2, 2 * HOUR),
        "exo/gpu3080ti": listed(0.5, 60, available=True),
        "exo/2xh100": listed(1.9, 60, gpu_type="h100", gpus=2, available=False),
    }
    journal(config, (30 * HOUR, day_ago), (60, now))
    done = invoke("prices", "--config", config)

    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()[:2]
    assert first.startswith("No daemon at http://127.0.0.1:9: ")
    assert second.startswith(f"From the journal {tmp_path / 'autoscaler.db'}, tick of ")
    text = done.stdout.replace(" h ", "h").replace(" min", "min").replace(" s,", "s,").replace(" %", "%")
    assert row(text, "gpu3080ti")[:8] == ["exo", "gpu3080ti", "-", "0.50", "-", "0%", "1min", "yes"]
    assert row(text, "h100")[:6] == ["exo", "h100", "2", "1.90", "3.80", "-"]
    assert "no" in row(text, "h100")
    used = row(text, "gpua5000")
    assert used[:6] == ["exo", "gpua5000", "2", "2.20", "4.40", "+10.0%"]
    assert "old" in " ".join(used)
    assert used[-2:] == ["vendor", "chat/exo-a5000"]
    assert "A price that is marked old starts no move." in done.stdout
    order = [done.stdout.index(name) for name in ("gpu3080ti", " h100", "gpua5000")]
    assert order == sorted(order), "cheapest first"


def test_json_is_json_and_nothing_else(tmp_path: Path) -> None:
    config = configured(tmp_path)
    journal(config, (60, {"exo/h100": listed(2.4, 60)}))
    done = invoke("prices", "--json", "--config", config)
    body = json.loads(done.stdout)

    assert (body["source"], done.stderr) == ("journal", "")
    assert [(one["key"], one["source"]) for one in body["prices"]] == [
        ("gpua5000", "configuration"),
        ("h100", "vendor"),
    ]
    assert body["prices"][0]["usd_per_replica_hour"] == 2.2


def test_a_price_that_was_configured_since_counts_already(tmp_path: Path) -> None:
    config = configured(tmp_path, fixed=False)
    journal(config, (60, {"exo/gpua5000": listed(2.4, 60)}))
    config = configured(tmp_path)
    done = invoke("prices", "--config", config)

    assert row(done.stdout, "gpua5000")[3] == "1.10"


def test_a_provider_that_has_left_the_configuration_is_not_shown(tmp_path: Path) -> None:
    config = configured(tmp_path)
    journal(config, (60, {"spare/h100": listed(2.4, 60)}))
    assert "h100" in invoke("prices", "--config", config).stdout
    config.write_text(config.read_text().replace(OTHER, ""))

    assert "h100" not in invoke("prices", "--config", config).stdout


def test_with_neither_daemon_nor_journal_the_configuration_tells_its_own(tmp_path: Path) -> None:
    done = invoke("prices", "--config", configured(tmp_path))

    assert done.exit_code == 0
    assert f"Journal {tmp_path / 'autoscaler.db'} does not exist." in done.stdout
    assert f"From the configuration {tmp_path / 'config.toml'}." in done.stdout
    assert row(done.stdout, "gpua5000")[:4] == ["exo", "gpua5000", "-", "1.10"]


@pytest.mark.parametrize("lived", [False, True], ids=["no journal", "a journal without prices"])
def test_where_no_price_is_known_it_says_why_and_what_to_do(tmp_path: Path, lived: bool) -> None:
    config = configured(tmp_path, fixed=False)
    if lived:
        journal(config, (60, {}))
    done = invoke("prices", "--config", config)

    assert done.exit_code == 1
    assert "no price is known: " in done.stderr
    assert ("exo, spare" in done.stderr) == lived
    to_paste = tomllib.loads(done.stderr[done.stderr.index("[[prices]]\nprovider") :])["prices"][0]
    assert to_paste["provider"] == "exo"
    assert (to_paste["gpu_type"] == "gpua5000") == lived, "as the vendor calls it, once it was seen"
    assert to_paste["usd_per_gpu_hour"] == 1.10


def test_where_no_price_is_known_json_is_empty_and_the_reason_is_on_standard_error(tmp_path: Path) -> None:
    done = invoke("prices", "--json", "--config", configured(tmp_path, fixed=False))

    assert done.exit_code == 1
    assert json.loads(done.stdout)["prices"] == []
    assert "[[prices]]" in done.stderr


def test_a_deployment_without_a_price_is_named(tmp_path: Path) -> None:
    config = configured(tmp_path, fixed=False)
    journal(config, (60, {"exo/h100": listed(2.4, 60)}))

    assert (
        "No price is known for chat/exo-a5000 (gpua5000 at exo)"
        in invoke("prices", "--config", config).stdout
    )


def test_a_damaged_journal_is_named_and_the_configuration_tells_its_own(tmp_path: Path) -> None:
    config = configured(tmp_path)
    (tmp_path / "autoscaler.db").write_bytes(b"this was a photograph of a cat" * 200)
    done = invoke("prices", "--config", config)

    assert done.exit_code == 0
    assert "is not a journal or is damaged" in done.stdout
    assert row(done.stdout, "gpua5000")[3] == "1.10"


def test_sizes_that_cost_the_same_per_gpu_share_a_line_and_others_are_named(tmp_path: Path) -> None:
    config = configured(tmp_path, fixed=False)
    sizes = {f"exo/{n}xl4": listed(0.4, 60, gpu_type="l4", gpus=n, available=True) for n in (1, 2, 4)}
    odd = {
        "exo/a:small": listed(1.0, 60, gpu_type="a", gpus=1),
        "exo/a:large": listed(1.5, 60, gpu_type="a", gpus=1),
    }
    journal(config, (60, {**sizes, **odd, "exo/l4": listed(0.4, 60), "exo/a": listed(1.0, 60)}))
    done = invoke("prices", "--config", config)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("exo ")]

    assert [line[:8] for line in lines] == [
        ["exo", "l4", "1", "2", "4", "0.40", "0.40", "to"],
        ["exo", "a:small", "1", "1.00", "1.00", "-", "1", "min"],
        ["exo", "a:large", "1", "1.50", "1.50", "-", "1", "min"],
    ]
