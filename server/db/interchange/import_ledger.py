"""What an import of our own documents brings along besides rows that can be merged: ties to shipped content, and what
the database that wrote them knew of the imports before. It is added where it is missing, and never changed."""

from collections.abc import Iterator, Sequence
from typing import Any

from server.db.interchange.scratch import Stage, params
from server.db.storage.connection import Reader, Transaction
from server.db.storage.driver import Record
from server.db.storage.table_shapes import shape_of
from server.models.base import encode

# Table -> what must be there already for a row of it.
NEEDED = {
    "workspace_instructions": "EXISTS (SELECT 1 FROM instruction_files WHERE name = :name)",
    "workspace_skills": "EXISTS (SELECT 1 FROM skill_definitions WHERE name = :name)",
    "workspace_agents": "EXISTS (SELECT 1 FROM agent_definitions WHERE name = :name)",
    "deployed_files": "1",
    "import_runs": "1",
    "import_files": "EXISTS (SELECT 1 FROM import_runs WHERE run_id = :run_id)",
    "import_rows": "1",
}
PAGE = 250


async def decide(db: Reader, stage: Stage, unit: str) -> None:
    """Mark the rows that are there already."""
    for table in NEEDED:
        key = " || ' ' || ".join((await shape_of(db, table)).key)
        for rows in stage.pages(unit, table, PAGE):
            keys = encode([row["row_key"] for row in rows])
            query = f"SELECT {key} FROM {table} WHERE {key} IN (SELECT value FROM json_each(:keys))"
            known = {found[0] for found in await db.all(query, {"keys": keys})}
            same = [{"seq": row["seq"]} for row in rows if row["row_key"] in known]
            stage.change("UPDATE rows SET action = 'same' WHERE seq = :seq", same)


def pages(stage: Stage, unit: str) -> Iterator[tuple[str, list[Record]]]:
    """Yield the others with their table, in parts."""
    for table in NEEDED:
        for rows in stage.pages(unit, table, PAGE, "insert"):
            yield table, rows


async def restore(table: str, rows: Sequence[Record], tx: Transaction) -> None:
    """Write them. What is known of the first import of a row stands in for what this import would say of it."""
    found: list[dict[str, Any]] = [params(row) for row in rows]
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for values in found:
        groups.setdefault(tuple(values), []).append(values)
    verb = "REPLACE" if table == "import_rows" else "IGNORE"
    for names, listed in groups.items():
        marks = ", ".join(f":{name}" for name in names)
        sql = f"INSERT OR {verb} INTO {table} ({', '.join(names)}) SELECT {marks} WHERE {NEEDED[table]}"
        await tx.many(sql, listed)
