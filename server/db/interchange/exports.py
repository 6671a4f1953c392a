"""Reads everything there is for the exporters: whole rows of one snapshot, no more at a time than belongs together.

Every row of every table that is not derived is in exactly one of the parts: a plan's, a program's, a workspace's own
things, what belongs to no workspace, and, a page at a time, the logs and the ledger of imports. Only a run of an import
is in the ledger of each workspace that it brought something to.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio

from server.db.ledger import tables as work
from server.db.plans.plan_archive import ARCHIVE, FAMILY, OF_PLAN
from server.db.plans.plans import IS_SHOWN
from server.db.storage.clock import Clock
from server.db.storage.connection import Database, Reader
from server.db.storage.driver import NO_PARAMS, Params, Statement, connected
from server.errors import ProjectMemoryError
from server.models.base import as_dict

Rows = dict[str, list[dict[str, Any]]]  # table -> whole rows
Source = tuple[str, str, Params]  # table, condition, its values

# Made from the code or from other tables, of use for a day, or of this installation alone: they are never exported.
DERIVED = {
    "_migrations",
    "seeds",
    "tools",
    "tool_actions",
    "tool_action_params",
    "requests",
    "settings",
    "server_runs",
    "file_changes",
    "tokens",  # these three let somebody in here, and nowhere else
    "web_links",
    "web_sessions",
    "trimmed_logs",
    "imported_logs",
    "upkeep_turns",
    "check_findings",
    "terminal_allowlist",  # what a human allowed here, no import may allow
}
DERIVED_PREFIX = "search_"
PAGE = 1000

ALL_PLANS = """(
    SELECT plan_id, workspace_id, title, status, 0 AS archived FROM plans
    UNION ALL SELECT plan_id, workspace_id, title, status, 1 FROM plans_archive
)"""
KNOWN_PLAN = f"EXISTS (SELECT 1 FROM {ALL_PLANS} AS p WHERE p.plan_id = {{0}}.plan_id)"
SESSIONS = """(SELECT * FROM (
    SELECT 'session', session_id FROM sessions WHERE plan_id = :plan_id
    UNION ALL SELECT 'session', session_id FROM sessions_archive WHERE plan_id = :plan_id
))"""
OF_SESSIONS = f"(parent_type, parent_id) IN {SESSIONS}"
PLAN = (
    *FAMILY.items(),
    *((table + ARCHIVE, where) for table, where in FAMILY.items()),
    ("context_items", OF_SESSIONS),
    ("research_documents", OF_SESSIONS),
    ("memory_entries", "scope = 'plan' AND scope_id = :plan_id"),
    ("step_counts", OF_PLAN),
)

# What the page of one step shows; {0} stands for the archive, where the plan is in it.
OF_STEP = "plan_id = :plan_id AND step_id = :step_id"
ABOUT_STEP = "parent_type = 'step' AND parent_id = :step_id"
WAITS = "source_type = 'step' AND source_id = :step_id"
STEP = {
    "plans": OF_PLAN,
    "phases": f"phase_id = (SELECT phase_id FROM steps{{0}} WHERE {OF_STEP})",
    "steps": f"""plan_id = :plan_id AND step_id IN (
        SELECT :step_id UNION ALL SELECT target_id FROM dependencies{{0}} WHERE {WAITS})""",
    "confirmations": OF_STEP,
    "dependencies": WAITS,
    "context_items": ABOUT_STEP,
    "research_documents": ABOUT_STEP,
    "step_file_edits": OF_STEP,
    **dict.fromkeys(("decisions", "quality_gates"), OF_STEP),
}

OF_PROGRAM = "program_id = :program_id"
PROGRAM = (
    ("programs", OF_PROGRAM),
    ("program_plans", OF_PROGRAM),
    ("program_workspace_links", OF_PROGRAM),
    ("program_risks", OF_PROGRAM),
    ("dependencies", "source_type = 'program' AND source_id = :program_id"),
    ("context_items", "parent_type = 'program' AND parent_id = :program_id"),
    ("research_documents", "parent_type = 'program' AND parent_id = :program_id"),
    *work.of("program", "(:program_id)").items(),
)

OF_WORKSPACE = "workspace_id = :workspace_id"
# What hangs on no plan and no program: on the workspace, on an agent, on a session without a plan.
OWN = f"""workspace_id = :workspace_id AND (parent_type IN ('workspace', 'agent') OR (
    parent_type = 'session' AND NOT EXISTS (
        SELECT 1 FROM sessions s WHERE s.session_id = parent_id AND {KNOWN_PLAN.format("s")}
        UNION ALL SELECT 1 FROM sessions_archive s WHERE s.session_id = parent_id AND {KNOWN_PLAN.format("s")}
    )
))"""
WITHOUT_PLAN = f"{OF_WORKSPACE} AND plan_id IS NULL"
OF_A_PROGRAM = """(entity_type = 'program' OR (entity_type = 'artifact' AND entity_id IN (
    SELECT artifact_id FROM artifacts WHERE parent_type = 'program')))"""
WORKSPACE = (
    ("workspaces", OF_WORKSPACE),
    ("workspace_aliases", OF_WORKSPACE),
    ("sessions", f"{OF_WORKSPACE} AND NOT {KNOWN_PLAN.format('sessions')}"),
    ("lineage", WITHOUT_PLAN),
    ("messages", OF_WORKSPACE),
    ("file_reservations", OF_WORKSPACE),
    ("checkpoints", WITHOUT_PLAN),
    ("context_items", OWN),
    ("research_documents", OWN),
    ("knowledge", OF_WORKSPACE),
    ("memory_entries", f"{OF_WORKSPACE} AND scope NOT IN ('plan', 'global')"),
    ("build_scripts", WITHOUT_PLAN),
    ("approvals", WITHOUT_PLAN),
    *((table, WITHOUT_PLAN) for table in ("runs", "decisions", "tool_calls", "quality_gates")),
    *((table, f"{WITHOUT_PLAN} AND parent_type <> 'program'") for table in work.ON_PARENT),
    ("field_changes", f"{WITHOUT_PLAN} AND NOT {OF_A_PROGRAM}"),
    ("agents", OF_WORKSPACE),
    ("workspace_instructions", OF_WORKSPACE),
    ("workspace_skills", OF_WORKSPACE),
    ("workspace_agents", OF_WORKSPACE),
    ("deployed_files", OF_WORKSPACE),
    ("agent_definitions", OF_WORKSPACE),
    ("instruction_files", OF_WORKSPACE),
    ("skill_definitions", OF_WORKSPACE),
    ("trash", OF_WORKSPACE),
)

NO_WORKSPACE = "(workspace_id IS NULL OR workspace_id NOT IN (SELECT workspace_id FROM workspaces))"
GLOBAL = (
    ("memory_entries", "scope = 'global' OR (workspace_id IS NULL AND scope <> 'plan')"),
    ("agent_definitions", "origin = 'user' AND workspace_id IS NULL"),
    ("instruction_files", "origin = 'user' AND workspace_id IS NULL"),
    ("skill_definitions", "origin = 'user' AND workspace_id IS NULL"),
    ("trash", NO_WORKSPACE),
)
# Only such files can be given back: the documents of another database are not.
KEPT = """EXISTS (SELECT 1 FROM import_files f WHERE f.workspace_id = import_rows.workspace_id
    AND f.path = import_rows.path AND f.raw IS NOT NULL)"""
LOGS = {"event_log": "event_id", "update_log": "log_id"}
LEDGER = {"import_files": ("file_id",), "import_rows": ("table_name", "row_key")}


@asynccontextmanager
async def snapshot(db: Database) -> AsyncGenerator[Reader]:
    """Yield a reader of the database as it is now, whatever others write meanwhile.

    It has a connection of its own, since its read transaction lasts over many hops.
    """
    async with connected(db.path) as connection:
        reader = Reader(connection, Clock())
        await reader.batch(("PRAGMA query_only = ON", NO_PARAMS), ("BEGIN", NO_PARAMS))
        try:
            yield reader
        finally:
            with anyio.CancelScope(shield=True):
                await connection.rollback()


async def schema_version(db: Reader) -> int:
    return await db.value("PRAGMA user_version")


async def workspaces(db: Reader) -> list[str]:
    """Return the ids of all workspaces, parents before their children as far as they are older."""
    rows = await db.all("SELECT workspace_id FROM workspaces WHERE importing IS NULL ORDER BY created_at, workspace_id")
    return [row["workspace_id"] for row in rows]


async def plans(db: Reader, workspace_id: str) -> list[str]:
    """Return the ids of all plans of a workspace, live and archived."""
    query = f"SELECT plan_id FROM {ALL_PLANS} AS p WHERE {OF_WORKSPACE} ORDER BY plan_id"
    return [row["plan_id"] for row in await db.all(query, {"workspace_id": workspace_id})]


async def programs(db: Reader, workspace_id: str) -> list[str]:
    query = f"SELECT program_id FROM programs WHERE {OF_WORKSPACE} ORDER BY program_id"
    return [row["program_id"] for row in await db.all(query, {"workspace_id": workspace_id})]


async def workspace_of(db: Reader, plan_id: str) -> str | None:
    """Return the workspace of a plan, live or archived, or None if there is no such plan."""
    query = f"SELECT workspace_id FROM {ALL_PLANS} AS p WHERE {OF_PLAN} AND {IS_SHOWN.format('p')}"
    return await db.value(query, {"plan_id": plan_id})


async def plan(db: Reader, plan_id: str) -> Rows:
    """Return every row that belongs to a plan, live or archived; those of the archive under their table's own name."""
    return await _rows(db, [(table, where, {"plan_id": plan_id}) for table, where in PLAN])


