"""What an emulated vendor must offer to be served. One module per vendor implements it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from aiohttp import web

from autoscaler.ports import Clock
from autoscaler.world.plant import World


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the fault switches ask of the vendor's handler for one request."""

    as_of: float  # reads show the fleet as it was at this instant
    ignore_write: bool = False  # answer success and change nothing


_CIRCUMSTANCES: Final[ContextVar[Circumstances]] = ContextVar("circumstances")  # of the request at hand


def lay_down(circumstances: Circumstances) -> None:
    """Hand the circumstances to the vendor's handler, which runs in the same task."""
    _CIRCUMSTANCES.set(circumstances)


def circumstances_now() -> Circumstances:
    """The circumstances of the request at hand."""
    return _CIRCUMSTANCES.get()


class VendorEmulator(Protocol):
    """A vendor's published API over a world.

    ``routes`` have names: they are the kinds in the request log.
    """

    kind: str
    base_path: str  # of the published API, for ``base_url``
    publishes_prices: bool  # else a configuration must state them
    world: World
    clock: Clock

    def routes(self) -> Iterable[web.RouteDef]:
        """The published API."""
        ...

    def control_routes(self) -> Iterable[web.RouteDef]:
        """Switches of this vendor only, under ``/_emulator/{kind}/``."""
        ...

    def refusal(self, request: web.Request, body: bytes) -> web.Response | None:
        """The vendor's answer to a request that is not let in; None: let in."""
        ...

    def error(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
        """An error in the vendor's words."""
        ...

    def credentials(self) -> Mapping[str, str]:
        """What a client must be configured with, by the configuration's key; for local use."""
        ...

    def ids(self, deployment_id: str) -> Mapping[str, str]:
        """What a deployment's entry in a configuration carries, by key. Raises: KeyError."""
        ...

    def facts(self, deployment_id: str) -> Mapping[str, Any] | None:
        """What this vendor says of the deployment, for ``/_emulator/world``; None: not this vendor's."""
        ...

    def set_price(self, gpu_type: str, usd_per_gpu_hour: float) -> None:
        """Another price from now on: billed, and published where the vendor publishes prices.

        ``gpu_type`` is the word that deployments of the fleet have for it.
        """
        ...

    def set_word(self, deployment_id: str, word: str | None, details: str) -> None:
        """Show this word as the deployment's state, whatever it does; None: as it is."""
        ...


@runtime_checkable
class TellsItsAddress(Protocol):
    """A vendor with several hosts, whose credentials say where the emulator serves them."""

    def served_at(self, url: str) -> None:
        """The server runs: ``http://127.0.0.1:port``."""
        ...
