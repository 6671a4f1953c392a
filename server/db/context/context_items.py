"""Tables `context_items` and `context_items_archive`. What expired does not exist."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.db.search.suggestions import not_found
from server.db.storage.connection import Reader, Transaction
from server.db.storage.list_totals import counting
from server.errors import Conflict, NotFound, ProjectMemoryError
from server.models.base import as_dict, encode
from server.models.context import ContextItem, ItemBrief, Parent

# The id, plan and workspace of everything an item can hang on. An agent needs no row: its name is enough.
PARENTS = {
    "workspace": "SELECT workspace_id AS id, NULL AS plan_id, workspace_id FROM workspaces",
    "program": "SELECT program_id AS id, NULL AS plan_id, workspace_id FROM programs",
    "plan": "SELECT plan_id AS id, plan_id, workspace_id FROM plans{0}",
    "phase": "SELECT h.phase_id AS id, h.plan_id, p.workspace_id FROM phases{0} h JOIN plans{0} p USING (plan_id)",
    "step": "SELECT s.step_id AS id, s.plan_id, p.workspace_id FROM steps{0} s JOIN plans{0} p USING (plan_id)",
    "session": "SELECT session_id AS id, plan_id, workspace_id FROM sessions{0}",
    "agent": "SELECT value AS id, NULL AS plan_id, :workspace_id AS workspace_id FROM json_each(:agents)",
}
ARCHIVED = ("plan", "phase", "step", "session")
NEAR = {
    "workspace": ("workspaces", "path"),
    "program": ("programs", "title"),
    "plan": ("plans", "title"),
    "phase": ("phases", "name"),
    "step": ("steps", "task"),
    "session": ("sessions", "agent"),
}
LIVE = "(expires_at IS NULL OR expires_at > :now)"
PLACED, BEHIND = "parent_type, parent_id, type", ":after_kind, :after_parent, :after_type"
HAS_TAGS = """
    NOT EXISTS (SELECT 1 FROM json_each(:tags) t WHERE composed(t.value) NOT IN
        (SELECT composed(value) FROM json_each(tags)))
"""
COLUMNS = (
    "item_id", "workspace_id", "parent_type", "parent_id", "type", "data", "tags", "created_by", "expires_at",
    "created_at", "updated_at", "version",
)  # fmt: skip


@dataclass(frozen=True)
class ParentLocation:
    """Where a parent is: its plan, if it belongs to one, its workspace, and whether it went to the archive."""

    plan_id: str | None
    workspace_id: str
    archived: bool = False


@dataclass(frozen=True)
class Slot:
    """The place of one type of item on a parent, and what is in it. `data` is there when it was asked for."""

    place: ParentLocation
    item: Mapping[str, Any] | None


Key = tuple[str, str, str]  # parent type, parent id, item type


async def slots(db: Reader, wanted: Sequence[Key], *, workspace_id: str | None) -> dict[Key, Slot]:
    """Return the slots among `wanted` whose parent exists and is not archived, in one statement a type of parent.

    `workspace_id` is the one that agents are looked up in.
    """
    found: dict[Key, Slot] = {}
    for kind in dict.fromkeys(key[0] for key in wanted):
        pairs = [[parent_id, item_type] for parent_type, parent_id, item_type in wanted if parent_type == kind]
        rows = await db.all(
            f"""
            SELECT p.id AS slot_parent, w.value ->> 1 AS slot_type, p.plan_id AS slot_plan,
                p.workspace_id AS slot_workspace, c.item_id, c.version, c.expires_at, c.created_at, c.created_by,
                c.updated_at, c.tags, c.data
            FROM json_each(:pairs) w
            JOIN ({PARENTS[kind].format("")}) p ON p.id = w.value ->> 0
            LEFT JOIN context_items c ON c.workspace_id = p.workspace_id AND c.parent_type = :kind
                AND c.parent_id = p.id AND c.type = w.value ->> 1 AND {LIVE}
            """,
            {
                "pairs": encode(pairs),
                "kind": kind,
                "now": db.now(),
                "workspace_id": workspace_id,
                "agents": encode(sorted({pair[0] for pair in pairs})),
            },
        )
        for row in rows:
            item = as_dict(row) if row["item_id"] else None
            found[kind, row["slot_parent"], row["slot_type"]] = Slot(
                ParentLocation(row["slot_plan"], row["slot_workspace"]), item
            )
    return found


async def place(db: Reader, parent: Parent, *, workspace_id: str | None = None) -> ParentLocation:
    """Return where a parent is, live or archived, or raise NotFound. `workspace_id` is the one of agents."""
    if found := await _place(db, parent, workspace_id):
        return found
    table, label = NEAR[parent.parent_type]
    raise await not_found(db, parent.parent_type, parent.parent_id, table=table, label=label)


async def plan_of(db: Reader, item: ContextItem) -> str | None:
    """Return the plan that an item belongs to, if it belongs to one; its parent may be gone."""
    parent = Parent(parent_type=item.parent_type, parent_id=item.parent_id)
    found = await _place(db, parent, item.workspace_id)
    return found.plan_id if found else None


async def _place(db: Reader, parent: Parent, workspace_id: str | None) -> ParentLocation | None:
    kind, parent_id = parent.parent_type, parent.parent_id
    suffixes = ("", "_archive") if kind in ARCHIVED else ("",)
    for suffix in suffixes:
        row = await db.one(
            f"SELECT plan_id, workspace_id FROM ({PARENTS[kind].format(suffix)}) WHERE id = :id",
            {"id": parent_id, "workspace_id": workspace_id, "agents": encode([parent_id])},
        )
        if row:
            return ParentLocation(row["plan_id"], row["workspace_id"], bool(suffix))
    return None


async def why_absent(db: Reader, parent: Parent) -> ProjectMemoryError:
    """Return what is wrong with a parent that has no slots: it is unknown or archived."""
    try:
        found = await place(db, parent)
    except NotFound as error:
        return error
    return Conflict(f"{parent} is archived.").about("archived parent", plan_id=found.plan_id or "")


async def put(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert items, or replace those with the same parent and type. `rows` have all COLUMNS."""
    sql = f"""
        INSERT INTO context_items ({", ".join(COLUMNS)}) VALUES ({", ".join(":" + name for name in COLUMNS)})
        ON CONFLICT (workspace_id, parent_type, parent_id, type)
        DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS)}
    """
    await (tx.run(sql, rows[0]) if len(rows) == 1 else tx.many(sql, rows))


