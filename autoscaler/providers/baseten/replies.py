"""Baseten's replies, read strictly where a decision rests on them.

Raises: BadReply, naming the field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from autoscaler.core.model import ReplicaRange
from autoscaler.ports import BadReply
from autoscaler.providers.baseten.calls import STARTING
from autoscaler.providers.fields import (
    int_field,
    list_field,
    object_of,
    optional_int_field,
    optional_str_field,
    str_field,
)
from autoscaler.providers.plain_text import plain_text

T = TypeVar("T")

WORD_CHARS_MAX: Final = 64
SCHEDULES_MAX: Final = 100
PROMOTION_ENDS: Final = frozenset(("SUCCEEDED", "FAILED", "CANCELED"))
PROMOTION_WORDS: Final = PROMOTION_ENDS | {"RELEASING", "RAMPING_UP", "RAMPING_DOWN", "PAUSED"}
ANSWERS: Final = frozenset(("ACCEPTED", "QUEUED", "UNCHANGED"))


@dataclass(frozen=True, slots=True)
class Unit:
    """One deployment of a model or one chainlet as Baseten shows it.

    ``bounds`` None: it has not finished deploying. ``active`` replicas serve.
    """

    id: str
    name: str
    word: str
    bounds: ReplicaRange | None
    active: int
    instance_type: str | None
    environment: str | None = None
    is_development: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule of Baseten's own. One that comes once has ``ends_at``, in seconds since the Unix epoch."""

    name: str
    ends_at: float | None = None

    def may_act(self, now: float) -> bool:
        """Whether it may set bounds at this instant or later."""
        return self.ends_at is None or self.ends_at > now


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment of a model; ``current`` None: nothing is deployed there."""

    current: Unit | BadReply | None
    bounds: ReplicaRange | None  # its own, which a newly promoted deployment takes
    promotion: str | None  # the word of one that is under way
    schedules: tuple[Schedule, ...]  # those that are switched on


@dataclass(frozen=True, slots=True)
class ChainDeployment:
    """One deployment of a chain, with its chainlets by name."""

    environment: str | None
    chainlets: Mapping[str, Unit | BadReply]


@dataclass(frozen=True, slots=True)
class ChainEnvironment:
    """Which deployment of a chain an environment shows. ``current_id`` None: not told."""

    current_id: str | None
    promotion: str | None


@dataclass(frozen=True, slots=True)
class Named:
    """A model or a chain, for a person to read."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list call by id or name; an entry that cannot be read hides no other."""

    entries: Mapping[str, T | BadReply]
    nameless: int = 0  # entries without a readable key


def parse_unit(value: object) -> Unit:
    """One deployment of a model, or one chainlet."""
    body = object_of(value, "a deployment")
    return Unit(
        id=str_field(body, "id"),
        name=_text(body.get("name")),
        word=plain_text(str_field(body, "status"), chars_max=WORD_CHARS_MAX),
        bounds=_bounds(body.get("autoscaling_settings")),
        active=int_field(body, "active_replica_count"),
        instance_type=optional_str_field(body, "instance_type_name"),
        environment=optional_str_field(body, "environment"),
        is_development=body.get("is_development") is True,
    )


def parse_deployments(value: object) -> Listing[Unit]:
    """The deployments of a model, by id."""
    return _listing(list_field(object_of(value), "deployments"), "id", parse_unit)


def parse_deployment(value: object, id_: str) -> Unit:
    """The reply of the get call for ``id_``."""
    unit = parse_unit(value)
    if unit.id != id_:
        raise BadReply("field 'id' names another deployment")
    return unit


def parse_environment(value: object) -> Environment:
    """One environment of a model."""
    body = object_of(value, "an environment")
    if "current_deployment" not in body:
        raise BadReply("field 'current_deployment' is missing")
    current: Unit | BadReply | None = None
    if body["current_deployment"] is not None:
        try:
            current = parse_unit(body["current_deployment"])
        except BadReply as error:
            current = error
    return Environment(
        current,
        _bounds(body.get("autoscaling_settings")),
        _promotion(body.get("in_progress_promotion")),
        _schedules(body.get("autoscaling_schedules")),
    )


def parse_environments(value: object) -> Listing[Environment]:
    """The environments of a model, by name."""
    return _listing(list_field(object_of(value), "environments"), "name", parse_environment)


def parse_chain_deployment(value: object) -> ChainDeployment:
    """One deployment of a chain."""
    body = object_of(value, "a chain deployment")
    chainlets = _listing(list_field(body, "chainlets"), "name", parse_unit)
    return ChainDeployment(optional_str_field(body, "environment"), chainlets.entries)


