"""What belongs to a plan: one list, by which a plan is archived, comes back, and is deleted whole.

Dependencies that live things have on the plan are not in the list. They stay while it is archived, and count by its
last status; when it is deleted they go with it, and come back with it.
"""

from typing import Any

from server.db.dependencies import dependencies
from server.db.dependencies.dependencies import Node
from server.db.ledger import tables as ledger
from server.db.steps import claims
from server.db.storage.connection import Reader, Transaction
from server.models.base import as_dict
from server.models.plans import OldPlan
from server.models.steps import StepRow

ARCHIVE = "_archive"

# The plan, its phases and its steps, be they live or archived. SQLite looks rows up in an index by such a list only if
# the outermost select of it is a plain one.
NODES = """(SELECT * FROM (
    SELECT 'plan' AS type, :plan_id AS id
    UNION ALL SELECT 'phase', phase_id FROM phases WHERE plan_id = :plan_id
    UNION ALL SELECT 'phase', phase_id FROM phases_archive WHERE plan_id = :plan_id
    UNION ALL SELECT 'step', step_id FROM steps WHERE plan_id = :plan_id
    UNION ALL SELECT 'step', step_id FROM steps_archive WHERE plan_id = :plan_id
))"""
SESSIONS = """(SELECT * FROM (
    SELECT 'session', session_id FROM sessions WHERE plan_id = :plan_id AND status <> 'active'
    UNION ALL SELECT 'session', session_id FROM sessions_archive WHERE plan_id = :plan_id
))"""
OF_PLAN = "plan_id = :plan_id"

# Table -> condition, in an order in which rows can be inserted under the foreign keys.
FAMILY = {
    "plans": OF_PLAN,
    "phases": OF_PLAN,
    "steps": OF_PLAN,
    "plan_notes": OF_PLAN,
    "confirmations": OF_PLAN,
    "step_workers": OF_PLAN,
    "approvals": OF_PLAN,
    "dependencies": f"(source_type, source_id) IN {NODES}",
    "sessions": OF_PLAN,
    "lineage": OF_PLAN,
    "context_items": f"(parent_type, parent_id) IN {NODES}",
    "research_documents": f"(parent_type, parent_id) IN {NODES}",
    "step_file_edits": OF_PLAN,
    "checkpoints": OF_PLAN,
    "build_scripts": OF_PLAN,
    **dict.fromkeys(ledger.OF_PLANS, OF_PLAN),
}

# A session that is at work outlasts its plan.
LIVE = {**FAMILY, "sessions": f"{OF_PLAN} AND status <> 'active'"}

# What stays in place while the plan is archived, and goes when it is deleted.
COMPANIONS = {
    "dependencies": f"(target_type, target_id) IN {NODES} AND (source_type, source_id) NOT IN {NODES}",
    "dependencies_archive": f"(target_type, target_id) IN {NODES} AND (source_type, source_id) NOT IN {NODES}",
    "context_items": f"(parent_type, parent_id) IN {SESSIONS}",
    "research_documents": f"(parent_type, parent_id) IN {SESSIONS}",
    "memory_entries": "scope = 'plan' AND scope_id = :plan_id",
    "program_plans": OF_PLAN,
    "step_counts": OF_PLAN,
}


# Plans of a status that ended, or that nobody touched, before a time; those that somebody works on are told apart.
OLD = """
    SELECT p.plan_id, p.title, p.status, p.completed_at, p.updated_at, EXISTS (
        SELECT 1 FROM steps s WHERE s.plan_id = p.plan_id AND s.status = 'active' AND s.claimed_by IS NOT NULL
          AND s.lease_expires_at > :now) AS is_held
    FROM plans p
    WHERE p.workspace_id = :workspace_id AND p.status = :status
      AND coalesce(CASE p.status WHEN 'completed' THEN p.completed_at END, p.updated_at) <= :before
      AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.plan_id = p.plan_id AND s.updated_at > :before)
"""


async def old(db: Reader, workspace_id: str, status: str, *, before: str, limit: int) -> tuple[list[OldPlan], int, int]:
    """Return the oldest of those plans that nobody works on, how many they are, and how many somebody works on."""
    params = {"workspace_id": workspace_id, "status": status, "before": before, "now": db.now(), "limit": limit}
    rows, counts = await db.batch(
        (f"SELECT * FROM ({OLD}) WHERE NOT is_held ORDER BY updated_at, plan_id LIMIT :limit", params),
        (f"SELECT count(*) - coalesce(sum(is_held), 0), coalesce(sum(is_held), 0) FROM ({OLD})", params),
    )
    free, held = counts[0]
    return [OldPlan.of(row) for row in rows], free, held


