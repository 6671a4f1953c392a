"""Table `knowledge`. An entry that another one took the place of stays, linked with it, and counts as superseded."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from server.db.storage.connection import Reader, Transaction
from server.errors import NotFound
from server.models.base import as_dict, encode, new_id
from server.models.knowledge import Knowledge, KnowledgeBrief
from server.text.names import folded

CURRENT = "superseded_by IS NULL"
COUNTS = f"""
    {CURRENT} AND NOT EXISTS (SELECT 1 FROM import_rows r WHERE r.table_name = 'knowledge' AND r.row_key = knowledge_id)
"""
LINKS = """
    (SELECT slug FROM knowledge o WHERE o.knowledge_id = k.supersedes) AS supersedes,
    (SELECT slug FROM knowledge o WHERE o.knowledge_id = k.superseded_by) AS superseded_by
"""
COLUMNS = "knowledge_id, workspace_id, slug, title, category, tags, created_by_agent, created_by_plan, version"
NEAREST = 500  # slugs among which near matches are looked for


async def find(db: Reader, workspace_id: str, slug: str) -> Knowledge | None:
    row = await db.one(
        f"""
        SELECT {COLUMNS}, content, created_at, updated_at, {LINKS} FROM knowledge k
        WHERE workspace_id = :workspace_id AND slug = :slug
        """,
        {"workspace_id": workspace_id, "slug": slug},
    )
    return Knowledge.of(row) if row else None


async def require(db: Reader, workspace_id: str, slug: str) -> Knowledge:
    """Return an entry, a superseded one too, or raise NotFound with the nearest slugs."""
    if found := await find(db, workspace_id, slug):
        return found
    rows = await db.all(
        "SELECT slug, title FROM knowledge WHERE workspace_id = :workspace_id ORDER BY updated_at DESC LIMIT :most",
        {"workspace_id": workspace_id, "most": NEAREST},
    )
    titles = {row["slug"]: row["title"] for row in rows}
    likely = [name for name, title in titles.items() if slug in name or folded(title) == folded(slug)]
    likely += difflib.get_close_matches(slug, list(titles), 5, 0.5)
    near = [{"slug": name, "title": titles[name]} for name in list(dict.fromkeys(likely or titles))[:5]]
    raise NotFound(
        f"There is no knowledge {slug[:80]!r} in this workspace.",
        **({"near": near} if near else {}),
    ).about("knowledge")


async def count(db: Reader, workspace_id: str) -> int:
    """Return how many current entries a workspace has, without those that an import brought."""
    query = f"SELECT count(*) FROM knowledge WHERE workspace_id = :workspace_id AND {COUNTS}"
    return await db.value(query, {"workspace_id": workspace_id})


async def counts(db: Reader, entry: Knowledge) -> bool:
    """Return whether an entry is one of those that are counted."""
    query = f"SELECT EXISTS (SELECT 1 FROM knowledge WHERE knowledge_id = :id AND {COUNTS})"
    return bool(await db.value(query, {"id": entry.knowledge_id}))


async def put(tx: Transaction, old: Knowledge | None, values: Mapping[str, Any]) -> tuple[str, int]:
    """Insert an entry, or change the `old` one, and return its id and version.

    `values` are columns; those that are None keep what is there, or their default.
    """
    given = {name: value for name, value in values.items() if value is not None} | {"updated_at": tx.now()}
    if "tags" in given:
        given["tags"] = encode(given["tags"])
    if old:
        changes = ", ".join(f"{name} = :{name}" for name in given)
        sql = f"UPDATE knowledge SET {changes}, version = version + 1 WHERE knowledge_id = :knowledge_id"
        given["knowledge_id"] = old.knowledge_id
    else:
        given |= {"knowledge_id": new_id("know"), "created_at": tx.now()}
        names = ", ".join(given)
        sql = f"INSERT INTO knowledge ({names}) VALUES ({', '.join(':' + name for name in given)})"
    row = await tx.one(f"{sql} RETURNING knowledge_id, version", given)
    assert row is not None  # RETURNING gives the row
    return row["knowledge_id"], row["version"]


async def link(tx: Transaction, older_id: str, newer_id: str) -> None:
    """Let one entry take the place of another."""
    ids = {"older": older_id, "newer": newer_id}
    await tx.batch(
        ("UPDATE knowledge SET superseded_by = :newer WHERE knowledge_id = :older", ids),
        ("UPDATE knowledge SET supersedes = :older WHERE knowledge_id = :newer", ids),
    )


async def delete(tx: Transaction, knowledge_id: str) -> dict[str, Any]:
    """Delete an entry and return its row. What it superseded is superseded by what superseded it, or current again."""
    row = await tx.one("SELECT * FROM knowledge WHERE knowledge_id = :id", {"id": knowledge_id})
    assert row is not None  # the caller read it in this transaction
    await tx.batch(
        ("UPDATE knowledge SET superseded_by = :superseded_by WHERE knowledge_id = :supersedes", as_dict(row)),
        ("UPDATE knowledge SET supersedes = :supersedes WHERE knowledge_id = :superseded_by", as_dict(row)),
        ("DELETE FROM knowledge WHERE knowledge_id = :knowledge_id", as_dict(row)),
    )
    return as_dict(row)


async def relink(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put entries that came back between those they were linked with, where nothing else took their place."""
    await tx.many(
        """
        UPDATE knowledge SET superseded_by = :knowledge_id
        WHERE knowledge_id = :supersedes AND (superseded_by IS NULL OR superseded_by = :superseded_by)
        """,
        rows,
    )
    await tx.many(
        """
        UPDATE knowledge SET supersedes = :knowledge_id
        WHERE knowledge_id = :superseded_by AND (supersedes IS NULL OR supersedes = :supersedes)
        """,
        rows,
    )
    await tx.many(
        """
        UPDATE knowledge SET
            supersedes = (SELECT o.knowledge_id FROM knowledge o
                WHERE o.knowledge_id = :supersedes AND o.superseded_by = :knowledge_id),
            superseded_by = (SELECT o.knowledge_id FROM knowledge o
                WHERE o.knowledge_id = :superseded_by AND o.supersedes = :knowledge_id)
        WHERE knowledge_id = :knowledge_id
        """,
        rows,
    )


