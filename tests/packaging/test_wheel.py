"""The wheel holds all that the program needs, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest

import autoscaler
from tests.packaging.repository import ROOT, files

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
INFO = f"autoscaler-{PROJECT['version']}.dist-info"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive, built by the locked backend without a network."""
    folder = tmp_path_factory.mktemp("built")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Iterator[zipfile.ZipFile]:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    ours = {path.relative_to(ROOT).as_posix() for path in files() if path.is_relative_to(ROOT / "autoscaler")}

    assert "autoscaler/py.typed" in names
    assert ours - names == set()  # modules, templates and static files alike


def test_the_wheel_holds_nothing_but_the_package_and_its_licence(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert tops == {"autoscaler", INFO}
    assert f"{INFO}/licenses/LICENSE" in wheel.namelist()


def test_the_wheel_says_what_pyproject_says(wheel: zipfile.ZipFile) -> None:
    metadata = Parser().parsestr(wheel.read(f"{INFO}/METADATA").decode())

    assert metadata["Name"] == "autoscaler"
    assert metadata["Version"] == PROJECT["version"] == autoscaler.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    required = metadata.get_all("Requires-Dist", [])
    assert len([one for one in required if "extra ==" not in one]) == len(PROJECT["dependencies"])
    assert set(metadata.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])


def test_every_entry_point_leads_to_something_that_can_be_called(wheel: zipfile.ZipFile) -> None:
    parser = ConfigParser()
    parser.read_string(wheel.read(f"{INFO}/entry_points.txt").decode())
    assert parser["console_scripts"]["autoscaler"]
    targets = [target for section in parser.sections() for target in parser[section].values()]

    code = "import sys, pkgutil\nfor name in sys.argv[1:]: assert callable(pkgutil.resolve_name(name)), name"
    done = subprocess.run(
        [sys.executable, "-c", code, *targets],
        env={"PYTHONPATH": wheel.filename or "", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 0, done.stderr


def test_the_source_archive_can_run_the_tests(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"pyproject.toml", "README.md", "LICENSE", "Makefile", "requirements-dev.lock"} <= names
    assert "tests/packaging/test_wheel.py" in names
    assert "scripts/setup.sh" in names
