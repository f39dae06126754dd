"""Exoscale's words, in ours: deployments, operations, GPU families, log lines.

Raises: BadReply, naming the field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Literal
from uuid import UUID

from autoscaler.core.model import Phase
from autoscaler.ports import (
    BadReply,
    Busy,
    NotFound,
    ProviderError,
    Rejected,
    Unauthorized,
    Unavailable,
)
from autoscaler.providers.fields import (
    bool_field,
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
        "creating": Phase.STARTING,
        "preparing": Phase.STARTING,
        "deploying": Phase.STARTING,
        "scaling": Phase.SCALING,
        "updating": Phase.SCALING,
        "ready": Phase.READY,
        "error": Phase.FAILED,
    }
)
"""State words of package 0.16.4; the list has grown before, so any other word is no error."""

REASONS: Final[Mapping[str, type[ProviderError]]] = MappingProxyType(
    {
        "busy": Busy,
        "conflict": Busy,
        "unavailable": Unavailable,
        "interrupted": Unavailable,
        "fault": Unavailable,
        "unknown": Unavailable,
        "incorrect": Rejected,
        "unsupported": Rejected,
        "partial": Rejected,
        "forbidden": Unauthorized,
        "not-found": NotFound,
    }
)
"""Why an operation failed."""

WORD_CHARS_MAX: Final = 64
OPERATION_WORDS: Final = frozenset(("pending", "success", "failure", "timeout"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One deployment as Exoscale shows it. ``replicas`` is what was last set, not what serves."""

    id: str
    name: str
    word: str
    replicas: int
    visibility: str | None  # None: an older service, which had no such field
    gpu_type: str | None
    gpus_per_replica: int | None
    model: str | None
    details: str  # as the vendor wrote it; for a person

    @property
    def phase(self) -> Phase:
        """At rest without replicas it is stopped, whatever the vendor calls that."""
        phase = PHASES.get(self.word, Phase.UNKNOWN)
        return Phase.STOPPED if phase is Phase.READY and self.replicas == 0 else phase

    @property
    def ready(self) -> int | None:
        """Replicas that serve: known only at rest, because the API has no such figure."""
        return self.replicas if self.word == "ready" else None

    @property
    def ours(self) -> bool:
        """Not of the vendor's shared service, nor of a visibility that we do not know."""
        return self.visibility in (None, "private")


@dataclass(frozen=True, slots=True)
class Listing:
    """The list call: by id, what was read or why it could not be."""

    entries: Mapping[str, Entry | BadReply]
    nameless: int  # entries without a readable id


@dataclass(frozen=True, slots=True)
class Operation:
    """A change that Exoscale took. ``error`` is set when it failed."""

    id: str | None
    state: Literal["pending", "success", "failure", "unknown"]
    word: str
    reason: str | None = None
    error: ProviderError | None = None


def parse_entry(value: object, id_: str | None = None) -> Entry:
    """One deployment, of the list or of the get call, which may omit its ``id``."""
    body = object_of(value, "a deployment")
    # Until package 0.16.0 the field was called "status".
    word = str_field(body, "status" if "state" not in body and "status" in body else "state")
    return Entry(
        id=id_ or _uuid_field(body, "id"),
        name=_plain(_text(body.get("name"))),
        word=_plain(word, WORD_CHARS_MAX),
        replicas=int_field(body, "replicas"),
        visibility=optional_str_field(body, "visibility"),
        gpu_type=optional_str_field(body, "gpu-type"),
        gpus_per_replica=optional_int_field(body, "gpu-count", minimum=1),
        model=_model(body.get("model")),
        details=_text(body.get("state-details")),
    )


def parse_one(value: object, id_: str) -> Entry:
    """The reply of the get call for ``id_``."""
    body = object_of(value)
    if body.get("id") is not None and _uuid_field(body, "id") != id_:
        raise BadReply("field 'id' names another deployment")
    return parse_entry(body, id_)


def parse_listing(value: object) -> Listing:
    """The reply of the list call; a deployment that cannot be read hides no other."""
    entries: dict[str, Entry | BadReply] = {}
    nameless = 0
    for item in list_field(object_of(value), "deployments"):
        try:
            id_ = _uuid_field(object_of(item), "id")
        except BadReply:
            nameless += 1
            continue
        try:
            entries[id_] = parse_entry(item, id_)
        except BadReply as error:
            entries[id_] = error
    return Listing(entries, nameless)


def parse_operation(value: object, secrets: Iterable[str] = ()) -> Operation:
    """A change taken: of the scale call and of the operation call.

    A word that we do not know is state ``unknown``, a reason that we do not know is Unavailable.
    ``secrets`` are blotted out of the vendor's message.
    """
    body = object_of(value)
    id_ = None if body.get("id") is None else _uuid_field(body, "id")
    word = plain_text(str_field(body, "state"), chars_max=WORD_CHARS_MAX)
    if word == "pending":
        return Operation(id_, "pending", word)
    if word == "success":
        return Operation(id_, "success", word)
    if word not in OPERATION_WORDS:
        return Operation(id_, "unknown", word)
    reason = plain_text(_text(body.get("reason")), chars_max=WORD_CHARS_MAX) or "unknown"
    message = _text(body.get("message"))
    text = f"the operation ended in {word}: {reason}" + (f", {message}" if message else "")
    error = REASONS.get(reason, Unavailable)(plain_text(text, secrets=secrets))
    return Operation(id_, "failure", word, reason, error)


def parse_families(value: object) -> Mapping[str, bool]:
    """GPU families, and whether the account may use them now."""
    items = (object_of(item) for item in list_field(object_of(value), "instance-types"))
    return {str_field(item, "family"): bool_field(item, "authorized") for item in items}


def parse_logs(value: object) -> tuple[str, ...]:
    """Log lines in the order of the reply; a line without text is left out."""
    items = [item for item in list_field(object_of(value), "logs") if isinstance(item, dict)]
    lines = (f"{_text(item.get('time'))} {_text(item.get('message'))}".strip() for item in items)
    return tuple(line for line in lines if line)


@lru_cache(maxsize=8192)
def _plain(text: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Text for a person. Names and words are the same ones in every list."""
    return plain_text(text, chars_max=chars_max)


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    """A UUID in its one form. The same ones come with every list. Raises: ValueError."""
    return str(UUID(text))


def _uuid_field(body: dict[str, Any], name: str) -> str:
    try:
        return _canonical(str_field(body, name))
    except ValueError as error:
        raise BadReply(f"field {name!r} is not a UUID") from error


def _model(value: object) -> str | None:
    if not isinstance(value, dict):
        return None
    return _plain(_text(value.get("name")) or _text(value.get("id"))) or None


def _text(value: object) -> str:
    """Text for a person only: a wrong type there must hide no fact that a decision rests on."""
    return value if isinstance(value, str) else ""
