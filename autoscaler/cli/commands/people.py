"""``autoscaler pause``, ``resume``, ``override``: what a person wants, told to the running daemon."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaler.cli.reach.client import Client
from autoscaler.cli.reach.settings import whole
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.cli.terminal.say import answer, answer_json
from autoscaler.cli.terminal.times import clock_text


@dataclass(frozen=True, slots=True)
class Limits:
    """What an override asks for; replicas."""

    replicas: int | None
    at_least: int | None
    at_most: int | None

    def refuse_with(self, option: str) -> None:
        """Raises: Trouble if any limit is given."""
        if (self.replicas, self.at_least, self.at_most) != (None, None, None):
            raise Trouble(f"{option} ends an override; it takes no --replicas, --at-least or --at-most")

    def check(self) -> None:
        """Raises: Trouble for no limits, or limits that exclude each other."""
        if self.replicas is not None and (self.at_least is not None or self.at_most is not None):
            raise Trouble("give either --replicas, or --at-least and/or --at-most")
        if self.replicas is None and self.at_least is None and self.at_most is None:
            raise Trouble("give --replicas N, or --at-least N and/or --at-most N; or --clear to end one")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise Trouble(f"--at-least {self.at_least} is above --at-most {self.at_most}")


def run_pause(
    option: Path | None,
    service: str | None,
    for_s: float,
    *,
    down: bool,
    reason: str,
    actor: str | None,
    as_json: bool,
) -> int:
    """No writes for a while. Raises: Trouble."""
    body = {"service": service, "direction": "down" if down else None, "for_s": for_s, **_who(reason, actor)}
    said = Client(whole(option)).act("POST", "pause", body=body)
    what = "Decreases are paused" if said["direction"] == "down" else "Paused"
    return _tell(said, f"{what} for {_whom(said)} until {_until(said)}, by {said['actor']}.", as_json)


def run_resume(
    option: Path | None, service: str | None, *, down: bool, reason: str, actor: str | None, as_json: bool
) -> int:
    """Go on. Raises: Trouble."""
    body = {"service": service, "direction": "down" if down else None, **_who(reason, actor)}
    said = Client(whole(option)).act("POST", "resume", body=body)
    return _tell(said, f"Resumed: {_whom(said)}.", as_json)


def run_override(
    option: Path | None,
    service: str,
    deployment: str | None,
    limits: Limits,
    for_s: float,
    *,
    reason: str,
    actor: str | None,
    as_json: bool,
) -> int:
    """Limits by hand for a while. Raises: Trouble."""
    limits.check()
    body = {
        "replicas": limits.replicas,
        "at_least": limits.at_least,
        "at_most": limits.at_most,
        "deployment": deployment,
        "for_s": for_s,
        **_who(reason, actor),
    }
    said = Client(whole(option)).act("POST", "services", service, "override", body=body)
    text = f"Override: {_limits(said)} of {_target(said)} until {_until(said)}, by {said['actor']}."
    return _tell(said, text, as_json)


def run_clear(
    option: Path | None,
    service: str,
    deployment: str | None,
    *,
    reason: str,
    actor: str | None,
    as_json: bool,
) -> int:
    """End an override. Raises: Trouble."""
    body = {"deployment": deployment, **_who(reason, actor)}
    said = Client(whole(option)).act("DELETE", "services", service, "override", body=body)
    return _tell(said, f"No override any more: {_target(said)}.", as_json)


def login_name() -> str:
    """Who sits at the terminal, as far as this machine knows."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        name = ""  # A container may run as a user that has no name.
    name = "".join(character for character in name if character.isprintable()).strip()[:200]
    return name or f"uid {os.getuid()}"


def _who(reason: str, actor: str | None) -> dict[str, str]:
    return {"reason": reason, "actor": actor or login_name()}


def _tell(said: Mapping[str, Any], text: str, as_json: bool) -> int:
    if as_json:
        answer_json(said)
    else:
        answer(text)
    return Exit.OK


def _whom(said: Mapping[str, Any]) -> str:
    return said["service"] or "the whole fleet"


def _target(said: Mapping[str, Any]) -> str:
    return f"{said['service']}/{said['deployment']}" if said["deployment"] else f"{said['service']}"


def _until(said: Mapping[str, Any]) -> str:
    return clock_text(said["until"])


def _limits(said: Mapping[str, Any]) -> str:
    low, high = said["at_least"], said["at_most"]
    if low == high:
        return f"exactly {low} replica{'' if low == 1 else 's'}"
    words = [f"at least {low}" if low is not None else "", f"at most {high}" if high is not None else ""]
    last = high if high is not None else low
    return f"{' and '.join(word for word in words if word)} replica{'' if last == 1 else 's'}"
