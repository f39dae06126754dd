"""``autoscaler run``: the daemon, its signals, and what may keep it from starting."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from autoscaler.cli.collector import settle
from autoscaler.cli.reach.settings import BadConfig, config_path, whole
from autoscaler.cli.terminal.exits import Exit, Trouble
from autoscaler.config import Config, ConfigError, load
from autoscaler.daemon import logs
from autoscaler.daemon.daemon import Daemon, Endpoint
from autoscaler.daemon.http_api import create_app
from autoscaler.ports import JournalError, JournalLocked
from autoscaler.wiring import assemble

log = structlog.stdlib.get_logger("autoscaler.cli")


def run_daemon(option: Path | None) -> int:
    """Run until told to stop. Raises: Trouble for what keeps it from starting."""
    config = whole(option)
    logs.configure(config.daemon.log_style, config.daemon.log_level)
    for warning in config.warnings:
        log.warning("configuration", warning=str(warning))
    try:
        asyncio.run(_serve(config, config_path(option)))
    except JournalLocked as error:
        raise Trouble(str(error), Exit.LOCKED) from error
    except JournalError as error:
        raise Trouble(str(error), Exit.UNREACHABLE) from error
    except ConfigError as error:
        raise BadConfig(error) from error
    return Exit.OK


async def _serve(config: Config, path: Path) -> None:
    stop = asyncio.Event()
    async with assemble(config, reread=lambda: load(path)) as running:
        tokens = (config.http.admin_token, config.http.push_token)
        admin, push = (None if token is None else token.get_secret_value() for token in tokens)
        app = create_app(running.daemon, running.telemetry, admin_token=admin, push_token=push)
        endpoint = Endpoint(config.http.host, config.http.port)
        settle()
        with _signals(stop, running.daemon):
            try:
                await running.daemon.run(app, endpoint, stop, config.daemon.shutdown_deadline_s)
            except OSError as error:
                raise _cannot_listen(endpoint, error) from error


@contextmanager
def _signals(stop: asyncio.Event, daemon: Daemon) -> Iterator[None]:
    """SIGTERM and Ctrl-C end in order, a second Ctrl-C at once; SIGHUP reads the configuration again."""
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[bool]] = set()

    def interrupted() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    def reload() -> None:
        task = loop.create_task(daemon.reload(), name="reload")
        reloads.add(task)  # The loop holds tasks weakly.
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGINT, interrupted)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
        for task in reloads:
            task.cancel()


def _cannot_listen(endpoint: Endpoint, error: OSError) -> Trouble:
    place = f"{endpoint.host}:{endpoint.port}"
    if error.errno == errno.EADDRINUSE:
        text = f"http.port: {place} is taken by another program (another daemon?); choose another port"
    elif error.errno == errno.EACCES:
        text = f"http.port: this user may not listen on {place}; choose a port from 1024 on"
    else:
        text = f"http.host, http.port: cannot listen on {place}: {error.strerror or error}"
    return Trouble(text, Exit.UNREACHABLE)
