"""Opens a database so that nothing changes: neither the file, nor its log, nor what lies beside it."""

import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import anyio

from server.db.storage.driver import Connection, connect_read_only
from server.errors import Storage

Stamp = tuple[tuple[int, int] | None, ...]


@asynccontextmanager
async def looked_at(path: Path) -> AsyncGenerator[Connection]:
    """Open a database for a while, as it is: no log is made beside it, and none goes."""
    with ExitStack() as stack:
        connection = _opened(path, stack)
        try:
            yield connection
        finally:
            with anyio.CancelScope(shield=True):
                await connection.close()


def stamp(path: Path) -> Stamp:
    """Return what changes when somebody writes to a database or its log."""
    return tuple(_stamp_of(Path(f"{path}{suffix}")) for suffix in ("", "-wal"))


def _stamp_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _opened(path: Path, stack: ExitStack) -> Connection:
    if how := _how(path):
        try:
            return connect_read_only(path, how)
        except Storage:
            if not _beside(path, "-wal"):
                raise
    return connect_read_only(_copied(path, stack), "mode=rw")  # what a journal holds is put back


def _how(path: Path) -> str | None:
    """Return how SQLite is to open a file without making another one, or None if only a copy can be read.

    Without a log that is in use, nothing but the file counts. With one, SQLite reads the `-shm` that the others have,
    and would make one if it were missing.
    """
    if _beside(path, "-journal"):
        return None
    is_shared = Path(f"{path}-wal").exists() and Path(f"{path}-shm").exists()
    if is_shared:
        return "mode=ro&readonly_shm=1"
    return None if _beside(path, "-wal") else "mode=ro&immutable=1"


def _beside(path: Path, suffix: str) -> int:
    """Return the size of a file that SQLite keeps beside a database."""
    found = _stamp_of(Path(f"{path}{suffix}"))
    return found[0] if found else 0


def _copied(path: Path, stack: ExitStack) -> Path:
    """Copy a database with what belongs to it into a folder of its own, and return where it is."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
    for suffix in ("", "-wal", "-journal"):
        source = Path(f"{path}{suffix}")
        if source.exists():
            shutil.copyfile(source, folder / source.name)
    return folder / path.name
