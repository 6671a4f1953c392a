"""The write-ahead log of a database as a file: how long it is, and whether it is time to copy it."""

import logging
import time
from pathlib import Path

logger = logging.getLogger(__name__)

LIMIT_BYTES = 4 * 1024 * 1024  # of frames that are not copied yet; also what SQLite cuts a log that begins anew to
WARNING_BYTES = 4 * LIMIT_BYTES
WARNING_SECONDS = 3600.0
HEADER_BYTES = 32


class Wal:
    """What one process knows of the log. Any look may raise OSError.

    SQLite writes a log that was copied whole anew from its beginning, under another header, so its size alone does not
    tell how much of it is new. The other file that would tell, `-shm`, must not be opened: closing it would drop the
    locks that SQLite holds on it for this process.
    """

    def __init__(self, database: Path) -> None:
        self._path = Path(f"{database}-wal")
        self._header, self._copied = b"", 0
        self._warned = -WARNING_SECONDS

    def size(self) -> int:
        """Return the size in bytes; 0 without a log."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def is_due(self) -> bool:
        """Return whether more than the limit was written since this process last looked after the log."""
        size = self.size()
        return size > LIMIT_BYTES and size - (self._copied if self._read_header() == self._header else 0) > LIMIT_BYTES

    def looked_after(self) -> None:
        """Note that the log was copied as far as it could be: the next attempt is due after as much again."""
        try:
            self._header, self._copied = self._read_header(), self.size()
        except OSError as error:
            logger.warning("no look at the write-ahead log: %s", error)

    def warn_of_reader(self) -> None:
        """Say, once an hour, that somebody keeps a long log from being copied."""
        if self.size() > WARNING_BYTES and time.monotonic() - self._warned > WARNING_SECONDS:
            self._warned = time.monotonic()
            logger.warning(
                "another program that has been reading for long keeps the write-ahead log from shrinking: %d bytes",
                self.size(),
            )

    def _read_header(self) -> bytes:
        try:
            with self._path.open("rb") as log:
                return log.read(HEADER_BYTES)
        except FileNotFoundError:
            return b""
