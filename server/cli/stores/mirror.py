"""`mirror`: write the mirror of the plans now, or compare it with the database."""

from dataclasses import replace

import anyio

from server import settings
from server.errors import InvalidArguments
from server.exporters.formats import exporter_of
from server.exporters.mirror import Folder
from server.jobs import mirroring
from server.settings import Flags, Settings
from server.store import open_store
from server.text.display import number_of

EQUAL, DIFFERENT = 0, 1


def run(flags: Flags, *, check: bool, format: str | None = None) -> int:
    """Write or compare, and return the exit code: 0 equal, 1 different. `format` begins a mirror of another one."""
    chosen = settings.load(flags)
    settings.configure_logging(chosen)
    if chosen.mirror is None:
        raise InvalidArguments("There is no mirror: name its folder with --mirror or PM_MIRROR.")
    chosen.require_database()
    folder = Folder(chosen.mirror)
    if format is not None:
        exporter_of(format)
        folder.begin(format)
    return anyio.run(_check if check else _write, chosen, folder)


async def _write(chosen: Settings, folder: Folder) -> int:
    db = await open_store(chosen)
    try:
        done = await mirroring.write(db, folder)
    finally:
        await db.close()
    print(f"{folder.path} is like the database; {number_of(len(done.written), 'file')} written.")
    if done.removed:
        print(f"{len(done.removed)} that the database no longer has are in {folder.aside} now:")
        print("\n".join(f"  {name}" for name in done.removed))
    return EQUAL


async def _check(chosen: Settings, folder: Folder) -> int:
    db = await open_store(replace(chosen, read_only=True))
    found = 0
    try:
        async for line in mirroring.compare(db, folder):
            found += 1
            print(line)
    finally:
        await db.close()
    print(number_of(found, "difference") if found else f"{folder.path} is like the database.")
    return DIFFERENT if found else EQUAL
