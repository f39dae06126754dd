"""What a new user reads first."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest

from autoscaler import __version__
from tests.cli.support import ROOT, command, environment, invoke

COMMANDS = [
    *(
        ("run",),
        ("check",),
        ("plan",),
        ("replay",),
        ("status",),
        ("prices",),
        ("why",),
        ("shadow",),
        ("decide",),
        ("journal", "export"),
    ),
    *(("pause",), ("resume",), ("override",), ("emulate",), ("demo",)),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_commands_help_has_an_example_and_the_configuration(words: tuple[str, ...]) -> None:
    done = invoke(*words, "--help", env={"COLUMNS": "100"})

    assert done.exit_code == 0
    assert "--config" in done.stdout
    example = re.search(r"Example:\n\s+(autoscaler .*)", done.stdout)
    assert example is not None
    assert " ".join(words) in example[1]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_options_in_examples_exist(words: tuple[str, ...]) -> None:
    text = invoke(*words, "--help").stdout
    examples, options = text.split("Example:")[1].split("Options:")[0], text.split("Options:")[1]
    commands = [part.strip() for part in re.split(r"[|\n]", examples)]
    own = " ".join(part for part in commands if part.startswith(f"autoscaler {' '.join(words)}"))

    assert all(option in options for option in re.findall(r"--[a-z-]+", own))


def test_the_list_of_commands_is_not_cut() -> None:
    text = invoke("--help", env={"COLUMNS": "80"}).stdout

    assert "..." not in text.split("Commands:")[1]
    for words in COMMANDS:
        assert re.search(rf"^  {words[0]} ", text, re.M)


def test_the_version_is_told() -> None:
    assert invoke("--version").stdout == f"autoscaler {__version__}\n"


@pytest.mark.parametrize(
    "words", [("nonsense",), ("run", "--nonsense"), ("why",), ("emulate", "--port", "x")]
)
def test_a_wrong_command_line_is_status_2(words: tuple[str, ...]) -> None:
    done = invoke(*words)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "Usage:" in done.stderr


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from autoscaler.cli.app import app\n"
        "heavy = {'aiohttp', 'pydantic', 'rich', 'structlog', 'apscheduler', 'sqlite3', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True
    )

    assert done.stdout.strip() == "[]"


def test_help_is_quick() -> None:
    fastest_s = 10.0
    for _ in range(3):
        started = time.monotonic()
        subprocess.run(command("--help"), capture_output=True, env=environment(), check=True)
        fastest_s = min(fastest_s, time.monotonic() - started)

    assert fastest_s < 0.5


def test_the_page_quotes_every_commands_help() -> None:
    page = (ROOT / "docs/command-line.md").read_text()
    words_of_page = " ".join(page.split())

    for words in ((), *COMMANDS):
        assert f"<!-- quote: autoscaler {' '.join((*words, '--help'))} -->" in page
        # Lines break elsewhere at another width.
        assert " ".join(invoke(*words, "--help").stdout.split()) in words_of_page, "run make docs"
