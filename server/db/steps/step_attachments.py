"""What hangs on steps: the rows that go to the trash with them."""

from collections.abc import Sequence
from typing import Any

from server.db.ledger import tables as ledger
from server.db.storage.connection import Reader
from server.models.base import as_dict, encode

IDS = "(SELECT value FROM json_each(:ids))"
BELONGS = {
    "steps": f"step_id IN {IDS}",
    "confirmations": f"step_id IN {IDS}",
    "step_workers": f"step_id IN {IDS}",
    "step_file_edits": f"step_id IN {IDS}",
    "dependencies": f"(source_type = 'step' AND source_id IN {IDS}) OR (target_type = 'step' AND target_id IN {IDS})",
    "context_items": f"parent_type = 'step' AND parent_id IN {IDS}",
    "research_documents": f"parent_type = 'step' AND parent_id IN {IDS}",
    **ledger.of("step", IDS),
}


async def collect(db: Reader, step_ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return all rows that would go with these steps, by table, in an order in which they can be put back."""
    params = {"ids": encode(list(step_ids))}
    return {
        table: [as_dict(row) for row in await db.all(f"SELECT * FROM {table} WHERE {where}", params)]
        for table, where in BELONGS.items()
    }
