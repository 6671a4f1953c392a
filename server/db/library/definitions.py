"""Tables `agent_definitions`, `instruction_files` and `skill_definitions`: one library, in which a name is given once.

A definition of one workspace is there for no other one.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from server.db.search.suggestions import MOST
from server.db.storage.connection import Reader, Transaction
from server.errors import NotFound
from server.models.base import encode
from server.models.library import LibraryItem, LibraryKind
from server.text.names import folded

KINDS: tuple[LibraryKind, ...] = get_args(LibraryKind)
TABLES: dict[LibraryKind, str] = {
    "agent": "agent_definitions",
    "instruction": "instruction_files",
    "skill": "skill_definitions",
}
COMMON = ("name", "description", "body", "metadata")
# What of its text a table of each kind has in columns.
COLUMNS: dict[LibraryKind, tuple[str, ...]] = {
    "agent": COMMON,
    "instruction": (*COMMON, "applies_to"),
    "skill": (*COMMON, "category", "tags", "languages", "frameworks"),
}
JSON = {"metadata", "applies_to", "tags", "languages", "frameworks"}
VISIBLE = "(workspace_id IS NULL OR workspace_id = :workspace_id)"


async def all_(db: Reader, workspace_id: str | None, kinds: Iterable[LibraryKind] = KINDS) -> list[LibraryItem]:
    """Return all definitions that a workspace sees, by kind and name."""
    wanted = list(kinds)
    params = {"workspace_id": workspace_id}
    found = await db.batch(
        *((f"SELECT * FROM {TABLES[kind]} WHERE {VISIBLE} ORDER BY folded(name), name", params) for kind in wanted)
    )
    return [_made(kind, row) for kind, rows in zip(wanted, found, strict=True) for row in rows]


def _made(kind: LibraryKind, row: Any) -> LibraryItem:
    return LibraryItem.of({**dict(row), "kind": kind})


async def find(db: Reader, kind: LibraryKind, name: str, workspace_id: str | None) -> LibraryItem | None:
    """Return a definition that a workspace sees by its name, in capitals or not."""
    params = {"name": name, "workspace_id": workspace_id}
    for is_it in ("name = :name", "folded(name) = folded(:name)"):
        query = f"SELECT * FROM {TABLES[kind]} WHERE {is_it} AND {VISIBLE} ORDER BY name LIMIT 1"
        if row := await db.one(query, params):
            return _made(kind, row)
    return None


async def require(db: Reader, kind: LibraryKind, name: str, workspace_id: str | None) -> LibraryItem:
    """Return a definition, or raise NotFound with up to five near ones."""
    if found := await find(db, kind, name, workspace_id):
        return found
    raise await missing(db, kind, name, workspace_id)


async def missing(db: Reader, kind: LibraryKind, name: str, workspace_id: str | None) -> NotFound:
    rows = await all_(db, workspace_id, [kind])
    likely = near(rows, name)
    names = ", ".join(row.name for row in rows) if len(rows) <= 20 else f"{len(rows)} of them"
    return NotFound(
        f"There is no {kind} definition {name[:80]!r}. Defined are: {names or 'none'}.",
        **({"near": [{f"{kind}_name": row.name, "description": row.description} for row in likely]} if likely else {}),
    ).about("definition", of=kind)


def near(rows: Sequence[LibraryItem], name: str) -> list[LibraryItem]:
    """Return the definitions that a name may mean, the likeliest first."""
    told = {folded(row.name): row for row in rows}
    wanted = folded(name)
    likely = [key for key in told if wanted in key] + difflib.get_close_matches(wanted, list(told), MOST, 0.5)
    return [told[key] for key in list(dict.fromkeys(likely))[:MOST]]


async def names(db: Reader, kind: LibraryKind) -> dict[str, str | None]:
    """Return the names that are given, those of all workspaces too, and which workspace each belongs to."""
    rows = await db.all(f"SELECT name, workspace_id FROM {TABLES[kind]}")
    return {row["name"]: row["workspace_id"] for row in rows}


async def owner(db: Reader, kind: LibraryKind, name: str) -> str | None:
    """Return the workspace that a name belongs to; None if that is every one, or none has it."""
    return await db.value(
        f"""
        SELECT workspace_id FROM {TABLES[kind]} WHERE folded(name) = folded(:name)
        ORDER BY name <> :name, workspace_id IS NOT NULL LIMIT 1
        """,
        {"name": name},
    )


async def insert(
    tx: Transaction,
    kind: LibraryKind,
    values: Mapping[str, Any],
    *,
    workspace_id: str | None,
    imported_from: str | None,
) -> LibraryItem:
    """Store a definition that somebody made. `values` are the columns of its text, and its `content_hash`."""
    row = stored(values) | {"workspace_id": workspace_id, "imported_from": imported_from, "origin": "user"}
    row |= {"created_at": tx.now(), "updated_at": tx.now()}
    marks = ", ".join(f":{name}" for name in row)
    found = await tx.one(f"INSERT INTO {TABLES[kind]} ({', '.join(row)}) VALUES ({marks}) RETURNING *", row)
    return _made(kind, found)


async def update(tx: Transaction, old: LibraryItem, values: Mapping[str, Any]) -> LibraryItem:
    """Change a definition. One that ships is a user's from then on, and remembers from which text it was made."""
    row = stored(values) | {"origin": "user", "updated_at": tx.now()}
    if old.origin == "shipped":
        row["based_on"] = old.shipped_hash
    return await _changed(tx, old, row)


