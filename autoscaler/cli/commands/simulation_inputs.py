"""From the options of ``autoscaler simulate`` to what is compared: configurations, demands, circumstances."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from autoscaler.cli.reach.moments import moment
from autoscaler.cli.reach.settings import public
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.config import Config
from autoscaler.core.fleet import Service
from autoscaler.ports import JournalError
from autoscaler.sim.demand import Demand, scaled_to_peak
from autoscaler.sim.design import Circumstances
from autoscaler.sim.history import NoHistory, Past, read_past
from autoscaler.sim.plant_file import PlantFile, PlantFileError, read_plant_file
from autoscaler.world.service_time import MeanServiceTime, ServiceTime, TokenServiceTime
from autoscaler.world.shapes import SHAPES, shape_rows
from autoscaler.world.start_up import LearnedStartUp, StartUp, StartUpTime
from autoscaler.world.trace import TraceError, read_trace

MONDAY: Final = 1_767_571_200.0  # 2026-01-05T00:00:00Z
SHAPE_LENGTH_S: Final = 7 * 86_400.0
DEFAULT_SHAPE: Final = "weekly"
PEAK_SHARE: Final = 0.75
"""The peak of a made-up demand, as a share of what ``max_replicas`` hold."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The options as they were typed. Durations are seconds."""

    configs: tuple[Path, ...] = ()
    traces: tuple[str, ...] = ()
    shape: str | None = None
    journal: Path | None = None
    rivals: str = ""
    length_s: float | None = None
    start: str | None = None
    scale: float | None = None
    peak: float | None = None
    service_s: float = 8.0
    wait_s: float = 10.0
    share: float = 0.99
    start_up: str | None = None
    plant: Path | None = None
    seed: int = 0
    fail_if: tuple[str, ...] = ()
    html: Path | None = None
    keep: Path | None = None
    jobs: int | None = None
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Inputs:
    """What all runs share. ``configs`` are by name, the stem of the file. ``past`` is set for a journal."""

    configs: Mapping[str, Config]
    demands: Mapping[str, Demand]
    around: Circumstances
    past: Past | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)


def inputs_of(wish: Wish) -> Inputs:
    """Read everything that is named. Raises: Trouble."""
    _check_combination(wish)
    configs = _configs(wish)
    plant = _plant(wish)
    services = {name: one for config in configs.values() for name, one in config.fleet.services.items()}
    _check_names(plant, wish, services)
    try:
        return _from_journal(wish, configs, plant) if wish.journal else _made(wish, configs, plant, services)
    except (TraceError, NoHistory, ValueError) as error:
        raise Trouble(str(error)) from error
    except JournalError as error:
        raise Trouble(str(error), Exit.UNREACHABLE) from error
    except OSError as error:
        raise Trouble(f"{error.filename}: {error.strerror}") from error


def _check_combination(wish: Wish) -> None:
    given = [
        name
        for name, value in (("--trace", wish.traces), ("--shape", wish.shape), ("--journal", wish.journal))
        if value
    ]
    if len(given) > 1 and "--journal" in given:
        raise Trouble(f"{' and '.join(given)}: a journal brings its own demand; give one of them")
    if wish.scale is not None and wish.peak is not None:
        raise Trouble("--scale and --peak both set the size of the demand; give one of them")


def _configs(wish: Wish) -> Mapping[str, Config]:
    configs: dict[str, Config] = {}
    for option in wish.configs or (None,):
        config = public(option)
        name = config.path.stem
        if name in configs:
            raise Trouble(
                f"--config: {configs[name].path} and {config.path} are both called {name} in the table; "
                "rename one of the files"
            )
        configs[name] = config
    return configs


def _plant(wish: Wish) -> PlantFile:
    if wish.plant is None:
        return PlantFile()
    try:
        return read_plant_file(wish.plant)
    except PlantFileError as error:
        raise Trouble(str(error)) from error


def _check_names(plant: PlantFile, wish: Wish, services: Mapping[str, Service]) -> None:
    """Everything that the plant file names is in a configuration: a slip of the pen must not be ignored."""
    keys = {one.key for service in services.values() for one in service.deployments}
    names = set(services)
    named = [(f"services.{name}", name, names) for name in plant.services]
    named += [
        (f"services.{service}.deployments.{one}", f"{service}/{one}", keys)
        for service, facts in plant.services.items()
        for one in facts.deployments
    ]
    named += [("price_changes.deployment", one.deployment, keys) for one in plant.price_changes]
    for place, name, known in named:
        if name not in known:
            raise Trouble(
                f"{wish.plant}: {place}: {name!r} is in none of the configurations; there is "
                f"{', '.join(sorted(known))}"
            )


# --- made-up demand and traces ---------------------------------------------------------------------


