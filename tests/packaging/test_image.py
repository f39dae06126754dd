"""The container image's recipe: small, unprivileged, hash-checked, and its health check tells the truth."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch

import pytest
from aiohttp import web

from tests.packaging.repository import ROOT

RECIPE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LAST_STAGE = RECIPE[RECIPE.rindex("\nFROM ") :].replace("\\\n", " ")


def instructions(word: str, text: str = LAST_STAGE) -> list[str]:
    return re.findall(rf"^\s*{word}\s+(.*)$", text, re.M)


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=f"{ROOT}/.venv/bin:{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("no hadolint here")
    done = subprocess.run(
        [hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=30
    )

    assert done.returncode == 0, done.stdout


def test_the_program_runs_as_nobody_in_particular() -> None:
    user, group = instructions("USER")[-1].split(":")

    assert int(user) >= 1000  # A number, so that runAsNonRoot can be checked without the image's passwd.
    assert int(group) >= 1000


def test_the_program_gets_signals_itself() -> None:
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["autoscaler"]
    assert json.loads(instructions("CMD")[-1]) == ["run"]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]


def test_the_journal_is_on_the_declared_volume() -> None:
    (volume,) = instructions("VOLUME")

    assert f"AUTOSCALER_DAEMON__JOURNAL=sqlite:{volume}/" in LAST_STAGE


def test_nothing_is_installed_without_a_hash_but_our_own_wheel() -> None:
    installs = re.findall(r"\binstall (--[^&]*?)(?=&&|\n\w|\Z)", RECIPE.replace("\\\n", " "), re.S)

    assert len(installs) == 3
    for options in installs:
        assert "--require-hashes" in options or "--no-index" in options


def test_all_that_the_recipe_copies_is_there_and_nothing_else_is_sent() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        name for line in instructions("COPY", RECIPE) if "--from=" not in line for name in line.split()[:-1]
    }

    assert "*" in lines
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)
    assert not any(fnmatch(".env", pattern) or fnmatch(".git", pattern) for pattern in allowed)


def test_the_build_stage_has_all_that_the_wheel_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    build_stage = RECIPE[: RECIPE.rindex("\nFROM ")]
    copied = {name for line in instructions("COPY", build_stage) for name in line.split()[:-1]}

    assert {"pyproject.toml", "autoscaler", *wheel["force-include"]} <= copied


# --- the health check ----------------------------------------------------------------------------


async def check_health(status: int, **environment: str) -> tuple[int, str]:
    """Exit status and complaint of the image's own command, against a daemon that answers ``status``."""
    command = json.loads(re.findall(r"^\s+CMD (\[.*healthcheck.*\])$", RECIPE, re.M)[0])
    assert command[0].endswith("/bin/python")

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/healthz", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = str(runner.addresses[0][1])
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "scripts" / command[1].rsplit("/", 1)[1]),
            env={"AUTOSCALER_HTTP__PORT": port, **environment},
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await asyncio.wait_for(process.communicate(), 20)
    finally:
        await runner.cleanup()
    assert process.returncode is not None
    return process.returncode, complaint.decode()


async def test_a_daemon_that_ticks_is_healthy() -> None:
    assert await check_health(200) == (0, "")


async def test_a_daemon_that_stopped_ticking_is_not() -> None:
    status, complaint = await check_health(503)

    assert status == 1
    assert "503" in complaint
    assert "Traceback" not in complaint


@pytest.mark.parametrize("port", ["1", "not-a-port"])
async def test_a_daemon_that_does_not_answer_is_not_healthy(port: str) -> None:
    status, complaint = await check_health(200, AUTOSCALER_HTTP__PORT=port)

    assert status == 1
    assert "Traceback" not in complaint


async def test_a_proxy_for_the_vendors_is_not_asked_about_the_daemon() -> None:
    assert await check_health(200, http_proxy="http://127.0.0.1:1") == (0, "")