async def step(db: Reader, plan_id: str, step_id: str, suffix: str) -> Rows:
    """Return a step with its plan, its phase, what it waits for and what is kept for it."""
    params = {"plan_id": plan_id, "step_id": step_id}
    return await _rows(db, [(table + suffix, where.format(suffix), params) for table, where in STEP.items()])


async def program(db: Reader, program_id: str) -> Rows:
    return await _rows(db, [(table, where, {"program_id": program_id}) for table, where in PROGRAM])


async def workspace_head(db: Reader, workspace_id: str) -> dict[str, Any]:
    """Return what tells a workspace where there is nothing else of it."""
    row = await db.one(f"SELECT name, path FROM workspaces WHERE {OF_WORKSPACE}", {"workspace_id": workspace_id})
    return as_dict(row) if row else {}


async def workspace(db: Reader, workspace_id: str) -> Rows:
    """Return what a workspace has besides its plans, its programs, its logs and its ledger."""
    return await _rows(db, [(table, where, {"workspace_id": workspace_id}) for table, where in WORKSPACE])


async def everywhere(db: Reader) -> Rows:
    """Return what belongs to no workspace. What comes with the server is left out."""
    return await _rows(db, [(table, where, NO_PARAMS) for table, where in GLOBAL])


async def logs(db: Reader, workspace_id: str | None) -> AsyncGenerator[Rows]:
    """Yield the logs of a workspace, or those of none, a page of one table at a time, oldest first."""
    for table, key in LOGS.items():
        async for rows in _pages(db, table, (key,), workspace_id):
            yield {table: rows}


