"""The repository's own files, found without git: a release archive has none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-build.lock", "requirements-dev.lock")
_NOT_OURS = {"__pycache__", "build", "dist", "node_modules", ".git", ".venv", ".demo", ".hypothesis"}


def files() -> Iterator[Path]:
    """Every file but caches, environments and built things."""
    todo = [ROOT]
    while todo:
        for path in todo.pop().iterdir():
            if path.name in _NOT_OURS or path.name.endswith(("_cache", ".egg-info")):
                continue
            if path.is_dir() and not path.is_symlink():
                todo.append(path)
            elif path.is_file():
                yield path


def texts() -> Iterator[tuple[str, str]]:
    """Name and text of every text file."""
    for path in files():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
