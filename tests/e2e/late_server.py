"""A server whose commits of new plans are done long before it hears of them."""

import sqlite3
import time
from typing import Any

from server.__main__ import main

connect = sqlite3.connect
LATE_SECONDS = 30


class Late(sqlite3.Connection):
    """Sleeps behind the COMMIT of a plan, on the thread of the connection."""

    has_plan = False

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        cursor = super().execute(sql, *parameters)
        self.has_plan |= "INSERT INTO plans" in sql
        if sql == "COMMIT" and self.has_plan:
            time.sleep(LATE_SECONDS)
        return cursor


def late_connect(path: Any, **options: Any) -> sqlite3.Connection:
    return connect(path, factory=Late, **options)


sqlite3.connect = late_connect
main()
