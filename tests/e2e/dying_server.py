"""A server that kills itself with SIGKILL at a chosen commit: `dying_server.py N before|after [server flags]`."""

import os
import signal
import sqlite3
import sys
from typing import Any

from server.__main__ import main

at, moment = int(sys.argv[1]), sys.argv[2]
commits = 0
connect = sqlite3.connect


class Mortal(sqlite3.Connection):
    """Counts commits, by statement and by method, and dies at the chosen one."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return super().execute(sql, *parameters)
        die_if_due("before", count=1)
        result = super().execute(sql, *parameters)
        die_if_due("after")
        return result

    def commit(self) -> None:
        writes = self.in_transaction
        die_if_due("before", count=int(writes))
        super().commit()
        if writes:
            die_if_due("after")


def die_if_due(now: str, *, count: int = 0) -> None:
    global commits  # noqa: PLW0603 - one process, one count
    commits += count
    if commits == at and now == moment:
        os.kill(os.getpid(), signal.SIGKILL)


def mortal_connect(path: Any, **options: Any) -> sqlite3.Connection:
    return connect(path, factory=Mortal, **options)


sqlite3.connect = mortal_connect
sys.argv[1:] = sys.argv[3:]
main()
