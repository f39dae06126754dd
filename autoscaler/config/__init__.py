"""The configuration: a TOML file, the environment over it, secrets from files, and policy files.

``load`` gives one frozen :class:`Config` or raises :class:`ConfigError` with every problem at once.
"""

from __future__ import annotations

from autoscaler.config.kinds import Kinds, installed
from autoscaler.config.load import load, load_for_decide
from autoscaler.config.models import DaemonSettings, HttpSettings
from autoscaler.config.problems import ConfigError, Problem
from autoscaler.config.result import Config

__all__ = [
    "Config",
    "ConfigError",
    "DaemonSettings",
    "HttpSettings",
    "Kinds",
    "Problem",
    "installed",
    "load",
    "load_for_decide",
]
