"""Does a piece of upkeep again and again, each time in a process that kills itself one step later than the one before.

`dying_upkeep.py DATABASE backup|restore [FILE]`. A step is whatever opens, renames, links or removes a file, Python's
audit hook tells of it before it happens. Each time begins with the files that were there at first, and ends with a line
of JSON about what is there then, as another process finds it that opens the database. It stops when nothing is left to
kill.
"""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from server.db.backups import backup_files
from server.db.storage.opening import open_database
from server.errors import Storage
from server.upkeep import restore
from server.upkeep.backups import folder_of, found

STEPS = {"open", "os.rename", "os.remove", "os.link", "sqlite3.connect"}
NOW = "2030-01-01T00:00:00.000Z"
database, work = Path(sys.argv[1]), sys.argv[2]
original = database.parent.with_name("original")
count = last = 0


def die_in_time(event: str, args: tuple[Any, ...]) -> None:
    global count  # noqa: PLW0603 - one process, one count
    if last and event in STEPS and str(args[0]).startswith(str(database.parent)):
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)


async def do() -> None:
    if work == "backup":
        await backup_files.make(database, folder_of(database) / backup_files.name_of(NOW, ""), now=NOW)
    else:
        async with restore.prepared(database, Path(sys.argv[3]), dry_run=False) as (comparison, draft):
            await restore.put(database, comparison, draft, NOW)


async def look() -> dict[str, Any]:
    """Open the database as a start of a server does, and tell what is in it; nothing if it cannot be read."""
    try:
        db = await open_database(database)
    except Storage:
        return {"notes": None, "sound": None, "backups": []}
    notes = [row[0] for row in await db.all("SELECT text FROM notes ORDER BY text")]
    sound = await db.value("PRAGMA integrity_check")
    await db.close()
    return {"notes": notes, "sound": sound, "backups": [whole(file.path) for file in found(folder_of(database))]}


def whole(path: Path) -> bool:
    manifest = backup_files.manifest_of(path)
    with closing(sqlite3.connect(path)) as db:
        return manifest is not None and backup_files.digest(path) == manifest.sha256 and bool(db.execute("SELECT 1"))


sys.addaudithook(die_in_time)
shutil.copytree(database.parent, original)
while True:
    steps, last = last + 1, 0
    shutil.rmtree(database.parent)
    shutil.copytree(original, database.parent)
    if (child := os.fork()) == 0:
        last = steps
        asyncio.run(do())
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    last = 0
    left = [path.name for path in database.parent.iterdir()]
    sys.stdout.write(json.dumps({"code": code, "left": left, **asyncio.run(look())}) + "\n")
    sys.stdout.flush()  # else a child would write it once more
    last = steps
    if code != -signal.SIGKILL:
        break
