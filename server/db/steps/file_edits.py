"""Table `step_file_edits`: who touched which file for which step."""

from collections.abc import Sequence
from typing import Any

from server.db.search.suggestions import not_found
from server.db.storage.connection import Reader, Transaction
from server.db.storage.list_totals import counting
from server.models.base import encode, new_id
from server.models.steps import FileEdit

PATHS = "(SELECT value FROM json_each(:file_paths))"


async def insert(tx: Transaction, *, workspace_id: str, plan_id: str, step_id: str | None, **columns: Any) -> FileEdit:
    row = await tx.one(
        """
        INSERT INTO step_file_edits (edit_id, workspace_id, plan_id, step_id, file_path, previous_path, change_type,
            notes, agent, session_id, created_at)
        VALUES (:edit_id, :workspace_id, :plan_id, :step_id, :file_path, :previous_path, :change_type,
            :notes, :agent, :session_id, :now)
        RETURNING *
        """,
        {
            "edit_id": new_id("edit"),
            "workspace_id": workspace_id,
            "plan_id": plan_id,
            "step_id": step_id,
            **columns,
            "agent": tx.origin.agent,
            "session_id": tx.origin.session_id,
            "now": tx.now(),
        },
    )
    assert row is not None  # RETURNING gives the row
    return FileEdit.of(row)


async def require(db: Reader, edit_id: str) -> tuple[FileEdit, str]:
    """Return an edit, one of an archived plan too, and its workspace, or raise NotFound."""
    for suffix in ("", "_archive"):
        row = await db.one(f"SELECT * FROM step_file_edits{suffix} WHERE edit_id = :edit_id", {"edit_id": edit_id})
        if row:
            return FileEdit.of(row), row["workspace_id"]
    raise await not_found(db, "edit", edit_id, table="step_file_edits", label="file_path")


async def page(
    db: Reader,
    *,
    workspace_id: str,
    plan_id: str | None,
    step_id: str | None,
    file_paths: Sequence[str],
    after: Sequence[str | int] | None,
    limit: int,
) -> tuple[list[FileEdit], int]:
    """Return the edits of a workspace, newest first, from behind `after` on, and how many match, up to COUNTED + 1.

    Those of a plan or a step are all in its workspace.
    """
    named = [name for name, value in (("step_id", step_id), ("plan_id", plan_id)) if value] or ["workspace_id"]
    where = " AND ".join(f"{name} = :{name}" for name in named)
    where += f" AND (file_path IN {PATHS} OR previous_path IN {PATHS})" if file_paths else ""
    params = {
        "workspace_id": workspace_id,
        "plan_id": plan_id,
        "step_id": step_id,
        "file_paths": encode(list(file_paths)),
        "created_at": after[0] if after else None,
        "edit_id": after[1] if after else None,
        "limit": limit,
    }
    rows = await db.all(
        f"""
        SELECT * FROM step_file_edits
        WHERE {where} AND (:created_at IS NULL OR (created_at, edit_id) < (:created_at, :edit_id))
        ORDER BY created_at DESC, edit_id DESC LIMIT :limit
        """,
        params,
    )
    total = await db.value(counting(f"FROM step_file_edits WHERE {where}"), params)
    return [FileEdit.of(row) for row in rows], total
