"""One workspace made part of another: what of the two cannot stand side by side, and the rows that change hands."""

from server.db.gates import approvals
from server.db.storage.connection import Reader, Transaction
from server.db.storage.table_shapes import columns_of_tables
from server.db.workspaces import giving_way, workspaces
from server.db.workspaces.giving_way import LINKS, Displaced, Unique, will_be
from server.models.base import encode
from server.models.workspaces import Workspace

APART = ("workspaces", "workspace_aliases")  # they say what a workspace is, and not what it has
# Columns that name the workspace itself, where another column says that they do.
NAMING = (("parent_type", "parent_id"), ("scope", "scope_id"), ("entity_type", "entity_id"))
EXPIRING = ("context_items", "memory_entries", "cache_entries")


# Content: two of them cannot be told apart any more, and which one is right only a person or an agent knows.
UNIQUE = (
    Unique("context_items", "item_id", "context", ("parent_type", "parent_id", "type"), "parent_id"),
    Unique("research_documents", "document_id", "research", ("parent_type", "parent_id", "filename"), "parent_id"),
    Unique("knowledge", "knowledge_id", "knowledge", ("slug",)),
    Unique("memory_entries", "entry_id", "memory", ("scope", "scope_id", "namespace", "key"), "scope_id"),
    Unique("build_scripts", "script_id", "build_script", ("plan_id", "name")),
)
# They speak of the folder of the source: what was written there, and what a person allowed agents to run there, which
# is no word on another folder. They go with it.
OF_FOLDER = ("deployed_files", "terminal_allowlist")
STAYING = {
    **dict.fromkeys(EXPIRING, "expires_at <= :now"),
    **{table: giving_way.is_linked(table) for table in LINKS},
    "program_workspace_links": f"""({giving_way.is_linked("program_workspace_links")} OR program_id IN (
        SELECT program_id FROM programs WHERE workspace_id IN (:source, :target)))""",
}  # the rows of the source that do not change hands
OF_FILES = ("import_rows", "import_files")  # in this order: the second says which paths there are twice


async def clashes(db: Reader, source: str, target: str, *, limit: int) -> list[dict[str, str]]:
    """Return what both workspaces have under one key, as kind, name, and the ids of either. What expired is not there.

    Both the key and the content count: equal content is a clash too, since either may be named elsewhere.
    """
    found: list[dict[str, str]] = []
    for one in UNIQUE:
        rows = await db.all(
            _clashing(one), {"source": source, "target": target, "now": db.now(), "limit": limit - len(found)}
        )
        found += [{"kind": one.kind, **dict(row)} for row in rows]
    return found


def _clashing(one: Unique) -> str:
    told = " || ' / ' || ".join(f"coalesce(s.{name}, '')" for name in one.key)
    same = " AND ".join(f"t.{name} IS {will_be(one, name)}" for name in one.key)
    live = "".join(f" AND ({row}.expires_at IS NULL OR {row}.expires_at > :now)" for row in "st")
    return f"""
        SELECT {told} AS name, s.{one.id} AS in_source, t.{one.id} AS in_target FROM {one.table} s
        JOIN {one.table} t ON t.workspace_id = :target AND {same}
        WHERE s.workspace_id = :source{live if one.table in EXPIRING else ""}
        ORDER BY 1, 2 LIMIT :limit
    """


async def counts(db: Reader, source: str, target: str) -> dict[str, int]:
    """Return how many rows of each table would change hands: what gives way, or says nothing any more, does not."""
    ids = {"source": source, "target": target, "now": db.now()}
    tables = [name for name in await _tables(db) if name not in OF_FOLDER]
    parts = (
        f"SELECT '{name}' AS name, count(*) AS total FROM {name} "
        f"WHERE workspace_id = :source AND NOT coalesce({STAYING.get(name, '0')}, 0)"
        for name in tables
    )
    found = {row["name"]: row["total"] for row in await db.all(" UNION ALL ".join(parts), ids)}
    for one in await giving_way.displaced(db, ids):
        found[one.table] -= one.is_moving and one.table not in LINKS
    return {name: total for name, total in found.items() if total}


async def displaced(db: Reader, source: Workspace, target: Workspace) -> list[Displaced]:
    """Return what would give way to something of the same name."""
    ids = {"source": source.workspace_id, "target": target.workspace_id, "now": db.now()}
    return await giving_way.displaced(db, ids)


