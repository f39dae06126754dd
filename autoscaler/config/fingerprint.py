"""A short name for what a configuration decides: equal names, equal decisions from equal snapshots."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel

from autoscaler.config import allowed
from autoscaler.config.drafts import ServiceDraft
from autoscaler.config.models import PriceSettings
from autoscaler.core.fleet import NamedPolicy

CHARS: Final = 12


def fingerprint(
    *,
    daemon: Mapping[str, Any],
    budget_usd_per_hour: float | None,
    prices: Sequence[PriceSettings],
    providers: Mapping[str, BaseModel],
    sources: Mapping[str, BaseModel],
    services: Sequence[ServiceDraft],
) -> str:
    """The first 12 hex digits of SHA-256 over all settings in force and the policies.

    Left out: secrets, paths, [http] and the rest of [daemon], which say where the daemon runs and not
    what it decides; and ``shadow``, which decides nothing. The order of tables and keys does not matter, nor
    whether a default is written out.
    """
    whole = {
        "daemon": daemon,
        "budget_usd_per_hour": budget_usd_per_hour,
        "prices": sorted(json.dumps(price.model_dump(mode="json"), sort_keys=True) for price in prices),
        "providers": {name: _public(model) for name, model in providers.items()},
        "sources": {name: _public(model) for name, model in sources.items()},
        "services": {service.name: _service(service) for service in services},
    }
    return _digest(whole)


def shadow_fingerprint(service: ServiceDraft, interval_s: float, mode: str) -> str:
    """The same of one service with its shadow: what an account of the two is about."""
    shadow = [_policy(one) for one in service.shadow]
    return _digest({**_service(service), "shadow": shadow, "interval_s": interval_s, "mode": mode})


def _digest(whole: Mapping[str, Any]) -> str:
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:CHARS]


def _public(model: BaseModel) -> dict[str, Any]:
    fields = allowed.fields_of(type(model))
    kept = {key for key, one in fields.items() if not allowed.holds_secret(one) and not allowed.is_path(one)}
    return model.model_dump(mode="json", include=kept)


def _service(service: ServiceDraft) -> dict[str, Any]:
    return {
        **service.settings.model_dump(mode="json", exclude={"policies", "shadow", "signals", "deployments"}),
        "policies": [_policy(one) for one in service.policies],
        "signals": {
            name: {**signal.settings.model_dump(mode="json"), "options": signal.options}
            for name, signal in service.signals.items()
        },
        "deployments": sorted(
            json.dumps([one.settings.model_dump(mode="json"), one.ids], sort_keys=True)
            for one in service.deployments
        ),
    }


def _policy(named: NamedPolicy) -> dict[str, Any]:
    return {"name": named.name, "kind": named.policy.kind, "keys": named.policy.model_dump(mode="json")}
