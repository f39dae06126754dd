"""What ``check --online`` found, as tables, as JSON, and as TOML to paste."""

from __future__ import annotations

import json
import re
from typing import Any

from autoscaler.cli.commands.online import Account, Heard, Online
from autoscaler.cli.terminal import tables
from autoscaler.cli.terminal.say import answer, note
from autoscaler.core.model import Sample
from autoscaler.durations import spoken
from autoscaler.ports import InventoryItem


def print_online(seen: Online) -> None:
    """Tables on standard output, remarks on the other stream."""
    tables.show(
        ("provider", "credential", "GPU types that the account may use"),
        [(one.provider, one.credential, _gpu_types(one)) for one in seen.accounts],
    )
    tables.show(
        ("deployment", "at the vendor", "GPU", ">replicas", "state", "verdict"),
        [
            (
                one.key,
                one.item.name if one.item else "-",
                _gpu(one.item) if one.item else "-",
                one.item.replicas if one.item else "-",
                one.item.phase if one.item else "-",
                one.verdict,
            )
            for one in seen.found
        ],
    )
    if seen.heard:
        tables.show(
            ("service", "signal", "source", ">value", ">age", "verdict"),
            [(one.service, one.signal, one.source, *_value(one), one.remark) for one in seen.heard],
        )
    for account in seen.accounts:
        _print_unnamed(account)
    for text in seen.remarks:
        note(f"note: {text}")


def _gpu_types(account: Account) -> str:
    if not account.gpu_types:
        return "?"
    words = {True: "", False: " (not allowed)", None: " (not known)"}
    return ", ".join(f"{name}{words[allowed]}" for name, allowed in sorted(account.gpu_types.items()))


def _gpu(item: InventoryItem) -> str:
    if item.gpu_type is None:
        return "?"
    return f"{item.gpus_per_replica or '?'} x {item.gpu_type}"


def _value(one: Heard) -> tuple[str, str]:
    if not isinstance(one.reading, Sample):
        return "-", "-"
    return tables.number(one.reading.value), "?" if one.age_s is None else spoken(one.age_s)


def _print_unnamed(account: Account) -> None:
    ours = [item for item in account.unnamed if item.scalable]
    if ours:
        answer(
            f"{account.provider} has {len(ours)} more that the configuration does not name. To add one, "
            "paste its block below its service, and measure capacity_per_replica:\n"
        )
        for item in ours:
            answer(toml_block(account.provider, item))
    others = [item for item in account.unnamed if not item.scalable]
    if others:
        names = ", ".join(f"{item.name or 'without a name'} ({item.note})" for item in others)
        answer(f"{account.provider} also shows what is not yours to scale: {names}.\n")


def toml_block(provider: str, item: InventoryItem) -> str:
    """A ``[[services.NAME.deployments]]`` entry; capacity and maximum are for a person to set."""
    ids = "\n".join(f"{key} = {json.dumps(value)}" for key, value in item.ids.items())
    replicas = f"{item.replicas} {'replica' if item.replicas == '1' else 'replicas'}"
    facts = (item.model, _gpu(item), replicas, item.phase)
    what = ", ".join(" ".join(text.split()) for text in facts if text)
    note = f"# {' '.join(item.note.split())}\n" if item.note else ""
    return (
        f"# {what}\n{note}"
        "[[services.NAME.deployments]]\n"
        f"name = {json.dumps(slug(item.name or provider))}\n"
        f"provider = {json.dumps(provider)}\n"
        f"{ids}\n"
        "capacity_per_replica = 16  # requests at once that one replica carries well\n"
        "max_replicas = 1\n"
    )


def slug(name: str) -> str:
    """A name that the configuration takes: small letters, digits and ``-``, a letter first."""
    text = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:64].rstrip("-")
    return text if text[:1].isalpha() else f"d-{text}".rstrip("-")[:64]


def online_json(seen: Online) -> dict[str, Any]:
    """All of it as JSON values."""
    return {
        "troubles": list(seen.troubles),
        "providers": [
            {
                "provider": one.provider,
                "credential": one.credential,
                "gpu_types": dict(one.gpu_types),
                "not_configured": [
                    {**_item(item), "toml": toml_block(one.provider, item) if item.scalable else None}
                    for item in one.unnamed
                ],
            }
            for one in seen.accounts
        ],
        "deployments": [
            {
                "deployment": one.key,
                "provider": one.provider,
                "verdict": one.verdict,
                "found": None if one.item is None else _item(one.item),
            }
            for one in seen.found
        ],
        "signals": [
            {
                "service": one.service,
                "signal": one.signal,
                "source": one.source,
                "value": one.reading.value if isinstance(one.reading, Sample) else None,
                "age_s": None if one.age_s is None else round(one.age_s, 3),
                "verdict": one.remark,
                "ok": not one.trouble,
            }
            for one in seen.heard
        ],
        "remarks": list(seen.remarks),
    }


def _item(item: InventoryItem) -> dict[str, Any]:
    return {
        "ids": dict(item.ids),
        "name": item.name,
        "model": item.model,
        "phase": item.phase,
        "replicas": item.replicas,
        "gpu_type": item.gpu_type,
        "gpus_per_replica": item.gpus_per_replica,
        "scalable": item.scalable,
        "note": item.note,
    }
