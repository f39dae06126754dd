"""What a policy means, in one line: its own words and its settings."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from autoscaler.core.fleet import NamedPolicy


def meaning_of(named: NamedPolicy) -> str:
    """The first sentence of the rule's description, and every setting that has a value."""
    text = inspect.getdoc(type(named.policy)) or named.policy.kind
    sentence = text.split("\n\n")[0].replace("\n", " ").rstrip(".")
    settings = ", ".join(
        f"{key} {_value(value)}"
        for key, value in named.policy.model_dump(mode="json").items()
        if value is not None and key != "kind"
    )
    return f"{sentence} ({settings})" if settings else sentence


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | int):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k} {_value(one)}" for k, one in value.items() if one is not None) + "}"
    if isinstance(value, list):
        if any(isinstance(one, Mapping) for one in value):
            return f"[{len(value)}]"
        return "+".join(_value(one) for one in value)
    return str(value)
