"""Is the configuration right, and is it true? Against the emulator where it says online."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from autoscaler.cli.commands.online_report import slug, toml_block
from autoscaler.ports import InventoryItem
from tests.cli.support import invoke, write_config

PUBLIC_ID = "9a7b1c52-0d4e-4b7a-8f43-5d1f6a2c3e04"


def test_a_right_configuration_is_shown_with_what_it_means(tmp_path: Path) -> None:
    done = invoke("check", "--config", write_config(tmp_path))

    assert done.exit_code == 0, done.output
    for words in (
        "chat/exo-a5000",
        "0 to 6",
        "queue-depth",
        "target_utilisation 0.8",
        "The configuration is right",
    ):
        assert words in done.stdout


def test_every_problem_is_told_and_nothing_else(tmp_path: Path) -> None:
    path = write_config(tmp_path, more='\n[services.code]\npolicies = ["nope"]\n')
    path.write_text(path.read_text().replace("interval_s = 15", "interval_s = 0"))
    done = invoke("check", "--config", path)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "daemon.interval_s = 0" in done.stderr
    assert "nope" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("check",),
        ("plan",),
        ("status",),
        ("why", "chat"),
        ("decide",),
        ("journal", "export"),
        ("pause",),
        ("resume",),
        ("override", "chat", "--replicas", "1"),
    ],
)
def test_each_command_ends_with_status_2_for_a_wrong_configuration(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = invoke(*words, "--config", write_config(tmp_path, more="\nnonsense = 1\n"), given="")

    assert (done.exit_code, done.stdout) == (2, "")
    assert "nonsense" in done.stderr


def test_no_configuration_at_all_says_where_one_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("check")

    assert done.exit_code == 2
    assert "AUTOSCALER_CONFIG" in done.stderr


def test_the_configuration_is_found_by_option_then_environment_then_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "there", "elsewhere"):
        (tmp_path / name).mkdir()
        write_config(tmp_path / name)
    monkeypatch.chdir(tmp_path / "here")
    env = {"AUTOSCALER_CONFIG": str(tmp_path / "there" / "config.toml")}

    assert str(tmp_path / "here") in invoke("check").stdout
    assert str(tmp_path / "there") in invoke("check", env=env).stdout
    assert "elsewhere" in invoke("check", "--config", tmp_path / "elsewhere/config.toml", env=env).stdout


def test_warnings_matter_only_when_strict(tmp_path: Path) -> None:
    path = write_config(tmp_path, more='\n[sources.unused]\nkind = "push"\n')
    plain, strict = invoke("check", "--config", path), invoke("check", "--strict", "--config", path)

    assert (plain.exit_code, strict.exit_code) == (0, 1)
    assert "warning: " in plain.stderr
    assert "sources.unused" in plain.stderr


def test_json_is_all_there_is_on_standard_output(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    good = json.loads(invoke("check", "--json", "--config", path).stdout)
    path.write_text(path.read_text().replace("interval_s = 15", "interval_s = 0"))
    bad = invoke("check", "--json", "--config", path)

    assert good["ok"] is True
    assert good["services"][0]["deployments"][0]["max_replicas"] == 6
    assert bad.exit_code == 2
    assert json.loads(bad.stdout)["problems"][0]["key"] == "daemon.interval_s"


# --- online -------------------------------------------------------------------------------------


def test_online_all_is_found_and_what_is_not_named_can_be_pasted(
    tmp_path: Path, base_url: str, chat_id: str
) -> None:
    path = write_config(tmp_path, base_url=base_url, deployment_id=chat_id)
    done = invoke("check", "--online", "--config", path)

    assert done.exit_code == 0, done.output
    assert "Online: all well." in done.stdout
    assert "gpurtx6000pro" in done.stdout
    blocks = [block for block in done.stdout.split("\n\n") if "[[services.NAME.deployments]]" in block]
    assert len(blocks) == 3
    pasted = tomllib.loads(blocks[0])["services"]["NAME"]["deployments"][0]
    assert {"name", "provider", "id", "capacity_per_replica", "max_replicas"} == set(pasted)
    assert "not yours to scale: shared-" in done.stdout


def test_online_as_json(tmp_path: Path, base_url: str, chat_id: str) -> None:
    path = write_config(tmp_path, base_url=base_url, deployment_id=chat_id)
    done = invoke("check", "--online", "--json", "--config", path)

    online = json.loads(done.stdout)["online"]
    assert online["providers"][0]["credential"] == "ok"
    assert online["deployments"][0]["verdict"] == "ok"
    assert len(online["providers"][0]["not_configured"]) == 4  # one of them is the vendor's own
    assert {one["signal"] for one in online["signals"]} == {"queued", "running"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("emulator-secret-not-real", "another-secret-xyz"), "credential refused"),
        (("ID", "5f3c2b1a-0000-4000-8000-000000000001"), "no such deployment"),
        (("ID", PUBLIC_ID), "not ours to scale"),
        (("/v2", ":1/v2"), "unavailable"),
    ],
)
def test_online_trouble_is_named_and_ends_with_status_1(
    tmp_path: Path, base_url: str, chat_id: str, change: tuple[str, str], words: str
) -> None:
    path = write_config(tmp_path, base_url=base_url, deployment_id=chat_id)
    old, new = change
    if old == "/v2":
        old, new = base_url, "http://127.0.0.1:9/v2"
    path.write_text(path.read_text().replace(chat_id if old == "ID" else old, new))
    done = invoke("check", "--online", "--config", path)

    assert done.exit_code == 1, done.output
    assert words in done.stdout
    assert "another-secret-xyz" not in done.output
    assert "Traceback" not in done.output


def test_a_source_that_cannot_be_reached_is_named(tmp_path: Path, base_url: str, chat_id: str) -> None:
    path = write_config(tmp_path, base_url=base_url, deployment_id=chat_id)
    text = path.read_text().replace('kind = "push"', 'kind = "prometheus"\nurl = "http://127.0.0.1:9"')
    text = text.replace('source = "gateway",', 'source = "gateway", query = "up",')
    path.write_text(text)
    done = invoke("check", "--online", "--config", path)

    assert done.exit_code == 1
    assert "chat, signal queued: " in done.stdout


# --- what is pasted -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Chat Qwen3 8B", "chat-qwen3-8b"),
        ("8b", "d-8b"),
        ("", "d"),
        ("_x_", "x"),
        ("Größe", "gr-e"),
        ("a" * 99, "a" * 64),
    ],
)
def test_a_name_is_made_one_that_the_configuration_takes(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_odd_words_of_the_vendor_do_not_break_the_block() -> None:
    item = InventoryItem({"id": 'x"y'}, 'a"b', "ready", "2", "gpu\nx", 1, model="m\n[services]")
    block = toml_block("exo", item)

    assert tomllib.loads(block)["services"]["NAME"]["deployments"][0]["id"] == 'x"y'
