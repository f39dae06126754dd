"""Instance types and their prices, in USD per minute of one replica, as Baseten publishes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from autoscaler.emulators.baseten.options import Options
from autoscaler.emulators.fleet import EmulatedDeployment, FleetError


@dataclass(frozen=True, slots=True)
class InstanceType:
    """What one replica runs on. Memory in MiB, ``gpu_memory_limit_mib`` of one GPU."""

    id: str
    name: str
    memory_limit_mib: int
    millicpu_limit: int
    gpu_count: int
    gpu_type: str | None
    gpu_memory_limit_mib: int | None

    def body(self) -> dict[str, Any]:
        """As the API shows it."""
        return asdict(self)


# GPU, MiB of its memory, USD per minute of one, and how many one replica can have.
_LIST: Final = (
    ("T4", 16384, 0.01052, (1, 2, 4)),
    ("L4", 24576, 0.01414, (1, 2, 4)),
    ("A10G", 24576, 0.02012, (1, 2, 4, 8)),
    ("A100", 81920, 0.06667, (1, 2, 4, 8)),
    ("H100MIG", 40960, 0.0625, (1,)),
    ("H100", 81920, 0.10833, (1, 2, 4, 8)),
    ("H200", 144384, 0.125, (1, 2, 4, 8)),
    ("B200", 184320, 0.16633, (1, 2, 4, 8)),
    ("RTX Pro 6000", 98304, 0.06667, (1, 2, 4, 8)),
)
_CPU_ONLY: Final = InstanceType("1x2", "1x2", 2048, 1000, 0, None, None)
_CPU_ONLY_USD_PER_MINUTE: Final = 0.00058


def type_name(gpu_type: str, gpus: int) -> str:
    """``H100`` for one GPU, ``H100:2`` for two. The first is Baseten's word, the others are ours."""
    return gpu_type if gpus == 1 else f"{gpu_type}:{gpus}"


def _made(name: str, gpu_type: str, gpus: int, gpu_memory_mib: int) -> InstanceType:
    return InstanceType(
        id=name.lower().replace(" ", "-").replace(":", "x"),
        name=name,
        memory_limit_mib=120_832 * gpus,
        millicpu_limit=16_000 * gpus,
        gpu_count=gpus,
        gpu_type=gpu_type,
        gpu_memory_limit_mib=gpu_memory_mib,
    )


class Catalogue:
    """All instance types by name. A fleet's own price of a type wins over the list's."""

    def __init__(self) -> None:
        self._types = {_CPU_ONLY.name: _CPU_ONLY}
        self._usd_per_minute = {_CPU_ONLY.name: _CPU_ONLY_USD_PER_MINUTE}
        self._said_by: dict[str, str] = {}
        for gpu_type, memory_mib, usd_per_minute, counts in _LIST:
            for gpus in counts:
                made = _made(type_name(gpu_type, gpus), gpu_type, gpus, memory_mib)
                self._types[made.name] = made
                self._usd_per_minute[made.name] = round(usd_per_minute * gpus, 5)

    @property
    def types(self) -> Iterable[InstanceType]:
        """In the list's order, the fleet's own after them."""
        return tuple(self._types.values())

    @property
    def usd_per_minute(self) -> Mapping[str, float]:
        """The list price of one replica, by name, as it is now."""
        return dict(self._usd_per_minute)

    def usd_per_gpu_hour(self, name: str) -> float:
        """The same for one type, as the world bills it. Raises: KeyError."""
        return self._usd_per_minute[name] * 60 / self._types[name].gpu_count

    def set_price(self, name: str, usd_per_minute: float) -> None:
        """Another list price from now on. Raises: KeyError."""
        if name not in self._types:
            raise KeyError(name)
        self._usd_per_minute[name] = usd_per_minute

    def names_with(self, gpu_type: str) -> tuple[str, ...]:
        """The instance types that have this GPU."""
        return tuple(name for name, one in self._types.items() if one.gpu_type == gpu_type)

    def take(self, deployment: EmulatedDeployment, options: Options) -> InstanceType:
        """The instance type of a fleet's deployment, made where the list has none. Raises: FleetError."""
        name = options.instance_type or type_name(deployment.gpu_type, deployment.gpus_per_replica)
        known = self._types.get(name)
        if known is None:
            known = _made(name, deployment.gpu_type, deployment.gpus_per_replica, 81_920)
            self._types[name] = known
            self._usd_per_minute[name] = deployment.usd_per_gpu_hour * deployment.gpus_per_replica / 60
        if (known.gpu_type, known.gpu_count) != (deployment.gpu_type, deployment.gpus_per_replica):
            raise FleetError(
                f"deployment {deployment.name!r}: options.instance_type {name!r} has {known.gpu_count} x"
                f" {known.gpu_type}, not {deployment.gpus_per_replica} x {deployment.gpu_type}"
            )
        if "usd_per_gpu_hour" in deployment.model_fields_set:
            self._say(deployment, name)
        return known

    def _say(self, deployment: EmulatedDeployment, name: str) -> None:
        price = deployment.usd_per_gpu_hour * deployment.gpus_per_replica / 60
        said_by = self._said_by.setdefault(name, deployment.name)
        if said_by != deployment.name and price != self._usd_per_minute[name]:
            raise FleetError(
                f"deployment {deployment.name!r}: usd_per_gpu_hour {deployment.usd_per_gpu_hour} differs from"
                f" that of {said_by!r}, which has the same instance type {name!r}"
            )
        self._usd_per_minute[name] = price
