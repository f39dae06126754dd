"""The locks pin everything by hash, and carry nothing of the machine that wrote them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.repository import LOCKS, ROOT


def entries(lock: str) -> dict[str, tuple[Requirement, list[str]]]:
    """Requirement and hashes by name."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words, *hashes = line.split("--hash=")
        requirement = Requirement(words.strip())
        found[canonicalize_name(requirement.name)] = (requirement, [item.strip() for item in hashes])
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_one_version_with_hashes(lock: str) -> None:
    assert entries(lock)
    for name, (requirement, hashes) in entries(lock).items():
        assert re.fullmatch(r"==[\w.!+]+", str(requirement.specifier)), name
        assert hashes, name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", item) for item in hashes), name


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_host_a_path_or_an_option(lock: str) -> None:
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        assert "://" not in line
        assert " @ " not in line
        assert "/" not in line, "a path or a host"
        assert not line.startswith("-"), "an option of pip"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-build.lock"])
def test_development_uses_the_versions_that_users_get(lock: str) -> None:
    development = entries("requirements-dev.lock")
    for name, (requirement, hashes) in entries(lock).items():
        assert str(development[name][0].specifier) == str(requirement.specifier), name
        assert development[name][1] == hashes, name


def lock_here(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / "scripts/lock.sh", *arguments],
        env={"PATH": "/usr/bin:/bin", "UV": str(folder / "uv")},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the locks and their script, with a stand-in for uv."""
    (tmp_path / "scripts").mkdir()
    for name in (*LOCKS, "pyproject.toml", "scripts/lock.sh"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "scripts/lock.sh").chmod(0o755)
    return tmp_path


def stand_in_for_uv(folder: Path, body: str) -> None:
    (folder / "uv").write_text(f'#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\n{body}\n')
    (folder / "uv").chmod(0o755)


def test_locks_that_still_fit_pass_the_check(copy: Path) -> None:
    stand_in_for_uv(copy, "true")  # uv leaves its preference as it was

    done = lock_here(copy, "--check")

    assert done.returncode == 0, done.stderr


def test_the_check_names_the_stale_lock_and_changes_nothing(copy: Path) -> None:
    stand_in_for_uv(copy, '[ "$2" != requirements-dev.lock ] || echo "newcomer==1" >>"$2"')
    before = [(copy / lock).read_bytes() for lock in LOCKS]

    done = lock_here(copy, "--check")

    assert done.returncode == 1
    assert "requirements-dev.lock" in done.stderr
    assert "newcomer==1" in done.stderr
    assert "requirements-build.lock" not in done.stderr
    assert [(copy / lock).read_bytes() for lock in LOCKS] == before


def test_a_failing_uv_is_not_taken_for_fresh_locks(copy: Path) -> None:
    stand_in_for_uv(copy, "exit 2")

    assert lock_here(copy, "--check").returncode != 0
