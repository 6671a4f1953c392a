"""One process that serves: uvicorn on sockets of ours, and an end within two seconds, whatever is open."""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

import anyio
import uvicorn

from server.settings import Settings
from server.web.application import application
from server.web.places.addresses import Addresses, ServeOptions
from server.web.places.connections import BoundedConnection
from server.web.site import Site

GRACE_SECONDS = 1  # for requests under way, once their waits are over
STOP_SECONDS = 1.4  # then no call writes any more, but for a commit that is under way
END_SECONDS = 1.9  # then the process is gone, whatever hangs
KEEP_ALIVE_SECONDS = 30
DATE_SECONDS = 1  # how old the date of an answer may be
UVICORN = "uvicorn.error"  # where it logs all that it says, each request of a stranger that is none among it
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class QuietServer(uvicorn.Server):
    """Uvicorn without its signal handlers: a signal has more to end than connections."""

    def __init__(self, config: uvicorn.Config, when_started: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._when_started = when_started
        self._ending = asyncio.Event()

    def end(self) -> None:
        self.should_exit = True
        self._ending.set()

    async def main_loop(self) -> None:
        """Wait for the end, and not look for it ten times a second. The date that answers tell is kept right."""
        while not await self.on_tick(0):
            with anyio.move_on_after(DATE_SECONDS):
                await self._ending.wait()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        await self._when_started()


@dataclass(frozen=True)
class Place:
    """Where to serve, and as what."""

    options: ServeOptions
    addresses: Addresses
    sockets: Sequence[socket.socket]
    seal_key: bytes


def run(settings: Settings, place: Place, on_ready: Callable[[Site], Awaitable[None]]) -> int:
    """Serve until a signal asks to end, and return the exit code."""
    return asyncio.run(_serve(settings, place, on_ready))


async def _serve(settings: Settings, place: Place, on_ready: Callable[[Site], Awaitable[None]]) -> int:
    async with served(settings, place, on_ready) as (server, site):
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            signal.signal(number, partial(_end_soon, loop, partial(_end, server, site)))
        await server.serve(list(place.sockets))
    return 0


@asynccontextmanager
async def served(
    settings: Settings, place: Place, on_ready: Callable[[Site], Awaitable[None]]
) -> AsyncGenerator[tuple[QuietServer, Site]]:
    """Yield what serves a place, with its site."""
    options = place.options
    life = application(settings, place.addresses, seal_key=place.seal_key, has_host_tools=options.has_host_tools)
    async with life as (app, site):
        logging.getLogger(UVICORN).setLevel(logging.ERROR)
        config = uvicorn.Config(
            app,
            http=BoundedConnection,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_certfile=options.tls_cert,
            ssl_keyfile=options.tls_key,
        )
        yield QuietServer(config, partial(on_ready, site)), site


def _end(server: QuietServer, site: Site) -> None:
    """Begin to end. A thread sees to it that the process does, whatever hangs."""
    if server.should_exit:
        return
    last = threading.Timer(END_SECONDS, os._exit, (0,))
    last.daemon = True
    last.start()
    site.end()
    asyncio.get_running_loop().call_later(STOP_SECONDS, site.state.store.stop)
    server.end()


def _end_soon(loop: asyncio.AbstractEventLoop, work: Callable[[], None], _: int, __: object) -> None:
    loop.call_soon_threadsafe(work)