async def list_(
    db: Reader,
    *,
    workspace_id: str,
    category: str | None = None,
    tags: Sequence[str] = (),
    prefix: str = "",
    superseded: bool = False,
    after: Sequence[str | int] | None = None,
    limit: int,
) -> tuple[list[KnowledgeBrief], int]:
    """Return entries, the newest first, from behind `after` on, and how many there are."""
    where = """
        workspace_id = :workspace_id AND (:category IS NULL OR category = :category)
        AND (:superseded OR superseded_by IS NULL) AND substr(slug, 1, length(:prefix)) = :prefix
        AND NOT EXISTS (SELECT 1 FROM json_each(:tags) t WHERE composed(t.value) NOT IN
            (SELECT composed(value) FROM json_each(tags)))
    """
    updated_at, knowledge_id = after or (None, None)
    params = {
        "workspace_id": workspace_id,
        "category": category,
        "tags": encode(list(tags)),
        "prefix": prefix,
        "superseded": superseded,
        "updated_at": updated_at,
        "knowledge_id": knowledge_id,
        "limit": limit,
    }
    rows, totals = await db.batch(
        (
            f"""
            SELECT {COLUMNS}, updated_at, length(CAST(content AS BLOB)) AS bytes, {LINKS} FROM knowledge k
            WHERE {where} AND (:updated_at IS NULL OR (updated_at, knowledge_id) < (:updated_at, :knowledge_id))
            ORDER BY k.updated_at DESC, k.knowledge_id DESC LIMIT :limit
            """,
            params,
        ),
        (f"SELECT count(*) FROM knowledge WHERE {where}", params),
    )
    return [KnowledgeBrief.of(row) for row in rows], totals[0][0]