def _made(
    wish: Wish, configs: Mapping[str, Config], plant: PlantFile, services: Mapping[str, Service]
) -> Inputs:
    traces = _traces(wish, services)
    shape = wish.shape or (None if traces else DEFAULT_SHAPE)
    demands: dict[str, Demand] = {}
    for name, service in services.items():
        service_s = plant.service(name).service_s or wish.service_s
        path = traces.get(name, traces.get(""))
        if path is not None:
            demands[name] = _sized(_traced(path, wish, service_s), wish)
        elif shape is not None:
            demands[name] = _shaped(shape, wish, service, service_s)
    left_out = sorted(set(services) - set(demands))
    start = moment("--start", wish.start)
    around = Circumstances(
        starts_at=MONDAY if start is None else start,
        length_s=max(one.length_s for one in demands.values()),
        promise_wait_s=wish.wait_s,
        seed=wish.seed,
        plant=plant,
        start_up=_start_up(wish),
    )
    notes = (f"left out, for want of a demand: {', '.join(left_out)}",) if left_out else ()
    return Inputs(configs, demands, around, notes=notes)


def _traces(wish: Wish, services: Mapping[str, Service]) -> Mapping[str, Path]:
    """Paths by service; the empty name is for all others."""
    traces: dict[str, Path] = {}
    for text in wish.traces:
        name, sign, path = text.partition("=")
        if not sign:
            name, path = "", text
        elif name not in services:
            raise Trouble(
                f"--trace {text}: there is no service {name!r}; there is {', '.join(sorted(services))}"
            )
        if name in traces:
            raise Trouble(f"--trace {text}: a second trace for {name or 'all services'}; allowed is one")
        traces[name] = Path(path)
    return traces


def _traced(path: Path, wish: Wish, service_s: float) -> Demand:
    """The whole trace, checked to its end, or as much of it as was asked for. Raises: TraceError, OSError."""
    end_s = 0.0
    tokens = False
    for row in read_trace(path, length_s=wish.length_s):
        end_s = row.t_s + row.step_s
        tokens = tokens or row.output_tokens is not None
    service_time: ServiceTime = (
        TokenServiceTime(otherwise_s=service_s) if tokens else MeanServiceTime(service_s)
    )
    length_s = end_s if wish.length_s is None else min(end_s, wish.length_s)
    return Demand(partial(read_trace, path, length_s=wish.length_s), length_s, service_time, source=str(path))


def _shaped(shape: str, wish: Wish, service: Service, service_s: float) -> Demand:
    if shape not in SHAPES:
        raise Trouble(f"--shape: {shape!r} is no shape; allowed are {', '.join(SHAPES)}")
    length_s = SHAPE_LENGTH_S if wish.length_s is None else wish.length_s
    room = sum(one.max_replicas * one.capacity_per_replica for one in service.deployments)
    peak = PEAK_SHARE * room if wish.peak is None else wish.peak
    rows = partial(
        shape_rows, shape, peak_per_s=max(peak, 1e-6) / service_s, length_s=length_s, seed=wish.seed
    )
    demand = Demand(rows, length_s, MeanServiceTime(service_s), source=shape)
    return replace(demand, scale=1.0 if wish.scale is None else wish.scale)


def _sized(demand: Demand, wish: Wish) -> Demand:
    if wish.peak is not None:
        return scaled_to_peak(demand, wish.peak)
    return demand if wish.scale is None else replace(demand, scale=wish.scale)


def _start_up(wish: Wish) -> StartUpTime | None:
    """``MEDIAN`` or ``MEDIAN,P95``, in seconds."""
    if wish.start_up is None:
        return None
    try:
        numbers = [float(part) for part in wish.start_up.split(",")]
        if len(numbers) == 1:
            return StartUp.fixed(numbers[0])
        median_s, p95_s = numbers
        return StartUp(median_s, p95_s)
    except ValueError as error:
        raise Trouble(
            f"--start-up: {wish.start_up!r}: allowed are seconds, MEDIAN or MEDIAN,P95 with MEDIAN <= P95, "
            "such as 180,400"
        ) from error


# --- a journal -------------------------------------------------------------------------------------


def _from_journal(wish: Wish, configs: Mapping[str, Config], plant: PlantFile) -> Inputs:
    assert wish.journal is not None
    first = next(iter(configs.values()))
    since = moment("--start", wish.start)
    until = None if since is None or wish.length_s is None else since + wish.length_s
    if since is None and wish.length_s is not None:
        raise Trouble("--for with a journal needs --start: from when on?")
    past = read_past(
        wish.journal,
        first.fleet,
        since=since,
        until=until,
        service_s={n: s.service_s for n, s in plant.services.items() if s.service_s is not None},
        usual_service_s=wish.service_s,
    )
    stated = _start_up(wish)
    around = Circumstances(
        starts_at=past.starts_at,
        length_s=past.length_s,
        promise_wait_s=wish.wait_s,
        seed=wish.seed,
        plant=plant,
        start_up=stated,
        start_ups={} if stated else {key: LearnedStartUp(s) for key, s in past.start_ups_s.items()},
        initial=past.initial,
    )
    demands = {name: _sized(demand, wish) for name, demand in past.demands.items()}
    return Inputs(configs, demands, around, past, tuple(_gaps(past.gaps_s.items())))


def _gaps(gaps_s: Iterable[tuple[str, float]]) -> Iterable[str]:
    for service, gap_s in gaps_s:
        yield f"{service}: {gap_s / 3600:.1f} h have no record of demand and count as without any"