async def get(db: Reader, item_id: str) -> ContextItem:
    """Return an item, of an archived plan too, or raise NotFound."""
    if item := await _one(db, "item_id = :item_id", {"item_id": item_id}):
        return item
    raise await not_found(
        db,
        "item",
        item_id,
        table="context_items",
        label="type",
        where=LIVE,
        now=db.now(),
    )


async def find(db: Reader, parent: Parent, item_type: str, *, workspace_id: str | None) -> ContextItem | None:
    """Return the item of one type on a parent, archived ones too. Agents need `workspace_id`."""
    where = "parent_type = :parent_type AND parent_id = :parent_id AND type = :type"
    scope = " AND workspace_id = :workspace_id" if workspace_id else ""
    return await _one(db, where + scope, {**parent.model_dump(), "type": item_type, "workspace_id": workspace_id})


async def _one(db: Reader, where: str, params: Mapping[str, Any]) -> ContextItem | None:
    row = await db.one(
        f"""
        SELECT *, 0 AS archived FROM context_items WHERE {where} AND {LIVE}
        UNION ALL
        SELECT *, 1 AS archived FROM context_items_archive WHERE {where} AND {LIVE}
        """,
        {**params, "now": db.now()},
    )
    return ContextItem.of(row) if row else None


async def no_such_type(db: Reader, parent: Parent, item_type: str, workspace_id: str) -> NotFound:
    """Return the error for a type that a parent has no item of, with the nearest types it has."""
    briefs, _ = await list_(db, workspace_id=workspace_id, parent=parent, limit=200)
    types = [brief.type for brief in briefs]
    near = difflib.get_close_matches(item_type, types, 5, 0.4) or types[:5]
    return NotFound(
        f"{parent} has no context item of type {item_type[:80]!r}.",
        **({"near": near} if near else {}),
    ).about("context type")


async def list_(
    db: Reader,
    *,
    workspace_id: str,
    parent: Parent | None = None,
    parent_type: str | None = None,
    prefix: str = "",
    tags: Sequence[str] = (),
    after: Sequence[str | int] | None = None,
    limit: int,
) -> tuple[list[ItemBrief], int]:
    """Return items in the order of parent and type, from behind `after` on, and how many there are, up to COUNTED + 1.

    Archived ones are among them only when their parent is named.
    """
    where = f"workspace_id = :workspace_id AND {LIVE} AND substr(type, 1, length(:prefix)) = :prefix"
    where += " AND parent_type = :parent_type" if parent or parent_type else ""
    where += " AND parent_id = :parent_id" if parent else ""
    where += f" AND {HAS_TAGS}" if tags else ""
    # Within one kind of parent it is not part of the order, or no index gives that.
    one_kind = parent or parent_type
    keys, behind = ("parent_id, type", ":after_parent, :after_type") if one_kind else (PLACED, BEHIND)
    source = f"SELECT * FROM context_items WHERE {where}"
    source += f" UNION ALL SELECT * FROM context_items_archive WHERE {where}" if parent else ""
    params = {
        "workspace_id": workspace_id,
        "now": db.now(),
        "parent_type": parent.parent_type if parent else parent_type,
        "parent_id": parent.parent_id if parent else None,
        "prefix": prefix,
        "tags": encode(list(tags)),
        **dict(zip(("after_kind", "after_parent", "after_type"), after or ("", "", ""), strict=True)),
        "limit": limit,
    }
    rows, totals = await db.batch(
        (
            f"""
            SELECT *, length(CAST(data AS BLOB)) AS bytes FROM ({source})
            WHERE ({keys}) > ({behind}) ORDER BY {keys} LIMIT :limit
            """,
            params,
        ),
        (counting(f"FROM ({source})"), params),
    )
    return [ItemBrief.of(row) for row in rows], totals[0][0]


async def delete(tx: Transaction, item_id: str) -> dict[str, Any]:
    """Delete an item and return its row."""
    row = await tx.one("DELETE FROM context_items WHERE item_id = :item_id RETURNING *", {"item_id": item_id})
    assert row is not None  # the caller read it in this transaction
    return as_dict(row)