async def move(tx: Transaction, source: Workspace, target: Workspace) -> list[Displaced]:
    """Give everything of a workspace to another one, which stands for it from then on; the caller knows of no clash.

    Return what gave way to something of the same name, each with its entry in the trash.
    """
    ids = {"source": source.workspace_id, "target": target.workspace_id, "now": tx.now()}
    gave_way = await _make_room(tx, ids)
    await _remember_root(tx, source)
    await _rename_in(tx, "import_rows", "base", "source", ids)  # or an import takes what was merged for edited
    for table, columns in (await _tables(tx)).items():
        for says, names in NAMING:
            if {says, names} <= columns:
                await tx.run(
                    f"UPDATE {table} SET {names} = :target WHERE {says} = 'workspace' AND {names} = :source", ids
                )
        await tx.run(f"UPDATE {table} SET workspace_id = :target WHERE workspace_id = :source", ids)
    await tx.run(
        """
        DELETE FROM program_workspace_links WHERE workspace_id = :target
          AND program_id IN (SELECT program_id FROM programs WHERE workspace_id = :target)
        """,
        ids,
    )
    await approvals.close_of_folder(tx, source.workspace_id)
    await _rename_in(tx, "trash", "data", "target", ids)
    await _join_families(tx, source, target)
    await tx.run("UPDATE workspace_aliases SET workspace_id = :target WHERE workspace_id = :source", ids)
    await tx.run("DELETE FROM workspaces WHERE workspace_id = :source", ids)
    await tx.run(
        "INSERT INTO workspace_aliases (alias, workspace_id, kind, created_at) VALUES (:source, :target, 'id', :now)",
        ids,
    )
    if source.path is not None:
        await workspaces.remember_path(tx, target.workspace_id, source.path, new=target.path)
    return gave_way


async def _tables(db: Reader) -> dict[str, set[str]]:
    """Return the tables whose rows belong to a workspace, live and archived, with their columns."""
    found = {name: set(columns) for name, columns in (await columns_of_tables(db)).items() if name not in APART}
    return {name: columns for name, columns in found.items() if "workspace_id" in columns}


async def _make_room(tx: Transaction, ids: dict[str, str]) -> list[Displaced]:
    """Remove what would stand in the way and says nothing, or nothing any more; the rest of it goes to the trash."""
    for table in EXPIRING:
        await tx.run(f"DELETE FROM {table} WHERE workspace_id IN (:source, :target) AND expires_at <= :now", ids)
    gave_way = await giving_way.make_room(tx, ids)
    for table in OF_FOLDER:
        await tx.run(f"DELETE FROM {table} WHERE workspace_id = :source", ids)
    twice = """
        SELECT s.path FROM import_files s JOIN import_files t ON t.path = s.path AND t.workspace_id = :target
        WHERE s.workspace_id = :source
    """
    for table in OF_FILES:
        await tx.run(
            f"UPDATE {table} SET path = :source || '/' || path WHERE workspace_id = :source AND path IN ({twice})", ids
        )
    return gave_way


async def _remember_root(tx: Transaction, source: Workspace) -> None:
    """Let files in the trash, which are kept as compact JSON, come back to the folder they were in."""
    begin = '{"files":[{'
    await tx.run(
        """
        UPDATE trash SET data = :begin || :root || substr(data, length(:begin) + 1)
        WHERE workspace_id = :source AND entity_type = 'file'
          AND substr(data, 1, length(:begin)) = :begin AND instr(data, '"root":') <> length(:begin) + 1
        """,
        {"source": source.workspace_id, "begin": begin, "root": f'"root":{encode(source.path)},'},
    )


async def _rename_in(tx: Transaction, table: str, column: str, owner: str, ids: dict[str, str]) -> None:
    """Let rows of the `owner` that are kept as compact JSON be of the workspace that there is."""
    data = column
    for name in ("workspace_id", "parent_workspace_id", *(names for _, names in NAMING)):
        data = f"""replace({data}, '"{name}":"' || :source || '"', '"{name}":"' || :target || '"')"""
    where = f"workspace_id = :{owner} AND instr({column}, :source) > 0"
    await tx.run(f"UPDATE {table} SET {column} = {data} WHERE {where}", ids)


async def _join_families(tx: Transaction, source: Workspace, target: Workspace) -> None:
    """Put what was linked below the source below the target, which takes the source's place if it was below it."""
    if source.workspace_id in await workspaces.above(tx, target.workspace_id):
        await _put_below(tx, target.workspace_id, source.parent_workspace_id)
    await tx.run(
        """
        UPDATE workspaces SET parent_workspace_id = :target
        WHERE parent_workspace_id = :source AND workspace_id <> :target
        """,
        {"source": source.workspace_id, "target": target.workspace_id},
    )


async def _put_below(tx: Transaction, workspace_id: str, parent: str | None) -> None:
    await tx.run(
        "UPDATE workspaces SET parent_workspace_id = :parent WHERE workspace_id = :workspace_id",
        {"workspace_id": workspace_id, "parent": parent},
    )
