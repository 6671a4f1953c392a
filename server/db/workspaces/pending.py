"""What is still to be done in a workspace: the open steps of all its plans."""

from server.db.storage.connection import Reader
from server.db.storage.driver import Record
from server.models.base import encode
from server.models.steps import OPEN

OF_WORKSPACE = "FROM steps s JOIN plans p ON p.plan_id = s.plan_id AND p.workspace_id = :workspace_id"
IS_OPEN = "s.status IN (SELECT value FROM json_each(:open))"


async def steps(db: Reader, workspace_id: str) -> list[Record]:
    """Return the open steps, those of one plan and of one phase together, with what their plan is."""
    return await db.all(
        f"""
        SELECT s.*, h.name AS phase_name, p.title AS plan_title, p.status AS plan_status, p.priority AS plan_priority
        {OF_WORKSPACE} JOIN phases h ON h.phase_id = s.phase_id
        WHERE {IS_OPEN} ORDER BY p.created_at, p.plan_id, s.order_index
        """,
        {"workspace_id": workspace_id, "open": encode(list(OPEN))},
    )


async def waits(db: Reader, workspace_id: str) -> list[Record]:
    """Return what the open steps wait for; of a step of the same plan, its place in it too."""
    return await db.all(
        f"""
        SELECT d.source_id, d.target_type, d.target_id, d.dep_type, d.dep_status,
            (SELECT t.order_index + 1 FROM steps t WHERE t.step_id = d.target_id AND t.plan_id = s.plan_id) AS place
        {OF_WORKSPACE} JOIN dependencies d ON d.source_type = 'step' AND d.source_id = s.step_id
        WHERE {IS_OPEN} ORDER BY d.dependency_id
        """,
        {"workspace_id": workspace_id, "open": encode(list(OPEN))},
    )
