"""The Baseten adapter: one list call per model or chain and tick, one partial update per change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeGuard

from autoscaler.core.model import (
    ErrorKind,
    Observation,
    Phase,
    Price,
    ReplicaRange,
    ZeroCapability,
)
from autoscaler.ports import (
    Busy,
    Clock,
    Inventory,
    NoCapacity,
    NotFound,
    Observed,
    Provider,
    ProviderError,
    RateLimited,
    Receipt,
    Ref,
    Rejected,
    Telemetry,
    Unauthorized,
    Unavailable,
)
from autoscaler.providers.baseten import calls
from autoscaler.providers.baseten.inference import Inference
from autoscaler.providers.baseten.instance_types import InstanceTypes, parse_priced, prices_of
from autoscaler.providers.baseten.inventory import inventory_of
from autoscaler.providers.baseten.looks import Looks, Seen
from autoscaler.providers.baseten.neutral import SWITCHED_OFF, phase_of, replicas_of, starting_of
from autoscaler.providers.baseten.replies import ANSWERS, parse_answer, parse_starting, parse_success
from autoscaler.providers.baseten.settings import BasetenSettings
from autoscaler.providers.baseten.sights import Sights, notes_on, schedules_on
from autoscaler.providers.baseten.start_ups import StartUps
from autoscaler.providers.baseten.targets import Chainlet, ModelEnvironment, OneDeployment, Target, target_of
from autoscaler.providers.baseten.zero import LEAST_BOUNDS, ZERO, to_bounds
from autoscaler.providers.http import HttpApi, Outgoing
from autoscaler.providers.kinds import ProviderSettings

FOLLOW_UP_SHARE: Final = 0.25  # of deadline_s, for what a tick can do without
CALLS_PER_S: Final = 90  # of one operation; 100 a second are allowed per key and endpoint
METRICS_AT_ONCE_MAX: Final = 64  # deployments per tick whose starting replicas are asked for

_NOT_TAKEN: Final = (Busy, NoCapacity, NotFound, RateLimited, Rejected, Unauthorized)


class Baseten:
    """One Baseten workspace. What no ref names is never touched."""

    def __init__(self, name: str, settings: BasetenSettings, clock: Clock, telemetry: Telemetry) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        self._telemetry = telemetry
        self._http = self._api(settings.address)
        self._inference = Inference(settings.inference_address, self._api, clock)
        self._follow_up_s = settings.deadline_s * FOLLOW_UP_SHARE
        self._looks = Looks(self._http)
        self._types = InstanceTypes(self._http, clock)
        self._start_ups = StartUps(self._http, clock)
        self._sights = Sights(name, telemetry)
        self._seen: dict[str, Seen] = {}  # what the last look at each ref showed
        self._left_open: set[str] = set()  # refs for which 0 to 1 was asked as a range, not as zero

    async def observe(self, refs: Sequence[Ref]) -> Observed:
        """What runs now: for each model its deployments or environments, for each chain both.

        Raises: ProviderError when every call failed.
        Source: GET /v1/models/{m}/deployments, /v1/models/{m}/environments, /v1/chains/{c}/deployments and
        /v1/chains/{c}/environments.
        """
        targets, wrong = _targets(refs)
        if not targets:
            return Observed(wrong)
        found, _ = await asyncio.gather(
            self._look(tuple(dict.fromkeys(targets.values()))), self._types.refresh(self._follow_up_s)
        )
        if isinstance(found, ProviderError):
            raise found
        told: dict[str, Seen | ProviderError] = {key: found[target] for key, target in targets.items()}
        self._seen = {key: seen for key, seen in told.items() if isinstance(seen, Seen)}
        self._sights.tell({targets[key]: seen for key, seen in self._seen.items()}, self._clock.now())
        starting = await self._follow_up()
        answers: dict[str, Observation | ProviderError] = {**wrong}
        for key, seen in told.items():
            answers[key] = (
                seen
                if isinstance(seen, ProviderError)
                else self._observation(key, targets[key], seen, starting.get(key))
            )
        return Observed(answers)

    async def read(self, ref: Ref) -> Observation:
        """What runs now for one ref.

        Raises: Rejected for a deployment for development; NotFound, Unauthorized, Unavailable,
        RateLimited, BadReply. Source: GET /v1/models/{m}/deployments/{d}, /v1/models/{m}/environments/{e};
        for a chainlet the two list calls of its chain.
        """
        target = target_of(ref)
        try:
            seen = await self._looks.at_one(target)
        except ProviderError:
            self._seen.pop(ref.key, None)
            raise
        self._seen[ref.key] = seen
        await self._types.refresh(self._follow_up_s, [seen.unit.instance_type])
        self._sights.tell({target: seen}, self._clock.now())
        return self._observation(ref.key, target, seen, None)

    async def set_replicas(self, ref: Ref, replicas: ReplicaRange) -> Receipt:
        """Ask for these bounds, and switch on or wake what would not come by itself.

        Raises: Busy during a promotion and while it is being switched off; Rejected for a deployment
        whose environment has a schedule of its own; Unavailable where an activation was not taken; and as
        ``read``. Source: PATCH of the autoscaling settings, POST .../activate, .../deactivate, .../wake.
        """
        target = target_of(ref)
        bounds = to_bounds(replicas)
        if ref.key not in self._seen:
            await self.read(ref)  # What was never looked at may not be ours.
        seen = self._seen[ref.key]
        self._may_change(target, seen, replicas)
        if replicas == ZERO and self._switches_off(target):
            await self._switch_off(target, seen)
            return Receipt()
        was_open = ref.key in self._left_open
        try:
            # Before it is sent: a write whose answer is lost may have been taken.
            self._leave_open(ref.key, is_open=replicas == LEAST_BOUNDS)
            word = await self._http.call(calls.set_bounds(target, bounds), parse_answer)
        except _NOT_TAKEN:
            self._leave_open(ref.key, is_open=was_open)
            raise
        if word is not None and word not in ANSWERS:
            self._telemetry.unknown_word(self.name, word, "autoscaling_settings.status")
        self._sights.tell_of_answer(word, seen.unit.bounds, bounds)
        await self._bring_up(target, seen, replicas)
        return Receipt()

    async def prices(self) -> Mapping[str, Price]:
        """USD per GPU-hour by instance type, and by GPU type that of its smallest instance type.

        Source: GET /v1/instance_type_prices, USD per minute of one replica.
        """
        priced = await self._http.call(calls.PRICES, parse_priced)
        self._types.learn(one for one, _ in priced)
        return prices_of(priced, self._clock.now())

    async def inventory(self) -> Inventory:
        """All deployments, environments and chainlets of the workspace."""
        await self._types.refresh(self._follow_up_s)
        return await inventory_of(self._http, self._types, self._clock.now())

    async def close(self) -> None:
        """Give back connections."""
        await asyncio.gather(self._http.close(), self._inference.close())

    def _api(self, address: str) -> HttpApi:
        return HttpApi(
            self.name,
            self._settings,
            address,
            self._authorize,
            self._clock,
            self._telemetry,
            statuses={423: Busy},
            calls_per_s=CALLS_PER_S,
            secrets=(self._settings.api_key.get_secret_value(),),
        )

    def _authorize(self, call: Outgoing) -> Mapping[str, str]:  # noqa: ARG002 - the key alone proves who we are
        return {"Authorization": f"Api-Key {self._settings.api_key.get_secret_value()}"}

    async def _look(self, targets: Sequence[Target]) -> Mapping[Target, Seen | ProviderError] | ProviderError:
        # A value, so that the call beside it is not left running when all of them fail.
        try:
            return await self._looks.at(targets)
        except ProviderError as error:
            return error

    async def _follow_up(self) -> Mapping[str, int | None]:
        """What a tick can do without: measured start-up times, types of a new name, replicas that start."""
        ids = [(seen.model_id, seen.unit.id) for seen in self._seen.values()]
        names = [seen.unit.instance_type for seen in self._seen.values()]
        starting, _, _ = await asyncio.gather(
            self._starting(),
            self._start_ups.refresh(
                tuple(dict.fromkeys((model, id_) for model, id_ in ids if model is not None)),
                self._follow_up_s,
            ),
            self._types.refresh(self._follow_up_s, names),
        )
        return starting

    async def _starting(self) -> Mapping[str, int | None]:
        """Replicas that start, by key, where the vendor's autoscaler has room to start more than asked."""
        asked = [key for key, seen in self._seen.items() if _has_room(seen)][:METRICS_AT_ONCE_MAX]
        found: dict[str, int | None] = {}

        async def ask(key: str) -> None:
            seen = self._seen[key]
            assert seen.model_id is not None
            with suppress(ProviderError):
                found[key] = await self._http.call(
                    calls.starting(seen.model_id, seen.unit.id), parse_starting
                )

        with suppress(TimeoutError):
            async with self._clock.deadline(self._follow_up_s):
                await asyncio.gather(*(ask(key) for key in asked))
        return found

    def _observation(self, key: str, target: Target, seen: Seen, starting: int | None) -> Observation:
        unit = seen.unit
        left_open = key in self._left_open or self._switches_off(target)
        replicas = replicas_of(unit, left_open=left_open)
        instance_type = self._types.of(unit.instance_type)
        has_gpus = instance_type is not None and instance_type.has_gpus
        measured = self._start_ups.of((seen.model_id, unit.id)) if seen.model_id is not None else (None, None)
        known_starting = starting_of(unit, replicas)
        return Observation(
            replicas=replicas,
            ready=unit.active,
            starting=starting if known_starting is None else known_starting,
            phase=phase_of(unit, replicas),
            gpu_type=instance_type.gpu_type if instance_type is not None and has_gpus else None,
            gpus_per_replica=instance_type.gpus if instance_type is not None and has_gpus else None,
            instance_type=unit.instance_type,
            native=True,
            wakes=unit.word not in SWITCHED_OFF and not self._switches_off(target),
            zero=ZeroCapability.STOP if self._switches_off(target) else ZeroCapability.WAKES,
            busy=seen.promotion is not None or unit.word == "DEACTIVATING",
            start_up_p50_s=measured[0],
            start_up_p90_s=measured[1],
            error=self._error(seen, replicas),
            evidence=notes_on(target, seen, self._clock.now()),
        )

    def _error(self, seen: Seen, replicas: ReplicaRange | None) -> ErrorKind | None:
        """Why nothing is written although it was read."""
        if schedules_on(seen, self._clock.now()):
            return ErrorKind.REJECTED
        return ErrorKind.BUSY if replicas is None and phase_of(seen.unit, None) is not Phase.FAILED else None

    def _may_change(self, target: Target, seen: Seen, replicas: ReplicaRange) -> None:
        """Raises: what a write would meet."""
        if seen.promotion is not None:
            raise Busy("a promotion is under way in this environment")
        schedules = schedules_on(seen, self._clock.now())
        if schedules:
            raise Rejected(f"the environment has a schedule of its own: {', '.join(schedules)}"[:300])
        if seen.unit.word == "DEACTIVATING":
            raise Busy("it is being deactivated")
        if seen.unit.word == "INACTIVE" and isinstance(target, Chainlet) and replicas.maximum > 0:
            raise Rejected("the chain is deactivated, and no call activates it: use the vendor's console")

    def _switches_off(self, target: Target) -> TypeGuard[OneDeployment | ModelEnvironment]:
        """Whether zero ends it for good; nothing deactivates a single chainlet."""
        return self._settings.zero == "deactivate" and not isinstance(target, Chainlet)

    async def _switch_off(self, target: OneDeployment | ModelEnvironment, seen: Seen) -> None:
        if seen.unit.word in SWITCHED_OFF:
            return
        if not await self._http.call(calls.deactivate(target), parse_success):
            raise Unavailable("the deactivation was not taken")

    def _leave_open(self, key: str, *, is_open: bool) -> None:
        if is_open:
            self._left_open.add(key)
        else:
            self._left_open.discard(key)

    async def _bring_up(self, target: Target, seen: Seen, replicas: ReplicaRange) -> None:
        """Where replicas may come, nothing comes of it while it is switched off."""
        if replicas.maximum == 0:
            return
        if seen.unit.word == "INACTIVE" and not isinstance(target, Chainlet):
            if not await self._http.call(calls.activate(target), parse_success):
                raise Unavailable("the activation was not taken")
        elif seen.unit.word == "SCALED_TO_ZERO" and replicas.minimum > 0 and seen.model_id is not None:
            await self._inference.wake(seen.model_id, seen.unit.id, self._follow_up_s)


def _targets(refs: Sequence[Ref]) -> tuple[dict[str, Target], dict[str, Observation | ProviderError]]:
    targets: dict[str, Target] = {}
    wrong: dict[str, Observation | ProviderError] = {}
    for ref in refs:
        try:
            targets[ref.key] = target_of(ref)
        except Rejected as error:
            wrong[ref.key] = error
    return targets, wrong


def _has_room(seen: Seen) -> bool:
    bounds = seen.unit.bounds
    return (
        seen.model_id is not None
        and bounds is not None
        and bounds != LEAST_BOUNDS
        and not bounds.is_exact
        and seen.unit.word not in SWITCHED_OFF
    )


def create(name: str, settings: ProviderSettings, clock: Clock, telemetry: Telemetry) -> Provider:
    """The adapter for one configured account."""
    assert isinstance(settings, BasetenSettings)
    return Baseten(name, settings, clock, telemetry)