def parse_chain_deployments(value: object) -> Listing[ChainDeployment]:
    """The deployments of a chain, by id."""
    return _listing(list_field(object_of(value), "deployments"), "id", parse_chain_deployment)


def parse_chain_environment(value: object) -> ChainEnvironment:
    """One environment of a chain."""
    body = object_of(value, "an environment")
    current = body.get("current_deployment")
    current_id = optional_str_field(object_of(current, "a chain deployment"), "id") if current else None
    return ChainEnvironment(current_id, _promotion(body.get("in_progress_promotion")))


def parse_chain_environments(value: object) -> Listing[ChainEnvironment]:
    """The environments of a chain, by name."""
    return _listing(list_field(object_of(value), "environments"), "name", parse_chain_environment)


def parse_named(value: object, of: str) -> tuple[Named, ...]:
    """Models or chains: ``of`` is the field that holds them."""
    bodies = (object_of(item) for item in list_field(object_of(value), of))
    return tuple(Named(str_field(body, "id"), _text(body.get("name"))) for body in bodies)


def parse_answer(value: object) -> str | None:
    """The word of a write's answer; None where it has none, as a deprecated field may."""
    word = optional_str_field(object_of(value), "status")
    return None if word is None else plain_text(word, chars_max=WORD_CHARS_MAX)


def parse_success(value: object) -> bool:
    """Whether an activation was taken; true unless the reply says otherwise."""
    return object_of(value).get("success") is not False


def parse_starting(value: object) -> int | None:
    """Replicas that start now; None where the metric is left out or has no data."""
    body = object_of(value)
    sets = list_field(body, "metric_values")
    if not sets:
        return None
    rows = list_field(object_of(sets[-1]), "values")
    total: float | None = None
    for descriptor, row in zip(list_field(body, "metric_descriptors"), rows, strict=False):
        if object_of(descriptor).get("name") != STARTING or not isinstance(row, list):
            continue
        for number in row:
            if number is None:
                continue
            if not isinstance(number, int | float) or isinstance(number, bool) or not 0 <= number < 1e6:
                raise BadReply(f"{STARTING} is not a count")
            total = (total or 0.0) + number
    return None if total is None else round(total)


def parse_start_ups(value: object) -> tuple[float | None, float | None]:
    """Median and 90th percentile of start-up time, in seconds; None without a sample."""
    total = object_of(object_of(value).get("total_duration_ms"), "total_duration_ms")
    p50, p90 = (optional_int_field(total, name, maximum=10**9) for name in ("p50_ms", "p90_ms"))
    return None if p50 is None else p50 / 1000, None if p90 is None else p90 / 1000


def _listing(items: list[Any], key: str, parse: Callable[[object], T]) -> Listing[T]:
    entries: dict[str, T | BadReply] = {}
    nameless = 0
    for item in items:
        try:
            name = str_field(object_of(item), key)
        except BadReply:
            nameless += 1
            continue
        try:
            entries[name] = parse(item)
        except BadReply as error:
            entries[name] = error
    return Listing(entries, nameless)


def _bounds(value: object) -> ReplicaRange | None:
    if value is None:
        return None
    body = object_of(value, "autoscaling_settings")
    bounds = ReplicaRange(int_field(body, "min_replica"), int_field(body, "max_replica"))
    if bounds.minimum > bounds.maximum:
        raise BadReply("field 'min_replica' is above 'max_replica'")
    return bounds


def _promotion(value: object) -> str | None:
    if value is None:
        return None
    # One whose word cannot be read is under way: hands off costs least.
    word = plain_text(_text(object_of(value, "a promotion").get("status")), chars_max=WORD_CHARS_MAX)
    return None if word in PROMOTION_ENDS else word or "unknown"


def _schedules(value: object) -> tuple[Schedule, ...]:
    if value is None:
        return ()
    schedules = list_field(object_of(value, "autoscaling_schedules"), "schedules", items_max=SCHEDULES_MAX)
    bodies = [object_of(one, "a schedule") for one in schedules]
    # What does not say that it is off is on.
    return tuple(_schedule(body) for body in bodies if body.get("enabled") is not False)


def _schedule(body: dict[str, Any]) -> Schedule:
    name = plain_text(_text(body.get("name")) or "unnamed", chars_max=WORD_CHARS_MAX)
    if body.get("cadence") != "ONE_TIME":
        return Schedule(name)
    try:
        end = datetime.fromisoformat(str(body.get("end_at")))
    except ValueError:
        return Schedule(name)
    return Schedule(name, (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp())


def _text(value: object) -> str:
    """Text for a person only: a wrong type there must hide no fact that a decision rests on."""
    return plain_text(value) if isinstance(value, str) else ""