async def ledger(db: Reader, workspace_id: str | None) -> AsyncGenerator[Rows]:
    """Yield what is known of imported files, page by page: first the runs they came with, as a whole."""
    where = f"{_in(workspace_id)} OR run_id IN (SELECT run_id FROM import_files WHERE {_in(workspace_id)})"
    runs = await _rows(db, [("import_runs", where, {"workspace_id": workspace_id} if workspace_id else NO_PARAMS)])
    if runs:
        yield runs
    for table, keys in LEDGER.items():
        async for rows in _pages(db, table, keys, workspace_id):
            yield {table: rows}


def _in(workspace_id: str | None) -> str:
    return OF_WORKSPACE if workspace_id else NO_WORKSPACE


async def _pages(
    db: Reader, table: str, keys: Sequence[str], workspace_id: str | None
) -> AsyncGenerator[list[dict[str, Any]]]:
    """Yield the rows of a table in the order of its key."""
    after: dict[str, Any] = {}
    place = f"({', '.join(keys)})"
    while True:
        further = f"AND {place} > ({', '.join(f':{key}' for key in keys)})" if after else ""
        rows = await db.all(
            f"SELECT * FROM {table} WHERE {_in(workspace_id)} {further} ORDER BY {', '.join(keys)} LIMIT {PAGE}",
            {"workspace_id": workspace_id, **after} if workspace_id else after,
        )
        if rows:
            yield [as_dict(row) for row in rows]
        if len(rows) < PAGE:
            return
        after = {key: rows[-1][key] for key in keys}


