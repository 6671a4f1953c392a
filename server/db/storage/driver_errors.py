"""What the driver says in our words."""

import re
import sqlite3

from server.errors import Busy, InvalidArguments, ProjectMemoryError, Storage

DriverError = sqlite3.Error  # what is nobody's fault but ours stays one
BUSY_TIMEOUT_MS = 5000
GENERATED_KEY = re.compile(r"UNIQUE constraint failed: \w+\.\w+_id$")


class IdCollision(ProjectMemoryError):
    """A generated id was taken already: nothing was written, and the same call again draws another one."""


class ConstraintViolation(Exception):
    """The schema refuses a row: a defect of ours, unless it may be that others wrote meanwhile."""


def in_words(refused: ConstraintViolation) -> str:
    """Return what the schema refuses as people say it."""
    what, _, about = str(refused).partition(" constraint failed")
    names = re.findall(r"(\w+)\.(\w+)", about)
    table, columns = (names[0][0] if names else ""), " and ".join(name for _, name in names)
    match what:
        case "UNIQUE" if names:
            return f"two rows of {table} would have the same {columns}"
        case "UNIQUE":
            return f"two rows would stand in one place{about}"
        case "NOT NULL":
            return f"a row of {table} has no {columns}"
        case "FOREIGN KEY":
            return "a row names another one that is not there"
        case "CHECK":
            return f"a row has a value that it must not have{about}"
        case _:
            return str(refused)


class Locked(Busy):
    """Another process has what is needed, now; it may be worth to wait."""


class Unreadable(Storage):
    """What was read makes no sense: because the disk failed this once, or because the file is damaged."""


def translate(error: sqlite3.Error | UnicodeEncodeError | OverflowError) -> Exception:
    """Turn a driver error into ours; a defect of ours stays what it is."""
    if isinstance(error, OverflowError):
        return InvalidArguments("A number is larger than 64 bits hold. Send a smaller one.")
    if isinstance(error, UnicodeEncodeError):
        return InvalidArguments("The text holds a lone surrogate, which is no character. Send valid Unicode.")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Locked(
            f"Another process has held the database's write lock for more than {BUSY_TIMEOUT_MS / 1000:g} s. "
            "Nothing was written. Send the same call again."
        )
    if code in STORAGE_ADVICE:
        kind = Unreadable if code in UNREADABLE else Storage
        return kind(f"The database failed: {error}. Nothing was written. {STORAGE_ADVICE[code]}")
    if GENERATED_KEY.search(str(error)):
        return IdCollision(str(error))
    return ConstraintViolation(str(error)) if isinstance(error, sqlite3.IntegrityError) else error


# SQLite tells of a page that the disk did not give as of one that is damaged.
UNREADABLE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR)
STORAGE_ADVICE = {
    sqlite3.SQLITE_FULL: "The disk is full: free some space, then send the same call again.",
    sqlite3.SQLITE_IOERR: "The disk refused: free some space or check the disk, then send the same call again.",
    sqlite3.SQLITE_READONLY: "It is read-only: repair its permissions or choose another --data-root.",
    sqlite3.SQLITE_CANTOPEN: "The file cannot be opened: check --data-root and its permissions.",
    sqlite3.SQLITE_PERM: "Repair the permissions of the data root or choose another --data-root.",
    sqlite3.SQLITE_CORRUPT: (
        "Send the same call again: the disk may have failed this once. If it goes on, the file is damaged: stop every "
        "server, move it away together with its -wal and -shm, and only then restore a backup; an old -wal beside "
        "another file destroys that too."
    ),
    sqlite3.SQLITE_NOTADB: "The file is not an SQLite database: move it away or choose another --data-root.",
}
