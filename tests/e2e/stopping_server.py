"""A server that stops itself with SIGSTOP inside the transaction of its first tool call that sets a display name."""

import os
import signal
import sqlite3
import threading
from typing import Any

from server.__main__ import main

connect = sqlite3.connect


class Stopping(sqlite3.Connection):
    """Says so on stderr before it stops, when the lock has long been taken."""

    renamed = False

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.renamed:
            os.write(2, b"stopping\n")
            os.kill(os.getpid(), signal.SIGSTOP)
            threading.Event().wait()  # another thread may take the signal, and this one commit before all stop
        self.renamed |= "UPDATE workspaces" in sql
        return super().execute(sql, *parameters)


def stopping_connect(path: Any, **options: Any) -> sqlite3.Connection:
    return connect(path, factory=Stopping, **options)


sqlite3.connect = stopping_connect
main()