async def _rows(db: Reader, sources: Sequence[Source]) -> Rows:
    """Return the rows of each table that has some, in an order that does not depend on the file's layout."""
    found: Rows = {}
    for (table, _, _), rows in zip(sources, await _at_once(db, [_statement(one) for one in sources]), strict=True):
        found.setdefault(table, []).extend(as_dict(row) for row in rows)
    return {table: sorted(rows, key=_place) for table, rows in found.items() if rows}


async def _at_once(db: Reader, statements: Sequence[Statement]) -> list[list[Any]]:
    """Run statements on one state of the database, inside of a transaction or outside of any."""
    try:
        found = await db.batch(("SAVEPOINT export", NO_PARAMS), *statements, ("RELEASE export", NO_PARAMS))
    except ProjectMemoryError:
        await db.batch(("ROLLBACK TO export", NO_PARAMS), ("RELEASE export", NO_PARAMS))
        raise
    return found[1:-1]


def _statement(source: Source) -> Statement:
    table, where, params = source
    return f"SELECT * FROM {table} WHERE {where}", params


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    """Sort by index where there is one, then by the key, which is in the first two columns of every table."""
    return (row.get("order_index") or 0, *map(str, list(row.values())[:2]))


def tables() -> Iterator[str]:
    """Yield the tables whose rows the functions here return."""
    for sources in (PLAN, PROGRAM, WORKSPACE, GLOBAL):
        yield from (table for table, _ in sources)
    yield from (*LOGS, *LEDGER, "import_runs")


async def imported(db: Reader, workspace_id: str | None) -> list[dict[str, Any]]:
    """Return the imported files of a workspace, or of none, whose bytes were kept, in the order of their paths."""
    where = OF_WORKSPACE if workspace_id else "workspace_id IS NULL"
    rows = await db.all(
        f"""
        SELECT file_id, path, modified_at FROM import_files WHERE {where} AND raw IS NOT NULL ORDER BY path
        """,
        {"workspace_id": workspace_id} if workspace_id else NO_PARAMS,
    )
    return [as_dict(row) for row in rows]


async def imported_by(db: Reader, workspace_id: str | None, layout: str) -> list[dict[str, Any]]:
    """Return the files of a workspace, or of none, that imports of a layout read, in the order of their paths."""
    where = "f.workspace_id = :workspace_id" if workspace_id else "f.workspace_id IS NULL"
    rows = await db.all(
        f"""
        SELECT f.file_id, f.path, f.modified_at, coalesce(length(f.raw), 0) > 0 AS is_kept
        FROM import_files f JOIN import_runs r ON r.run_id = f.run_id
        WHERE {where} AND r.layout = :layout ORDER BY f.path
        """,
        {"workspace_id": workspace_id, "layout": layout},
    )
    return [as_dict(row) for row in rows]


async def raw(db: Reader, file_id: str) -> bytes | None:
    """Return the compressed bytes of an imported file."""
    return await db.value("SELECT raw FROM import_files WHERE file_id = :file_id", {"file_id": file_id})


