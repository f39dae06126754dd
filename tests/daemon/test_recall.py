"""Memory is a fold over the journal: what a restart knows is what the daemon knew."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autoscaler.cli.terminal.transcript import render
from autoscaler.core.codec import instant_text
from autoscaler.core.model import Override, ReplicaRange
from autoscaler.daemon.recall import recall
from autoscaler.daemon.report import Invalid
from autoscaler.emulators.exoscale import NextOperations, OperationReason
from autoscaler.emulators.faults import Fault, FaultKind
from autoscaler.ports import JournalError, Provider, Receipt, Record, Ref
from tests.daemon.chaos import a_bad_day
from tests.daemon.rig import CHAT, INTERVAL_S, a_deployment, a_rig

pytestmark = pytest.mark.virtual_time

TEXT = CHAT + "start_up_s = 60\n" + a_deployment("exo", "a") + a_deployment("other", "b", max_replicas=3)


@pytest.mark.parametrize("seed", range(6))
async def test_the_fold_over_the_journal_is_the_memory_of_the_daemon(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    async with a_rig(tmp_path, TEXT, replicas=1) as rig:
        for _ in range(4):
            await a_bad_day(rig, rng, rng.randint(5, 18))
            await rig.idle()
            assert rig.running is not None
            state = rig.daemon.ticker.state
            recalled = await recall(rig.running.journal, rig.config().fleet)
            assert recalled.memory == state.memory
            assert recalled.outcomes == tuple(o for o in state.outcomes or ())
            assert replace(recalled.human or recalled.memory.human, resumes=()) == replace(
                state.human, resumes=()
            )
        assert any(report.scale_calls for report in rig.reports)


async def test_an_act_after_the_last_tick_outlives_a_restart(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(60)
        await rig.daemon.override(Override("chat", None, 4, None, rig.clock.now() + 600, "a launch", "anna"))
        await rig.stop()
        await rig.start()
        await rig.tick()
        assert rig.replicas() == 4


async def test_a_resume_after_the_last_tick_outlives_a_restart(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.set_by_hand(4)
        await rig.run(60)
        assert rig.decision().reason == "drift"
        await rig.daemon.resume("chat", None, reason="mine", actor="anna")
        await rig.stop()
        await rig.start()
        await rig.tick()
        assert rig.decision().reason != "drift"


async def test_a_refusal_after_the_last_tick_outlives_a_restart(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.accounts["exo"].faults.add(
            Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=200, requests=1, applies_to="writes")
        )
        rig.demand(running=60)
        await rig.tick()
        await rig.stop()
        await rig.start()
        await rig.run(120)
        assert rig.writes() == 1


async def test_a_write_whose_outcome_was_not_journalled_is_not_taken_as_never_sent(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.daemon.ticker._journal = _Forgets(rig.daemon.ticker._journal, "outcomes")
        rig.demand(running=60)
        await rig.tick()  # the first: a checkpoint follows it
        assert rig.replicas() == 5
        await rig.stop()
        await rig.start()
        await rig.run(90)
        assert not any(d.reason == "drift" for r in rig.reports for d in r.plan.decisions)
        assert rig.writes() == 1


class _Forgets:
    """A journal that fails for one kind of record."""

    def __init__(self, inner: Any, kind: str) -> None:
        self._inner = inner
        self.kind: str | None = kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def append(self, record: Record) -> int:
        if record.kind == self.kind:
            raise JournalError("journal j.db: cannot append to it: disk I/O error")
        seq: int = await self._inner.append(record)
        return seq


async def test_a_refusal_that_was_told_while_the_journal_failed_is_not_lost(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        rig.accounts["exo"].vendor.fail_next_operations(NextOperations(reason=OperationReason.INCORRECT))
        rig.demand(running=60)
        await rig.run(INTERVAL_S)
        journal = rig.daemon.ticker._journal = _Forgets(rig.daemon.ticker._journal, "tick")
        await rig.run(INTERVAL_S)  # in which the operation's failure is seen
        journal.kind = None
        await rig.run(600)
        assert rig.writes() == 1
        assert rig.decision().reason == "provider_error"


async def test_a_bug_in_the_middle_of_a_write_does_not_lend_it_older_outcomes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(90)
        setup = rig.daemon.ticker.setup
        whole: Provider = setup.providers["exo"]
        broken: Any = _Breaks(whole)
        rig.daemon.ticker.reconfigure(replace(setup, providers={**setup.providers, "exo": broken}))
        rig.demand(running=60)
        ticks = len(rig.reports)
        await rig.daemon.tick()
        assert len(rig.reports) == ticks + 1
        assert "please report this as a bug" in capsys.readouterr().out
        rig.daemon.ticker.reconfigure(replace(setup, providers={**setup.providers, "exo": whole}))
        await rig.clock.sleep(INTERVAL_S)
        await rig.run(90)
        assert rig.replicas() == 5
        assert not any(d.reason == "drift" for r in rig.reports for d in r.plan.decisions)


class _Breaks:
    """An adapter with a bug that shows after the vendor has taken the change."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def set_replicas(self, ref: Ref, replicas: ReplicaRange) -> Receipt:
        await self._inner.set_replicas(ref, replicas)
        raise ZeroDivisionError("a bug")