async def set_back(tx: Transaction, old: LibraryItem, values: Mapping[str, Any]) -> LibraryItem:
    """Let a definition be what ships under its name: `values` are of that file."""
    row = stored(values) | {"origin": "shipped", "updated_at": tx.now(), "based_on": None, "imported_from": None}
    return await _changed(tx, old, row | {"shipped_hash": values["content_hash"], "workspace_id": None})


async def _changed(tx: Transaction, old: LibraryItem, row: Mapping[str, Any]) -> LibraryItem:
    changes = ", ".join(f"{name} = :{name}" for name in row)
    sql = f"UPDATE {TABLES[old.kind]} SET {changes}, version = version + 1 WHERE name = :old_name RETURNING *"
    return _made(old.kind, await tx.one(sql, {**row, "old_name": old.name}))


async def row_of(db: Reader, found: LibraryItem) -> dict[str, list[dict[str, Any]]]:
    """Return the row of a definition by its table."""
    row = await db.one(f"SELECT * FROM {TABLES[found.kind]} WHERE name = :name", {"name": found.name})
    return {TABLES[found.kind]: [dict(row)]} if row else {}


async def delete(tx: Transaction, old: LibraryItem) -> dict[str, list[dict[str, Any]]]:
    """Delete a definition with what assigns it, and return the rows by table."""
    params = {"name": old.name}
    ties = ASSIGNED[old.kind]
    rows, assigned = await tx.batch(
        (f"SELECT * FROM {TABLES[old.kind]} WHERE name = :name", params),
        (f"SELECT * FROM {ties} WHERE name = :name", params),
    )
    await tx.run(f"DELETE FROM {TABLES[old.kind]} WHERE name = :name", params)
    return {TABLES[old.kind]: [dict(row) for row in rows], ties: [dict(row) for row in assigned]}


ASSIGNED: dict[LibraryKind, str] = {
    "agent": "workspace_agents",
    "instruction": "workspace_instructions",
    "skill": "workspace_skills",
}


def stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as their columns hold them."""
    return {name: encode(value) if name in JSON else value for name, value in values.items()}


def columns_of(kind: LibraryKind, found: LibraryItem) -> dict[str, Any]:
    """Return the columns of a definition's text."""
    return {name: getattr(found, name) for name in COLUMNS[kind]}


async def assigned(db: Reader, workspace_id: str, kinds: Sequence[LibraryKind] = KINDS) -> list[dict[str, Any]]:
    """Return what a workspace uses: kind, name, notes, created_at; by kind, in the order in which it was assigned."""
    params = {"workspace_id": workspace_id}
    query = "SELECT name, notes, created_at FROM {} WHERE workspace_id = :workspace_id ORDER BY created_at, name"
    found = await db.batch(*((query.format(ASSIGNED[kind]), params) for kind in kinds))
    return [{"kind": kind, **dict(row)} for kind, rows in zip(kinds, found, strict=True) for row in rows]


async def assign(tx: Transaction, found: LibraryItem, workspace_id: str, notes: str | None) -> tuple[bool, bool]:
    """Let a workspace use a definition. Return whether that is new, and whether anything changed."""
    table, params = ASSIGNED[found.kind], {"workspace_id": workspace_id, "name": found.name}
    old = await tx.one(f"SELECT notes FROM {table} WHERE workspace_id = :workspace_id AND name = :name", params)
    if old and notes in (None, old["notes"]):
        return False, False
    await tx.run(
        f"""
        INSERT INTO {table} (workspace_id, name, notes, created_at) VALUES (:workspace_id, :name, :notes, :now)
        ON CONFLICT (workspace_id, name) DO UPDATE SET notes = excluded.notes
        """,
        {**params, "notes": notes, "now": tx.now()},
    )
    return old is None, True


async def unassign(tx: Transaction, found: LibraryItem, workspace_id: str) -> bool:
    """Let a workspace use a definition no more, and return whether it did."""
    sql = f"DELETE FROM {ASSIGNED[found.kind]} WHERE workspace_id = :workspace_id AND name = :name RETURNING name"
    return await tx.one(sql, {"workspace_id": workspace_id, "name": found.name}) is not None