async def origins(db: Reader, workspace_id: str, folder: str = "") -> list[dict[str, Any]]:
    """Return what an import made of the files below a folder of a workspace, as it made it, but for the logs."""
    rows = await db.all(
        f"""
        SELECT table_name, row_key, path, json_path, base FROM import_rows
        WHERE {OF_WORKSPACE} AND path >= :first AND path < :last AND table_name NOT IN ('event_log', 'update_log')
          AND {KEPT}
        ORDER BY path, table_name, row_key
        """,
        {"workspace_id": workspace_id, "first": folder, "last": f"{folder}\U0010ffff"},
    )
    return [as_dict(row) for row in rows]


async def own_origins(db: Reader, workspace_id: str) -> list[dict[str, Any]]:
    """Return what an import made of the files of a workspace that belong to no plan and no program."""
    rows = await db.all(
        f"""
        SELECT table_name, row_key, path, json_path, base FROM import_rows
        WHERE {OF_WORKSPACE} AND table_name NOT IN ('event_log', 'update_log') AND {KEPT}
          AND NOT (path >= 'plans/' AND path < 'plans0') AND NOT (path >= 'programs/' AND path < 'programs0')
        ORDER BY path, table_name, row_key
        """,
        {"workspace_id": workspace_id},
    )
    return [as_dict(row) for row in rows]


async def imported_programs(db: Reader, workspace_id: str) -> set[str]:
    query = f"SELECT row_key FROM import_rows WHERE table_name = 'programs' AND {OF_WORKSPACE} AND {KEPT}"
    return {row["row_key"] for row in await db.all(query, {"workspace_id": workspace_id})}


async def imported_dependencies(db: Reader, workspace_id: str) -> set[str]:
    """Return the ids of the dependencies that stood in files of a workspace."""
    query = f"SELECT row_key FROM import_rows WHERE table_name = 'dependencies' AND {OF_WORKSPACE} AND {KEPT}"
    return {row["row_key"] for row in await db.all(query, {"workspace_id": workspace_id})}


async def plan_folders(db: Reader, workspace_id: str) -> dict[str, str]:
    """Return the paths of the files that the plans of a workspace were imported from, by plan."""
    query = f"SELECT row_key, path FROM import_rows WHERE table_name = 'plans' AND {OF_WORKSPACE} AND {KEPT}"
    return {row["row_key"]: row["path"] for row in await db.all(query, {"workspace_id": workspace_id})}


async def foreign_plans(db: Reader, system: str, mark: str) -> list[dict[str, Any]]:
    """Return the plans that came from a system, each with its id there and whether the file `mark` made it."""
    rows = await db.all(
        """
        SELECT p.*, EXISTS (
            SELECT 1 FROM import_rows r WHERE r.table_name = 'plans' AND r.row_key = p.plan_id AND r.path = :mark
        ) AS is_marked
        FROM (SELECT plan_id, external_id, source_system FROM plans
              UNION ALL SELECT plan_id, external_id, source_system FROM plans_archive) AS p
        WHERE p.source_system = :system OR is_marked ORDER BY p.plan_id
        """,
        {"system": system, "mark": mark},
    )
    return [as_dict(row) for row in rows]


async def plan_bases(db: Reader, workspace_id: str) -> dict[str, bool]:
    """Return which of the imported plans of a workspace were archived when they came."""
    rows = await db.all(
        f"""
        SELECT row_key, base ->> 'archived_at' IS NOT NULL AS archived FROM import_rows
        WHERE table_name = 'plans' AND {OF_WORKSPACE} AND {KEPT} ORDER BY row_key
        """,
        {"workspace_id": workspace_id},
    )
    return {row["row_key"]: bool(row["archived"]) for row in rows}


async def plan_places(db: Reader, workspace_id: str) -> dict[str, bool]:
    """Return which plans of a workspace are archived."""
    query = f"SELECT plan_id, archived FROM {ALL_PLANS} AS p WHERE {OF_WORKSPACE} ORDER BY plan_id"
    return {row["plan_id"]: bool(row["archived"]) for row in await db.all(query, {"workspace_id": workspace_id})}


async def workspace_paths(db: Reader) -> dict[str, str]:
    """Return the folders of the workspaces that have one."""
    found = await db.all("SELECT workspace_id, path FROM workspaces WHERE path IS NOT NULL")
    return {row["workspace_id"]: row["path"] for row in found}
