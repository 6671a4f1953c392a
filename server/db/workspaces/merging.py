"""One workspace made part of another: what of the two cannot stand side by side, and the rows that change hands."""

from dataclasses import dataclass

from server.db.gates import approvals
from server.db.ledger.entries import CHANGES
from server.db.storage.connection import Reader, Transaction
from server.db.storage.table_shapes import columns_of_tables
from server.db.workspaces import workspaces
from server.models.base import encode, new_id
from server.models.workspaces import Workspace

APART = ("workspaces", "workspace_aliases")  # they say what a workspace is, and not what it has
# Columns that name the workspace itself, where another column says that they do.
NAMING = (("parent_type", "parent_id"), ("scope", "scope_id"), ("entity_type", "entity_id"))
EXPIRING = ("context_items", "memory_entries", "cache_entries")


@dataclass(frozen=True)
class Unique:
    """What there may be once in a workspace: the column that tells one, the columns of its key, how it is called."""

    table: str
    id: str
    kind: str
    key: tuple[str, ...]
    own: str | None = None  # a column of the key that names the workspace itself


# Content: two of them cannot be told apart any more, and which one is right only a person or an agent knows.
UNIQUE = (
    Unique("context_items", "item_id", "context", ("parent_type", "parent_id", "type"), "parent_id"),
    Unique("research_documents", "document_id", "research", ("parent_type", "parent_id", "filename"), "parent_id"),
    Unique("knowledge", "knowledge_id", "knowledge", ("slug",)),
    Unique("memory_entries", "entry_id", "memory", ("scope", "scope_id", "namespace", "key"), "scope_id"),
    Unique("build_scripts", "script_id", "build_script", ("plan_id", "name")),
)
# What has a present state or a newest entry: of two, that which was told of last counts. No action could remove one.
NEWEST = (
    Unique("artifacts", "artifact_id", "artifact", ("parent_type", "parent_id", "artifact_type", "name"), "parent_id"),
    Unique("task_progress", "progress_id", "progress", ("parent_type", "parent_id", "task_name"), "parent_id"),
    Unique("cache_entries", "entry_id", "cache", ("parent_type", "parent_id", "key"), "parent_id"),
    Unique(
        "metric_points", "point_id", "point", ("parent_type", "parent_id", "name", "category", "bucket"), "parent_id"
    ),
)
SAID = ("path", "ref", "url", "branch", "status", "metadata")  # by an artifact
# Links, and what is remembered of calls: where the target has the same, that of the source goes.
LINKS = {
    "program_workspace_links": ("program_id",),
    "workspace_agents": ("name",),
    "agents": ("agent",),
    "workspace_instructions": ("name",),
    "workspace_skills": ("name",),
    "requests": ("request_id", "agent", "tool", "action"),
}
# They speak of the folder of the source: what was written there, and what a person allowed agents to run there, which
# is no word on another folder. They go with it.
OF_FOLDER = ("deployed_files", "terminal_allowlist")
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
    same = " AND ".join(f"t.{name} IS {_own(one, name)}" for name in one.key)
    live = "".join(f" AND ({row}.expires_at IS NULL OR {row}.expires_at > :now)" for row in "st")
    return f"""
        SELECT {told} AS name, s.{one.id} AS in_source, t.{one.id} AS in_target FROM {one.table} s
        JOIN {one.table} t ON t.workspace_id = :target AND {same}
        WHERE s.workspace_id = :source{live if one.table in EXPIRING else ""}
        ORDER BY 1, 2 LIMIT :limit
    """


def _own(one: Unique, name: str) -> str:
    """Return what a column of a row of the source will be."""
    return f"CASE s.{name} WHEN :source THEN :target ELSE s.{name} END" if name == one.own else f"s.{name}"


async def counts(db: Reader, source: str) -> dict[str, int]:
    """Return how many rows of each table would change hands."""
    tables = [name for name in await _tables(db) if name not in OF_FOLDER]
    parts = (f"SELECT '{name}' AS name, count(*) AS total FROM {name} WHERE workspace_id = :source" for name in tables)
    rows = await db.all(" UNION ALL ".join(parts), {"source": source})
    return {row["name"]: row["total"] for row in rows if row["total"]}


