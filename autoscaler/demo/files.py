"""What the demo puts on the disk while it runs: a folder with configuration, policies, journal and log."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import autoscaler

HOST: Final = "127.0.0.1"


class DemoError(Exception):
    """The demo cannot start; the text is for the person who called it."""


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that only this user can read, removed at the end."""
    path = Path(tempfile.mkdtemp(prefix="autoscaler-demo-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def shipped_policies() -> Traversable:
    """The ready-made policy files: inside the package as installed, beside it in a checkout.

    Raises: DemoError.
    """
    inside = files("autoscaler.demo") / "policies"
    beside = Path(autoscaler.__file__).parent.parent / "policies"
    for place in (inside, beside):
        if (place / "queue-depth.toml").is_file():
            return place
    raise DemoError("the ready-made policy files are not there: install the package again")


def copy_policies(names: Iterable[str], target: Path) -> None:
    """These ready-made files, by their stems. Raises: DemoError."""
    source = shipped_policies()
    target.mkdir()
    for name in names:
        text = (source / f"{name}.toml").read_text(encoding="utf-8")
        (target / f"{name}.toml").write_text(text, encoding="utf-8")


def free_port(wanted: int) -> int:
    """This port where nobody listens on it, else any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise DemoError(f"no free port on {HOST}")
