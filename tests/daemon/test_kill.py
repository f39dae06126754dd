"""kill -9 at any call of a port, and a restart: no double scaling, no false drift, nothing forgotten."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autoscaler.core.model import Override
from autoscaler.world.plant import WorldEvent
from tests.daemon.mortal import Killed, Life, make_mortal
from tests.daemon.rig import CHAT, START, Rig, a_deployment, a_rig

pytestmark = pytest.mark.virtual_time

TEXT = CHAT + a_deployment("exo", "a") + a_deployment("other", "b", max_replicas=2)
DOWN_S = 20.0  # from death to the next start; less than what counts as a gap


@dataclass
class Story:
    """What became of the fleet."""

    counts: list[tuple[float, str, int]] = field(default_factory=list)  # when, where, replicas set
    deaths: int = 0
    calls: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    final: tuple[int, int] = (0, 0)
    overrides: int = 0


async def _play(folder: Path, life: Life) -> Story:
    """Demand rises at 30 s and falls at 75 s; a person keeps two replicas. 150 s in all."""
    story = Story()
    async with a_rig(folder, TEXT, replicas=1) as rig:
        for account in rig.accounts.values():
            account.world.subscribe(lambda event: _note(story, event))
        rig.demand(running=12)
        await rig.tick()
        override = Override("chat", None, at_least=2, at_most=None, until=START + 900, actor="anna")
        await rig.daemon.override(override)
        make_mortal(rig.daemon, life)
        for at in (15, 30, 45, 75, 105, 135, 150):
            rig.demand(running=12 if at < 30 or at >= 75 else 70)
            await rig.clock.sleep(max(0.0, START + at - rig.clock.now()))
            if rig.clock.now() > START + at + 1:
                continue  # it is down
            try:
                await rig.daemon.tick()
            except Killed:
                story.deaths += 1
                await _restart(rig)
        story.final = rig.replicas("exo", "a"), rig.replicas("other", "b")
        story.overrides = len(rig.reports[-1].human.overrides)
        story.reasons.update(d.reason for r in rig.reports for d in r.plan.decisions)
    story.calls = life.calls
    return story


def _note(story: Story, event: WorldEvent) -> None:
    if event.kind == "set":
        story.counts.append((event.at - START, event.deployment_id, event.status.replicas_set))


async def _restart(rig: Rig) -> None:
    await rig.stop()
    await rig.clock.sleep(DOWN_S)
    await rig.start()
    await rig.daemon.tick()


async def test_without_a_death_each_count_is_written_once(tmp_path: Path) -> None:
    story = await _play(tmp_path, Life())
    assert story.deaths == 0
    ups = [count for at, _, count in story.counts if at < 75]
    assert sorted(ups) == [2, 4]  # the cheaper one to its max of 2, the other to 4: 88 of capacity in all
    assert story.final == (0, 2) or sum(story.final) == 2
    assert story.overrides == 1


@pytest.mark.parametrize("after_effect", [False, True], ids=["before its effect", "after its effect"])
async def test_death_at_any_call_changes_when_and_never_what(tmp_path: Path, after_effect: bool) -> None:
    (tmp_path / "whole").mkdir()
    whole = await _play(tmp_path / "whole", Life())
    most = {one: max(count for _, where, count in whole.counts if where == one) for _, one, _ in whole.counts}
    assert whole.calls > 30
    for dies_at in range(1, whole.calls + 1):
        folder = tmp_path / str(dies_at)
        folder.mkdir()
        story = await _play(folder, Life(dies_at, after_effect))
        told = f"death {'after' if after_effect else 'before'} call {dies_at}: {story}"
        assert story.deaths == 1, told
        assert story.reasons["drift"] == 0, told
        assert all(count <= most[where] for _, where, count in story.counts), told
        assert story.overrides == 1, told
        assert story.final == whole.final, told
        # The window of 60 s holds what was wanted at 45 s, whoever died in between.
        falls = [at for at, _, _ in story.counts if at >= 75]
        assert all(at >= 45 + 60 for at in falls), told
        writes = Counter((where, count) for _, where, count in story.counts)
        assert max(writes.values()) == 1, told
