"""Which configuration a command works with, and every problem with it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.config import Config, ConfigError, load, load_for_decide

VARIABLE: Final = "AUTOSCALER_CONFIG"
BESIDE: Final = Path("config.toml")


def config_path(option: Path | None) -> Path:
    """``--config``, else AUTOSCALER_CONFIG, else config.toml here. Raises: Trouble."""
    given = option or os.environ.get(VARIABLE)
    if given:
        return Path(given)
    if BESIDE.is_file():
        return BESIDE
    raise Trouble(f"no configuration: give --config FILE, set {VARIABLE}, or have {BESIDE} in this folder")


def whole(option: Path | None) -> Config:
    """The configuration with its secrets. Raises: Trouble with every problem."""
    return _told(lambda: load(config_path(option)))


def public(option: Path | None) -> Config:
    """The configuration without secrets: nobody can be called. Raises: Trouble with every problem."""
    return _told(lambda: load_for_decide(config_path(option)))


def _told(read: Callable[[], Config]) -> Config:
    try:
        return read()
    except ConfigError as error:
        raise BadConfig(error) from error


class BadConfig(Trouble):
    """The configuration cannot be used."""

    def __init__(self, error: ConfigError) -> None:
        super().__init__(str(error), Exit.USAGE)
        self.problems = error.problems
