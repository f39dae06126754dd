"""Cap what is dear, and say what a move to a cheaper place must save. USD per GPU-hour, before tax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field, field_validator

from autoscaler.core.money import micro_usd
from autoscaler.core.proposals import DeploymentView, Policy, Preference, Proposal, View

DAY_S: Final = 86_400.0
"""How long a verdict holds beyond ``price_max_age_s`` while no newer price comes."""

RELEASE_PERCENT: Final = 95
"""A cap ends only below this share of the limit: a price that wanders around the limit moves nothing."""

DEAR_MAX: Final = 300
"""Deployments whose cap is remembered; with names of 64 characters that is within what a policy may keep."""

GPU_TYPE_CHARS_MAX: Final = 100
STATE_VERSION: Final = 1

Number = Annotated[float, Field(strict=True)]  # true and "3.50" are not numbers
GpuType = Annotated[str, Field(min_length=1, max_length=GPU_TYPE_CHARS_MAX)]


class GpuPrice(Policy, kind="gpu_price"):
    """Cap the replicas of a deployment while its GPU type is dear, and set what a move must save.

    Dear is above ``price_usd_per_gpu_hour_max``, until below 95 % of it. A verdict rests on a price of at
    most ``price_max_age_s`` and holds for 24 h more without a newer one; then the price is not known, which
    is neither cheap nor dear. Prices are USD per GPU-hour, ages seconds.
    """

    price_usd_per_gpu_hour_max: Number | None = Field(default=None, gt=0, le=1_000_000)
    replicas_when_dear: int = Field(default=1, ge=0, le=10_000, strict=True)
    switch_if_saves_percent: Number = Field(default=10.0, ge=0, le=100)
    price_max_age_s: Number = Field(default=3600.0, ge=0, le=2_592_000)
    gpu_types: tuple[GpuType, ...] | None = Field(default=None, min_length=1, max_length=100)

    @field_validator("gpu_types")
    @classmethod
    def _distinct(cls, gpu_types: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = sorted({name for name in gpu_types or () if (gpu_types or ()).count(name) > 1})
        if twice:
            raise ValueError(f"GPU types must be distinct: {', '.join(twice)} repeated")
        return gpu_types

    def propose(self, view: View) -> tuple[Proposal, ...]:
        """One opinion on each deployment by its own price; none without a limit."""
        limit = self.price_usd_per_gpu_hour_max
        if limit is None:
            return ()
        dear = self._dear_before(view.state, view)
        return tuple(self._judge(one, limit, one.name in dear) for one in view.deployments)

    def remember(self, state: Mapping[str, Any], view: View) -> Mapping[str, Any]:
        """Who is capped: ``{"v": 1, "limit": 3.5, "dear": {"di-h100": "H100-80GB"}}``, or nothing.

        The GPU type goes with it, since a verdict is about a type; and the limit, since a new one is judged
        anew.
        """
        limit = self.price_usd_per_gpu_hour_max
        if limit is None:
            return {}
        before = self._dear_before(state, view)
        dear = {
            one.name: (one.gpu_type or "")[:GPU_TYPE_CHARS_MAX]
            for one in view.deployments
            if self._is_dear(one, limit, one.name in before)
        }
        if not dear:
            return {}
        return {"v": STATE_VERSION, "limit": limit, "dear": dict(sorted(dear.items())[:DEAR_MAX])}

    def prefer(self, view: View) -> Preference:  # noqa: ARG002 - the same whatever is seen
        """What a move must save, how old a price may be that starts one, and which GPU types may grow."""
        return Preference(
            switch_if_saves_percent=self.switch_if_saves_percent,
            price_max_age_s=self.price_max_age_s,
            gpu_types=None if self.gpu_types is None else frozenset(self.gpu_types),
        )

    # --- verdicts -------------------------------------------------------------------------------

    def _dear_before(self, state: Mapping[str, Any], view: View) -> frozenset[str]:
        """Deployments that were dear when last judged, and are on the same GPU type still."""
        dear = state.get("dear")
        if state.get("v") != STATE_VERSION or not isinstance(dear, Mapping):
            return frozenset()
        limit = self.price_usd_per_gpu_hour_max
        same_limit = state.get("limit") == limit
        return frozenset(
            one.name
            for one in view.deployments
            if one.name in dear
            and dear[one.name] == (one.gpu_type or "")[:GPU_TYPE_CHARS_MAX]
            # A person who raises the limit above the price means that the cap ends, band or no band.
            and (same_limit or _above(one.price_usd_per_gpu_hour, limit))
        )

    def _is_dear(self, one: DeploymentView, limit: float, before: bool) -> bool:
        price, age_s = one.price_usd_per_gpu_hour, one.price_age_s or 0.0
        if price is None or age_s > self.price_max_age_s + DAY_S:
            return False
        if age_s > self.price_max_age_s:
            return before
        # In whole micro-USD: at 0.95 of a limit, rounding must not decide.
        if before:
            return 100 * micro_usd(price) >= RELEASE_PERCENT * micro_usd(limit)
        return micro_usd(price) > micro_usd(limit)

    def _judge(self, one: DeploymentView, limit: float, before: bool) -> Proposal:
        price, age_s = one.price_usd_per_gpu_hour, one.price_age_s or 0.0
        what = one.gpu_type or "its GPU type"
        if price is None:
            return Proposal(f"no price is known for {what}: no cap", deployment=one.name)
        if age_s > self.price_max_age_s + DAY_S:
            return Proposal(
                f"the price of {what} is {_hours(age_s)} old, too old to be known: no cap",
                deployment=one.name,
            )
        if not self._is_dear(one, limit, before):
            return Proposal(self._why_not(price, age_s, limit, what), deployment=one.name)
        return Proposal(
            self._why_dear(price, age_s, limit, what), deployment=one.name, at_most=self.replicas_when_dear
        )

    def _why_not(self, price: float, age_s: float, limit: float, what: str) -> str:
        if age_s > self.price_max_age_s:
            return f"the price of {what} is {_hours(age_s)} old, and was not dear before: no cap"
        return f"{_usd(price)} USD per GPU-hour of {what} is within {_usd(limit)}"

    def _why_dear(self, price: float, age_s: float, limit: float, what: str) -> str:
        if age_s > self.price_max_age_s:
            until = _hours(self.price_max_age_s + DAY_S)
            return f"{what} was dear, and its price is {_hours(age_s)} old: the cap holds up to {until}"
        if _above(price, limit):
            return f"{_usd(price)} USD per GPU-hour of {what} is above {_usd(limit)}"
        released = RELEASE_PERCENT * limit / 100
        return f"{what} was dear, and {_usd(price)} USD per GPU-hour is not below {_usd(released)} yet"


def _above(price: float | None, limit: float | None) -> bool:
    return price is not None and limit is not None and micro_usd(price) > micro_usd(limit)


def _usd(amount: float) -> str:
    """Two decimals, and more where there are more: 3.50 and 3.505 must not read alike."""
    whole, _, rest = f"{amount:.6f}".partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"