async def archive(tx: Transaction, plan_id: str) -> list[StepRow]:
    """Move a live plan and all that belongs to it to the archive; return the steps whose claims that released."""
    released = await claims.release_plan(tx, plan_id, reason="the plan was archived")
    await tx.run(f"DELETE FROM file_reservations WHERE {OF_PLAN}", {"plan_id": plan_id})
    await tx.run(f"UPDATE plans SET archived_at = :now WHERE {OF_PLAN}", {"plan_id": plan_id, "now": tx.now()})
    await _move(tx, plan_id, LIVE, to_suffix=ARCHIVE)
    await dependencies.refresh(tx, await nodes(tx, plan_id))
    return released


async def unarchive(tx: Transaction, plan_id: str) -> None:
    """Bring an archived plan and all that belongs to it back."""
    await _forget_what_went(tx, plan_id)
    await _move(tx, plan_id, FAMILY, from_suffix=ARCHIVE)
    await tx.run(f"UPDATE plans SET archived_at = NULL WHERE {OF_PLAN}", {"plan_id": plan_id})
    waits = await tx.all(f"SELECT * FROM dependencies WHERE {FAMILY['dependencies']}", {"plan_id": plan_id})
    targets = [(row["target_type"], row["target_id"]) for row in waits]
    await dependencies.refresh(tx, [*targets, *await nodes(tx, plan_id)])
    await dependencies.refuse_cycle(tx, [dependencies.edge_of(row) for row in waits if row["dep_type"] == "blocks"])


async def _move(
    tx: Transaction, plan_id: str, family: dict[str, str], *, from_suffix: str = "", to_suffix: str = ""
) -> None:
    """Copy the family to its other tables, which have the same columns in the same order, then delete it here."""
    copies = [
        f"INSERT INTO {table}{to_suffix} SELECT * FROM {table}{from_suffix} WHERE {where}"
        for table, where in family.items()
    ]
    deletions = [f"DELETE FROM {table}{from_suffix} WHERE {where}" for table, where in reversed(family.items())]
    await tx.batch(*((statement, {"plan_id": plan_id}) for statement in [*copies, *deletions]))


async def _forget_what_went(tx: Transaction, plan_id: str) -> None:
    """Let go of a program and of dependencies whose targets were deleted while the plan was in the archive."""
    await tx.run(
        f"""
        UPDATE plans_archive SET program_id = NULL
        WHERE {OF_PLAN} AND program_id NOT IN (SELECT program_id FROM programs)
        """,
        {"plan_id": plan_id},
    )
    await tx.run(
        f"""
        DELETE FROM dependencies_archive AS d
        WHERE {FAMILY["dependencies"]} AND NOT {dependencies.TARGET_EXISTS}
        """,
        {"plan_id": plan_id},
    )
    # The triggers count anew as the dependencies that are left come back.
    await tx.run(f"UPDATE steps_archive SET waits_for = 0 WHERE {OF_PLAN}", {"plan_id": plan_id})


async def nodes(db: Reader, plan_id: str) -> list[Node]:
    """Return the plan, its phases and its steps, live or archived."""
    rows = await db.all(f"SELECT * FROM {NODES} AS n", {"plan_id": plan_id})
    return [(row[0], row[1]) for row in rows]


async def collect(db: Reader, plan_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return every row that goes when the plan, live or archived, is deleted, by table."""
    wanted = [*LIVE.items(), *((table + ARCHIVE, where) for table, where in FAMILY.items()), *COMPANIONS.items()]
    results = await db.batch(
        *((f"SELECT * FROM {table} WHERE {where}", {"plan_id": plan_id}) for table, where in wanted)
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for (table, _), rows in zip(wanted, results, strict=True):
        found.setdefault(table, []).extend(as_dict(row) for row in rows)
    return {table: rows for table, rows in found.items() if rows}


async def remove(tx: Transaction, plan_id: str) -> None:
    """Delete a plan, live or archived, and all that `collect` returns. Its file reservations are released."""
    programs = await tx.all(f"SELECT program_id FROM program_plans WHERE {OF_PLAN}", {"plan_id": plan_id})
    archived = [(table + ARCHIVE, where) for table, where in reversed(FAMILY.items())]
    wanted = [("file_reservations", OF_PLAN), *COMPANIONS.items(), *reversed(LIVE.items()), *archived]
    await tx.batch(*((f"DELETE FROM {table} WHERE {where}", {"plan_id": plan_id}) for table, where in wanted))
    await dependencies.refresh(tx, [("program", row["program_id"]) for row in programs])
