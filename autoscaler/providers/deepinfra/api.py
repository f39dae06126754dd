"""DeepInfra's own in HTTP: what its statuses mean, and its second body of a 422."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from autoscaler.ports import Busy, Clock, ProviderError, Rejected, Telemetry
from autoscaler.providers.deepinfra.replies import validation_text
from autoscaler.providers.deepinfra.settings import DeepInfraSettings
from autoscaler.providers.http import HttpApi, Outgoing
from autoscaler.providers.plain_text import plain_text


class Refused(Rejected):
    """These values, or not in this state. Another request may fare better, unlike for want of funds."""


STATUSES: Final[Mapping[int, type[ProviderError]]] = {400: Refused, 422: Refused, 423: Busy}
"""What differs from every vendor's. 423 is RFC 4918's "locked", a state that passes."""


class DeepInfraApi(HttpApi):
    """One account's calls, with its token, each within ``deadline_s``."""

    def __init__(self, name: str, settings: DeepInfraSettings, clock: Clock, telemetry: Telemetry) -> None:
        self._token = settings.api_token.get_secret_value()
        super().__init__(
            name,
            settings,
            settings.address,
            self._bearer,
            clock,
            telemetry,
            statuses=STATUSES,
            secrets=(self._token,),
        )

    def _bearer(self, _: Outgoing) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def _error_body(self, content: bytes) -> tuple[object, str]:
        body, text = super()._error_body(content)
        told = validation_text(body)
        return body, plain_text(told, secrets=self.secrets) if told else text
