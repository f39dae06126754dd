"""``autoscaler replay``: a recording through today's decision, and what differs from the plans of then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from autoscaler.cli.collector import settle
from autoscaler.cli.commands.recordings import Heard, from_file, from_lines, is_journal
from autoscaler.cli.reach.moments import moment, present
from autoscaler.cli.reach.settings import public
from autoscaler.cli.terminal import tables
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.cli.terminal.progress import progress
from autoscaler.cli.terminal.say import answer, answer_json, note
from autoscaler.cli.terminal.times import clock_text
from autoscaler.config import Config
from autoscaler.core.codec import decision_to_json, instant_text
from autoscaler.core.model import Decision
from autoscaler.daemon.replay import KINDS, Recorded, Replay, Stretch

MEANING = {
    "replicas": "another number of replicas",
    "range": "another range",
    "reason": "the same number for another reason",
    "gone": "deployments that this configuration does not name",
    "new": "deployments that the recorded plan did not know",
}


def run_replay(
    option: Path | None,
    recording: Path,
    since: str | None,
    until: str | None,
    *,
    limit: int,
    follows: bool,
    as_json: bool,
) -> int:
    """Judge the recording. Raises: Trouble."""
    config = public(option)
    given = (("--since", since), ("--until", until))
    now = present(config) if any(text and text.startswith("-") for _, text in given) else None
    from_at, to_at = (moment(option, text, now) for option, text in given)
    heard, replay = Heard(), Replay(config.fleet, follows=follows, listed_max=limit)
    if is_journal(recording):
        ticks = from_file(recording, config.fleet, from_at, to_at, heard)
    else:
        ticks = from_lines(recording, from_at, to_at, heard)
    settle()
    asyncio.run(_judge(ticks, replay, heard))
    for text in _remarks(config, replay, heard):
        note(text)
    compared = replay.ticks - replay.without_plan
    if not compared:
        raise Trouble(f"{recording} holds nothing to compare in this range", Exit.UNREACHABLE)
    if as_json:
        answer_json(_as_json(config, recording, replay, heard))
    else:
        _print(config, replay)
    return Exit.NO if replay.differing else Exit.OK


async def _judge(ticks: AsyncIterator[Recorded], replay: Replay, heard: Heard) -> None:
    with progress("replaying") as tell:
        async for tick in ticks:
            replay.judge(tick)
            tell(heard.share)


def _remarks(config: Config, replay: Replay, heard: Heard) -> list[str]:
    own = config.fleet.config_hash
    told = [
        f"{count} of {replay.ticks} ticks were decided with configuration {name}, and {config.path.name} is "
        f"{own}: differences may come from that"
        for name, count in heard.hashes.items()
        if count and name not in ("", own)
    ]
    if heard.thinned:
        until = clock_text(instant_text(heard.thinned_until or 0.0))
        told.append(
            f"not replayed: what is older than 7 days and thinned, up to {until}; its snapshots are not kept"
        )
    if heard.without_memory:
        told.append(
            f"not replayed: {heard.without_memory} ticks before the first whose memory is known exactly"
        )
    if replay.without_plan:
        told.append(f"not compared: {replay.without_plan} lines without a recorded plan, of an older export")
    return told


def _print(config: Config, replay: Replay) -> None:
    if replay.stretches:
        tables.show(
            ("when", ">ticks", "service/deployment", "then", "now"),
            [_row(one) for one in replay.stretches],
        )
    if replay.left_out:
        answer(f"{replay.left_out} more of such stretches are not listed; --limit shows more.\n")
    for kind in KINDS:
        if replay.counts[kind]:
            answer(f"{replay.counts[kind]} decisions: {MEANING[kind]}.")
    what = f"{replay.decisions} decisions of {replay.ticks - replay.without_plan} ticks replayed"
    if replay.differing:
        answer(f"{what} with configuration {config.fleet.config_hash}: {replay.differing} ticks differ.")
    else:
        answer(f"{what} with configuration {config.fleet.config_hash}: no difference.")


def _row(one: Stretch) -> tuple[str, ...]:
    service, deployment = one.difference.key
    return (
        clock_text(instant_text(one.first_at)),
        str(one.ticks),
        f"{service}/{deployment}",
        _verdict(one.difference.recorded),
        _verdict(one.difference.today),
    )


def _verdict(one: Decision | None) -> str:
    if one is None:
        return "-"
    old, new = one.replicas_from, one.replicas_to
    if old is None or new is None:
        return f"{tables.UNKNOWN}, {one.reason}"
    low, high = one.range_from, one.range_to
    if low is not None and high is not None and not (low.is_exact and high.is_exact):
        return f"{low[0]}-{low[1]} -> {high[0]}-{high[1]}, {one.reason}"
    return f"{old} -> {new}, {one.reason}"


def _as_json(config: Config, recording: Path, replay: Replay, heard: Heard) -> dict[str, Any]:
    own = config.fleet.config_hash
    return {
        "recording": str(recording),
        "config": str(config.path),
        "config_hash": own,
        "ticks_by_config_hash": {name: count for name, count in heard.hashes.items() if count},
        "ticks": replay.ticks,
        "decisions": replay.decisions,
        "ticks_that_differ": replay.differing,
        "ticks_without_plan": replay.without_plan,
        "ticks_without_memory": heard.without_memory,
        "thinned_until": None if heard.thinned_until is None else instant_text(heard.thinned_until),
        "decisions_that_differ": {kind: replay.counts[kind] for kind in KINDS},
        "stretches": [_stretch_json(one) for one in replay.stretches],
        "stretches_not_listed": replay.left_out,
    }


def _stretch_json(one: Stretch) -> dict[str, Any]:
    then, now = one.difference.recorded, one.difference.today
    service, deployment = one.difference.key
    return {
        "kind": one.difference.kind,
        "service": service,
        "deployment": deployment,
        "first_at": instant_text(one.first_at),
        "last_at": instant_text(one.last_at),
        "ticks": one.ticks,
        "recorded": None if then is None else decision_to_json(then),
        "today": None if now is None else decision_to_json(now),
    }
