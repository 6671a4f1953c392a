"""What a write costs without a server: the statements of our calls, replayed on a bare connection; part of `bench.py`.

Some calls are run on a store in this process and their statements noted. A copy of that store from before then gets the
very same statements and commits, one call after the other.
"""

import asyncio
import shutil
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

from bench_concurrency import MANY, Recorder, is_equipment

from server.calls import offered, run
from server.db.storage.driver_errors import BUSY_TIMEOUT_MS
from server.settings import DATABASE_NAME, Settings
from server.store import Store

Statements = list[tuple[str, Any]]
Run = Callable[[str, dict[str, Any]], tuple[str, float]]  # (tool, arguments) -> the text of the result, and its seconds


class Measured(Protocol):
    """A call that is measured; one that only reads is left out."""

    @property
    def name(self) -> str: ...
    @property
    def tool(self) -> str: ...
    @property
    def arguments(self) -> Callable[[], dict[str, Any]]: ...
    @property
    def writes(self) -> bool: ...


class InProcess:
    """A store that is called without a server."""

    def __init__(self, root: Path) -> None:
        self._runner = asyncio.Runner()
        self.store = Store(Settings(data_root=root))
        self._tools = offered(self.store.settings)
        self._runner.run(self.store.open())

    def call(self, tool: str, arguments: dict[str, Any]) -> tuple[str, float]:
        begun = time.perf_counter()
        return self._runner.run(run(self.store, self._tools, tool, arguments)), time.perf_counter() - begun

    def close(self) -> None:
        self._runner.run(self.store.close())
        self._runner.close()


class Bare:
    """The statements of the writes among some calls, and a bare connection to run them on, each call once."""

    def __init__(self, root: Path, prepare: Callable[[Run], Iterable[Measured]], rounds: int, calls: int) -> None:
        """Make what the calls need with `prepare`; note so many rounds of so many calls, in the order of their use."""
        root.mkdir()
        place = InProcess(root)
        measured = [call for call in prepare(place.call) if call.writes]
        place.close()
        shutil.copy(root / DATABASE_NAME, root / "before.db")
        Recorder.statements.clear()
        with patch("sqlite3.connect", partial(sqlite3.connect, factory=Recorder)):
            place = InProcess(root)
            equipment = [(sql, params) for sql, params in Recorder.statements if is_equipment(sql)]
            whole = [call for _ in range(rounds) for call in measured for _ in range(calls)]
            self._noted = deque(_statements(place, call) for call in whole)
            place.close()
        self._db = _connection(root / "before.db", equipment)

    def next(self) -> float:
        """Run the statements of the next call, and return the seconds that it took."""
        statements = self._noted.popleft()
        begun = time.perf_counter()
        for sql, params in statements:
            if MANY in params:
                self._db.executemany(sql, params[1:])
            else:
                self._db.execute(sql, params).fetchall()
        return time.perf_counter() - begun

    def close(self) -> None:
        self._db.close()


def _statements(place: InProcess, call: Measured) -> Statements:
    """Run a call, and return the statements up to its commit; a checkpoint that came between is none of them."""
    Recorder.statements.clear()
    place.call(call.tool, call.arguments())
    told = [one for one in Recorder.statements if not one[0].startswith("PRAGMA") or "user_version" in one[0]]
    end = max(number for number, (sql, _) in enumerate(told) if sql == "COMMIT") + 1
    begun = max(number for number, (sql, _) in enumerate(told[:end]) if sql.startswith("BEGIN"))
    return told[begun:end]


def _connection(path: Path, equipment: Statements) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, cached_statements=512)
    for pragma in (f"busy_timeout = {BUSY_TIMEOUT_MS}", "foreign_keys = ON", "synchronous = FULL"):
        db.execute(f"PRAGMA {pragma}")
    db.execute("PRAGMA wal_autocheckpoint = 0")
    for sql, params in equipment:
        db.execute(sql, params)
    return db
