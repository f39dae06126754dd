"""An environment of a model: its own settings and schedules, its current deployment, its promotions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from autoscaler.emulators.baseten.autoscaling import Autoscaling, changes_in
from autoscaler.emulators.baseten.managed import Answer, Managed
from autoscaler.emulators.baseten.refusals import Refused
from autoscaler.emulators.baseten.schedules import OneTime, Recurring, Schedules
from autoscaler.emulators.faces import Faces
from autoscaler.world.plant import World

POLICIES: Final = ("QUEUE_ON_FULL", "REJECT_ON_FULL")
CLEANUPS: Final = ("KEEP", "SCALE_TO_ZERO", "DEACTIVATE")
_LOOK_AGAIN_S: Final = 10.0
_PARTS: Final = (
    "autoscaling_settings",
    "promotion_settings",
    "autoscaling_schedule_settings",
    "request_backpressure_settings",
    "traffic_routing_settings",
)
_PROMOTION_DEFAULTS: Final[Mapping[str, Any]] = {
    "redeploy_on_promotion": False,
    "rolling_deploy": False,
    "promotion_cleanup_strategy": "SCALE_TO_ZERO",
    "rolling_deploy_config": None,
    "ramp_up_while_promoting": False,
    "ramp_up_duration_seconds": 600,
}


@dataclass(frozen=True, slots=True)
class Promotion:
    """Two deployments run and traffic goes over from one to the other."""

    candidate: Managed
    started_at: float
    ends_at: float

    def percent(self, at: float) -> int:
        """Of the traffic, to the new deployment."""
        lasts_s = max(self.ends_at - self.started_at, 1e-9)
        return round(100 * min(1.0, max(0.0, (at - self.started_at) / lasts_s)))


@dataclass(frozen=True, slots=True)
class EnvironmentFace:
    """What an environment shows."""

    settings: Autoscaling
    current: Managed
    promotion: Promotion | None = None
    schedules: Schedules = field(default_factory=Schedules)
    applied: str | None = None  # the schedule whose settings were deployed last; None: its own
    backpressure: str | None = None
    promotion_settings: Mapping[str, Any] = field(default_factory=lambda: dict(_PROMOTION_DEFAULTS))


class Environment:
    """One environment. Its settings are those of its current deployment, but for schedules' windows
    and for what is written to the deployment itself."""

    def __init__(
        self,
        world: World,
        model_id: str,
        name: str,
        current: Managed,
        applied_after_s: Callable[[], float],
    ) -> None:
        self.model_id = model_id
        self.name = name
        self.created_at = world.now
        self.wanted = current.wanted  # its own settings after all writes, applied or not
        self._world = world
        self._applied_after_s = applied_after_s
        self._faces = Faces(world.now, EnvironmentFace(current.wanted, current))

    @property
    def now(self) -> EnvironmentFace:
        """The latest face."""
        return self._faces.now

    def face(self, at: float) -> EnvironmentFace | None:
        """The face at this instant; None before there was one."""
        return self._faces.at(at)

    def _change(self, **changes: Any) -> None:
        self._faces.show(self._world.now, replace(self.now, **changes))

    @property
    def members(self) -> tuple[Managed, ...]:
        """Its deployments now: the current one, and the candidate of a promotion."""
        face = self.now
        return (face.current,) if face.promotion is None else (face.current, face.promotion.candidate)

    def _at(self, at: float, act: Callable[[], None]) -> None:
        if at <= self._world.now:
            act()
        else:
            self._world.call_at(at, lambda _: act())

    # --- writes ---------------------------------------------------------------------------------

    def check(self, sent: Any) -> None:
        """Refuse what ``update`` could not carry out in full. Raises: Refused."""
        if not isinstance(sent, dict):
            raise Refused(400, "the body must be an object")
        if unknown := sorted(set(sent) - set(_PARTS)):
            raise Refused(400, f"unknown field {unknown[0][:64]!r}; there is {', '.join(_PARTS)}")
        if sent.get("traffic_routing_settings") is not None:
            raise Refused(400, "traffic_routing_settings is in development and not enabled")
        own = self._asked(sent)
        self._schedules(sent, own)
        backpressure_in(sent.get("request_backpressure_settings"))
        _promotion_settings(self.now, sent.get("promotion_settings"))

    def update(self, sent: Mapping[str, Any]) -> Answer:
        """Carry out a partial update that ``check`` has let pass."""
        own = self._asked(sent)
        schedules = self._schedules(sent, own)
        changed = Answer.UNCHANGED
        if schedules != self.now.schedules:
            self._change(schedules=schedules)
            changed = Answer.ACCEPTED
        settings = _promotion_settings(self.now, sent.get("promotion_settings"))
        if settings != self.now.promotion_settings:
            self._change(promotion_settings=settings)
            changed = Answer.ACCEPTED
        if (part := sent.get("request_backpressure_settings")) is not None:
            policy = backpressure_in(part)
            if policy != self.now.backpressure:
                self._change(backpressure=policy)
                self.now.current.exhibit.change(self._world.now, backpressure=policy)
                changed = Answer.ACCEPTED
        answer = self._write(own)
        return changed if answer is Answer.UNCHANGED else answer

    def _asked(self, sent: Mapping[str, Any]) -> Autoscaling:
        part = sent.get("autoscaling_settings")
        return self.wanted if part is None else self.wanted.with_changes(changes_in(part))

    def _schedules(self, sent: Mapping[str, Any], own: Autoscaling) -> Schedules:
        part = sent.get("autoscaling_schedule_settings")
        return self.now.schedules if part is None else self.now.schedules.updated(part, own)

    def _write(self, own: Autoscaling) -> Answer:
        same = own == self.wanted
        self.wanted = own
        answer = self._deploy()
        if same:
            return answer
        self._at(self._world.now + self._applied_after_s(), lambda: self._change(settings=own))
        return Answer.ACCEPTED if answer is Answer.UNCHANGED else answer

    # --- schedules ------------------------------------------------------------------------------

    def active(self, at: float | None = None) -> Recurring | OneTime | None:
        """The schedule whose window it is."""
        return self.now.schedules.active(self._world.now if at is None else at)

    def look(self) -> None:
        """Deploy other settings where a window has begun or ended."""
        schedule = self.active()
        if (None if schedule is None else schedule.id) != self.now.applied:
            self._deploy()

    def _deploy(self) -> Answer:
        """Ask for the settings that are to be the deployed ones now."""
        schedule = self.active()
        deployed = self.wanted if schedule is None else schedule.applied_to(self.wanted)
        answer = self.now.current.write(deployed)
        applied = None if schedule is None else schedule.id
        if applied != self.now.applied:
            self._at(self.now.current.applied_at, lambda: self._change(applied=applied))
        return answer

    # --- promotions -----------------------------------------------------------------------------

    def promote(self, candidate: Managed, lasts_s: float) -> None:
        """Both run for so long, and until the candidate serves; then it is the current one.

        Raises: Refused.
        """
        self.check_free()
        if candidate is self.now.current:
            raise Refused(400, "the deployment is the current one already")
        now = self._world.now
        self._change(promotion=Promotion(candidate, now, now + lasts_s))
        candidate.exhibit.change(now, environment=self.name, promoting=True)
        self._world.call_at(now + lasts_s, self._end_promotion)

    def check_free(self) -> None:
        """Refuse a second promotion at once. Raises: Refused."""
        if self.now.promotion is not None:
            raise Refused(400, f"a promotion to {self.name} is in progress")

    def _end_promotion(self, at: float) -> None:
        promotion = self.now.promotion
        if promotion is None:
            return
        if promotion.candidate.exhibit.now.status.ready == 0:
            self._world.call_at(at + _LOOK_AGAIN_S, self._end_promotion)
            return
        old = self.now.current
        self._change(current=promotion.candidate, promotion=None)
        promotion.candidate.exhibit.change(at, promoting=False)
        old.exhibit.change(at, environment=None)
        match self.now.promotion_settings["promotion_cleanup_strategy"]:
            case "SCALE_TO_ZERO":
                old.write(replace(old.wanted, min_replica=0))
            case "DEACTIVATE":
                old.deactivate()
        self._deploy()


def backpressure_in(sent: Any) -> str | None:
    """The policy in a request. Raises: Refused."""
    if sent is None:
        return None
    if not isinstance(sent, dict) or set(sent) - {"policy"}:
        raise Refused(400, "request_backpressure_settings has one field: policy")
    policy = sent.get("policy")
    if policy is not None and policy not in POLICIES:
        raise Refused(400, f"policy must be one of {', '.join(POLICIES)}, or null")
    return policy


def _promotion_settings(face: EnvironmentFace, sent: Any) -> Mapping[str, Any]:
    if sent is None:
        return face.promotion_settings
    if not isinstance(sent, dict) or set(sent) - set(_PROMOTION_DEFAULTS):
        raise Refused(400, f"promotion_settings has the fields {', '.join(_PROMOTION_DEFAULTS)}")
    settings = {**face.promotion_settings, **{key: value for key, value in sent.items() if value is not None}}
    if settings["promotion_cleanup_strategy"] not in CLEANUPS:
        raise Refused(400, f"promotion_cleanup_strategy must be one of {', '.join(CLEANUPS)}")
    return settings
