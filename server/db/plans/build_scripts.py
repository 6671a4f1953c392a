"""Table `build_scripts`: commands of a workspace, or of one plan of it, by name."""

from collections.abc import Sequence
from typing import Any

from server.db.storage import rows
from server.db.storage.connection import Reader, Transaction
from server.errors import NotFound
from server.models.base import as_dict, new_id
from server.models.build_scripts import BuildScript
from server.text.names import folded

COLUMNS = """
    script_id, name AS script_name, plan_id, description AS script_description, command AS script_command,
    directory AS script_directory, created_at
"""
SELECT = f"SELECT {COLUMNS} FROM build_scripts WHERE workspace_id = :workspace_id"
OF_SCOPE = "(plan_id = :plan_id OR (plan_id IS NULL AND :plan_id IS NULL))"


async def insert(tx: Transaction, *, workspace_id: str, plan_id: str | None, **columns: Any) -> BuildScript:
    values = {"script_id": new_id("script"), "workspace_id": workspace_id, "plan_id": plan_id, **columns}
    return BuildScript.of(await rows.insert(tx, "build_scripts", values, COLUMNS))


async def named(db: Reader, workspace_id: str, plan_id: str | None, name: str) -> BuildScript | None:
    """Return the script of this very plan, or of the workspace itself, that has a name, in capitals or not."""
    rows = await db.all(
        f"{SELECT} AND {OF_SCOPE} AND folded(name) = folded(:name) ORDER BY name <> :name, script_id LIMIT 1",
        {"workspace_id": workspace_id, "plan_id": plan_id, "name": name},
    )
    return BuildScript.of(rows[0]) if rows else None


async def reached(db: Reader, workspace_id: str, plan_id: str | None) -> list[BuildScript]:
    """Return the scripts of a plan and those of the workspace; without a plan all there are. Those of plans first."""
    rows = await db.all(
        f"{SELECT} AND (:plan_id IS NULL OR plan_id IS NULL OR plan_id = :plan_id) "
        "ORDER BY plan_id IS NULL, folded(name), script_id",
        {"workspace_id": workspace_id, "plan_id": plan_id},
    )
    return [BuildScript.of(row) for row in rows]


async def require(db: Reader, workspace_id: str, plan_id: str | None, name_or_id: str) -> BuildScript:
    """Return a script by name or id: that of the plan before that of the workspace."""
    found = await reached(db, workspace_id, plan_id)
    wanted = [one for one in found if one.script_id == name_or_id]
    wanted += [one for one in found if folded(one.script_name) == folded(name_or_id) and one.plan_id in (None, plan_id)]
    if wanted:
        return wanted[0]
    known: Sequence[dict[str, Any]] = [one.model_dump(include={"script_name", "script_id", "plan_id"}) for one in found]
    raise NotFound(f"There is no build script {name_or_id[:80]!r} here.", near=list(known[:5]))


async def delete(tx: Transaction, script_id: str) -> dict[str, Any]:
    """Delete a script that exists and return its row."""
    row = await tx.one("DELETE FROM build_scripts WHERE script_id = :id RETURNING *", {"id": script_id})
    assert row is not None  # the caller required it in this transaction
    return as_dict(row)
