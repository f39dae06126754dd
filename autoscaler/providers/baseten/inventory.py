"""All that a workspace has, for a person to read and to copy ids from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from autoscaler.core.model import Phase
from autoscaler.ports import BadReply, Inventory, InventoryItem, ProviderError
from autoscaler.providers.baseten import calls, replies
from autoscaler.providers.baseten.instance_types import InstanceTypes
from autoscaler.providers.baseten.neutral import phase_of, replicas_of
from autoscaler.providers.baseten.replies import Named, Schedule, Unit
from autoscaler.providers.http import Call, HttpApi

T = TypeVar("T")

MODELS_MAX: Final = 1000  # and as many chains; what is beyond is named in a note
_AT_ONCE: Final = 8


async def inventory_of(http: HttpApi, types: InstanceTypes, now: float) -> Inventory:
    """Deployments, environments and chainlets. Raises: ProviderError when the list of models failed.

    What one model or chain does not tell is a note of its own.
    """
    models = await http.call(calls.MODELS, lambda body: replies.parse_named(body, "models"))
    chains = await http.call(calls.CHAINS, lambda body: replies.parse_named(body, "chains"))
    gate = asyncio.Semaphore(_AT_ONCE)
    reader = _Reader(http, types, now, gate)
    parts = await asyncio.gather(
        *(reader.model(model) for model in models[:MODELS_MAX]),
        *(reader.chain(chain) for chain in chains[:MODELS_MAX]),
    )
    items = [item for part in parts for item in part]
    beyond = max(0, len(models) - MODELS_MAX) + max(0, len(chains) - MODELS_MAX)
    if beyond:
        items.append(_note({}, "", f"{beyond} more models and chains are not shown"))
    return Inventory(tuple(items), {})


class _Reader:
    def __init__(self, http: HttpApi, types: InstanceTypes, now: float, gate: asyncio.Semaphore) -> None:
        self._http = http
        self._types = types
        self._now = now
        self._gate = gate

    async def model(self, model: Named) -> list[InventoryItem]:
        return await _or_note({"model_id": model.id}, model.name, lambda: self._model(model))

    async def chain(self, chain: Named) -> list[InventoryItem]:
        return await _or_note({"chain_id": chain.id}, chain.name, lambda: self._chain(chain))

    async def _model(self, model: Named) -> list[InventoryItem]:
        deployments = await self._call(calls.deployments(model.id), replies.parse_deployments)
        environments = await self._call(calls.environments(model.id), replies.parse_environments)
        items: list[InventoryItem] = []
        for id_, unit in sorted(deployments.entries.items()):
            ids = {"model_id": model.id, "deployment_id": id_}
            items.append(self._item(ids, model.name, unit, _note_of(unit)))
        for name, environment in sorted(environments.entries.items()):
            ids = {"model_id": model.id, "environment": name}
            if isinstance(environment, BadReply):
                items.append(self._item(ids, model.name, environment, ""))
            elif environment.current is not None:
                note = _schedules_note(environment.schedules, self._now)
                items.append(self._item(ids, model.name, environment.current, note))
        return items

    async def _chain(self, chain: Named) -> list[InventoryItem]:
        deployments = await self._call(calls.chain_deployments(chain.id), replies.parse_chain_deployments)
        return [
            self._item(
                {
                    "chain_id": chain.id,
                    **({"environment": one.environment} if one.environment else {}),
                    "chainlet": name,
                },
                chain.name,
                unit,
                "" if one.environment else "in no environment: cannot be scaled",
                scalable=one.environment is not None,
            )
            for _, one in sorted(deployments.entries.items(), key=lambda pair: pair[0])
            if not isinstance(one, BadReply)
            for name, unit in sorted(one.chainlets.items())
        ]

    async def _call(self, call: Call, parse: Callable[[Any], T]) -> T:
        async with self._gate:
            return await self._http.call(call, parse)

    def _item(
        self, ids: dict[str, str], owner: str, unit: Unit | BadReply, note: str, *, scalable: bool = True
    ) -> InventoryItem:
        if isinstance(unit, BadReply):
            return _note(ids, owner, str(unit))
        replicas = replicas_of(unit, left_open=True)
        instance_type = self._types.of(unit.instance_type)
        has_gpus = instance_type is not None and instance_type.has_gpus
        return InventoryItem(
            ids=ids,
            name=unit.name or owner,
            phase=str(phase_of(unit, replicas)),
            replicas="" if replicas is None else f"{replicas.minimum}-{replicas.maximum}",
            gpu_type=instance_type.gpu_type if instance_type is not None and has_gpus else None,
            gpus_per_replica=instance_type.gpus if instance_type is not None and has_gpus else None,
            model=owner or None,
            scalable=scalable and not unit.is_development,
            note=note,
        )


async def _or_note(
    ids: dict[str, str], name: str, read: Callable[[], Awaitable[list[InventoryItem]]]
) -> list[InventoryItem]:
    try:
        return await read()
    except ProviderError as error:
        return [_note(ids, name, str(error))]


def _note(ids: dict[str, str], name: str, note: str) -> InventoryItem:
    return InventoryItem(ids, name, str(Phase.UNKNOWN), "", None, None, scalable=False, note=note)


def _note_of(unit: Unit | BadReply) -> str:
    if isinstance(unit, BadReply):
        return ""
    if unit.is_development:
        return "for development: one replica, never touched"
    return f"in environment {unit.environment}: name that instead" if unit.environment else ""


def _schedules_note(schedules: tuple[Schedule, ...], now: float) -> str:
    on = any(one.may_act(now) for one in schedules)
    return "has schedules of its own: nothing is written until they are switched off" if on else ""
