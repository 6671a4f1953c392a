"""Puts deleted rows back under their old ids, or says what stands in the way."""

from collections.abc import Sequence
from graphlib import TopologicalSorter
from typing import Any

from server.db.audit import trash
from server.db.audit.trash import Rows
from server.db.context import knowledge
from server.db.dependencies import dependencies
from server.db.ledger import tables as ledger
from server.db.plans import phases
from server.db.programs import memberships
from server.db.steps import steps
from server.db.storage.connection import Transaction
from server.db.storage.driver_errors import ConstraintViolation
from server.db.storage.table_shapes import Shape, shape_of
from server.errors import Conflict
from server.models.base import as_dict, encode

Table = list[dict[str, Any]]

# Rows without a foreign key name their parent by its kind: the columns of kind and id, and where parents may be.
POLYMORPHIC = {
    "context_items": ("parent_type", "parent_id"),
    "research_documents": ("parent_type", "parent_id"),
    "memory_entries": ("scope", "scope_id"),
    **dict.fromkeys(ledger.ON_PARENT, ("parent_type", "parent_id")),
    "field_changes": ("entity_type", "entity_id"),
}
# What expired does not exist, so it is in nobody's place: where rows expire, and what names their place.
EXPIRING = {
    "context_items": ("parent_type", "parent_id", "type"),
    "memory_entries": ("scope", "scope_id", "namespace", "key"),
    "cache_entries": ("workspace_id", "parent_type", "parent_id", "key"),
}
# What ships under the name of a definition that comes back gives way to it.
GIVES_WAY = ("agent_definitions", "instruction_files", "skill_definitions")
LATER = "~"  # than any timestamp
KINDS = ("workspace", "program", "plan", "phase", "step", "session")
ARCHIVABLE = ("plans", "phases", "steps")
EDGES = ("dependencies", "dependencies_archive")


async def put_back(tx: Transaction, rows: Rows) -> list[str]:
    """Insert whole rows by table, as they were, and return warnings about what could not come along.

    Whatever exists again in their place, and a parent that is gone, is a Conflict. Dependencies whose other end is
    in the trash too come back with it. Steps and phases go back to their old index.
    """
    wanted = {table: [as_dict(row) for row in found] for table, found in rows.items() if found}
    expired = _leave_out_expired(wanted, tx.now())
    edges = [row for table in EDGES for row in wanted.pop(table, [])]
    kept_out = await _leave_out_members(tx, wanted)
    for row in wanted.get("steps", ()):
        row["waits_for"] = 0  # the triggers count as the dependencies come back
    shapes = {table: await shape_of(tx, table) for table in wanted}
    for table in _in_order(shapes):
        await _refuse_orphans(tx, table, wanted[table], shapes[table])
        await _make_room(tx, table, wanted[table])
        await _refuse_clashes(tx, table, wanted[table], shapes[table])
        await _insert(tx, table, wanted[table])
    await _place(tx, wanted)
    await memberships.rejoin(tx, [row["program_id"] for row in wanted.get("programs", ())])
    await knowledge.relink(tx, wanted.get("knowledge", ()))
    return [*expired, *kept_out, *await _reconnect(tx, edges, wanted)]


def _leave_out_expired(wanted: dict[str, Table], now: str) -> list[str]:
    """Take away what expired meanwhile; where nothing else is left, that is a Conflict."""
    over = [row for table in EXPIRING for row in wanted.get(table, ()) if (row.get("expires_at") or LATER) <= now]
    for table in EXPIRING.keys() & wanted.keys():
        wanted[table] = [row for row in wanted[table] if row not in over]
        if not wanted[table]:
            del wanted[table]
    if over and not wanted:
        raise Conflict(f"It cannot come back: it was to be kept until {over[0]['expires_at']}, which is over.")
    return [f"{len(over)} rows were left out: they expired meanwhile."] if over else []


