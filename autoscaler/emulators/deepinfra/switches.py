"""``/_emulator/deepinfra/...``: settings and prices, over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, RootModel

from autoscaler.emulators.control import guarded, read_body
from autoscaler.emulators.deepinfra.settings import DeepInfraSettings

Usd = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _OfType(_Strict):
    gpu: str = Field(min_length=1, max_length=50)
    usd_per_gpu_hour: Usd


class _OfConfiguration(_Strict):
    gpu_config: str = Field(pattern=r"^[1-8]x[^ ]{1,50}$")
    usd_per_hour: Usd


class _Price(RootModel[_OfType | _OfConfiguration]):
    """One of two: of a GPU type in every configuration, or of one configuration alone."""


class Switched(Protocol):
    """What the switches turn."""

    settings: DeepInfraSettings

    def use(self, settings: DeepInfraSettings) -> None:
        """Behave like this from now on."""
        ...

    def set_price(self, gpu_type: str, usd_per_gpu_hour: float) -> None:
        """Of a type."""
        ...

    def set_configuration_price(self, gpu_config: str, usd_per_hour: float) -> None:
        """Of one configuration."""
        ...


class Switches:
    """The switches of this vendor only."""

    def __init__(self, vendor: Switched) -> None:
        self._vendor = vendor

    def routes(self) -> Iterable[web.RouteDef]:
        """Settings and prices."""
        return (
            web.get("/_emulator/deepinfra/settings", self._get_settings),
            web.put("/_emulator/deepinfra/settings", guarded(self._put_settings)),
            web.post("/_emulator/deepinfra/prices", guarded(self._post_prices)),
        )

    async def _get_settings(self, request: web.Request) -> web.Response:
        del request
        return web.json_response(self._vendor.settings.model_dump(mode="json"))

    async def _put_settings(self, request: web.Request) -> web.Response:
        self._vendor.use(await read_body(request, DeepInfraSettings))
        return await self._get_settings(request)

    async def _post_prices(self, request: web.Request) -> web.Response:
        wanted = (await read_body(request, _Price)).root
        if isinstance(wanted, _OfType):
            self._vendor.set_price(wanted.gpu, wanted.usd_per_gpu_hour)
        else:
            self._vendor.set_configuration_price(wanted.gpu_config, wanted.usd_per_hour)
        return web.json_response({})
