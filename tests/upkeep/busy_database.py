"""A database whose whole state is told by the number of its events: for who copies it while it changes.

`busy_database.py DATABASE` writes until it is ended, `busy_database.py DATABASE checkpoint` copies the log into the
database again and again, `busy_database.py DATABASE steps` does one thing for each line it reads, and tells when.
"""

import random
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

ROWS, CHANGED = 80, 9
SMALL = """
CREATE TABLE _migrations (name TEXT);
CREATE TABLE event_log (event_id INTEGER PRIMARY KEY, timestamp TEXT, type TEXT, entity_id TEXT, agent TEXT);
CREATE TABLE rows (row_id INTEGER PRIMARY KEY, event_id INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX rows_event ON rows (event_id);
"""
THINGS = {
    "commit": 12,
    "roll back": 1,
    "begin": 2,
    "PASSIVE": 3,
    "FULL": 1,
    "RESTART": 1,
    "TRUNCATE": 2,
}


def make(path: Path, *, is_log_empty: bool) -> sqlite3.Connection:
    """Make a database in WAL mode, and return it open: what is in it is in its log alone, or in itself too."""
    db = opened(path)
    db.executescript(SMALL)
    db.executemany("INSERT INTO rows VALUES (?, 0, hex(randomblob(1900)))", ((row,) for row in range(ROWS)))
    for _ in range(5):
        commit(db)
    if is_log_empty:
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    return db


def opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=20)
    for pragma in ("journal_mode = WAL", "synchronous = OFF", "wal_autocheckpoint = 0", "journal_size_limit = 20000"):
        db.execute(f"PRAGMA {pragma}").fetchall()
    db.execute("PRAGMA cache_size = 8")  # so that a transaction reaches the log before it ends
    return db


def changed_by(event: int) -> set[int]:
    return {(event * 31 + place * 17) % ROWS for place in range(CHANGED)}


def change(db: sqlite3.Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    [(event,)] = db.execute(
        "INSERT INTO event_log (timestamp, type) VALUES ('2030', 'x') RETURNING event_id"
    ).fetchall()
    for row in changed_by(event):
        db.execute("UPDATE rows SET event_id = ?, text = hex(randomblob(1900)) WHERE row_id = ?", (event, row))


def commit(db: sqlite3.Connection) -> None:
    if not db.in_transaction:
        change(db)
    db.execute("COMMIT")


def checkpoint(db: sqlite3.Connection, path: Path) -> None:
    """Copy the log while nobody writes: with commits beside it, older releases of SQLite lose some."""
    db.execute("BEGIN IMMEDIATE")
    with closing(opened(path)) as other:
        other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    db.execute("ROLLBACK")


def step(db: sqlite3.Connection, thing: str) -> None:
    if thing == "commit":
        commit(db)
    elif thing == "begin":
        if not db.in_transaction:
            change(db)
    elif thing == "roll back":
        if not db.in_transaction:
            change(db)
        db.execute("ROLLBACK")
    elif not db.in_transaction:
        with suppress(sqlite3.OperationalError):  # who copies is in the way
            db.execute(f"PRAGMA wal_checkpoint({thing})").fetchall()


def events_of(path: Path) -> int:
    """Return how many events a copy holds, all the first ones, and nothing of any other."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        events = [row[0] for row in db.execute("SELECT event_id FROM event_log ORDER BY event_id")]
        assert events == list(range(1, len(events) + 1))
        found = dict(db.execute("SELECT row_id, event_id FROM rows"))
    last = {row: event for event in events for row in changed_by(event)}
    assert found == {row: last.get(row, 0) for row in range(ROWS)}
    return len(events)


if __name__ == "__main__":
    database = Path(sys.argv[1])
    connection = opened(database)
    if sys.argv[2:] == ["steps"]:
        connection.execute("PRAGMA busy_timeout = 0").fetchall()
        for line in sys.stdin:
            step(connection, line.strip())
            sys.stdout.write("\n")
            sys.stdout.flush()
    while sys.argv[2:] != ["steps"]:
        if sys.argv[2:]:
            checkpoint(connection, database)
        else:
            commit(connection)
            if random.random() < 0.02:
                change(connection)
                connection.execute("ROLLBACK")
