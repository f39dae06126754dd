"""What the configuration and the wiring need to know of a kind of source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from autoscaler.ports import Clock, SignalSource


class SourceSettings(BaseModel):
    """The key that every ``[sources.NAME]`` table has; each kind adds its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: str = Field(default="", description="The kind of source.")  # the loader always gives it


@dataclass(frozen=True, slots=True)
class Borrowing:
    """What a ``[sources.NAME]`` table may take from the ``[providers.NAME]`` table that its key ``provider``
    names, so that an account is written down once.

    ``provider_kind`` is the word of that table's ``kind``. ``credential`` is a secret and required: it is
    given here, or comes from there. ``keys`` are taken too, where they are given there and not here. All have
    the same names in both tables.
    """

    provider_kind: str
    credential: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceKind:
    """How one kind of source is configured and made.

    ``settings`` is the model of its ``[sources.NAME]`` table, ``signal_options`` that of the keys that its
    signals take besides ``source``, ``max_age_s`` and ``exists_at_zero``. ``create`` takes the source's
    name, its settings and the clock; it opens no connection, and raises ValueError for a file that
    the settings name and that cannot be used. ``borrows`` None: its tables name no provider.
    """

    settings: type[SourceSettings]
    signal_options: type[BaseModel]
    create: Callable[[str, Any, Clock], SignalSource]
    borrows: Borrowing | None = None
