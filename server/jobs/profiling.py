"""The profile of a workspace whose folder takes long to look at."""

import logging

from server.db.audit import events
from server.db.workspaces import workspaces
from server.errors import InvalidArguments
from server.store import Store
from server.tools.workspace import indexing

logger = logging.getLogger(__name__)


async def index(store: Store, workspace_id: str) -> None:
    """Look at the folder of a workspace and keep its profile, unless it has one by now. An empty folder has none."""
    db = await store.open()
    workspace = await workspaces.find(db, workspace_id)
    if workspace is None or workspace.path is None or workspace.profile is not None:
        return
    try:
        found = await indexing.look(workspace.path, db.now())
    except InvalidArguments as error:
        logger.info("%s has no profile yet: %s", workspace_id, error)
        return
    if not found["total_files"]:
        return
    async with db.transaction() as tx:
        now = await workspaces.find(tx, workspace_id)
        if now and now.profile is None and now.path == workspace.path:
            tx.workspace_id = workspace_id
            await indexing.keep(tx, now, found)
        await events.flush(tx)