async def test_upkeep_of_the_journal_forgets_nothing_that_is_still_needed(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=60)
        await rig.run(60)
        await rig.daemon.override(Override("chat", None, 3, None, rig.clock.now() + 2e6, "a launch", "anna"))
        await rig.run(60)
        rig.demand(running=10)
        await rig.clock.sleep(9 * 86400)
        await rig.run(600)
        await rig.daemon._upkeep()
        memory = rig.daemon.ticker.state.memory
        assert (await rig.metrics())["autoscaler_journal_errors_total"] == 0
        await rig.stop()
        await rig.start()
        assert rig.daemon.ticker.state.memory == memory
        await rig.run(60)
        assert rig.replicas() == 3


async def test_why_of_a_past_tick_is_what_was_said_then(tmp_path: Path) -> None:
    said: dict[float, Any] = {}
    async with a_rig(tmp_path) as rig:
        for step in range(48):
            rig.demand(running=[20, 60, 10][step // 16], queued=step % 5)
            report = await rig.run(INTERVAL_S)
            said[report.at] = await rig.daemon.why("chat", None)
        for at, then in said.items():
            assert await rig.daemon.why("chat", at) == then
        assert await rig.daemon.why("chat", max(said) + 5) == said[max(said)]
        with pytest.raises(Invalid, match="no tick as early"):
            await rig.daemon.why("chat", min(said) - 60)


async def test_why_names_the_demand_that_would_have_changed_it(tmp_path: Path) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        await rig.run(120)
        why = await rig.daemon.why("chat", None)
        texts = [one["text"] for one in why["counterfactuals"]]
        assert "3 from 26 running; now 20" in texts  # 26 / 0.8 = 32.5
        assert any(text.startswith("1 at ") for text in texts) or texts


async def test_why_of_a_thinned_time_is_the_last_decision_of_each_deployment(tmp_path: Path) -> None:
    """What only repeats a decision is not kept: what is in force is the last that said something new."""
    async with a_rig(tmp_path, CHAT + a_deployment("exo") + a_deployment("other", "b")) as rig:
        rig.demand(running=20)
        await rig.run(1200)
        first = rig.reports[0].at
        rig.demand(running=60)
        await rig.clock.sleep(9 * 86400)
        await rig.run(900)
        await rig.daemon._upkeep()

        why = await rig.daemon.why("chat", first + 300)

        assert why["thinned"] is True
        assert why["at"] == instant_text(first + 300)
        assert [one["deployment"] for one in why["decisions"]] == ["a", "b"]
        assert all(one["at"] < why["at"] for one in why["decisions"])
        assert "since 2026-11-21" in render(why)


async def test_why_of_a_tick_before_a_change_of_configuration_does_not_guess_who_was_silent(
    tmp_path: Path,
) -> None:
    async with a_rig(tmp_path) as rig:
        rig.demand(running=20)
        report = await rig.run(60)
        late = 'kind = "schedule"\ntime_zone = "UTC"\n[[windows]]\nstart = "01:00"\nend = "02:00"\n'
        (tmp_path / "policies" / "late.toml").write_text(late + "at_least = 4\n")
        rig.write(CHAT.replace('["queue-depth"]', '["queue-depth", "late"]') + a_deployment("exo"))
        assert await rig.daemon.reload()
        await rig.idle()
        await rig.run(60)

        assert (await rig.daemon.why("chat", report.at))["silent"] == []
        assert (await rig.daemon.why("chat", None))["silent"] == ["late"]
