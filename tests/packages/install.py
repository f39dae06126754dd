"""Install a distribution of this folder into a directory of its own: no network, no build backend."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = Path(__file__).parent


def build_wheel(source: Path, directory: Path) -> Path:
    """A pure wheel of the modules beside ``source``'s pyproject.toml, written by hand."""
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    files = {path.name: path.read_text() for path in sorted(source.glob("*.py"))}
    return _write_wheel(project, files, directory)


def install(source: Path, target: Path) -> None:
    """Install the distribution in ``source`` so that ``target`` on the path is enough to find it."""
    wheel = build_wheel(source, target.parent)
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--offline",
        "--no-cache",
        "--no-deps",
    ]
    subprocess.run(
        [*command, "--python", sys.executable, "--target", str(target), str(wheel)],
        check=True,
        timeout=60,
        capture_output=True,
    )


def announce_ourselves(target: Path) -> None:
    """Metadata of the product in ``target``, for a source tree that is not installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for name, text in _metadata(project).items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def python_with_policies(target: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this Python with the product and what is installed in ``target`` on its path."""
    path = os.pathsep.join([str(ROOT), str(target)])
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
    )


def third_party_environment(directory: Path, packages: Sequence[str] = ("steady",)) -> Path:
    """A target directory for :func:`python_with_policies` in which these packages are installed.

    For end-to-end tests: ``python_with_policies(target, "-m", "autoscaler.cli", "check", "--config", ...)``.
    """
    target = directory / "site"
    for package in packages:
        install(PACKAGES / package, target)
    announce_ourselves(target)
    return target


def _metadata(project: Mapping[str, Any]) -> dict[str, str]:
    """The files of a dist-info directory, but RECORD."""
    info = f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    lines: list[str] = []
    for group, entries in project.get("entry-points", {}).items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()), ""]
    return {
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        ),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "\n".join(lines),
    }


def _write_wheel(project: Mapping[str, Any], files: Mapping[str, str], directory: Path) -> Path:
    metadata = _metadata(project)
    info = next(iter(metadata)).split("/")[0]
    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / f"{info.removesuffix('.dist-info')}-py3-none-any.whl"
    record: list[str] = []
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, **metadata}.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(text.encode())}")
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
    return wheel
