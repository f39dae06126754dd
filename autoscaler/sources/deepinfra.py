"""Signals from DeepInfra's request statistics: an estimate of the requests in service.

Source: OpenAPI document of https://api.deepinfra.com, ``GET /deploy/{deploy_id}/stats`` (DeploymentStatsOut:
``requests``, ``avg_time`` in milliseconds, ``errors``, over a window).

What the number means: by Little's law the requests in service are, on average, those that come in a second
times the seconds that each takes. Requests that wait for a place are not in it, as far as the vendor's time
does not include the wait, which no page says. How old it is: an average over a window tells about its middle,
so a sample is dated half a window before the request was sent, by our clock. How late the vendor's statistics
are, and whether requests count when they come or when they end, is not published.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from autoscaler.core.model import Absence, Reading
from autoscaler.credentials import HeaderSecret
from autoscaler.ports import Clock, SignalQuery
from autoscaler.sources.http import CONNECTIONS_MAX, HttpReader, ReadError, plain_base, refusal
from autoscaler.sources.in_turn import each_once
from autoscaler.sources.kinds import Borrowing, SourceKind
from autoscaler.sources.patience import Patience
from autoscaler.sources.selector import CHARS_MAX, parse_selector
from autoscaler.sources.values import from_json, reading
from autoscaler.sources.vendor import VendorSettings

FIGURES: Final = ("in_flight", "requests_per_s", "errors")
"""What a query may ask for: requests in service, requests a second, errors in the window."""

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


class DeepInfraSettings(VendorSettings):
    """A ``[sources.NAME]`` table of kind ``deepinfra``: one account."""

    kind: Literal["deepinfra"] = Field(default="deepinfra", description="The kind of source.")
    api_token: HeaderSecret = Field(description="API token of the account; or that of a `provider`.")
    base_url: Annotated[str, Field(max_length=2048), AfterValidator(plain_base)] = Field(
        default="https://api.deepinfra.com", description="Where the API is, without a trailing slash."
    )
    window_s: int = Field(
        default=300,
        ge=10,
        le=86_400,
        description="Seconds that the statistics look back. A signal's max_age_s must be above half of it.",
    )

    def addresses(self) -> Mapping[str, str]:
        """The address that the token is sent to, by its key."""
        return {"base_url": self.base_url}

    def base(self) -> str:
        """What every path follows."""
        return self.base_url

    def request_headers(self) -> dict[str, str]:
        """All headers to send; contains the token."""
        return {"Authorization": f"Bearer {self.api_token.get_secret_value()}"}

    def secrets(self) -> tuple[str, ...]:
        """The token."""
        return (self.api_token.get_secret_value(),)


class DeepInfraSignal(BaseModel):
    """The key of a signal that is read from DeepInfra."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str = Field(
        min_length=1,
        max_length=CHARS_MAX,
        description='in_flight, requests_per_s or errors, with {deploy_id="..."}.',
    )

    @field_validator("query")
    @classmethod
    def _is_one_of_ours(cls, text: str) -> str:
        asked(text)
        return text


def asked(query: str) -> tuple[str, str]:
    """Which figure of which deployment. Raises: ValueError that says what is wrong and what is allowed."""
    selector = parse_selector(query)
    if selector.name not in FIGURES:
        raise ValueError(f"asks for {selector.name}; allowed are {', '.join(FIGURES)}")
    labels = selector.labels
    if set(labels) != {"deploy_id"}:
        raise ValueError(
            f'{selector.name} needs to know of what; allowed is {selector.name}{{deploy_id="ID"}}'
        )
    if not _ID.fullmatch(labels["deploy_id"]):
        raise ValueError(
            f"deploy_id {labels['deploy_id'][:64]!r} is no id; allowed are letters, digits, - and _"
        )
    return selector.name, labels["deploy_id"]