async def _leave_out_members(tx: Transaction, wanted: dict[str, Table]) -> list[str]:
    """Take away places in programs that are gone, and of plans that are gone or in a program; and gone workspaces."""
    back = {row["program_id"] for row in wanted.get("programs", ())}
    links = wanted.pop("program_workspace_links", [])
    homes = await _known(tx, ("workspaces",), "workspace_id", [row["workspace_id"] for row in links])
    members = wanted.pop("program_plans", [])
    known = back | await _known(tx, ("programs",), "program_id", [row["program_id"] for row in members])
    ids = [row["plan_id"] for row in members]
    plans = {row["plan_id"] for table in ("plans", "plans_archive") for row in wanted.get(table, ())}
    plans |= await _known(tx, ("plans", "plans_archive"), "plan_id", ids)
    plans -= await _known(tx, ("program_plans",), "plan_id", ids)
    kept = [row for row in members if row["program_id"] in known and row["plan_id"] in plans]
    wanted |= {"program_plans": kept} if kept else {}
    linked = [row for row in links if row["workspace_id"] in homes]
    wanted |= {"program_workspace_links": linked} if linked else {}
    lost = len(members) - len(kept) if back else 0
    return [f"{lost} plans were left out: they are in another program now, or deleted."] if lost else []


def _in_order(shapes: dict[str, Shape]) -> list[str]:
    """Return the tables with parents before their children."""
    graph = {table: {key.parent for key in shape.foreign} & shapes.keys() - {table} for table, shape in shapes.items()}
    for table in graph.keys() & POLYMORPHIC.keys():
        graph[table] |= {home for kind in KINDS for home in _homes(table, kind)} & shapes.keys()
    return list(TopologicalSorter(graph).static_order())


async def _refuse_orphans(tx: Transaction, table: str, rows: Table, shape: Shape) -> None:
    """Refuse rows whose parent is gone; where the schema lets go of a parent, let go of it."""
    own = {row[shape.key[0]] for row in rows}
    for foreign in shape.foreign:
        named = [row[foreign.column] for row in rows if row[foreign.column] is not None]
        gone = set(named) - await _known(tx, (foreign.parent,), foreign.parent_key, named)
        gone -= own if foreign.parent == table else set()
        if gone and not foreign.loose:
            raise await _orphaned(tx, foreign.parent, foreign.parent_key, min(gone))
        for row in rows:
            if row[foreign.column] in gone:
                row[foreign.column] = None
    if table in POLYMORPHIC:
        await _refuse_polymorphic_orphans(tx, table, rows)


async def _refuse_polymorphic_orphans(tx: Transaction, table: str, rows: Table) -> None:
    kind_column, id_column = POLYMORPHIC[table]
    for kind in KINDS:
        named = [row[id_column] for row in rows if row[kind_column] == kind]
        if gone := set(named) - await _known(tx, _homes(table, kind), f"{kind}_id", named):
            raise await _orphaned(tx, f"{kind}s", f"{kind}_id", min(gone))


def _homes(table: str, kind: str) -> list[str]:
    """Return where the parent of such a row may be. Memories of an archived plan, and context of its sessions, stay."""
    stays = kind == "session" or (kind == "plan" and table == "memory_entries")
    return [f"{kind}s", f"{kind}s_archive"] if stays else [f"{kind}s"]


async def _orphaned(tx: Transaction, table: str, key: str, parent_id: str) -> Conflict:
    """Return what to do about a parent that is not there."""
    missing = f"It belongs to the {table.removesuffix('s')} {parent_id}, which "
    archive = f"{table}_archive"
    if table in ARCHIVABLE and await _known(tx, [archive], key, [parent_id]):
        return Conflict(missing + "is archived.").about("archived home")
    if trash_id := await trash.holding(tx, table, key, parent_id):
        return Conflict(f"{missing}is in the trash too. Restore trash_id={trash_id!r} first.", trash_id=trash_id)
    return Conflict(missing + "does not exist any more, so it cannot come back.")


async def _refuse_clashes(tx: Transaction, table: str, rows: Table, shape: Shape) -> None:
    """Refuse rows of which one with the same key exists."""
    for columns in shape.unique:
        keys = [key for row in rows if None not in (key := [row[column] for column in columns])]
        if not keys:
            continue
        taken = await tx.one(
            f"SELECT {', '.join(columns)} FROM {table} WHERE {_in_keys(columns)}"
            + (" AND origin <> 'shipped'" if table in GIVES_WAY else ""),
            {"keys": encode(keys)},
        )
        if taken:
            what = ", ".join(f"{column} {taken[column]!r}" for column in columns)
            raise Conflict(
                f"It cannot come back: {table} has {what} again. Delete or rename what is there, then restore.",
                table=table,
                taken=dict(taken),
            )


def _in_keys(columns: Sequence[str]) -> str:
    values = ", ".join(f"value ->> {i}" for i in range(len(columns)))
    return f"({', '.join(columns)}) IN (SELECT {values} FROM json_each(:keys))"


