"""``autoscaler check``: what the configuration says and means, and with ``--online`` whether it is true."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from autoscaler.cli.commands.online import Online, look_around
from autoscaler.cli.commands.online_report import online_json, print_online
from autoscaler.cli.commands.schedule_edges import calendars_of, edges_json, print_edges
from autoscaler.cli.reach.settings import BadConfig, whole
from autoscaler.cli.terminal import tables
from autoscaler.cli.terminal.exits import Exit
from autoscaler.cli.terminal.meaning import meaning_of
from autoscaler.cli.terminal.quiet import quiet_logs
from autoscaler.cli.terminal.say import answer, answer_json, note
from autoscaler.clock import SystemClock
from autoscaler.config import Config, ConfigError, Problem
from autoscaler.core.fleet import NamedPolicy, Service


def run_check(option: Path | None, *, online: bool, strict: bool, as_json: bool) -> int:
    """Show what it means, and what is wrong. Raises: Trouble for a configuration that cannot be used."""
    try:
        config = whole(option)
        quiet_logs(config)
        try:
            seen = asyncio.run(look_around(config)) if online else None
        except ConfigError as error:
            raise BadConfig(error) from error
    except BadConfig as error:
        if as_json:
            answer_json({"ok": False, "problems": [_problem(one) for one in error.problems]})
        raise
    now = SystemClock().now()
    if as_json:
        answer_json(_as_json(config, seen, now))
    else:
        _print(config, seen, now)
    for warning in config.warnings:
        note(f"warning: {warning}")
    if seen is not None and seen.troubles:
        return Exit.NO
    return Exit.NO if strict and config.warnings else Exit.OK


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "key": problem.key,
        "value": problem.value,
        "message": problem.message,
    }


def _as_json(config: Config, seen: Online | None, now: float) -> dict[str, Any]:
    body: dict[str, Any] = {
        "ok": seen is None or not seen.troubles,
        "config": str(config.path),
        "config_hash": config.fleet.config_hash,
        "warnings": [_problem(warning) for warning in config.warnings],
        "services": [_service_json(one, _shadow(config, one.name)) for one in config.fleet.services.values()],
        "schedules": [edges_json(calendar, now) for calendar in calendars_of(config.fleet)],
    }
    if seen is not None:
        body["online"] = online_json(seen)
    return body


def _service_json(service: Service, shadow: tuple[NamedPolicy, ...]) -> dict[str, Any]:
    return {
        "service": service.name,
        "mode": service.mode,
        "policies": [_policy_json(one) for one in service.policies],
        "shadow": [_policy_json(one) for one in shadow],
        "signals": sorted(service.signals),
        "budget_usd_per_hour": service.budget_usd_per_hour,
        "deployments": [
            {
                "deployment": one.name,
                "provider": one.provider,
                "min_replicas": one.min_replicas,
                "max_replicas": one.max_replicas,
                "capacity_per_replica": one.capacity_per_replica,
                "control": one.control,
            }
            for one in service.deployments
        ],
    }


def _policy_json(one: NamedPolicy) -> dict[str, Any]:
    return {"policy": one.name, "kind": one.policy.kind, "means": meaning_of(one)}


def _shadow(config: Config, service: str) -> tuple[NamedPolicy, ...]:
    """The policies that are evaluated beside a service's own, and never act."""
    alone = config.shadows.get(service)
    return () if alone is None else alone.services[service].policies


def _print(config: Config, seen: Online | None, now: float) -> None:
    fleet = config.fleet
    answer(f"{config.path}, hash {fleet.config_hash}\n")
    tables.show(
        ("service", "mode", "policies", "signals", ">budget USD/h"),
        [
            (
                one.name,
                one.mode,
                ", ".join(named.name for named in one.policies) or "none",
                ", ".join(sorted(one.signals)) or "none",
                "-" if one.budget_usd_per_hour is None else tables.usd(one.budget_usd_per_hour),
            )
            for one in fleet.services.values()
        ],
    )
    tables.show(
        ("deployment", "provider", ">replicas", ">capacity each", "control"),
        [
            (
                f"{service.name}/{one.name}",
                one.provider,
                f"{one.min_replicas} to {one.max_replicas}",
                tables.number(one.capacity_per_replica),
                one.control,
            )
            for service in fleet.services.values()
            for one in service.deployments
        ],
    )
    policies = {
        (named.name, meaning_of(named)): None
        for one in fleet.services.values()
        for named in (*one.policies, *_shadow(config, one.name))
    }
    tables.show(("policy", "what it means"), list(policies))
    for name in config.shadows:
        shadow = ", ".join(named.name for named in _shadow(config, name))
        answer(f"In the shadow of {name}, never acting: {shadow}. See autoscaler shadow {name}.\n")
    for calendar in calendars_of(fleet):
        print_edges(calendar, now)
    if seen is not None:
        print_online(seen)
    budget = "no fleet budget"
    if fleet.budget_usd_per_hour is not None:
        budget = f"fleet budget {fleet.budget_usd_per_hour:.2f} USD/h"
    answer(
        f"The configuration is right: {_many(len(fleet.services), 'service')}, a tick every "
        f"{fleet.interval_s:g} s, {budget}, {_many(len(config.warnings), 'warning')}."
    )
    if seen is not None:
        answer("Online: " + (f"{_many(len(seen.troubles), 'trouble')}:" if seen.troubles else "all well."))
        for trouble in seen.troubles:
            answer(f"  {trouble}")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
