"""The DeepInfra adapter: one list call per tick; bounds, stop and start per change."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from autoscaler.core.model import Observation, Phase, Price, ReplicaRange, ZeroCapability
from autoscaler.ports import (
    BadReply,
    Busy,
    Clock,
    Inventory,
    InventoryItem,
    NotFound,
    Observed,
    Provider,
    ProviderError,
    Receipt,
    Ref,
    Rejected,
    Telemetry,
)
from autoscaler.providers.deepinfra import calls
from autoscaler.providers.deepinfra.api import DeepInfraApi, Refused
from autoscaler.providers.deepinfra.replies import Entry, Listing, parse_done, parse_listing, parse_one
from autoscaler.providers.deepinfra.settings import ID_PATTERN, DeepInfraSettings
from autoscaler.providers.deepinfra.sights import Sights
from autoscaler.providers.deepinfra.stock import Stock, prices_of
from autoscaler.providers.http import Call
from autoscaler.providers.kinds import ProviderSettings

REFUSED_ZERO_HOLDS_S: Final = 3600.0  # then it is tried once more
_MINIMUM: Final = re.compile(r"\bmin", re.IGNORECASE)  # what no page says is how it would say that
FOLLOW_UP_SHARE: Final = 0.25  # of deadline_s, for what a tick can do without


class DeepInfra:
    """One DeepInfra account.

    Deployments that no ref names are never touched, nor one of type ``legacy`` even if a ref does. Zero is
    a stop: what is stopped shows as 0 to 0, and anything else that is asked of it starts it.
    """

    def __init__(self, name: str, settings: DeepInfraSettings, clock: Clock, telemetry: Telemetry) -> None:
        self.name = name
        self._clock = clock
        self._http = DeepInfraApi(name, settings, clock, telemetry)
        self._follow_up_s = settings.deadline_s * FOLLOW_UP_SHARE
        self._stock = Stock(self._http, clock, telemetry)
        self._sights = Sights(name, clock, telemetry)
        self._seen: dict[str, Entry] = {}  # what the last look at each ref's deployment showed
        self._refused_zero_at: dict[str, float] = {}  # by id: when a minimum of zero was refused

    async def observe(self, refs: Sequence[Ref]) -> Observed:
        """What runs now, by one list call.

        Raises: ProviderError when the list call failed. Source: GET /deploy/list.
        """
        listing, _ = await asyncio.gather(self._list(), self._stock.refresh(self._follow_up_s))
        if isinstance(listing, ProviderError):
            raise listing
        found = {ref.key: self._find(ref, listing) for ref in refs}
        self._seen = {entry.id: entry for entry in found.values() if isinstance(entry, Entry)}
        self._sights.look(self._seen.values())
        return Observed({key: self._told(entry) for key, entry in found.items()})

    async def read(self, ref: Ref) -> Observation:
        """What runs now for one ref.

        Raises: Rejected for a ``legacy`` deployment; NotFound, Unauthorized, Unavailable, RateLimited,
        BadReply. Source: GET /deploy/{deploy_id}.
        """
        entry = await self._look(_id_of(ref))
        self._sights.look((entry,))
        return self._observation(entry)

    async def set_replicas(self, ref: Ref, replicas: ReplicaRange) -> Receipt:
        """Ask for these bounds; 0 to 0 is a stop. What is stopped gets its bounds, and then a start.

        A change in two calls that ends after the first still shows as stopped, so that the next tick asks
        for it again. Accepted is not delivered: instances may stay pending.
        Raises: Busy where a minimum of zero is refused (it is not sent again; see ``zero``), for a 409
        and a 423; Rejected for bounds that are none, a 402, and a ``legacy`` deployment; and as ``read``.
        Source: PUT /deploy/{deploy_id}, POST /deploy/{deploy_id}/stop and /start.
        """
        id_ = _id_of(ref)
        if not 0 <= replicas.minimum <= replicas.maximum:
            raise Rejected(f"bounds {replicas.minimum} to {replicas.maximum} are none")
        if id_ not in self._seen:
            await self._look(id_)  # A deployment that was never looked at may be legacy, or stopped.
        entry = self._seen.pop(id_)  # From here on it is as old as our own change.
        if replicas.maximum == 0:
            await self._stop(entry)
        elif entry.stopped:
            await self._start(entry, replicas)
        else:
            await self._bound(id_, replicas)
        self._sights.asked(id_, replicas)
        return Receipt()

    async def prices(self) -> Mapping[str, Price]:
        """USD per GPU-hour, of each configuration (``2xH100-80GB``) and of each GPU type (``H100-80GB``).

        Raises: ProviderError. Source: GET /deploy/llm/gpu_availability; list prices.
        """
        at = self._clock.now()
        return prices_of(await self._stock.ask(), at)

    async def inventory(self) -> Inventory:
        """All deployments of the account, ``legacy`` ones too, and which configurations are in stock."""
        listing = await self._http.call(calls.LIST, self._parse_listing)
        in_stock: dict[str, bool | None] = {}
        with suppress(ProviderError):
            told = await self._stock.ask()
            in_stock = {one.name: one.available for one in told.configurations}
        items = [
            self._item(id_, entry)
            for id_, entry in sorted(listing.entries.items())
            if not (isinstance(entry, Entry) and entry.gone)
        ]
        return Inventory(tuple(items), in_stock)

    async def close(self) -> None:
        """Give back connections."""
        await self._http.close()

    # --- looking --------------------------------------------------------------------------------

    def _parse_listing(self, body: object) -> Listing:
        return parse_listing(body, self._http.secrets)

    async def _list(self) -> Listing | ProviderError:
        # A value, so that the call beside it is not left running when it fails.
        try:
            return await self._http.call(calls.LIST, self._parse_listing)
        except ProviderError as error:
            return error

    async def _look(self, id_: str) -> Entry:
        self._seen.pop(id_, None)
        secrets = self._http.secrets
        entry = await self._http.call(calls.get(id_), lambda body: parse_one(body, id_, secrets))
        problem = _problem(entry)
        if problem is not None:
            raise problem
        self._seen[id_] = entry
        return entry

    def _find(self, ref: Ref, listing: Listing) -> Entry | ProviderError:
        try:
            id_ = _id_of(ref)
        except Rejected as error:
            return error
        entry = listing.entries.get(id_)
        if isinstance(entry, Entry):
            return _problem(entry) or entry
        if entry is not None:
            return entry
        if listing.nameless:
            return BadReply(f"deploy-list: {listing.nameless} entries without a readable id, this not seen")
        return NotFound(f"no deployment {id_} for this token")

    def _told(self, entry: Entry | ProviderError) -> Observation | ProviderError:
        return entry if isinstance(entry, ProviderError) else self._observation(entry)

    def _observation(self, entry: Entry) -> Observation:
        at_rest = entry.phase is Phase.STOPPED
        never_zero = self._never_zero(entry.id)
        return Observation(
            replicas=entry.replicas,
            ready=0 if entry.running is None and at_rest else entry.running,
            starting=0 if entry.pending is None and at_rest else entry.pending,
            phase=entry.phase,
            gpu_type=entry.gpu_type,
            gpus_per_replica=entry.gpus_per_replica,
            instance_type=entry.configuration,
            native=True,
            zero=ZeroCapability.IMPOSSIBLE if never_zero else ZeroCapability.STOP,
            available=self._stock.available(entry.configuration),
            evidence=(entry.fail_reason,) if entry.fail_reason else (),
        )

    def _item(self, id_: str, entry: Entry | BadReply) -> InventoryItem:
        ids = {"id": id_}
        if isinstance(entry, BadReply):
            return InventoryItem(ids, "", str(Phase.UNKNOWN), "", None, None, scalable=False, note=str(entry))
        bounds = entry.replicas
        return InventoryItem(
            ids=ids,
            name=entry.name,
            phase=str(entry.phase),
            replicas="" if bounds is None else f"{bounds.minimum}-{bounds.maximum}",
            gpu_type=entry.gpu_type,
            gpus_per_replica=entry.gpus_per_replica,
            model=entry.model,
            scalable=entry.ours and bounds is not None,
            note=self._note(entry),
        )

    def _note(self, entry: Entry) -> str:
        if not entry.ours:
            return "legacy: paid per token, never touched"
        if entry.replicas is None:
            return "without settings: nothing to scale"
        if self._stock.available(entry.configuration) is False:
            return f"{entry.configuration} is out of stock: more would wait"
        return entry.fail_reason

    # --- changing -------------------------------------------------------------------------------

    async def _stop(self, entry: Entry) -> None:
        if not entry.stopped:
            await self._switch(calls.stop(entry.id), entry.id, lambda now: now.stopped)

    async def _start(self, entry: Entry, replicas: ReplicaRange) -> None:
        # Bounds first: what starts shall never be more than was asked for.
        try:
            await self._bound(entry.id, replicas)
        except Refused as refused:
            self._sights.bounds_while_stopped(f"refused: {refused}")
            # Perhaps the vendor takes none while it is stopped. The old ones may do until it runs.
            if entry.bounds is None or entry.bounds.maximum > replicas.maximum:
                raise
            await self._switch_on(entry.id)
            await self._bound(entry.id, replicas)
        else:
            self._sights.bounds_while_stopped("accepted")
            await self._switch_on(entry.id)

    async def _switch_on(self, id_: str) -> None:
        await self._switch(calls.start(id_), id_, lambda now: not now.stopped)

    async def _bound(self, id_: str, replicas: ReplicaRange) -> None:
        if replicas.minimum > 0:
            await self._send(calls.update(id_, replicas), id_)
            return
        if self._never_zero(id_):
            raise Busy("min_instances 0 was refused before: at least one instance always")
        try:
            await self._send(calls.update(id_, replicas), id_)
        except Refused as refused:
            if _MINIMUM.search(str(refused)) is None:
                raise  # It is about something else: perhaps another maximum is taken.
            # Busy, because Rejected would keep increases from a deployment that wants only another minimum.
            self._refused_zero_at[id_] = self._clock.monotonic()
            self._sights.minimum_zero(f"refused: {refused}")
            raise Busy(f"at least one instance always: {refused}") from refused
        self._sights.minimum_zero("accepted")

    def _never_zero(self, id_: str) -> bool:
        refused_at = self._refused_zero_at.get(id_)
        return refused_at is not None and self._clock.monotonic() - refused_at < REFUSED_ZERO_HOLDS_S

    async def _switch(self, call: Call, id_: str, is_done: Callable[[Entry], bool]) -> None:
        """Stop or start; to be refused because it is so already is as good as done."""
        try:
            await self._send(call, id_)
        except Refused:
            if not is_done(await self._look(id_)):
                raise

    async def _send(self, call: Call, id_: str) -> None:
        await self._http.call(call, lambda body: parse_done(body, id_))


def _id_of(ref: Ref) -> str:
    id_ = ref.ids["id"]
    if re.fullmatch(ID_PATTERN, id_) is None:
        raise Rejected(f"{ref.key}: id is no deploy_id")
    return id_


def _problem(entry: Entry) -> ProviderError | None:
    """Why there is nothing here to observe or to scale."""
    if entry.gone:
        return NotFound(f"deployment {entry.id} is deleted")
    if not entry.ours:
        return Rejected(f"deployment {entry.id} is of type {entry.type}: not ours to scale")
    if entry.replicas is None:
        return BadReply(f"deployment {entry.id} has no settings")
    return None


def create(name: str, settings: ProviderSettings, clock: Clock, telemetry: Telemetry) -> Provider:
    """The adapter for one configured account."""
    assert isinstance(settings, DeepInfraSettings)
    return DeepInfra(name, settings, clock, telemetry)
