"""A shadow beside the active policies as plain JSON values: ``GET /v1/services/{service}/shadow``."""

from __future__ import annotations

from typing import Any

from autoscaler.core.codec import instant_text
from autoscaler.core.fleet import Fleet, Service
from autoscaler.core.pack import spell_out
from autoscaler.core.shadow import Shadow
from autoscaler.core.sides import Account, Difference, Rates
from autoscaler.daemon.report import Invalid, Standing, known_service
from autoscaler.durations import spoken

JSON = dict[str, Any]


def shadow_status(fleet: Fleet, service: str, standing: Standing | None) -> JSON:
    """Both sides' accounts, their difference, and the last decisions that differ.

    Raises: UnknownName; Invalid where the service has no shadow, or one that has seen no tick yet.
    """
    own = known_service(fleet, service)
    if standing is None:
        raise Invalid(
            f"{service} has no shadow that was evaluated yet; "
            f'[services.{service}] shadow = ["..."] names its policies, and the next tick begins'
        )
    if standing.shadow is None:
        raise Invalid(f"the shadow of {service} was set aside before its first tick: {standing.trouble}")
    shadow = standing.shadow
    seen_s = shadow.at - shadow.since
    return {
        "service": service,
        "at": instant_text(shadow.at),
        "since": instant_text(shadow.since),
        "seen_s": round(seen_s, 3),
        "unseen_s": round(shadow.unseen_s, 3),
        "ticks": shadow.ticks,
        "trouble": standing.trouble,
        "active": {"policies": [one.name for one in own.policies], **_side(shadow.active, shadow.active_now)},
        "shadow": {
            "policies": list(standing.policies),
            **_side(shadow.shadow, shadow.shadow_now),
            "replicas_wanted": dict(shadow.wanted),
        },
        "difference": _difference(shadow),
        "differs_first": None if shadow.differs_first is None else instant_text(shadow.differs_first),
        "differs_last": None if shadow.differs_last is None else instant_text(shadow.differs_last),
        "decisions_that_differ": [_told(one) for one in shadow.differences],
        "sentence": sentence(shadow, own, standing),
    }


def _side(account: Account, now: Rates) -> JSON:
    return {
        "usd": round(account.usd, 6),
        "replica_hours": round(account.replica_s / 3600.0, 6),
        "short_s": round(account.short_s, 3),
        "short_capacity_s": round(account.short_capacity_s, 3),
        "changes": account.changes,
        "usd_per_hour": None if now.usd_per_hour is None else round(now.usd_per_hour, 6),
        "replicas": now.replicas,
        "short": now.short,
    }


def _difference(shadow: Shadow) -> JSON:
    """Shadow less active; ``percent`` of the active side's USD, null where that is zero."""
    active, other = shadow.active, shadow.shadow
    return {
        "usd": round(other.usd - active.usd, 6),
        "percent": round(100.0 * (other.usd - active.usd) / active.usd, 3) if active.usd > 0.0 else None,
        "short_s": round(other.short_s - active.short_s, 3),
        "short_capacity_s": round(other.short_capacity_s - active.short_capacity_s, 3),
    }


def _told(one: Difference) -> JSON:
    body: JSON = spell_out(one)
    return {**body, "at": instant_text(one.at)}


def sentence(shadow: Shadow, service: Service, standing: Standing) -> str:
    """The comparison in one sentence."""
    span = spoken(shadow.at - shadow.since)
    names = ", ".join(standing.policies)
    active, other = shadow.active, shadow.shadow
    less = active.usd - other.usd
    share = f" ({100.0 * abs(less) / active.usd:.0f} %)" if active.usd > 0.0 else ""
    if round(less, 2) == 0.0:
        cost = f"as much as {', '.join(one.name for one in service.policies)}"
    else:
        cost = f"{abs(less):.2f} USD{share} {'less' if less > 0.0 else 'more'} than what was there"
    longer = other.short_s - active.short_s
    if longer == 0.0:
        served = "been short of capacity for as long"
    else:
        served = f"been short of capacity for {spoken(abs(longer))} {'longer' if longer > 0.0 else 'less'}"
    return f"In {span}, {names} would have cost {other.usd:.2f} USD, {cost}, and would have {served}."
