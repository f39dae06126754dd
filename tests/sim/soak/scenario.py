"""A scenario: everything that happens in one simulated run, as data that can be written, read and cut down.

Times are ticks of the daemon's interval, counted from 0. Nothing here is drawn by chance: whoever plays a
scenario twice sees the same run twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class What(StrEnum):
    """What can happen. The comment says which fields of an :class:`Act` it reads."""

    # At a provider, for ``ticks``; ``share`` of the calls that match ``word`` (list, read, write or all).
    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"  # amount: Retry-After in seconds
    BUSY = "busy"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"
    UNAUTHORIZED = "unauthorized"
    NO_CAPACITY = "no_capacity"
    BAD_REPLY = "bad_reply"
    HANG = "hang"  # no answer before any deadline
    SLOW = "slow"  # amount: seconds until the answer
    CRASH = "adapter_bug"  # an error that no port may raise
    IGNORE = "accept_and_ignore"  # writes only
    ANSWER_LOST = "answer_lost"  # writes only: taken, and the answer is an error
    PARTIAL = "partial"  # writes only: an increase is delivered as one replica
    LATE = "slow_scaling"  # writes only: taken now, carried out after ``amount`` seconds
    LATE_FAILURE = "late_failure"  # writes only: taken, and failed afterwards; word: an error kind
    STALE_READS = "stale_reads"  # amount: ticks that reads lag
    READY_UNKNOWN = "ready_unknown"
    PHASE_UNKNOWN = "phase_unknown"
    PHASE_FAILED = "phase_failed"
    PRICES_GONE = "prices_gone"
    # In the world.
    KILL = "replica_dies"  # target: service/deployment
    START_FAILS = "start_up_fails"  # target; amount: how many in a row
    STOCK = "capacity_shortage"  # target: provider/gpu type; for ticks; amount: GPUs that can be had
    PRICE = "price_moves"  # target: provider/gpu type; amount: USD per GPU-hour
    BY_HAND = "changed_by_hand"  # target: service/deployment; amount: replicas
    DEMAND = "demand"  # target: service; amount: requests at once
    # At the source, for ``ticks``; target: service/signal.
    LIE = "source_lies"  # amount: the value told instead; may be negative, infinite or NaN (word)
    MISSING = "signal_missing"
    STALE_SIGNAL = "signal_stale"  # dated as it was when this began
    FUTURE_SIGNAL = "signal_of_the_future"  # amount: seconds ahead
    SOURCE_HANGS = "source_hangs"
    SOURCE_BUG = "source_bug"
    COUNTER_RESET = "counter_reset"
    # Around the daemon.
    CLOCK = "clock_jumps"  # amount: seconds, back where negative
    DISK_FULL = "disk_full"  # for ticks; share of the appends
    JOURNAL_UNREADABLE = "journal_unreadable"  # for ticks
    KILLED = "killed"  # at the ``amount``-th call of a port from now; word: before or after; down for ticks
    STOPPED = "restarted"  # down for ticks
    RIVAL = "second_daemon"  # on another journal, for ticks
    SAME_JOURNAL = "same_journal"  # a second daemon on the same journal, which must be refused
    RELOAD = "config_reload"  # amount: which of the scenario's configurations
    # People, through the daemon's own methods. ``mid`` is in the middle of the tick.
    PAUSE = "pause"  # target: service or nothing; word: down or nothing; for ticks
    RESUME = "resume"  # target
    OVERRIDE = "override"  # target: service or service/deployment; word: at_least, at_most or both; amount
    CLEAR = "clear_override"  # target


PROVIDER_ERRORS = (  # in order: what is drawn by chance must not depend on how words are hashed
    *(What.UNAVAILABLE, What.RATE_LIMITED, What.BUSY, What.REJECTED, What.NOT_FOUND),
    *(What.UNAUTHORIZED, What.NO_CAPACITY, What.BAD_REPLY),
)
PEOPLE = (What.PAUSE, What.RESUME, What.OVERRIDE, What.CLEAR)


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Act(_Data):
    """One thing that happens at a tick, or goes on for some."""

    tick: int = Field(ge=0)
    what: What
    target: str = ""
    ticks: int = Field(default=1, ge=0)
    share: float = Field(default=1.0, gt=0, le=1)
    amount: float = 0.0
    word: str = ""
    mid: bool = False

    def covers(self, tick: int) -> bool:
        """Whether it goes on at this tick."""
        return self.tick <= tick < self.tick + max(1, self.ticks)


class Place(_Data):
    """One deployment: what the vendor has, and what a configuration says of it."""

    name: str
    provider: str
    gpu_type: str
    gpus: int = 1
    start_up_s: float = 60.0  # in truth
    replicas: int = 1  # ready at the start
    native: bool = False  # the vendor has an autoscaler of its own
    wakes: bool = False
    zero: Literal["exact", "wakes", "impossible"] = "exact"
    capacity: float = 16.0
    min_replicas: int = 0
    max_replicas: int = 4
    control: Literal["pin", "floor"] = "pin"
    prior_s: float = 60.0  # start_up_s of the configuration


class Shop(_Data):
    """One service of one configuration. ``keys`` are keys of the configuration's service table."""

    name: str
    policies: tuple[str, ...]  # names of the configuration's policies
    places: tuple[Place, ...]
    counters: bool = False  # arrived_total and started_total are configured
    wakes_by_signal: bool = True  # queued exists at zero
    max_age_s: float = 60.0
    keys: Mapping[str, Any] = {}


class Configuration(_Data):
    """What a configuration file would say. ``policies`` by name, as the tables of policy files."""

    shops: tuple[Shop, ...]
    policies: Mapping[str, Mapping[str, Any]]
    budget_usd_per_hour: float | None = None
    fixed_prices: Mapping[str, float] = {}  # by provider/gpu type

    def places(self) -> Mapping[str, Place]:
        """By key, service/deployment."""
        return {f"{shop.name}/{place.name}": place for shop in self.shops for place in shop.places}


class Scenario(_Data):
    """One run: bad weather for ``storm_ticks``, then none, and constant demand, for ``calm_ticks``."""

    seed: int
    http: bool = False
    starts_at: float
    interval_s: float
    storm_ticks: int
    calm_ticks: int
    prices: Mapping[str, float]  # the vendors', at the start, by provider/gpu type
    configurations: tuple[Configuration, ...] = Field(min_length=1)
    service_s: float = 20.0  # how long one request takes
    demand: Mapping[str, float]  # at the start, by service
    calm_demand: Mapping[str, float]
    acts: tuple[Act, ...] = ()

    def final(self) -> Configuration:
        """The configuration in force in the calm: that of the last reload."""
        reloads = [act for act in self.acts if act.what is What.RELOAD and act.tick < self.storm_ticks]
        last = max(reloads, key=lambda act: act.tick, default=None)
        return self.configurations[int(last.amount) if last is not None else 0]

    def write(self, path: Path) -> None:
        """As JSON that a person can read: one act a line, defaults left out."""
        path.write_text(self.text())

    def text(self) -> str:
        """The JSON of :meth:`write`."""
        head = self.model_copy(update={"acts": ()}).model_dump_json(exclude_defaults=True, indent=1)
        acts = ",\n".join(f"  {act.model_dump_json(exclude_defaults=True)}" for act in self.acts)
        return head.rstrip().removesuffix("}").rstrip() + f',\n "acts": [\n{acts}\n ]\n}}\n'

    @classmethod
    def read(cls, path: Path) -> Scenario:
        """Raises: OSError, pydantic.ValidationError."""
        return cls.model_validate_json(path.read_text())
