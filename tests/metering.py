"""What a write costs while it holds the lock: steps of SQLite's machine and calls of Python, not time."""

import sqlite3
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from server import calls
from server.db.storage.connection import Database
from server.settings import Settings
from server.store import Store
from server.tools import TOOLS

EVERY = 10  # steps of the machine between two looks


@dataclass(frozen=True)
class Cost:
    """What ran between BEGIN and COMMIT."""

    steps: int
    calls: int
    steps_on_loop: int = 0  # those of the machine that kept every other call of the server waiting


class Meter:
    """Counts, on the thread that it is made on and all that begin after it, what runs while a transaction is open."""

    def __init__(self) -> None:
        self._is_open = False
        self._steps = self._calls = self._on_loop = 0
        self._loop = threading.get_ident()
        self.statements: list[str] = []  # of the last transaction
        threading.setprofile(self._called)
        sys.setprofile(self._called)

    def stop(self) -> None:
        threading.setprofile(None)
        sys.setprofile(None)

    def watch(self, writer: sqlite3.Connection, reader: sqlite3.Connection) -> None:
        """Look at what runs on the writer. Neither is interrupted for the time it takes: that would be counted, too."""
        writer.set_progress_handler(self._stepped, EVERY)
        writer.set_trace_callback(self._began)
        reader.set_progress_handler(None, 0)

    def take(self) -> Cost:
        """Return what was counted since the last time."""
        found = Cost(self._steps, self._calls, self._on_loop)
        self._steps = self._calls = self._on_loop = 0
        return found

    def _began(self, statement: str) -> None:
        verb = statement.split(maxsplit=1)[0]
        if verb == "BEGIN":
            self._is_open, self.statements = True, []
        elif verb in ("COMMIT", "ROLLBACK"):
            self._is_open = False
        elif self._is_open:
            self.statements.append(" ".join(statement.split()))

    def _stepped(self) -> int:
        self._steps += EVERY if self._is_open else 0
        self._on_loop += EVERY if self._is_open and threading.get_ident() == self._loop else 0
        return 0

    def _called(self, frame: FrameType, event: str, arg: object) -> None:
        del arg
        if self._is_open and event in ("call", "c_call") and frame.f_code.co_filename != __file__:
            self._calls += 1


@dataclass(frozen=True)
class Metered:
    """A store whose writes are counted. Calling it runs an action and returns the text of its result."""

    store: Store
    meter: Meter

    async def __call__(self, tool: str, action: str, /, **arguments: Any) -> str:
        return await calls.run(self.store, TOOLS, tool, {"action": action, **arguments})

    async def cost(self, tool: str, action: str, /, **arguments: Any) -> Cost:
        """Run an action and return what it cost."""
        self.meter.take()
        await self(tool, action, **arguments)
        return self.meter.take()

    async def statements(self, tool: str, action: str, /, **arguments: Any) -> list[str]:
        """Run an action and return what its transaction ran."""
        await self(tool, action, **arguments)
        return self.meter.statements


@asynccontextmanager
async def metered(settings: Settings) -> AsyncGenerator[Metered]:
    """Open the store of `settings` and count what its writes cost."""
    store, meter = Store(settings), Meter()
    try:
        meter.watch(*_drivers(await store.open()))
        yield Metered(store, meter)
    finally:
        meter.stop()
        await store.close()


def _drivers(db: Database) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """Return the connections that a database lends to no one: the one that writes, and the one that reads."""
    return db._writer._driver, db._connection._driver
