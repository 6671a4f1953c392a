"""A database that others write to, copied as fast as files are, instead of page by page.

A read transaction pins what it sees: until it ends, no checkpoint brings a frame of the log into the database that came
later, and no writer begins a log anew of which anything is not in the database. So the file of the database and its
log, copied one after the other, are together a state that is no older than the transaction: what a checkpoint is
writing into the first is in the second, and what a writer has half written at the end of that does not count.
A commit that is on its way may be in it, as it may be in a database that is recovered.
"""

import asyncio
import logging
import os
import subprocess
import sys
from pathlib import Path
from subprocess import DEVNULL

from anyio import CancelScope
from anyio.to_thread import run_sync

from server.db.backups import restoring
from server.db.storage.driver import Connection, connected
from server.errors import Storage

logger = logging.getLogger(__name__)

COPIER = Path(__file__).with_name("byte_copier.py")
NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # on Windows, of a console


async def copy(source: Connection, target: Path) -> bool:
    """Copy a database into an empty file, and return whether that was possible. If not, the file is empty again."""
    try:
        code = await _copied(source, target)
        if code == 0:
            async with connected(target, "off") as found:
                await found.run("PRAGMA journal_mode = DELETE")
            return True
        why = f"exit code {code}"
    except (OSError, Storage) as error:
        why = str(error)
    logger.info("copying page by page: %s", why)
    await run_sync(_empty, target)
    return False


async def _copied(source: Connection, target: Path) -> int:
    try:
        _, _, [(mode,)], [(_, _, file), *_] = await source.run(
            "BEGIN", "SELECT 1 FROM sqlite_master LIMIT 1", "PRAGMA journal_mode", "PRAGMA database_list"
        )
        command = [sys.executable, "-I", "-S", str(COPIER), file, str(target), *(["wal"] if mode == "wal" else [])]
        return await _run(command)
    finally:
        await source.rollback()


async def _run(command: list[str]) -> int:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, creationflags=NO_WINDOW
    )
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            with CancelScope(shield=True):
                await process.wait()


def _empty(path: Path) -> None:
    for left in restoring.beside(path):
        left.unlink(missing_ok=True)
    os.truncate(path, 0)