async def _make_room(tx: Transaction, table: str, rows: Table) -> None:
    if columns := EXPIRING.get(table):
        keys = [[row[column] for column in columns] for row in rows]
        await tx.run(
            f"DELETE FROM {table} WHERE {_in_keys(columns)} AND expires_at <= :now",
            {"keys": encode(keys), "now": tx.now()},
        )


async def _insert(tx: Transaction, table: str, rows: Table) -> None:
    names = list(rows[0])
    taking = ", ".join(f"{name} = excluded.{name}" for name in names if name not in ("name", "shipped_hash"))
    instead = f" ON CONFLICT (name) DO UPDATE SET {taking} WHERE origin = 'shipped'" if table in GIVES_WAY else ""
    marks = ", ".join(":" + name for name in names)
    try:
        await tx.many(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks}){instead}", rows)
        await tx.settle()
    except ConstraintViolation as error:
        raise Conflict(
            f"It cannot come back: {table} has another in its place ({error}). Delete that first."
        ) from error


async def _known(tx: Transaction, tables: Sequence[str], column: str, values: Sequence[Any]) -> set[Any]:
    """Return those of `values` that a column of one of the tables holds."""
    if not values:
        return set()
    query = " UNION ALL ".join(
        f"SELECT {column} FROM {table} WHERE {column} IN (SELECT value FROM json_each(:values))" for table in tables
    )
    return {row[0] for row in await tx.all(query, {"values": encode(list(dict.fromkeys(values)))})}


async def _place(tx: Transaction, wanted: dict[str, Table]) -> None:
    """Put steps and phases of plans that are there already back to their old index; later ones move up."""
    whole = {row["plan_id"] for row in wanted.get("plans", ())}
    for table in ("phases", "steps"):
        found = wanted.get(table, [])
        for plan_id in {row["plan_id"] for row in found} - whole:
            order = await _merged(tx, table, plan_id, [row for row in found if row["plan_id"] == plan_id])
            if table == "steps":
                await steps.set_order(tx, plan_id, order)
            else:
                await phases.set_order(tx, order)


async def _merged(tx: Transaction, table: str, plan_id: str, back: Table) -> list[str]:
    """Return the ids of a plan's rows in order, with each of `back` at its old index."""
    key = f"{table.removesuffix('s')}_id"
    rows = await tx.all(
        f"SELECT {key} FROM {table} WHERE plan_id = :plan_id ORDER BY order_index, {key}", {"plan_id": plan_id}
    )
    ids = {row[key] for row in back}
    order = [row[0] for row in rows if row[0] not in ids]
    for row in sorted(back, key=lambda row: row["order_index"]):
        order.insert(row["order_index"], row[key])
    return order


async def _reconnect(tx: Transaction, edges: Table, wanted: dict[str, Table]) -> list[str]:
    """Bring dependencies back, where both ends exist, and their state up to date."""
    back = await dependencies.put_back(tx, edges)
    nodes = [
        (kind, row[f"{kind}_id"])
        for kind in ("plan", "phase", "step")
        for table in (f"{kind}s", f"{kind}s_archive")
        for row in wanted.get(table, ())
    ]
    joined = [("phase", row["phase_id"]) for row in wanted.get("steps", ())]
    programs = [
        ("program", row["program_id"]) for table in ("programs", "program_plans") for row in wanted.get(table, ())
    ]
    targets = [(row["target_type"], row["target_id"]) for row in back]
    await dependencies.refresh(tx, [*nodes, *joined, *programs, *targets])
    there = {row["dependency_id"] for row in back}
    return await _hand_on(tx, [row for row in edges if row["dependency_id"] not in there])


async def _hand_on(tx: Transaction, edges: Table) -> list[str]:
    """Let dependencies come back with their other end, where that is in the trash, or warn that they are lost."""
    later: dict[str, Table] = {}
    for row in edges:
        if trash_id := await _other_end(tx, row):
            later.setdefault(trash_id, []).append(row)
    for trash_id, rows in later.items():
        await trash.add(tx, trash_id, "dependencies", rows)
    lost = len(edges) - sum(map(len, later.values()))
    told = [f"{len(rows)} dependencies come back when trash_id={trash_id!r} does." for trash_id, rows in later.items()]
    return [*told, *([f"{lost} dependencies were left out: what they name is gone."] if lost else [])]


async def _other_end(tx: Transaction, edge: dict[str, Any]) -> str | None:
    for kind, node_id in dependencies.edge_of(edge):
        if trash_id := await trash.holding(tx, f"{kind}s", f"{kind}_id", node_id):
            return trash_id
    return None
