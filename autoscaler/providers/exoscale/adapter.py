"""The Exoscale adapter: one list call per tick, one scale call per change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

from autoscaler.core.model import Observation, Phase, Price, ReplicaRange, ZeroCapability, exactly
from autoscaler.ports import (
    BadReply,
    Busy,
    Clock,
    Inventory,
    InventoryItem,
    NoCapacity,
    NotFound,
    Observed,
    Provider,
    ProviderError,
    Receipt,
    Ref,
    Rejected,
    Telemetry,
)
from autoscaler.providers.exoscale import calls
from autoscaler.providers.exoscale.evidence import Evidence
from autoscaler.providers.exoscale.operations import Operations
from autoscaler.providers.exoscale.replies import (
    PHASES,
    Entry,
    Listing,
    parse_families,
    parse_listing,
    parse_one,
    parse_operation,
)
from autoscaler.providers.exoscale.settings import ExoscaleSettings
from autoscaler.providers.exoscale.signature import EXPIRES_AFTER_S, authorization
from autoscaler.providers.http import HttpApi, Outgoing
from autoscaler.providers.kinds import ProviderSettings
from autoscaler.providers.plain_text import plain_text

FAMILIES_AGE_MAX_S: Final = 300.0
FOLLOW_UP_SHARE: Final = 0.25  # of deadline_s, for what a tick can do without


class Exoscale:
    """One Exoscale account in one zone.

    Deployments that no ref names are never touched, nor one that is not private even if a ref does.
    """

    def __init__(self, name: str, settings: ExoscaleSettings, clock: Clock, telemetry: Telemetry) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        self._telemetry = telemetry
        secrets = (settings.api_secret.get_secret_value(), settings.api_key.get_secret_value())
        self._http = HttpApi(
            name,
            settings,
            settings.address,
            self._authorize,
            clock,
            telemetry,
            statuses={412: NoCapacity},
            secrets=secrets,
        )
        self._follow_up_s = settings.deadline_s * FOLLOW_UP_SHARE
        self._operations = Operations(name, self._http, clock, telemetry)
        self._evidence = Evidence(self._http, clock)
        self._seen: dict[str, Entry] = {}  # what the last look at each ref's deployment showed
        self._families: Mapping[str, bool] = {}
        self._families_tried_at: float | None = None

    async def observe(self, refs: Sequence[Ref]) -> Observed:
        """What runs now, by one list call, and which changes ended.

        Raises: ProviderError when the list call failed; ends of changes are then told next time.
        Source: GET /ai/deployment?visibility=private.
        """
        listing, _, _ = await asyncio.gather(
            self._list(), self._operations.poll(self._follow_up_s), self._refresh_families()
        )
        if isinstance(listing, ProviderError):
            raise listing
        found = {ref.key: self._find(ref, listing) for ref in refs}
        entries = {entry.id: entry for entry in found.values() if isinstance(entry, Entry)}
        self._seen = entries
        self._operations.compare(entries)
        self._tell(entries)
        failed = [entry.id for entry in entries.values() if entry.phase is Phase.FAILED]
        await self._evidence.refresh(failed, self._follow_up_s)
        return Observed(
            {
                key: entry if isinstance(entry, ProviderError) else self._observation(entry)
                for key, entry in found.items()
            },
            self._operations.drain(),
        )

    async def read(self, ref: Ref) -> Observation:
        """What runs now for one ref.

        Raises: Rejected for a deployment that is not private; NotFound, Unauthorized, Unavailable,
        RateLimited, BadReply. Source: GET /ai/deployment/{id}.
        """
        id_ = _id_of(ref)
        entry = await self._http.call(calls.get(id_), lambda body: parse_one(body, id_))
        if not entry.ours:
            self._seen.pop(id_, None)
            raise _not_ours(entry)
        self._seen[id_] = entry
        self._tell({id_: entry})
        return self._observation(entry)

    async def set_replicas(self, ref: Ref, replicas: ReplicaRange) -> Receipt:
        """Ask for this many replicas; the receipt names the operation to follow.

        Raises: Busy while an earlier change is pending (nothing is sent then) or for a 409; NoCapacity
        for a 412; Rejected for a range, and for a deployment that is not private; and as ``read``.
        Source: POST /ai/deployment/{id}/scale.
        """
        id_ = _id_of(ref)
        if not replicas.is_exact or replicas.minimum < 0:
            raise Rejected(f"Exoscale takes one exact count, not {replicas.minimum} to {replicas.maximum}")
        if self._operations.pending(id_):
            raise Busy("an earlier change of this deployment is still pending")
        if id_ not in self._seen:
            await self.read(ref)  # A deployment that was never looked at may not be ours.
        count = replicas.minimum
        was = self._seen[id_].replicas
        try:
            operation = await self._http.call(
                calls.scale(id_, count),
                lambda body: parse_operation(body, self._http.secrets),
            )
        except Busy as error:
            self._telemetry.first_sight(self.name, "a 409 to a scale call", str(error))
            raise
        if was == count:
            self._telemetry.first_sight(self.name, "a scale call to the count that is set", operation.word)
        if operation.error is not None:
            raise operation.error
        if operation.state == "unknown":
            self._telemetry.unknown_word(self.name, operation.word, "operation.state")
        self._operations.add(ref.key, id_, count, operation)
        return Receipt(operation.id)

    async def prices(self) -> Mapping[str, Price]:
        """None: Exoscale has no price API. The configuration's ``[[prices]]`` are used."""
        return {}

    async def inventory(self) -> Inventory:
        """All deployments of the zone, those of the shared service too, and the GPU families."""
        listing = await self._http.call(calls.LIST_ALL, parse_listing)
        families: Mapping[str, bool] = {}
        with suppress(ProviderError):
            families = await self._http.call(calls.FAMILIES, parse_families)
        items = [_item(id_, entry) for id_, entry in sorted(listing.entries.items())]
        return Inventory(tuple(items), dict(families))

    async def close(self) -> None:
        """Give back connections."""
        await self._http.close()

    def _authorize(self, call: Outgoing) -> Mapping[str, str]:
        header = authorization(
            self._settings.api_key.get_secret_value(),
            self._settings.api_secret.get_secret_value(),
            call.method,
            call.path,
            call.query,
            call.body,
            int(self._clock.now()) + EXPIRES_AFTER_S,
        )
        return {"Authorization": header}

    async def _list(self) -> Listing | ProviderError:
        # A value, so that the calls beside it are not left running when it fails.
        try:
            return await self._http.call(calls.LIST, parse_listing)
        except ProviderError as error:
            return error

    async def _refresh_families(self) -> None:
        now = self._clock.monotonic()
        if self._families_tried_at is not None and now - self._families_tried_at < FAMILIES_AGE_MAX_S:
            return
        self._families_tried_at = now
        self._families = {}  # What was true five minutes ago is not known now.
        with suppress(ProviderError, TimeoutError):
            async with self._clock.deadline(self._follow_up_s):
                self._families = await self._http.call(calls.FAMILIES, parse_families)

    def _find(self, ref: Ref, listing: Listing) -> Entry | ProviderError:
        try:
            id_ = _id_of(ref)
        except Rejected as error:
            return error
        entry = listing.entries.get(id_)
        if isinstance(entry, Entry) and not entry.ours:
            return _not_ours(entry)
        if entry is not None:
            return entry
        if listing.nameless:
            return BadReply(
                f"list-deployments: {listing.nameless} entries without a readable id, this not seen"
            )
        return NotFound(f"no deployment {id_} in zone {self._settings.zone} for this key")

    def _observation(self, entry: Entry) -> Observation:
        evidence = self._evidence.of(entry.id)
        if not evidence and entry.phase is Phase.FAILED and entry.details:
            evidence = (plain_text(entry.details, secrets=self._http.secrets),)
        return Observation(
            replicas=exactly(entry.replicas),
            ready=entry.ready,
            phase=entry.phase,
            gpu_type=entry.gpu_type,
            gpus_per_replica=entry.gpus_per_replica,
            zero=ZeroCapability.EXACT,
            available=self._families.get(entry.gpu_type) if entry.gpu_type is not None else None,
            busy=self._operations.pending(entry.id),
            evidence=evidence,
        )

    def _tell(self, entries: Mapping[str, Entry]) -> None:
        """Report unknown words, once each, and facts that the vendor's pages leave open."""
        for word in sorted({entry.word for entry in entries.values()} - PHASES.keys()):
            self._telemetry.unknown_word(self.name, word, "deployment.state")
        for entry in entries.values():
            if entry.replicas == 0:
                self._telemetry.first_sight(self.name, "state at zero replicas", entry.word)
            if entry.visibility is None:
                self._telemetry.first_sight(self.name, "a deployment without visibility", "taken as private")


def _id_of(ref: Ref) -> str:
    try:
        return str(UUID(ref.ids["id"]))
    except ValueError as error:
        raise Rejected(f"{ref.key}: id is not a UUID") from error


def _not_ours(entry: Entry) -> Rejected:
    return Rejected(f"deployment {entry.id} has visibility {entry.visibility}: not ours to scale")


def _item(id_: str, entry: Entry | BadReply) -> InventoryItem:
    if isinstance(entry, BadReply):
        return InventoryItem(
            {"id": id_}, "", str(Phase.UNKNOWN), "", None, None, scalable=False, note=str(entry)
        )
    return InventoryItem(
        ids={"id": id_},
        name=entry.name,
        phase=str(entry.phase),
        replicas=str(entry.replicas),
        gpu_type=entry.gpu_type,
        gpus_per_replica=entry.gpus_per_replica,
        model=entry.model,
        scalable=entry.ours,
        note="" if entry.ours else f"{entry.visibility}: never touched",
    )


def create(name: str, settings: ProviderSettings, clock: Clock, telemetry: Telemetry) -> Provider:
    """The adapter for one configured account."""
    assert isinstance(settings, ExoscaleSettings)
    return Exoscale(name, settings, clock, telemetry)
