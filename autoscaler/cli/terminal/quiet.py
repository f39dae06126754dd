"""Logs of commands that answer a person: the answer says what went wrong, the log would say it again."""

from __future__ import annotations

from autoscaler.config import Config
from autoscaler.daemon import logs


def quiet_logs(config: Config) -> None:
    """Only what is our own fault is logged, on standard error, without secrets."""
    logs.configure("console", "critical")
    for secret in config.secrets():
        logs.register_secret(secret)
