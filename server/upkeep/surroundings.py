"""What is around a database: what outlived its time, the mirror, the folders of workspaces."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import anyio

from server.db.audit import event_feed
from server.db.storage.connection import Reader
from server.db.workspaces import workspaces
from server.errors import ProjectMemoryError
from server.exporters.mirror import Folder
from server.settings import Settings
from server.tools.workspace import ghosts
from server.upkeep.place_checks import Seen

BEHIND_SECONDS = 600.0
SHOWN = 5
GHOSTS = {"gone": "workspace-gone", "identity": "workspace-moved"}  # a disk that is not mounted is no fault


async def folders(db: Reader) -> AsyncIterator[Seen]:
    """Yield workspaces whose folder is gone, or says to belong elsewhere."""
    known, aliases = await workspaces.all_(db), await workspaces.all_aliases(db)
    found = await anyio.to_thread.run_sync(ghosts.strange, known, aliases)
    for kind, name in GHOSTS.items():
        told = [f"{one['workspace_id']} ({one['path']}): {one['problem']}" for one in found if one["kind"] == kind]
        if told:
            more = f"; and {len(told) - SHOWN} more" if told[SHOWN:] else ""
            yield name, f"{'; '.join(told[:SHOWN])}{more}."


async def mirror(db: Reader, settings: Settings) -> AsyncIterator[Seen]:
    """Yield whether the mirror of this setting is another database's, or far behind."""
    if settings.mirror is None:
        return
    folder = Folder(settings.mirror)
    try:
        folder.check()
    except ProjectMemoryError as error:
        yield "mirror", str(error)
        return
    cursor, now = folder.cursor(), await event_feed.moment(db)
    if cursor is None:
        yield "mirror", f"{folder.path} was never written."
    elif cursor.database != now.database:
        yield "mirror", f"{folder.path} mirrors another database."
    elif cursor.event_id > now.newest:
        yield "mirror", f"{folder.path} has seen more than the database holds: an older state was restored."
    elif cursor.event_id < now.newest and _age(now.at) > BEHIND_SECONDS:
        yield "mirror", f"{folder.path} is {now.newest - cursor.event_id} events behind, since {cursor.at}."


def _age(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
