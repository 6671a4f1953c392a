"""Tables `program_plans` and `program_workspace_links`: which plans a program holds, and who sees it.

A plan names its program as well, in `plans.program_id`; the two change together, and here alone.
"""

from collections.abc import Sequence
from typing import Any

from server.db.dependencies import dependencies
from server.db.storage.connection import Reader, Transaction
from server.db.storage.driver import Statement

# Plans of which nothing but the place in a program is known name it too, live or archived.
REJOIN = """
    UPDATE plans{suffix} SET program_id = :program_id
    WHERE program_id IS NULL AND plan_id IN (SELECT plan_id FROM program_plans WHERE program_id = :program_id)
"""


async def program_of(db: Reader, plan_id: str) -> str | None:
    """Return the program that holds a plan."""
    return await db.value("SELECT program_id FROM program_plans WHERE plan_id = :plan_id", {"plan_id": plan_id})


async def plans_of(db: Reader, program_id: str) -> list[str]:
    """Return the plans of a program in their order."""
    rows = await db.all(
        "SELECT plan_id FROM program_plans WHERE program_id = :program_id ORDER BY order_index, plan_id",
        {"program_id": program_id},
    )
    return [row["plan_id"] for row in rows]


async def add(tx: Transaction, program_id: str, plan_id: str) -> None:
    """Put a live plan, which is in no program, behind the others. A cycle of waiting raises Conflict and prints it."""
    params = {"program_id": program_id, "plan_id": plan_id, "now": tx.now()}
    await tx.run(
        """
        INSERT INTO program_plans (program_id, plan_id, order_index, created_at)
        SELECT :program_id, :plan_id, coalesce(max(order_index) + 1, 0), :now
        FROM program_plans WHERE program_id = :program_id
        """,
        params,
    )
    await tx.run("UPDATE plans SET program_id = :program_id WHERE plan_id = :plan_id", params)
    if await _is_tied(tx, program_id):
        await dependencies.refuse_cycle(tx, [(("program", program_id), ("plan", plan_id))])


async def _is_tied(db: Reader, program_id: str) -> bool:
    """Return whether a program waits for anything, or anything for it."""
    query = """
        SELECT EXISTS (SELECT 1 FROM dependencies WHERE source_type = 'program' AND source_id = :program_id)
            OR EXISTS (SELECT 1 FROM dependencies WHERE target_type = 'program' AND target_id = :program_id)
    """
    return bool(await db.value(query, {"program_id": program_id}))


async def remove(tx: Transaction, program_id: str, plan_id: str) -> None:
    """Take a plan, live or archived, out of a program."""
    params = {"program_id": program_id, "plan_id": plan_id}
    await tx.run("DELETE FROM program_plans WHERE program_id = :program_id AND plan_id = :plan_id", params)
    for suffix in ("", "_archive"):
        await tx.run(f"UPDATE plans{suffix} SET program_id = NULL WHERE plan_id = :plan_id", params)


async def set_order(tx: Transaction, program_id: str, plan_ids: Sequence[str]) -> None:
    """Give the plans of a program the order of `plan_ids`, which are all of them."""
    await tx.many(
        """
        UPDATE program_plans SET order_index = :place
        WHERE program_id = :program_id AND plan_id = :plan_id AND order_index <> :place
        """,
        [{"program_id": program_id, "plan_id": plan_id, "place": place} for place, plan_id in enumerate(plan_ids)],
    )


async def rejoin(tx: Transaction, program_ids: Sequence[str]) -> None:
    """Let the plans of programs that came back name them again."""
    for program_id in program_ids:
        for suffix in ("", "_archive"):
            await tx.run(REJOIN.format(suffix=suffix), {"program_id": program_id})


async def links(db: Reader, program_id: str) -> list[str]:
    """Return the workspaces, besides its own, that see a program."""
    rows = await db.all(
        "SELECT workspace_id FROM program_workspace_links WHERE program_id = :program_id ORDER BY created_at",
        {"program_id": program_id},
    )
    return [row["workspace_id"] for row in rows]


async def is_linked(db: Reader, program_id: str, workspace_id: str) -> bool:
    query = """
        SELECT EXISTS (
            SELECT 1 FROM program_workspace_links WHERE program_id = :program_id AND workspace_id = :workspace_id)
    """
    return bool(await db.value(query, {"program_id": program_id, "workspace_id": workspace_id}))


async def link(tx: Transaction, program_id: str, workspace_id: str) -> None:
    await tx.run(
        """
        INSERT INTO program_workspace_links (program_id, workspace_id, created_at)
        VALUES (:program_id, :workspace_id, :now) ON CONFLICT DO NOTHING
        """,
        {"program_id": program_id, "workspace_id": workspace_id, "now": tx.now()},
    )


async def unlink(tx: Transaction, program_id: str, workspace_id: str) -> None:
    await tx.run(
        "DELETE FROM program_workspace_links WHERE program_id = :program_id AND workspace_id = :workspace_id",
        {"program_id": program_id, "workspace_id": workspace_id},
    )


async def plans_from(db: Reader, program_id: str, workspace_id: str) -> list[dict[str, Any]]:
    """Return id and title of the plans of a workspace that a program holds, live or archived."""
    rows = await db.all(
        " UNION ALL ".join(
            f"""
            SELECT p.plan_id, p.title FROM program_plans m JOIN plans{suffix} p ON p.plan_id = m.plan_id
            WHERE m.program_id = :program_id AND p.workspace_id = :workspace_id
            """
            for suffix in ("", "_archive")
        ),
        {"program_id": program_id, "workspace_id": workspace_id},
    )
    return [dict(row) for row in rows]


def count_of(program_id: str) -> Statement:
    """Return the statement that counts the plans of a program."""
    return "SELECT count(*) FROM program_plans WHERE program_id = :program_id", {"program_id": program_id}
