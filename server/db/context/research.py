"""Tables `research_documents` and `research_documents_archive`: the full text of every research file."""

import difflib
from collections.abc import Sequence

from server.db.storage.connection import Reader, Transaction
from server.errors import NotFound, TooLarge
from server.models.base import as_dict, encode, new_id
from server.models.context import Parent
from server.models.research import ResearchBrief, ResearchDocument, file_name
from server.models.text import VALUE_BYTES

SHOWN_BYTES = 50_000  # a longer file is condensed where it is read
WHERE = "workspace_id = :workspace_id AND parent_type = :parent_type AND parent_id = :parent_id"
NEAREST = 500  # names among which near matches are looked for


async def find(db: Reader, parent: Parent, filename: str, *, workspace_id: str) -> ResearchDocument | None:
    """Return the file of a parent, live or archived, that has this name, as it was said or as it is kept."""
    where = f"{WHERE} AND filename IN (:filename, :kept)"
    row = await db.one(
        f"""
        SELECT * FROM (
            SELECT *, 0 AS archived FROM research_documents WHERE {where}
            UNION ALL SELECT *, 1 AS archived FROM research_documents_archive WHERE {where}
        ) ORDER BY filename <> :filename LIMIT 1
        """,
        {**parent.model_dump(), "workspace_id": workspace_id, "filename": filename, "kept": file_name(filename)},
    )
    return ResearchDocument.of(row) if row else None


async def require(db: Reader, document_id: str) -> ResearchDocument:
    """Return a document by its id, live or archived, or raise NotFound."""
    where = (
        "document_id = :document_id AND workspace_id IN (SELECT workspace_id FROM workspaces WHERE importing IS NULL)"
    )
    row = await db.one(
        f"""
        SELECT *, 0 AS archived FROM research_documents WHERE {where}
        UNION ALL SELECT *, 1 AS archived FROM research_documents_archive WHERE {where}
        """,
        {"document_id": document_id},
    )
    if row is None:
        raise NotFound(f"There is no research document {document_id[:80]!r}.").about("research")
    return ResearchDocument.of(row)


async def append(
    tx: Transaction, parent: Parent, filename: str, content: str, *, workspace_id: str
) -> ResearchDocument:
    """Put `content` on lines of its own at the end of a file; the first text makes the file."""
    old = await find(tx, parent, filename, workspace_id=workspace_id)
    text = _joined(old.content, content) if old else content
    if len(text.encode("utf-8", "surrogatepass")) > VALUE_BYTES:
        raise TooLarge(
            f"{filename!r} would grow to more than {VALUE_BYTES} bytes (1 MiB). Append to a file of another name."
        )
    row = await tx.one(
        """
        INSERT INTO research_documents (document_id, workspace_id, parent_type, parent_id, filename, content,
            created_by, created_at, updated_at)
        VALUES (:document_id, :workspace_id, :parent_type, :parent_id, :filename, :content, :created_by, :now, :now)
        ON CONFLICT (document_id) DO UPDATE SET
            content = excluded.content, updated_at = excluded.updated_at, version = version + 1
        RETURNING *
        """,
        {
            **parent.model_dump(),
            "document_id": old.document_id if old else new_id("doc"),
            "workspace_id": workspace_id,
            "filename": old.filename if old else file_name(filename),
            "content": text,
            "created_by": tx.origin.agent,
            "now": tx.now(),
        },
    )
    assert row is not None  # RETURNING gives the row
    return ResearchDocument.of(row)


def _joined(old: str, new: str) -> str:
    return old + new if old.endswith("\n") else f"{old}\n{new}"


async def no_such_file(db: Reader, parent: Parent, filename: str, *, workspace_id: str) -> NotFound:
    """Return the error for a file that a parent does not have, with the nearest names: its own first."""
    rows = await db.all(
        """
        SELECT filename, parent_type, parent_id FROM research_documents WHERE workspace_id = :workspace_id
        ORDER BY parent_type = :parent_type AND parent_id = :parent_id DESC, updated_at DESC LIMIT :most
        """,
        {**parent.model_dump(), "workspace_id": workspace_id, "most": NEAREST},
    )
    names = list(dict.fromkeys(row["filename"] for row in rows))
    likely = difflib.get_close_matches(filename, names, 5, 0.5)
    own = [row for row in rows if (row["parent_type"], row["parent_id"]) == parent.key]
    near = [as_dict(row) for row in rows if row["filename"] in likely] or [as_dict(row) for row in own]
    return NotFound(
        f"{parent} has no research file {filename[:80]!r}.",
        **({"near": near[:5]} if near else {}),
    ).about("research")


async def list_(
    db: Reader,
    *,
    workspace_id: str,
    parent: Parent | None = None,
    after: Sequence[str | int] | None = None,
    limit: int,
) -> tuple[list[ResearchBrief], int]:
    """Return files in the order of parent and name, from behind `after` on, and how many there are.

    Archived ones are among them only when their parent is named.
    """
    where = WHERE if parent else "workspace_id = :workspace_id"
    source = f"SELECT * FROM research_documents WHERE {where}"
    source += f" UNION ALL SELECT * FROM research_documents_archive WHERE {where}" if parent else ""
    params = {
        "workspace_id": workspace_id,
        **(parent.model_dump() if parent else {}),
        **dict(zip(("after_kind", "after_parent", "after_name"), after or ("", "", ""), strict=True)),
        "limit": limit,
        "shown": SHOWN_BYTES,
    }
    rows, totals = await db.batch(
        (
            f"""
            SELECT *, length(CAST(content AS BLOB)) AS bytes, length(CAST(content AS BLOB)) > :shown AS condensed
            FROM ({source}) WHERE (parent_type, parent_id, filename) > (:after_kind, :after_parent, :after_name)
            ORDER BY parent_type, parent_id, filename LIMIT :limit
            """,
            params,
        ),
        (f"SELECT count(*) FROM ({source})", params),
    )
    return [ResearchBrief.of(row) for row in rows], totals[0][0]


async def copy(tx: Transaction, parents: dict[str, str], *, suffix: str) -> None:
    """Give the copies of plans, phases and steps the research files of the originals. `parents` is {old id: new id}."""
    rows = await tx.all(
        f"""
        SELECT parent_type, parent_id, filename, workspace_id, content, created_by, extra, created_at, version
        FROM research_documents{suffix}
        WHERE parent_type IN ('plan', 'phase', 'step') AND parent_id IN (SELECT value FROM json_each(:parents))
        """,
        {"parents": encode(list(parents))},
    )
    await tx.many(
        """
        INSERT INTO research_documents (document_id, workspace_id, parent_type, parent_id, filename, content,
            created_by, extra, created_at, updated_at, version)
        VALUES (:document_id, :workspace_id, :parent_type, :parent_id, :filename, :content, :created_by, :extra,
            :created_at, :now, :version)
        """,
        [
            {**as_dict(row), "document_id": new_id("doc"), "parent_id": parents[row["parent_id"]], "now": tx.now()}
            for row in rows
        ],
    )
