"""DeepInfra's words, in ours: deployments, stock and prices, errors of validation.

Raises: BadReply, naming the field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from autoscaler.core.model import Phase, ReplicaRange, exactly
from autoscaler.ports import BadReply
from autoscaler.providers.fields import (
    ITEMS_MAX,
    bool_field,
    float_field,
    int_field,
    list_field,
    object_of,
    optional_int_field,
    optional_str_field,
    str_field,
)
from autoscaler.providers.plain_text import TEXT_CHARS_MAX, plain_text

PHASES: Final[Mapping[str, Phase]] = MappingProxyType(
    {
        "initializing": Phase.STARTING,
        "downloading": Phase.STARTING,
        "deploying": Phase.STARTING,
        "running": Phase.READY,  # or what the instances make of it
        "deployed": Phase.READY,
        "stopped": Phase.STOPPED,
        "failed": Phase.FAILED,
        "deleted": Phase.STOPPED,  # never shown: it is gone
        # Not in the vendor's list; other programs have met them.
        "pending": Phase.STARTING,
        "updating": Phase.SCALING,
        "stopping": Phase.SCALING,
    }
)
"""Status words. The field is free text, so any other word is no error."""

UNLISTED: Final = frozenset(("pending", "updating", "stopping"))
LEGACY: Final = "legacy"
TYPES: Final = frozenset((LEGACY, "llm", "lora", "tts"))

WORD_CHARS_MAX: Final = 64
ROWS_MAX: Final = 1_000
_CONFIGURATION: Final = re.compile(r"([1-9][0-9]{0,2})x(\S.*)", re.ASCII)
_ERRORS_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One deployment as DeepInfra shows it. Instances and bounds are None where it shows none."""

    id: str
    name: str
    word: str
    type: str
    bounds: ReplicaRange | None = None  # as they stand in its settings, stopped or not
    running: int | None = None
    pending: int | None = None
    gpu_type: str | None = None
    gpus_per_replica: int | None = None
    model: str | None = None
    fail_reason: str = ""  # fit to be shown

    @property
    def ours(self) -> bool:
        """Not a reference to a model that is paid per token, which has no instances to set."""
        return self.type != LEGACY

    @property
    def gone(self) -> bool:
        """Deleted, and shown all the same."""
        return self.word == "deleted"

    @property
    def stopped(self) -> bool:
        """Stopped by the call for it; only a start ends that."""
        return self.word == "stopped"

    @property
    def phase(self) -> Phase:
        """The word's meaning; what ``running`` means depends on the instances."""
        if self.word != "running":
            return PHASES.get(self.word, Phase.UNKNOWN)
        if self.running is None or self.pending is None:
            return Phase.UNKNOWN
        if self.pending > 0:
            return Phase.SCALING
        if self.running > 0:
            return Phase.READY
        return Phase.STOPPED if self.bounds is not None and self.bounds.minimum == 0 else Phase.UNKNOWN

    @property
    def replicas(self) -> ReplicaRange | None:
        """The bounds in force: none runs while it is stopped, whatever its settings say."""
        return exactly(0) if self.stopped else self.bounds

    @property
    def configuration(self) -> str | None:
        """Name of its GPUs and their count in the price list, such as ``2xH100-80GB``."""
        if self.gpu_type is None or self.gpus_per_replica is None:
            return None
        return f"{self.gpus_per_replica}x{self.gpu_type}"


@dataclass(frozen=True, slots=True)
class Listing:
    """The list call: by id, what was read or why it could not be."""

    entries: Mapping[str, Entry | BadReply]
    nameless: int  # entries without a readable id


@dataclass(frozen=True, slots=True)
class Configuration:
    """One line of the price list. What of it cannot be read is None."""

    gpu_type: str
    gpus: int
    usd_per_hour: float | None  # of all its GPUs together
    available: bool | None

    @property
    def name(self) -> str:
        """As ``Entry.configuration``."""
        return f"{self.gpus}x{self.gpu_type}"


@dataclass(frozen=True, slots=True)
class PriceList:
    """What can be rented now, and names of lines that could not be read."""

    configurations: tuple[Configuration, ...]
    odd: tuple[str, ...]


def parse_entry(value: object, secrets: Iterable[str] = ()) -> Entry:
    """One deployment. ``legacy`` ones are not looked at any closer; a type that is left out is that.

    ``secrets`` are blotted out of the vendor's own text. Source: schema DeploymentOut.
    """
    body = object_of(value, "a deployment")
    id_ = str_field(body, "deploy_id")
    name = _plain(_text(body.get("model_name")))
    word = _plain(str_field(body, "status"), WORD_CHARS_MAX)
    type_ = _plain(optional_str_field(body, "type") or LEGACY, WORD_CHARS_MAX)
    if type_ == LEGACY:
        return Entry(id_, name, word, type_)
    config = _object(body, "config") or {}
    running, pending = _instances(_object(body, "instances"))
    gpu_type = optional_str_field(config, "gpu")
    weights = config.get("weights")
    weights = weights if isinstance(weights, dict) else {}
    # The token for the weights is the customer's; a failed download may well quote it.
    hidden = (*secrets, _text(weights.get("token")))
    return Entry(
        id=id_,
        name=name,
        word=word,
        type=type_,
        bounds=_bounds(_object(body, "settings")),
        running=running,
        pending=pending,
        gpu_type=None if gpu_type is None else _plain(gpu_type, WORD_CHARS_MAX),
        gpus_per_replica=optional_int_field(config, "num_gpus", minimum=1),
        model=_plain(_text(weights.get("repo"))) or name or None,
        fail_reason=plain_text(_text(body.get("fail_reason")), secrets=hidden),
    )


