"""`make` and `.ci/run`: what they list, and what a machine that lacks something is told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.packaging.repository import LOCKS, ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SCRIPTS = [ROOT / ".ci/run", *sorted((ROOT / "scripts").glob("*.sh"))]


def run(words: Iterable[str | Path], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(words),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.M))


@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
def test_make_alone_lists_every_target() -> None:
    done = run(["make"])

    assert done.returncode == 0, done.stderr
    assert {line.split()[1] for line in done.stdout.splitlines()} == targets()


def test_every_target_is_phony() -> None:
    # A folder named "docs" or "build" must never make a target look done.
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.M)

    assert phony
    assert set(phony[1].split()) == targets()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_can_be_run_and_is_sound(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert re.match(r"#!(/bin/sh|/usr/bin/env bash)\n", script.read_text(encoding="utf-8"))
    assert re.search(r"^set -e?u", script.read_text(encoding="utf-8"), re.M)
    checker = shutil.which("shellcheck", path=f"{ROOT}/.venv/bin:{os.environ['PATH']}")
    if checker:
        done = run([checker, script])
        assert done.returncode == 0, done.stdout


# --- set-up on machines that lack something ------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH whose every Python is a stand-in: by default none of them works."""
    for tool in ("sh", "dirname", "cat", "cksum", "grep", "ls", "rm"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    return tmp_path


def stand_in(machine: Path, name: str, body: str) -> None:
    (machine / name).write_text(f"#!/bin/sh\n{body}\n")
    (machine / name).chmod(0o755)


def set_up(machine: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(
        [ROOT / "scripts/setup.sh", "dev"], PATH=str(machine), VENV=str(machine / "env"), **environment
    )


def test_a_machine_without_python_is_told_what_to_install(machine: Path) -> None:
    done = set_up(machine)

    assert done.returncode == 1
    assert "no Python of 3.11 or later" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr
    assert "brew install" in done.stderr
    assert not (machine / "env").exists()


def test_a_python_that_is_too_old_is_named(machine: Path) -> None:
    stand_in(machine, "python3", '[ "$1" = --version ] && echo Python 3.9.2; exit 1')

    done = set_up(machine)

    assert done.returncode == 1
    assert "Python 3.9.2" in done.stderr


def test_a_python_named_by_the_user_is_not_replaced_by_another(machine: Path) -> None:
    stand_in(machine, "python3", "exit 0")

    done = set_up(machine, PYTHON="python9")

    assert done.returncode == 1
    assert "PYTHON=python9" in done.stderr


def test_a_debian_without_the_venv_package_is_told_its_name(machine: Path) -> None:
    stand_in(machine, "id", "echo 1000")  # not root: nothing is installed without being asked
    stand_in(
        machine,
        "python3",
        'case "$2" in *ensurepip*) exit 1 ;; *print*) echo 3.11 ;; *) exit 0 ;; esac',
    )

    done = set_up(machine)

    assert done.returncode == 1
    assert "apt-get install python3.11-venv" in done.stderr


def test_a_folder_that_is_no_environment_is_never_removed(machine: Path) -> None:
    stand_in(machine, "python3", "exit 0")
    (machine / "env").mkdir()
    (machine / "env/thesis.txt").write_text("three years of work")

    done = set_up(machine)

    assert done.returncode == 1
    assert "is no Python environment" in done.stderr
    assert (machine / "env/thesis.txt").exists()


def test_an_unknown_level_is_refused_with_those_that_exist(machine: Path) -> None:
    done = run([ROOT / "scripts/setup.sh", "everything"], PATH=str(machine))

    assert done.returncode == 2
    assert "allowed are run, dev" in done.stderr


# --- set-up once, and again only when something changed ------------------------------------------

WORKING_PYTHON = """
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo made >"$3/pyvenv.cfg" ;;
    "-m pip") echo "$@" >>"${0%/bin/python}/../pip.log" ;;
esac
"""


@pytest.fixture
def checkout(machine: Path) -> Path:
    """A copy of what set-up reads, on a machine whose Python notes what pip is asked for."""
    for tool in ("cp", "mkdir"):
        found = shutil.which(tool)
        assert found
        (machine / tool).symlink_to(found)
    stand_in(machine, "python3", WORKING_PYTHON)
    folder = machine / "checkout"
    (folder / "scripts").mkdir(parents=True)
    for name in (*LOCKS, "pyproject.toml", "scripts/setup.sh"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def installs(folder: Path, level: str) -> list[str]:
    """What pip was asked for by one more set-up."""
    log = folder / "pip.log"
    log.unlink(missing_ok=True)
    done = run([folder / "scripts/setup.sh", level], PATH=str(folder.parent))
    assert done.returncode == 0, done.stderr
    return log.read_text().splitlines() if log.exists() else []


def test_a_set_up_takes_every_package_from_a_lock_by_hash(checkout: Path) -> None:
    packages, ourselves = installs(checkout, "dev")

    assert "--require-hashes -r requirements-dev.lock" in packages
    assert "--no-deps --no-build-isolation --editable ." in ourselves


def test_a_second_set_up_does_nothing(checkout: Path) -> None:
    installs(checkout, "dev")

    assert installs(checkout, "dev") == []


def test_what_develops_also_runs_but_not_the_other_way(checkout: Path) -> None:
    assert "requirements-dev.lock" not in installs(checkout, "run")[0]
    assert installs(checkout, "dev") != []
    assert installs(checkout, "run") == []


@pytest.mark.parametrize("name", ["requirements-dev.lock", "pyproject.toml"])
def test_a_changed_lock_is_installed(checkout: Path, name: str) -> None:
    installs(checkout, "dev")
    with (checkout / name).open("a") as file:
        file.write("# changed\n")

    assert len(installs(checkout, "dev")) == 2


def test_a_checkout_that_moved_gets_a_new_environment(checkout: Path) -> None:
    installs(checkout, "dev")
    (checkout / ".venv/old").touch()
    moved = checkout.rename(checkout.with_name("moved"))

    assert len(installs(moved, "dev")) == 2
    assert not (moved / ".venv/old").exists()


def test_an_interrupted_set_up_is_not_taken_for_a_finished_one(checkout: Path) -> None:
    installs(checkout, "dev")
    stand_in(checkout / ".venv/bin", "python", '[ "$2" != pip ]')
    (checkout / "requirements-dev.lock").write_text("a==1\n")
    assert run([checkout / "scripts/setup.sh", "dev"], PATH=str(checkout.parent)).returncode != 0
    stand_in(checkout / ".venv/bin", "python", WORKING_PYTHON)

    assert len(installs(checkout, "dev")) == 2