class DeepInfraSource:
    """Reads the statistics of each deployment by one call, whatever is asked about it."""

    def __init__(self, name: str, settings: DeepInfraSettings, clock: Clock) -> None:
        """Raises: ValueError when ``ca_file`` cannot be used."""
        self.name = name
        self._window_s = settings.window_s
        self._clock = clock
        self._http = HttpReader(settings, clock)
        self._patience = Patience(clock)

    async def read(self, queries: Sequence[SignalQuery]) -> Mapping[tuple[str, str], Reading]:
        """One reading per query. What has no answer after ``deadline_s`` is absent."""
        wanted = {query.key: asked(query.query) for query in queries if query.query}
        ends_at = self._clock.monotonic() + self._http.deadline_s

        async def ask(deploy_id: str) -> Mapping[str, Reading] | Absence:
            return await self._ask(deploy_id, ends_at - self._clock.monotonic())

        answers = await each_once([deploy_id for _, deploy_id in wanted.values()], ask, CONNECTIONS_MAX)
        return {query.key: self._reading(query, wanted.get(query.key), answers) for query in queries}

    def _reading(
        self,
        query: SignalQuery,
        what: tuple[str, str] | None,
        answers: Mapping[str, Mapping[str, Reading] | Absence],
    ) -> Reading:
        if what is None:
            return Absence("missing", "the signal has no query")
        figure, deploy_id = what
        answer = answers[deploy_id]
        if isinstance(answer, Absence):
            return answer
        if query.max_age_s <= self._window_s / 2:  # It would be stale at each tick, and nobody told why.
            return Absence(
                "error",
                f"max_age_s is {query.max_age_s:g}: an average over window_s = {self._window_s} is "
                f"{self._window_s / 2:g} s old when it is read",
            )
        return answer[figure]

    async def _ask(self, deploy_id: str, within_s: float) -> Mapping[str, Reading] | Absence:
        if (waiting := self._patience.waiting()) is not None:
            return waiting
        sent_at = self._clock.now()
        path = f"/deploy/{deploy_id}/stats?from=now-{self._window_s}s"
        try:
            reply = await self._http.fetch("GET", path, within_s=within_s)
        except ReadError as error:
            return error.absence
        self._patience.heed(reply)
        if reply.status != 200:
            return self._patience.waiting() or refusal(reply.status)
        return figures(reply.body, self._window_s, sent_at - self._window_s / 2)

    async def close(self) -> None:
        """Give back the connections; a second call does nothing."""
        await self._http.close()


# --- the reply ----------------------------------------------------------------------------------


def figures(body: bytes, window_s: float, at: float) -> Mapping[str, Reading] | Absence:
    """The figures of a reply over a window, dated ``at``; each that is not a number is absent by itself."""
    try:
        told = from_json(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return Absence("bad_reply", "the reply is not a deployment's statistics")
    requests, errors = _field(told, "requests", at), _field(told, "errors", at)
    return {
        "in_flight": _in_flight(requests, told, window_s, at),
        "requests_per_s": requests
        if isinstance(requests, Absence)
        else reading(requests.value / window_s, at),
        "errors": errors,
    }


def _in_flight(requests: Reading, told: Mapping[str, Any], window_s: float, at: float) -> Reading:
    if isinstance(requests, Absence) or requests.value == 0.0:
        return requests  # Without requests there is no time of one; zero is zero all the same.
    each_ms = _field(told, "avg_time", at)
    if isinstance(each_ms, Absence):
        return each_ms
    estimate = requests.value / window_s * each_ms.value / 1000.0
    return reading(estimate, at) if math.isfinite(estimate) else Absence("infinite", "larger than any float")


def _field(told: Mapping[str, Any], name: str, at: float) -> Reading:
    if name not in told:
        return Absence("bad_reply", f"the reply has no {name}")
    found = reading(told[name], at)
    return Absence(found.reason, f"{name}: {found.detail}") if isinstance(found, Absence) else found


KIND: Final = SourceKind(
    DeepInfraSettings,
    DeepInfraSignal,
    DeepInfraSource,
    Borrowing("deepinfra", "api_token", ("base_url", "allow_http", "ca_file")),
)
"""How a source of this kind is configured and made."""
