"""What an import has met already, kept on disk: a log may have millions of entries."""

from types import TracebackType

from server.db.storage.driver import open_scratch

SCHEMA = """
    PRAGMA journal_mode = OFF;
    CREATE TABLE seen (entry TEXT PRIMARY KEY, digest BLOB, times INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID;
    BEGIN;
"""


class Seen:
    """Entries by what tells them apart: how often each was met, and what the first one said."""

    def __init__(self) -> None:
        self._db = open_scratch("", SCHEMA)  # without a name: a file only if memory has no room for it

    def __enter__(self) -> "Seen":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._db.close()

    def times(self, entry: str) -> int:
        """Return how often an entry was met, this time included."""
        sql = "INSERT INTO seen (entry) VALUES (?) ON CONFLICT (entry) DO UPDATE SET times = times + 1 RETURNING times"
        return self._db.execute(sql, (entry,)).fetchone()["times"]

    def first(self, entry: str, digest: bytes) -> bytes | None:
        """Return the digest of the first entry that is called so; None if this is the first."""
        if self._db.execute("INSERT OR IGNORE INTO seen (entry, digest) VALUES (?, ?)", (entry, digest)).rowcount:
            return None
        return self._db.execute("SELECT digest FROM seen WHERE entry = ?", (entry,)).fetchone()["digest"]
