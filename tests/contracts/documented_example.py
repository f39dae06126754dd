"""The example of docs/providers/writing-a-provider.md over a tiny vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from autoscaler.clock import SystemClock
from autoscaler.ports import Provider, Ref
from autoscaler.providers import ProviderKind
from tests.contracts.acme_server import TOKEN, acme_server
from tests.contracts.harness import NOVEMBER, Harness, Trouble
from tests.providers.support import Recorder

EXAMPLE: Final = Path(__file__).parents[2] / "docs" / "providers" / "writing-a-provider.md"


def example_kind() -> ProviderKind:
    """The example of the documentation, as it stands there."""
    text = EXAMPLE.read_text(encoding="utf-8")
    code = text.split("```python\n", 1)[1].split("```", 1)[0]
    module: dict[str, Any] = {"__name__": "acme_example"}
    exec(compile(code, str(EXAMPLE), "exec", dont_inherit=True), module)
    kind = module["KIND"]
    assert isinstance(kind, ProviderKind)
    return kind


@asynccontextmanager
async def documented_example() -> AsyncIterator[Harness]:
    """The example of docs/providers/writing-a-provider.md over a tiny vendor."""
    clock, telemetry, kind = SystemClock(starts_at=NOVEMBER), Recorder(), example_kind()
    async with acme_server() as server:

        def provider(token: str) -> Provider:
            told = {"kind": "acme", "base_url": server.url, "api_token": token}
            return kind.create("acme", kind.settings.model_validate(told), clock, telemetry)

        def trouble(what: Trouble | None) -> None:
            server.trouble = what

        harness = Harness(
            provider=provider(TOKEN),
            clock=clock,
            telemetry=telemetry,
            ref=Ref("chat/acme", {"id": "chat"}),
            other=Ref("chat/other", {"id": "other"}),
            gone=Ref("chat/gone", {"id": "gone"}),
            secrets=(TOKEN,),
            exact=False,
            follows=False,
            trouble=trouble,
            stranger=lambda: provider("another-token"),
            writes=lambda: server.writes,
        )
        try:
            yield harness
        finally:
            await harness.provider.close()
