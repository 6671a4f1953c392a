"""Imports a store, each piece in a transaction of its own, and dies by SIGKILL before or after the Nth commit of it."""

import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from server.db.interchange import import_writing
from server.db.storage.driver import COMMIT, Connection, Statement
from server.importers.run import Options, import_path
from server.settings import Settings
from server.store import Store


async def main(data_root: Path, source: Path, left: int, when: str) -> None:
    import_writing.HELD_SECONDS = 0.0
    store = Store(Settings(data_root=data_root, synchronous="off"))
    db = await store.open()
    _count_down(left, before=when == "before")
    await import_path(db, source, Options())
    await store.close()


def _count_down(left: int, *, before: bool) -> None:
    """Let the process die at the commit of that number."""
    inner = Connection._run

    def run(self: Connection, statements: Sequence[Statement]) -> list[list[sqlite3.Row]]:
        nonlocal left
        left -= any(sql == COMMIT for sql, _ in statements)
        if left <= 0 and before:
            os.kill(os.getpid(), signal.SIGKILL)
        done = inner(self, statements)
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    Connection._run = run


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
