"""Request statistics over a window, in DeepInfra's units. Source: DeepInfra OpenAPI, DeploymentStatsOut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from autoscaler.emulators.deepinfra.history import History
from autoscaler.emulators.deepinfra.settings import DeepInfraSettings

FIRST_TOKEN_SHARE: Final = 0.1
"""Of a request's time, until its first token. Made up."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one deployment did in a window: requests that ended in it."""

    requests: int
    busy_s: float
    usd: float

    @property
    def mean_ms(self) -> float:
        """A request's time; 0 without requests."""
        return 1000 * self.busy_s / self.requests if self.requests else 0.0


def figures(history: History, begin: float, end: float) -> Figures:
    """The difference of what was done until both instants (epoch seconds)."""
    before, after = history.until(begin), history.until(max(begin, end))
    return Figures(
        requests=int(after.requests) - int(before.requests),
        busy_s=after.busy_s - before.busy_s,
        usd=after.usd - before.usd,
    )


NOTHING: Final = Figures(0, 0.0, 0.0)


def stats(found: Figures, settings: DeepInfraSettings) -> dict[str, Any]:
    """GET /deploy/{deploy_id}/stats: seconds, milliseconds and cents, by field."""
    tokens_in = found.requests * settings.input_tokens_per_request
    tokens_out = found.requests * settings.output_tokens_per_request
    return {
        "requests": found.requests,
        "total_time": round(found.busy_s),
        "total_tokens": tokens_in + tokens_out,
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "total_amount": round(100 * found.usd),
        "avg_time": found.mean_ms,
        "avg95_time": found.mean_ms * settings.p95_over_mean,
        "errors": 0,
    }


def stats_by_kind(found: Figures, settings: DeepInfraSettings) -> dict[str, Any]:
    """GET /deploy/{deploy_id}/stats2, of a language model."""
    tokens = settings.output_tokens_per_request
    first_ms = found.mean_ms * FIRST_TOKEN_SHARE
    each_ms = (found.mean_ms - first_ms) / tokens if tokens else 0.0
    return {
        "llm": {
            "requests": found.requests,
            "input_tokens": found.requests * settings.input_tokens_per_request,
            "output_tokens": found.requests * tokens,
            "avg_ttft_ms": first_ms,
            "avg95_ttft_ms": first_ms * settings.p95_over_mean,
            "avg_tpt_ms": each_ms,
            "avg95_tpt_ms": each_ms * settings.p95_over_mean,
            "total_amount_cents": round(100 * found.usd),
            "errors": 0,
        },
        "embeddings": None,
        "time": None,
    }
