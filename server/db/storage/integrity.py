"""Whether a database is sound, as SQLite sees it."""

from pathlib import Path

from server.db.storage.driver import connected
from server.db.storage.driver_errors import Unreadable
from server.errors import Storage

MOST = 20  # problems that are told


async def problems(path: Path) -> list[str]:
    """Return what is wrong with a database: its pages, indexes and references; nothing if it is sound.

    It reads every page, on a connection and a thread of its own. What is cancelled is interrupted.
    """
    async with connected(path) as connection:
        try:
            pages, references = await connection.run(
                f"PRAGMA integrity_check({MOST})", f"SELECT * FROM pragma_foreign_key_check LIMIT {MOST}"
            )
        except Unreadable as error:
            return [str(error)]
        except BaseException:
            connection.interrupt()
            raise
    broken = [f"{row[0]} row {row[1]} names a {row[2]} that is not there" for row in references]
    return [text for (text,) in pages if text != "ok"] + broken


async def require_sound(path: Path) -> None:
    """Raise Storage for a database that is not."""
    if found := await problems(path):
        raise Storage(f"{str(path)!r} is damaged: {'; '.join(found[:3])}.")
