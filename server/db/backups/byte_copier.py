"""A process of its own that copies the files of a database: `byte_copier.py DATABASE COPY [wal]`.

To close a descriptor of a database drops all locks that SQLite holds on it for the same process, so who has it open
leaves its bytes to another one, and holds a read transaction until that ends. If all of the log was in the database by
then, a writer may begin it anew meanwhile: what was copied of the old one would take pages of the copy back.
"""

import os
import sys

CHUNK = 1024 * 1024
HEADER_BYTES = 32  # of a log; another one has another header
ATTEMPTS = 5  # in one transaction a log is emptied and begun anew at most once


def copy(source: str, target: str) -> bytes:
    """Copy what is in a file by now, and return how it begins. What grows meanwhile is not waited for."""
    beginning = b""
    with open(source, "rb", buffering=0) as read, open(target, "wb", opener=_private) as written:  # noqa: PTH123
        left = os.fstat(read.fileno()).st_size
        while left > 0 and (data := read.read(min(CHUNK, left))):
            written.write(data)
            beginning, left = beginning or data[:HEADER_BYTES], left - len(data)
    return beginning


def copy_log(source: str, target: str) -> bool:
    """Copy a log that stays the same log meanwhile."""
    for _ in range(ATTEMPTS):
        beginning = copy(source, target)
        with open(source, "rb", buffering=0) as read:  # noqa: PTH123
            if read.read(HEADER_BYTES) == beginning:
                return True
    return False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


if __name__ == "__main__":
    database, into, *has_log = sys.argv[1:]
    copy(database, into)
    sys.exit(0 if not has_log or copy_log(f"{database}-wal", f"{into}-wal") else 1)
