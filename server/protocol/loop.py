"""The event loop behind the front: calls under way, the SDK where it is needed, and an end with nothing unanswered."""

import asyncio
import logging
import os
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup

from server.errors import Ending, ProjectMemoryError
from server.protocol.front import Asked, Front
from server.protocol.jsonrpc import Message
from server.protocol.pipes import Input
from server.protocol.state import (
    LaterAsker,
    State,
    Told,
    boundary,
    call,
    error_object,
    failure,
    resource_list,
    running,
)
from server.settings import Settings
from server.tools.approvals.asking import ClientNeeded

if TYPE_CHECKING:
    from server.protocol.sdk import Sdk

logger = logging.getLogger(__name__)

MOST_QUEUED = 1024 * 1024  # bytes that the client has not read, before nothing more is read of what it sends
PENDING_INPUT_SECONDS = 0.05  # for what was sent before a signal and is not read yet
FINISH_SECONDS = 1.5  # for what is under way when the input ends
ROLLBACK_SECONDS = 0.2
END_SECONDS = 1.85  # then the process is gone, whatever hangs
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(front: Front, source: Input, settings: Settings) -> int:
    """Serve until the input ends or a signal asks to end, and return the exit code."""
    return asyncio.run(_serve(front, source, settings))


async def _serve(front: Front, source: Input, settings: Settings) -> int:
    code = 1  # unless it comes to an orderly end
    async with running(settings) as state, anyio.create_task_group() as tasks:
        session = ClientSession(front, source, state, tasks)
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            signal.signal(number, partial(_end_soon, loop, session))
        code = await session.serve()
        tasks.cancel_scope.cancel()
    return code


def _end_soon(loop: asyncio.AbstractEventLoop, session: "ClientSession", number: int, _: object) -> None:
    loop.call_soon_threadsafe(loop.call_later, PENDING_INPUT_SECONDS, session.end, 128 + number)


class ClientSession:
    """The work for one client, from the first call that needs any to the end."""

    def __init__(self, front: Front, source: Input, state: State, tasks: TaskGroup) -> None:
        self.front = front
        self.state = state
        self.tasks = tasks
        self._source = source
        self._sdk: Sdk | None = None
        self._moved = asyncio.Event()
        self._ends = asyncio.Event()
        self._code = 0

    async def serve(self) -> int:
        """Work until the end, then finish what is left, and return the exit code."""
        loop = asyncio.get_running_loop()
        self.front.on_settled = self._moved.set
        self.front.output.attach(loop, self._wrote)
        self.front.employ(self)
        if self._source.goes_on:
            self._source.listen(loop, self._heard)
        else:
            self.end()
        await self._ends.wait()
        self.state.store.waits.end()
        if self._sdk:
            self._sdk.end_streams()
        if not await self._is_all_told(FINISH_SECONDS):
            self.state.store.stop()
            await self._is_all_told(ROLLBACK_SECONDS)
        if not self.state.store.is_committing:  # else nobody knows whether something was written
            self._tell_of_the_end()
        return self._code

    def end(self, code: int = 0) -> None:
        """Begin to end; a thread sees to it that the process does, whatever hangs."""
        self._code = self._code or code
        if not self._ends.is_set():
            last = threading.Timer(END_SECONDS, os._exit, (self._code,))
            last.daemon = True
            last.start()
            self._ends.set()

    def _heard(self, lines: list[bytes]) -> None:
        self.front.hear(lines)
        if not self._source.goes_on:
            self.end()
        elif self.front.output.queued > MOST_QUEUED:
            self._source.pause()

    def _wrote(self) -> None:
        output = self.front.output
        if output.failure and not self._ends.is_set():
            logger.info("the client reads no more: %s", output.failure)
            self.end()
        if output.queued <= MOST_QUEUED:
            self._source.resume()
        self._moved.set()

    async def _room(self) -> None:
        """Wait until the client has read most of what it was told."""
        while self.front.output.queued > MOST_QUEUED:
            self._moved.clear()
            await self._moved.wait()

    def take(self, item: Asked | Message) -> None:
        if isinstance(item, Asked) and not item.is_the_sdks:
            if self.front.is_under_way(item):
                self.tasks.start_soon(self._work, item)
            return
        if self._sdk is None:
            from server.protocol.sdk import Sdk

            self._sdk = Sdk(self.front, self.state, self.tasks, self._room)
        self._sdk.take(item)

    async def _work(self, asked: Asked) -> None:
        with anyio.CancelScope() as scope:
            asked.cancel = scope.cancel
            if asked.method == "resources/list":
                await self._list_resources(asked)
            else:
                await self._call(asked)

    async def _list_resources(self, asked: Asked) -> None:
        try:
            async with boundary(asked.method):
                found = await resource_list(self.state)
        except ProjectMemoryError as error:
            self.front.answer(asked, error=error_object(error))
        else:
            self.front.answer(asked, {**self._around(asked), **found})

    async def _call(self, asked: Asked) -> None:
        params, token = asked.params, asked.meta.get("progressToken")
        progress = None if token is None else partial(self._tell_progress, token)
        asker = LaterAsker() if self.front.can_ask(asked) else None
        try:
            told = await call(self.state, params["name"], params.get("arguments", {}), progress=progress, asker=asker)
        except ClientNeeded:
            self.front.hand_over(asked)
        else:
            self.front.answer(asked, self._told(asked, told))

    async def _tell_progress(self, token: str | int, done: float, total: float, what: str) -> None:
        params = {"progressToken": token, "progress": done, "total": total, "message": what}
        self.front.write({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})

    def _told(self, asked: Asked, told: Told) -> Message:
        return {**self._around(asked), **told.result()}

    def _around(self, asked: Asked) -> dict[str, Any]:
        return self.front.answers.to(asked.method, newer=asked.is_newer)

    def _tell_of_the_end(self) -> None:
        for asked in [asked for same in self.front.under_way.values() for asked in same]:
            if asked.method == "tools/call":
                self.front.answer(asked, self._told(asked, failure(Ending())))
            else:
                self.front.answer(asked, error=error_object(Ending()))

    async def _is_all_told(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            while self.front.under_way or self.front.output.queued:
                self._moved.clear()
                await self._moved.wait()
            return True
        return False
