"""``autoscaler emulate``: the vendors' look-alikes until Ctrl-C, and a configuration that uses them."""

from __future__ import annotations

import asyncio
import errno
import json
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from autoscaler.cli.commands.online_report import slug
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.cli.terminal.say import answer, note
from autoscaler.demo.files import shipped_policies
from autoscaler.emulators.fleet import (
    DEFAULT_FLEET,
    EmulatedDeployment,
    EmulatedFleet,
    FleetError,
    load_fleet,
)
from autoscaler.emulators.server import EmulatorServer, serve
from autoscaler.emulators.vendor import VendorEmulator

ADMIN_WORD: Final = "a-token-for-these-emulators"  # in the configuration that is printed

Servers = Sequence[EmulatorServer[VendorEmulator]]

PROVIDER_NAMES = {"exoscale": "exo", "deepinfra": "di", "baseten": "bt"}


def run_emulators(*, port: int | None, host: str, fleet_file: Path | None, speed: float) -> int:
    """Serve until Ctrl-C or SIGTERM. Raises: Trouble."""
    try:
        fleet = DEFAULT_FLEET if fleet_file is None else load_fleet(fleet_file)
        asyncio.run(_serve(_hurried(fleet, speed), _ports(fleet, port), host))
    except FleetError as error:
        raise Trouble(str(error)) from error
    except OSError as error:
        raise Trouble(_cannot_listen(host, error), Exit.UNREACHABLE) from error
    except ValueError as error:  # what the fleet asks for and the plant cannot be
        raise Trouble(f"{fleet_file or 'the fleet'}: {error}") from error
    return Exit.OK


def _ports(fleet: EmulatedFleet, port: int | None) -> dict[str, int]:
    if port is None:
        return {}
    return {kind: port + index if port else 0 for index, kind in enumerate(fleet.kinds)}


def _hurried(fleet: EmulatedFleet, speed: float) -> EmulatedFleet:
    """The fleet with replicas that start so many times as fast.

    Its clock stays the true one: whoever uses the emulators signs requests and dates samples by that.
    """
    deployments = tuple(
        one.model_copy(
            update={
                "start_up_median_s": one.start_up_median_s / speed,
                "start_up_p95_s": one.start_up_p95_s / speed,
            }
        )
        for one in fleet.deployments
    )
    return fleet.model_copy(update={"deployments": deployments})


async def _serve(fleet: EmulatedFleet, ports: dict[str, int], host: str) -> None:
    until = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, until.set)
    try:
        await serve(
            fleet,
            host=host,
            ports=ports,
            on_started=lambda servers: _tell(fleet, servers),
            until=until,
        )
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _tell(fleet: EmulatedFleet, servers: Servers) -> None:
    answer("\n".join(configuration(fleet, servers)))
    note("Emulators are running; Ctrl-C ends them. The credentials above are for them only.")
    note(f"  policies: cp -r {shipped_policies()} policies")
    for one in fleet.deployments[:1]:
        note("  demand: each service is blind until its queued and running are pushed, for example")
        note(
            f"    curl -d '{{\"value\": 20}}' -H 'Authorization: Bearer {ADMIN_WORD}' "
            f"http://127.0.0.1:9464/v1/signals/{slug(one.name)}/running"
        )
    for server in servers:
        note(f"  {server.vendor.kind}: {server.base_url}, fault switches under {server.url}/_emulator")


def configuration(fleet: EmulatedFleet, servers: Servers) -> Iterator[str]:
    """Lines of a whole configuration that uses these emulators, with demand that is pushed by hand."""
    yield "# A configuration for these emulators: save it as config.toml beside a copy of policies/."
    yield from ("[http]", f'admin_token = "{ADMIN_WORD}"', "")
    for server in servers:
        yield f"[providers.{_provider(server)}]"
        yield f'kind = "{server.vendor.kind}"'
        yield f'base_url = "{server.base_url}"'
        yield from (f"{key} = {json.dumps(value)}" for key, value in server.vendor.credentials().items())
        yield ""
    yield from ("[sources.gateway]", 'kind = "push"', "")
    for server in servers:
        deployments = fleet.at(server.vendor.kind)
        published = server.vendor.publishes_prices
        prices = {} if published else {one.gpu_type: one.usd_per_gpu_hour for one in deployments}
        for gpu_type, price in sorted(prices.items()):
            yield from ("[[prices]]", f'provider = "{_provider(server)}"', f'gpu_type = "{gpu_type}"')
            yield from (f"usd_per_gpu_hour = {price:.2f}", "")
        for one in deployments:
            yield from _service(_provider(server), one, server.vendor.ids(one.deployment_id))


def _provider(server: EmulatorServer[VendorEmulator]) -> str:
    return PROVIDER_NAMES.get(server.vendor.kind, server.vendor.kind)


def _service(provider: str, one: EmulatedDeployment, ids: Mapping[str, str]) -> Iterator[str]:
    name = slug(one.name)
    yield f"[services.{name}]"
    yield 'policies = ["queue-depth"]'
    for signal_name in ("queued", "running"):
        yield f'signals.{signal_name} = {{ source = "gateway", exists_at_zero = true, max_age_s = 3600 }}'
    yield ""
    yield f"[[services.{name}.deployments]]"
    yield f'name = "{provider}"'
    yield f'provider = "{provider}"'
    yield from (f"{key} = {json.dumps(value)}" for key, value in ids.items())
    yield f"capacity_per_replica = {one.concurrency}"
    yield "max_replicas = 6"
    yield ""


def _cannot_listen(host: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is taken by another program; choose another --port, or 0 for any free one"
    return f"cannot listen on {host}: {error.strerror or error}"