async def move(tx: Transaction, source: Workspace, target: Workspace) -> None:
    """Give everything of a workspace to another one, which stands for it from then on; the caller knows of no clash."""
    ids = {"source": source.workspace_id, "target": target.workspace_id, "now": tx.now()}
    await _make_room(tx, ids)
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


async def _tables(db: Reader) -> dict[str, set[str]]:
    """Return the tables whose rows belong to a workspace, live and archived, with their columns."""
    found = {name: set(columns) for name, columns in (await columns_of_tables(db)).items() if name not in APART}
    return {name: columns for name, columns in found.items() if "workspace_id" in columns}


async def _make_room(tx: Transaction, ids: dict[str, str]) -> None:
    """Remove what would stand in the way and says nothing, or nothing any more."""
    for table in EXPIRING:
        await tx.run(f"DELETE FROM {table} WHERE workspace_id IN (:source, :target) AND expires_at <= :now", ids)
    for one in NEWEST:
        await _keep_newest(tx, one, ids)
    for table in OF_FOLDER:
        await tx.run(f"DELETE FROM {table} WHERE workspace_id = :source", ids)
    for table, key in LINKS.items():
        same = " AND ".join(f"t.{name} = {table}.{name}" for name in key)
        there = f"EXISTS (SELECT 1 FROM {table} t WHERE t.workspace_id = :target AND {same})"
        await tx.run(f"DELETE FROM {table} WHERE workspace_id = :source AND {there}", ids)
    twice = """
        SELECT s.path FROM import_files s JOIN import_files t ON t.path = s.path AND t.workspace_id = :target
        WHERE s.workspace_id = :source
    """
    for table in OF_FILES:
        await tx.run(
            f"UPDATE {table} SET path = :source || '/' || path WHERE workspace_id = :source AND path IN ({twice})", ids
        )


async def _keep_newest(tx: Transaction, one: Unique, ids: dict[str, str]) -> None:
    """Of two of one name keep that which was told of last; what an artifact said before is its history."""
    same = " AND ".join(f"t.{name} IS {_own(one, name)}" for name in one.key)
    is_point = one.table == "metric_points"
    moment = "recorded_at" if is_point else "updated_at"
    current = " AND s.corrected_by IS NULL AND t.corrected_by IS NULL" if is_point else ""
    pairs = await tx.all(
        f"""
        SELECT s.{one.id} AS in_source, t.{one.id} AS in_target, s.{moment} > t.{moment} AS is_newer
        FROM {one.table} s JOIN {one.table} t ON t.workspace_id = :target AND {same}
        WHERE s.workspace_id = :source{current}
        """,
        ids,
    )
    ends = ("in_target", "in_source")
    both = [{"older": row[ends[not row["is_newer"]]], "newer": row[ends[row["is_newer"]]], **ids} for row in pairs]
    if is_point:
        await tx.many("UPDATE metric_points SET corrected_by = :newer WHERE point_id = :older", both)
        return
    if one.table == "artifacts":
        for pair in both:
            await _remember_artifact(tx, pair)
    await tx.many(f"DELETE FROM {one.table} WHERE {one.id} = :older", both)


async def _remember_artifact(tx: Transaction, pair: dict[str, str]) -> None:
    """Put what an artifact said, and what it had said before, into the history of the one that takes its place."""
    for field in SAID:
        await tx.run(
            f"""
            INSERT INTO field_changes (change_id, workspace_id, plan_id, entity_type, entity_id, field, old_value,
                new_value, author, changed_at, created_at)
            SELECT :change_id, :target, n.plan_id, 'artifact', n.artifact_id, '{field}', o.{field}, n.{field}, o.agent,
                n.updated_at, :now
            FROM artifacts o JOIN artifacts n ON n.artifact_id = :newer
            WHERE o.artifact_id = :older AND o.{field} IS NOT n.{field}
            """,
            {**pair, "change_id": new_id(CHANGES.prefix)},
        )
    await tx.run(
        "UPDATE field_changes SET entity_id = :newer WHERE entity_type = 'artifact' AND entity_id = :older", pair
    )


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
