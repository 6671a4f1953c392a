"""Plans that a source completes while steps stay open here: such a plan takes none, and nobody would be handed them."""

import json
from collections.abc import Mapping

from server.db.interchange import import_rows, import_vanished
from server.db.interchange.import_gates import OPEN_STEPS
from server.db.interchange.import_rows import Columns
from server.db.interchange.scratch import Stage
from server.db.storage.connection import Reader
from server.db.storage.table_shapes import shape_of
from server.models.base import as_dict, encode
from server.models.steps import CLOSED


async def left_open(
    db: Reader, stage: Stage, unit: str, moved: Mapping[str, tuple[Columns, Columns]], *, overwrites: bool
) -> set[str]:
    """Return the plans that would be completed with steps that the source does not have, or that were opened here."""
    entering = [key for key, (new, live) in moved.items() if new["status"] == "completed" != live["status"]]
    rows = await db.all(OPEN_STEPS, {"plans": encode(entering)}) if entering else []
    keys = [row["step_id"] for row in rows]
    live = await import_rows.live(db, "steps", await shape_of(db, "steps"), keys) if keys else {}
    staged = stage.rows_of("steps", keys)
    found = await db.all(
        """
        SELECT table_name, row_key, path, base FROM import_rows
        WHERE table_name = 'steps' AND row_key IN (SELECT value FROM json_each(:keys))
        """,
        {"keys": encode(keys)},
    )
    bases = {row["row_key"]: as_dict(row) for row in found}
    left: set[str] = set()
    for key, (_, here) in live.items():
        base = bases.get(key)
        if key not in staged:
            stays = base is None or not import_vanished.goes(stage, unit, base, here)
        else:
            is_ours = base is not None and json.loads(base["base"])["status"] != here["status"]
            stays = staged[key].values["status"] in CLOSED and is_ours and not overwrites
        left |= {here["plan_id"]} if stays else set()
    return left
