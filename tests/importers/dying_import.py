"""Imports a store and dies by SIGKILL at the Nth statement batch of the transaction that makes it real."""

import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from server.db import connection
from server.db.connection import Connection, Statement
from server.importers.run import Options, import_path
from server.settings import Settings
from server.store import Store


async def main(data_root: Path, source: Path, left: int) -> None:
    store = Store(Settings(data_root=data_root))
    db = await store.open()
    _count_down(left)
    await import_path(db, source, Options())
    await store.close()


def _count_down(left: int) -> None:
    """Let the process die before the statements of the given number of writing batches are through."""
    inner = Connection._run

    def run(self: Connection, statements: Sequence[Statement]) -> list[list[sqlite3.Row]]:
        nonlocal left
        done = inner(self, statements)
        if _writes(statements):
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return done

    connection.Connection._run = run


def _writes(statements: Sequence[Statement]) -> bool:
    return any(sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE", "COMMIT")) for sql, _ in statements)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