def parse_one(value: object, id_: str, secrets: Iterable[str] = ()) -> Entry:
    """The reply of the get call for ``id_``."""
    entry = parse_entry(value, secrets)
    if entry.id != id_:
        raise BadReply("field 'deploy_id' names another deployment")
    return entry


def parse_listing(value: object, secrets: Iterable[str] = ()) -> Listing:
    """The reply of the list call, a bare array; a deployment that cannot be read hides no other."""
    if not isinstance(value, list):
        raise BadReply("the reply is not a list")
    if len(value) > ITEMS_MAX:
        raise BadReply(f"the reply has over {ITEMS_MAX} items")
    entries: dict[str, Entry | BadReply] = {}
    nameless = 0
    for item in value:
        try:
            id_ = str_field(object_of(item), "deploy_id")
        except BadReply:
            nameless += 1
            continue
        try:
            entries[id_] = parse_entry(item, secrets)
        except BadReply as error:
            entries[id_] = error
    return Listing(entries, nameless)


def parse_done(value: object, id_: str) -> None:
    """The reply of a change for ``id_``: no more than the id."""
    if str_field(object_of(value), "deploy_id") != id_:
        raise BadReply("field 'deploy_id' names another deployment")


def parse_price_list(value: object) -> PriceList:
    """GPUs that can be rented; a line, or half of one, that cannot be read hides no other.

    Source: GET /deploy/llm/gpu_availability; ``usd_per_hour`` is of all GPUs of the configuration.
    """
    found: dict[str, Configuration] = {}
    odd: list[str] = []
    for item in list_field(object_of(value), "gpus", items_max=ROWS_MAX):
        name = _text(item.get("gpu_config")) if isinstance(item, dict) else ""
        match = _CONFIGURATION.fullmatch(_plain(name, WORD_CHARS_MAX))
        if match is None:
            odd.append(_plain(name, WORD_CHARS_MAX) or "a line without a name")
            continue
        line = Configuration(match[2], int(match[1]), _usd(item), _available(item))
        found.setdefault(line.name, line)
    return PriceList(tuple(found.values()), tuple(odd))


def validation_text(body: object) -> str:
    """What is wrong with a request, by field; empty where the body is not that kind of error.

    Source: schema HTTPValidationError. Other errors are ``{"error": text}``.
    """
    problems = body.get("detail") if isinstance(body, dict) else None
    if not isinstance(problems, list):
        return ""
    told = (_problem(item) for item in problems[:_ERRORS_SHOWN] if isinstance(item, dict))
    return "; ".join(text for text in told if text)


def _problem(item: dict[str, Any]) -> str:
    where = item.get("loc")
    steps = where if isinstance(where, list) else []
    path = ".".join(str(step) for step in steps if isinstance(step, str | int) and step != "body")
    return ": ".join(part for part in (path, _text(item.get("msg"))) if part)


def _instances(body: dict[str, Any] | None) -> tuple[int | None, int | None]:
    return (None, None) if body is None else (int_field(body, "running"), int_field(body, "pending"))


def _bounds(body: dict[str, Any] | None) -> ReplicaRange | None:
    if body is None:
        return None
    bounds = ReplicaRange(int_field(body, "min_instances"), int_field(body, "max_instances"))
    if bounds.minimum > bounds.maximum:
        raise BadReply("field 'min_instances' is above 'max_instances'")
    return bounds


def _usd(line: dict[str, Any]) -> float | None:
    try:
        # Nothing is free: zero is a price that is not set.
        return float_field(line, "usd_per_hour") or None
    except BadReply:
        return None


def _available(line: dict[str, Any]) -> bool | None:
    try:
        return bool_field(line, "available")
    except BadReply:
        return None


def _object(body: dict[str, Any], name: str) -> dict[str, Any] | None:
    """An object, or None where the field is absent or null."""
    return None if body.get(name) is None else object_of(body[name], f"field {name!r}")


@lru_cache(maxsize=8192)
def _plain(text: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Text for a person. Names and words are the same ones in every list."""
    return plain_text(text, chars_max=chars_max)


def _text(value: object) -> str:
    """Text for a person only: a wrong type there must hide no fact that a decision rests on."""
    return value if isinstance(value, str) else ""
