"""Snapshots, plans and memory as JSON values: the lines of ``decide``, the bodies of the journal.

Lines come from other programs: what is malformed raises :class:`BadLine` with the place and what is
allowed there; unknown keys are ignored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeVar

from autoscaler.core.memory import Memory
from autoscaler.core.model import (
    Absence,
    Decision,
    ErrorKind,
    Human,
    Observation,
    Outcome,
    OutcomeWord,
    Override,
    Pause,
    Phase,
    Plan,
    Price,
    Reading,
    ReplicaRange,
    Sample,
    ServiceEvidence,
    Snapshot,
    ZeroCapability,
    exactly,
)
from autoscaler.core.pack import pack, unpack

E = TypeVar("E", Phase, ErrorKind, OutcomeWord, ZeroCapability)

REPLICAS_MAX = 10_000
AT_MAX = 253_402_300_799.0  # the year 9999

INSTANTS_REMEMBERED: Final = 4096
"""Texts of instants that are kept: many samples of a tick are of the same millisecond."""


class BadLine(ValueError):
    """A line that is not a snapshot; the text says where and what is allowed."""


# --- instants -----------------------------------------------------------------------------------


@lru_cache(maxsize=INSTANTS_REMEMBERED)
def instant_text(at: float) -> str:
    """ISO 8601 in UTC, with milliseconds only where there are some."""
    moment = datetime.fromtimestamp(round(at, 3), UTC)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")[:-6] + "Z"


def instant(value: Any, where: str) -> float:
    """Seconds since the epoch, rounded to a millisecond, from ISO 8601 with a zone."""
    if not isinstance(value, str):
        raise BadLine(
            f"{where}: {_shown(value)} is no time; an ISO 8601 text such as 2026-11-21T12:00:00Z is"
        )
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise BadLine(f"{where}: {_shown(value)} is no ISO 8601 time") from None
    if moment.tzinfo is None:
        raise BadLine(f"{where}: {value} has no time zone; end it with Z for UTC")
    return round(moment.timestamp(), 3)


# --- snapshots in -------------------------------------------------------------------------------


def snapshot_from_json(line: Any) -> Snapshot:
    """The snapshot that a ``decide`` line holds. Raises: BadLine."""
    body = _object(line, "line")
    if "at" not in body:
        raise BadLine("at: missing; every line needs the time that it speaks of")
    clock = body.get("clock")
    if clock not in (None, "back", "ahead"):
        raise BadLine(f"clock: {_shown(clock)}; back or ahead is allowed")
    return Snapshot(
        at=instant(body["at"], "at"),
        signals={
            service: {
                name: _reading(r, f"signals.{service}.{name}")
                for name, r in _object(named, f"signals.{service}").items()
            }
            for service, named in _object(body.get("signals", {}), "signals").items()
        },
        deployments={
            key: _observation(o, f"deployments.{key}")
            for key, o in _object(body.get("deployments", {}), "deployments").items()
        },
        prices={
            key: _price(p, f"prices.{key}") for key, p in _object(body.get("prices", {}), "prices").items()
        },
        human=human_from_json(body["human"]) if body.get("human") is not None else None,
        outcomes=_outcomes(body["outcomes"]) if body.get("outcomes") is not None else None,
        clock=clock,
    )


def _reading(value: Any, where: str) -> Reading:
    body = _object(value, where)
    if "absent" in body:
        return Absence(
            _text(body["absent"], f"{where}.absent"), _text(body.get("detail", ""), f"{where}.detail")
        )
    if "value" not in body or "at" not in body:
        raise BadLine(f"{where}: a sample has value and at")
    return Sample(_number(body["value"], f"{where}.value"), instant(body["at"], f"{where}.at"))


def _observation(value: Any, where: str) -> Observation:
    body = _object(value, where)
    replicas: ReplicaRange | None = None
    if body.get("range") is not None:
        replicas = _range(body["range"], f"{where}.range")
    elif body.get("replicas_set") is not None:
        replicas = exactly(_count(body["replicas_set"], f"{where}.replicas_set"))
    gpus = _optional(body, "gpus_per_replica", where, _count)
    if gpus == 0:
        raise BadLine(f"{where}.gpus_per_replica: 0; at least 1 is allowed")
    evidence = body.get("evidence", [])
    if not isinstance(evidence, list):
        raise BadLine(f"{where}.evidence: {_shown(evidence)}; a list of texts is allowed")
    return Observation(
        replicas=replicas,
        ready=_optional(body, "replicas_ready", where, _count),
        starting=_optional(body, "replicas_starting", where, _count),
        phase=_phase(body.get("phase", "ready"), where),
        gpu_type=_optional(body, "gpu_type", where, _text),
        gpus_per_replica=gpus,
        instance_type=_optional(body, "instance_type", where, _text),
        native=_flag(body.get("native", False), f"{where}.native"),
        wakes=_flag(body.get("wakes", False), f"{where}.wakes"),
        zero=_word(ZeroCapability, body.get("zero", "exact"), f"{where}.zero"),
        available=_optional(body, "available", where, _flag),
        busy=_flag(body.get("busy", False), f"{where}.busy"),
        start_up_p50_s=_optional(body, "start_up_p50_s", where, _number),
        start_up_p90_s=_optional(body, "start_up_p90_s", where, _number),
        error=_error(body.get("error"), f"{where}.error"),
        evidence=tuple(_text(item, f"{where}.evidence") for item in evidence),
    )


def _error(value: Any, where: str) -> ErrorKind | None:
    """A kind of provider error, as a word (``rate_limited``) or as its class is called (``RateLimited``)."""
    if isinstance(value, str):
        value = "".join(f"_{c.lower()}" if c.isupper() else c for c in value).lstrip("_")
    return None if value is None else _word(ErrorKind, value, where)


def _phase(value: Any, where: str) -> Phase:
    """A word that we do not know is the phase of that name."""
    text = _text(value, f"{where}.phase")
    return Phase(text) if text in Phase._value2member_map_ else Phase.UNKNOWN


def _range(value: Any, where: str) -> ReplicaRange:
    if not isinstance(value, list) or len(value) != 2:
        raise BadLine(f"{where}: {_shown(value)}; two whole numbers, least and most, are allowed")
    low, high = _count(value[0], where), _count(value[1], where)
    if low > high:
        raise BadLine(f"{where}: the least, {low}, is above the most, {high}")
    return ReplicaRange(low, high)


def _price(value: Any, where: str) -> Price:
    body = _object(value, where)
    if "usd_per_gpu_hour" not in body or "at" not in body:
        raise BadLine(f"{where}: a price has usd_per_gpu_hour and at")
    return Price(
        _number(body["usd_per_gpu_hour"], f"{where}.usd_per_gpu_hour"),
        instant(body["at"], f"{where}.at"),
        gpu_type=_optional(body, "gpu_type", where, _text),
        gpus=_optional(body, "gpus", where, _count),
        available=_optional(body, "available", where, _flag),
    )


def human_from_json(value: Any) -> Human:
    """Pauses, overrides and resumes. Raises: BadLine."""
    body = _object(value, "human")
    return Human(
        pauses=tuple(_pause(p, f"human.pauses[{i}]") for i, p in enumerate(_list(body, "pauses"))),
        overrides=tuple(
            _override(o, f"human.overrides[{i}]") for i, o in enumerate(_list(body, "overrides"))
        ),
        resumes=tuple(_text(r, "human.resumes") if r is not None else None for r in _list(body, "resumes")),
    )


def _list(body: Mapping[str, Any], key: str) -> list[Any]:
    value = body.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadLine(f"human.{key}: {_shown(value)}; a list is allowed")
    return value


def _pause(value: Any, where: str) -> Pause:
    body = _object(value, where)
    direction = body.get("direction")
    if direction not in (None, "down"):
        raise BadLine(f"{where}.direction: {_shown(direction)}; down or nothing is allowed")
    return Pause(
        service=_optional(body, "service", where, _text),
        direction=direction,
        until=_optional(body, "until", where, instant),
        reason=_text(body.get("reason") or "", f"{where}.reason"),
        actor=_text(body.get("actor") or "", f"{where}.actor"),
    )


def _override(value: Any, where: str) -> Override:
    body = _object(value, where)
    at_least = _optional(body, "at_least", where, _count)
    at_most = _optional(body, "at_most", where, _count)
    if at_least is not None and at_most is not None and at_least > at_most:
        raise BadLine(f"{where}: at_least {at_least} is above at_most {at_most}")
    return Override(
        service=_text(body.get("service"), f"{where}.service"),
        deployment=_optional(body, "deployment", where, _text),
        at_least=at_least,
        at_most=at_most,
        until=_optional(body, "until", where, instant),
        reason=_text(body.get("reason") or "", f"{where}.reason"),
        actor=_text(body.get("actor") or "", f"{where}.actor"),
    )


def _outcomes(value: Any) -> tuple[Outcome, ...]:
    if not isinstance(value, list):
        raise BadLine(f"outcomes: {_shown(value)}; a list is allowed")
    outcomes = []
    for index, item in enumerate(value):
        where = f"outcomes[{index}]"
        body = _object(item, where)
        error = body.get("error")
        outcomes.append(
            Outcome(
                service=_text(body.get("service"), f"{where}.service"),
                deployment=_text(body.get("deployment"), f"{where}.deployment"),
                outcome=_word(OutcomeWord, body.get("outcome"), f"{where}.outcome"),
                error=_error(error, f"{where}.error"),
                retry_after_s=_optional(body, "retry_after_s", where, _number),
            )
        )
    return tuple(outcomes)


# --- values -------------------------------------------------------------------------------------


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadLine(f"{where}: {_shown(value)}; an object is allowed")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadLine(f"{where}: {_shown(value)}; a number is allowed")
    if isinstance(value, int) and abs(value) > 1 << 53:
        raise BadLine(f"{where}: {_shown(value)}; a number up to 2^53 is allowed")
    if not math.isfinite(value) or value < 0:
        raise BadLine(f"{where}: {_shown(value)}; a finite number from 0 is allowed")
    return float(value)


def _count(value: Any, where: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= REPLICAS_MAX:
        raise BadLine(f"{where}: {_shown(value)}; a whole number from 0 to {REPLICAS_MAX} is allowed")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise BadLine(f"{where}: {_shown(value)}; a text is allowed")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise BadLine(f"{where}: {_shown(value)}; true or false is allowed")
    return value


def _word(kind: type[E], value: Any, where: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise BadLine(f"{where}: {_shown(value)}; one of {', '.join(kind)} is allowed") from None


T = TypeVar("T")


def _optional(body: Mapping[str, Any], key: str, where: str, read: Callable[[Any, str], T]) -> T | None:
    value = body.get(key)
    return None if value is None else read(value, f"{where}.{key}")


# --- snapshots and plans out --------------------------------------------------------------------


def snapshot_to_json(snapshot: Snapshot) -> dict[str, Any]:
    """The ``decide`` line of a snapshot."""
    line: dict[str, Any] = {
        "at": instant_text(snapshot.at),
        "signals": {
            service: {name: _reading_json(reading) for name, reading in named.items()}
            for service, named in snapshot.signals.items()
        },
        "deployments": {key: _observation_json(o) for key, o in snapshot.deployments.items()},
    }
    if snapshot.prices:
        line["prices"] = {key: _price_json(price) for key, price in snapshot.prices.items()}
    if snapshot.human is not None:
        line["human"] = human_to_json(snapshot.human)
    if snapshot.outcomes is not None:
        line["outcomes"] = [outcome_to_json(outcome) for outcome in snapshot.outcomes]
    if snapshot.clock is not None:
        line["clock"] = snapshot.clock
    return line


def _price_json(price: Price) -> dict[str, Any]:
    body: dict[str, Any] = {"usd_per_gpu_hour": price.usd_per_gpu_hour, "at": instant_text(price.at)}
    known = (("gpu_type", price.gpu_type), ("gpus", price.gpus), ("available", price.available))
    body.update({key: value for key, value in known if value is not None})
    return body


def _reading_json(reading: Reading) -> dict[str, Any]:
    if isinstance(reading, Sample):
        return {"value": reading.value, "at": instant_text(reading.at)}
    absent: dict[str, Any] = {"absent": reading.reason}
    if reading.detail:
        absent["detail"] = reading.detail
    return absent


def _observation_json(o: Observation) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if o.replicas is not None:
        if o.replicas.is_exact:
            body["replicas_set"] = o.replicas.minimum
        else:
            body["range"] = list(o.replicas)
    known = (
        ("replicas_ready", o.ready),
        ("replicas_starting", o.starting),
        ("gpu_type", o.gpu_type),
        ("gpus_per_replica", o.gpus_per_replica),
        ("instance_type", o.instance_type),
        ("available", o.available),
        ("start_up_p50_s", o.start_up_p50_s),
        ("start_up_p90_s", o.start_up_p90_s),
        ("error", o.error.value if o.error else None),
    )
    body.update({key: value for key, value in known if value is not None})
    body["phase"] = o.phase.value
    flags = (("native", o.native), ("wakes", o.wakes), ("busy", o.busy))
    body.update({key: True for key, flag in flags if flag})
    if o.zero is not ZeroCapability.EXACT:
        body["zero"] = o.zero.value
    if o.evidence:
        body["evidence"] = list(o.evidence)
    return body


def human_to_json(human: Human) -> dict[str, Any]:
    """Pauses and overrides in force, and resumes, as a ``decide`` line holds them."""
    body: dict[str, Any] = {
        "pauses": [
            {
                "service": p.service,
                "direction": p.direction,
                "until": instant_text(p.until) if p.until is not None else None,
                "reason": p.reason,
                "actor": p.actor,
            }
            for p in human.pauses
        ],
        "overrides": [
            {
                "service": o.service,
                "deployment": o.deployment,
                "at_least": o.at_least,
                "at_most": o.at_most,
                "until": instant_text(o.until) if o.until is not None else None,
                "reason": o.reason,
                "actor": o.actor,
            }
            for o in human.overrides
        ],
    }
    if human.resumes:
        body["resumes"] = list(human.resumes)
    return body


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """One outcome, as a ``decide`` line holds it."""
    body: dict[str, Any] = {
        "service": outcome.service,
        "deployment": outcome.deployment,
        "outcome": outcome.outcome.value,
        "error": outcome.error.value if outcome.error else None,
    }
    if outcome.retry_after_s is not None:
        body["retry_after_s"] = outcome.retry_after_s
    return body


def outcomes_from_json(value: Any) -> tuple[Outcome, ...]:
    """Outcomes of one plan. Raises: BadLine."""
    return _outcomes(value)


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """One decision of a ``decide`` output line."""
    body: dict[str, Any] = {
        "service": decision.service,
        "deployment": decision.deployment,
        "replicas_from": decision.replicas_from,
        "replicas_to": decision.replicas_to,
        "reason": decision.reason,
        "why": decision.why,
    }
    if decision.range_from is not None and decision.range_to is not None:
        plain = (exactly(decision.replicas_from or 0), exactly(decision.replicas_to or 0))
        if decision.native or (decision.range_from, decision.range_to) != plain:
            body["range_from"] = list(decision.range_from)
            body["range_to"] = list(decision.range_to)
    if decision.native:
        body["native"] = True
    return body


def decision_from_json(body: Mapping[str, Any]) -> Decision:
    """What ``decision_to_json`` wrote."""
    count_from, count_to = body["replicas_from"], body["replicas_to"]
    range_from = range_to = None
    if "range_from" in body:
        range_from, range_to = ReplicaRange(*body["range_from"]), ReplicaRange(*body["range_to"])
    elif count_from is not None and count_to is not None:
        range_from, range_to = exactly(count_from), exactly(count_to)
    return Decision(
        body["service"],
        body["deployment"],
        count_from,
        count_to,
        body["reason"],
        body["why"],
        range_from,
        range_to,
        body.get("native", False),
    )


def line_of_plan(plan: Plan) -> dict[str, Any]:
    """The ``decide`` output line of a plan."""
    return {
        "at": instant_text(plan.at),
        "decisions": [decision_to_json(decision) for decision in plan.decisions],
    }


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """A plan with its evidence, for the journal."""
    body = line_of_plan(plan)
    body["services"] = {name: pack(evidence) for name, evidence in plan.services.items()}
    if plan.brake:
        body["brake"] = list(plan.brake)
    return body


def plan_from_json(body: Mapping[str, Any]) -> Plan:
    """What ``plan_to_json`` wrote. Raises: ValueError, TypeError or KeyError for a damaged record."""
    return Plan(
        at=instant(body["at"], "at"),
        decisions=tuple(decision_from_json(decision) for decision in body["decisions"]),
        services={
            name: unpack(ServiceEvidence, evidence) for name, evidence in body.get("services", {}).items()
        },
        brake=tuple(body.get("brake", ())),
    )


def memory_to_json(memory: Memory) -> dict[str, Any]:
    """A checkpoint."""
    packed: dict[str, Any] = pack(memory)
    return {"version": 1, **packed}


def memory_from_json(body: Any) -> Memory:
    """The memory of a checkpoint. Raises: BadLine."""
    checkpoint = _object(body, "memory")
    if checkpoint.get("version") != 1:
        raise BadLine(f"memory.version: {_shown(checkpoint.get('version'))}; 1 is allowed")
    try:
        return unpack(Memory, checkpoint)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadLine(f"memory: damaged: {error}") from error
