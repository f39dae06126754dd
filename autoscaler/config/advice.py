"""What is allowed and probably not meant: the warnings of ``autoscaler check``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol, runtime_checkable

from pydantic import SecretStr

from autoscaler.config.drafts import ServiceDraft
from autoscaler.config.gpus import stated_gpus
from autoscaler.config.models import HttpSettings, PriceSettings
from autoscaler.config.reader import Reader
from autoscaler.core.fleet import NamedPolicy
from autoscaler.policies.schedule import Schedule

START_UP_S_LONG: Final = 60.0
TOKEN_CHARS_FEW: Final = 16


@runtime_checkable
class KnowsServiceTime(Protocol):
    """A demand policy that can tell a queue from the capacity that it needs, given the right signals."""

    def knows_service_time(self, signals: Collection[str]) -> bool:
        """Whether it can with these signals."""
        ...


def advise(
    reader: Reader,
    services: Sequence[ServiceDraft],
    providers: Collection[str],
    sources: Collection[str],
    lent: Collection[str],
) -> None:
    """Warnings about services, and about tables that nothing uses. ``lent``: providers that sources name."""
    for service in services:
        for judge in _JUDGES:
            judge(reader, service)
    used_providers = {one.settings.provider for service in services for one in service.deployments}
    used_providers.update(lent)
    used_sources = {one.settings.source for service in services for one in service.signals.values()}
    for section, names, used in (
        ("providers", providers, used_providers),
        ("sources", sources, used_sources),
    ):
        for name in sorted(set(names) - used):
            reader.warn((section, name), "nothing uses it")


def advise_prices(reader: Reader, services: Sequence[ServiceDraft], prices: Sequence[PriceSettings]) -> None:
    """Warnings about limits on the price that the configuration's own prices exceed everywhere.

    A fixed price never changes, so such a cap never ends: more likely a slip of the pen than meant.
    """
    for service in services:
        known = [stated_gpus(one, prices).usd_per_gpu_hour for one in service.deployments]
        lowest = min((price for price in known if price is not None), default=None)
        if lowest is None or None in known:
            continue
        for position, named in enumerate(service.policies):
            limit = getattr(named.policy, "price_usd_per_gpu_hour_max", None)
            if isinstance(limit, float) and limit < lowest:
                reader.warn(
                    (*service.keys, "policies", position),
                    f"{named.name} has a price_usd_per_gpu_hour_max of {limit:g}, and the [[prices]] of all "
                    f"deployments are above it, from {lowest:g}: they are always dear, and always capped",
                )


def advise_http(reader: Reader, http: HttpSettings) -> None:
    """Warnings about tokens; their values are never shown."""
    for key in ("admin_token", "push_token"):
        token: SecretStr | None = getattr(http, key)
        if token is not None and len(token.get_secret_value()) < TOKEN_CHARS_FEW:
            reader.warn(("http", key), f"is short; take at least {TOKEN_CHARS_FEW} random characters")
    if http.admin_token is not None and http.admin_token == http.push_token:
        reader.warn(
            ("http", "push_token"), "is the admin token; whoever pushes signals can pause and override"
        )


def _without_age(reader: Reader, service: ServiceDraft) -> None:
    for name, signal in service.signals.items():
        if "age_query" in signal.options and not signal.options["age_query"]:
            reader.warn(
                (*service.keys, "signals", name),
                "an instant query hides the age of what it returns, up to 5 minutes; add age_query",
            )


def _queue_counted_in_full(reader: Reader, service: ServiceDraft) -> None:
    start_up_s = service.settings.start_up_s
    if start_up_s <= START_UP_S_LONG:
        return
    for named in service.policies:
        policy = named.policy
        if isinstance(policy, KnowsServiceTime) and not policy.knows_service_time(service.signals):
            reader.warn(
                (*service.keys, "start_up_s"),
                f"a queue that builds up while replicas start ({start_up_s:g} s) is counted in full by "
                f"{named.name}; define the signals arrived_total and started_total, or its service_s",
            )


def _never_at_zero(reader: Reader, service: ServiceDraft) -> None:
    demand = _demand_policies(service)
    at_zero = [one for one in service.deployments if one.settings.min_replicas == 0]
    if not demand or not at_zero or len(at_zero) < len(service.deployments):
        return
    read = {name for named in demand for name in named.policy.signals_read()} or set(service.signals)
    if not any(signal.settings.exists_at_zero for name, signal in service.signals.items() if name in read):
        reader.warn(
            (*service.keys, "signals"),
            "no signal that a demand policy reads has exists_at_zero = true, so nothing would tell that the "
            "service is needed again: it keeps one replica, unless its vendor wakes it by traffic",
        )


def _never_runs(reader: Reader, service: ServiceDraft) -> None:
    if _demand_policies(service):
        return
    baseline = service.settings.baseline_replicas
    if baseline is None:
        baseline = sum(one.settings.min_replicas for one in service.deployments)
    if baseline == 0:
        reader.warn(
            (*service.keys, "policies"),
            "no policy measures demand and the baseline is 0: nothing runs but what policies' floors ask for",
        )


def _fallback_above_max(reader: Reader, service: ServiceDraft) -> None:
    fallback = service.settings.fallback_replicas
    if fallback is not None and fallback > service.replicas_max:
        reader.warn(
            (*service.keys, "fallback_replicas"),
            f"is above the sum of max_replicas and counts as that, {service.replicas_max}",
            fallback,
        )


def _cron_is_cron(reader: Reader, service: ServiceDraft) -> None:
    for position, named in enumerate(service.policies):
        windows = getattr(named.policy, "windows", ())
        if any(getattr(window, "cron", None) for window in windows):
            reader.warn(
                (*service.keys, "policies", position),
                f"{named.name} has cron windows, which follow APScheduler's CronTrigger where clocks change: "
                "a time that they skip fires late (02:30 at 03:30), one that they repeat fires twice; "
                "windows of days, start and end do not",
            )


def _limits_out_of_reach(reader: Reader, service: ServiceDraft) -> None:
    """Floors of windows that max_replicas does not allow, and ceilings that min_replicas breaks."""
    least = sum(one.settings.min_replicas for one in service.deployments)
    for position, named in enumerate(service.policies):
        if not isinstance(named.policy, Schedule):
            continue
        floors = [window.floor for window in named.policy.windows if window.floor is not None]
        ceilings = [window.ceiling for window in named.policy.windows if window.ceiling is not None]
        where = (*service.keys, "policies", position)
        if floors and max(floors) > service.replicas_max:
            reader.warn(
                where,
                f"{named.name} asks for at least {max(floors)}, above the sum of max_replicas, and gets "
                f"{service.replicas_max}",
            )
        if ceilings and min(ceilings) < least:
            reader.warn(
                where,
                f"{named.name} allows at most {min(ceilings)}, below the sum of min_replicas, which is "
                f"stronger: {least} stay",
            )


def _demand_policies(service: ServiceDraft) -> list[NamedPolicy]:
    return [named for named in service.policies if named.policy.demand]


_JUDGES: Final[tuple[Callable[[Reader, ServiceDraft], None], ...]] = (
    _without_age,
    _queue_counted_in_full,
    _never_at_zero,
    _never_runs,
    _fallback_above_max,
    _cron_is_cron,
    _limits_out_of_reach,
)
