"""Table `programs`."""

from collections.abc import Mapping, Sequence
from typing import Any

from server.db.ledger import tables as ledger
from server.db.plans.plans import IS_SHOWN, with_done
from server.db.search.suggestions import not_found
from server.db.storage import rows
from server.db.storage.connection import Reader, Transaction
from server.errors import Conflict, NotFound
from server.models.base import Columns, new_id
from server.models.programs import Program, ProgramBrief, percent

SHOWN = IS_SHOWN.format("p")
# The programs of a workspace, and those that are linked to it.
VISIBLE = f"""
    FROM (
        SELECT program_id FROM programs WHERE workspace_id = :workspace_id
        UNION SELECT program_id FROM program_workspace_links WHERE workspace_id = :workspace_id
    ) mine JOIN programs p ON p.program_id = mine.program_id
    WHERE (:include_archived OR (p.archived_at IS NULL AND p.status <> 'archived'))
      AND (:query IS NULL OR instr(folded(p.title), folded(:query)) > 0) AND {SHOWN}
"""
TOTALS = """
    (SELECT count(*) FROM program_plans m WHERE m.program_id = p.program_id) AS plans_total,
    (SELECT count(*) FROM program_plans m WHERE m.program_id = p.program_id AND (
        EXISTS (SELECT 1 FROM plans l WHERE l.plan_id = m.plan_id AND l.status = 'completed')
        OR EXISTS (SELECT 1 FROM plans_archive l WHERE l.plan_id = m.plan_id AND l.status = 'completed')))
        AS plans_done,
    (SELECT count(*) FROM program_plans m JOIN steps s ON s.plan_id = m.plan_id WHERE m.program_id = p.program_id)
        + (SELECT count(*) FROM program_plans m JOIN steps_archive s ON s.plan_id = m.plan_id
           WHERE m.program_id = p.program_id) AS steps_total,
    (SELECT coalesce(sum(l.open_steps), 0) FROM program_plans m JOIN plans l ON l.plan_id = m.plan_id
     WHERE m.program_id = p.program_id)
        + (SELECT coalesce(sum(l.open_steps), 0) FROM program_plans m JOIN plans_archive l ON l.plan_id = m.plan_id
           WHERE m.program_id = p.program_id) AS open_steps,
    (SELECT count(*) FROM program_risks r WHERE r.program_id = p.program_id AND r.status = 'identified') AS open_risks
"""
# What goes with a program when it is deleted; its plans stay.
FAMILY = {
    "programs": "program_id = :program_id",
    "program_plans": "program_id = :program_id",
    "program_workspace_links": "program_id = :program_id",
    "program_risks": "program_id = :program_id",
    "dependencies": """
        (source_type = 'program' AND source_id = :program_id) OR (target_type = 'program' AND target_id = :program_id)
    """,
    "dependencies_archive": "target_type = 'program' AND target_id = :program_id",
    "context_items": "parent_type = 'program' AND parent_id = :program_id",
    "research_documents": "parent_type = 'program' AND parent_id = :program_id",
    **ledger.of("program", "(:program_id)"),
}


async def insert(tx: Transaction, *, workspace_id: str, title: str, **columns: Any) -> Program:
    """Insert a program. `columns` are further columns; lists become JSON."""
    values = {"program_id": new_id("prog"), "workspace_id": workspace_id, "title": title, **columns}
    return Program.of(await rows.insert(tx, "programs", values))


async def require(db: Reader, program_id: str) -> Program:
    """Return a program, archived or not, or raise NotFound."""
    row = await db.one(f"SELECT * FROM programs p WHERE program_id = :id AND {SHOWN}", {"id": program_id})
    if row is None:
        raise await missing(db, program_id)
    return Program.of(row)


async def title(db: Reader, program_id: str) -> str | None:
    """Return what a program is called."""
    return await db.value("SELECT title FROM programs WHERE program_id = :id", {"id": program_id})


async def missing(db: Reader, program_id: str) -> NotFound:
    """Return the error for an id that no program has."""
    where = IS_SHOWN.format("programs")
    return await not_found(db, "program", program_id, table="programs", label="title", where=where)


async def require_live(db: Reader, program_id: str) -> Program:
    """Return a program that can be changed, or raise NotFound, or Conflict for an archived one."""
    program = await require(db, program_id)
    if program.is_archived:
        raise Conflict(f"The program {program_id} is archived.").about("archived program", program_id=program_id)
    return program


async def update(tx: Transaction, program_id: str, changes: Mapping[str, Any]) -> Program:
    """Change columns of a program, its version and its time."""
    return Program.of(await rows.revise(tx, "programs", "program_id", program_id, changes))


async def touch(tx: Transaction, program_id: str) -> None:
    """Note that something in the program changed."""
    await tx.run(
        "UPDATE programs SET updated_at = :now WHERE program_id = :program_id",
        {"program_id": program_id, "now": tx.now()},
    )


async def page(
    db: Reader,
    *,
    workspace_id: str,
    query: str | None,
    include_archived: bool,
    after: Sequence[str | int] | None,
    limit: int,
) -> tuple[list[ProgramBrief], int]:
    """Return the programs that a workspace sees, last changed first, and how many match in all."""
    params = {"workspace_id": workspace_id, "query": query, "include_archived": int(include_archived)}
    at, program_id = after or (None, None)
    listing = f"""
        WITH page AS (
            SELECT p.* {VISIBLE} AND (:at IS NULL OR (p.updated_at, p.program_id) < (:at, :program_id))
            ORDER BY p.updated_at DESC, p.program_id DESC LIMIT :limit
        )
        SELECT p.*, {TOTALS} FROM page p ORDER BY p.updated_at DESC, p.program_id DESC
    """
    rows, [(total,)] = await db.batch(
        (listing, {**params, "at": at, "program_id": program_id, "limit": limit}),
        (f"SELECT count(*) {VISIBLE}", params),
    )
    return [ProgramBrief.model_validate(with_percent(row)) for row in rows], total


def with_percent(row: Columns) -> dict[str, Any]:
    """Return a row of a program, or of a plan, with how many of its steps are done, in percent as well."""
    found = with_done(row)
    return {**found, "percent": percent(found["steps_done"], found["steps_total"])}


async def collect(db: Reader, program_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return every row that goes when the program is deleted, by table."""
    params = {"program_id": program_id}
    results = await db.batch(*((f"SELECT * FROM {table} WHERE {where}", params) for table, where in FAMILY.items()))
    return {table: [dict(row) for row in rows] for table, rows in zip(FAMILY, results, strict=True) if rows}


async def delete(tx: Transaction, program_id: str) -> None:
    """Delete a program and all that `collect` returns. Its plans are in none any more, archived ones too."""
    params = {"program_id": program_id}
    for suffix in ("", "_archive"):
        await tx.run(f"UPDATE plans{suffix} SET program_id = NULL WHERE program_id = :program_id", params)
    for table, where in reversed(FAMILY.items()):
        await tx.run(f"DELETE FROM {table} WHERE {where}", params)
    await tx.settle()
