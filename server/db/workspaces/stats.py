"""How much there is, and what waits to be cleaned up."""

from collections.abc import Sequence

from server.db.shared_state import server_runs, shared_settings, size_limit
from server.db.storage.connection import Database, Reader
from server.db.storage.table_shapes import columns_of_tables, names_of_tables
from server.models.base import later
from server.models.settings import DEFINED
from server.models.workspaces import HeldClaim, Stats, TrashSummary

LOGS = ("event_log", "update_log")
RETENTION = "retention."
MOST = 10_000  # rows of a table that are counted, unless the exact number is wanted
# Rows that are there for a time only, and the column that says until when.
EXPIRING = {
    "trash": "expires_at",
    "context_items": "expires_at",
    "context_items_archive": "expires_at",
    "memory_entries": "expires_at",
    "cache_entries": "expires_at",
    "cache_entries_archive": "expires_at",
    "file_reservations": "lease_expires_at",
}
PLANS = """(
    SELECT plan_id FROM plans WHERE workspace_id = :workspace_id
    UNION ALL SELECT plan_id FROM plans_archive WHERE workspace_id = :workspace_id
)"""


async def of_database(db: Database, workspace_id: str | None, *, exact: bool) -> Stats:
    """Return the figures of the database; rows, claims and trash of one workspace only, if one is given.

    Tables that are not counted to their end tell so: "10000+".
    """
    return Stats(
        workspace_id=workspace_id,
        rows=await _row_counts(db, workspace_id, exact=exact),
        database_bytes=db.path.stat().st_size,
        wal_bytes=db.wal_size(),
        schema_version=db.schema_version,
        oldest_open_claim=await _oldest_claim(db, workspace_id),
        trash=await _trash(db, workspace_id),
        crash_check=await server_runs.last_check(db),
        expiring=await _expiring(db, workspace_id),
        retention=await _retention(db),
        warnings=await size_limit.warnings(db),
    )


async def _row_counts(db: Reader, workspace_id: str | None, *, exact: bool) -> dict[str, int | str]:
    """Return the number of rows by table, empty ones left out. What expired does not exist."""
    if workspace_id:
        wanted = {table: _condition(table, columns) for table, columns in (await columns_of_tables(db)).items()}
    else:
        wanted = dict.fromkeys(await names_of_tables(db), "1")
    live = {table: f"({column} IS NULL OR {column} > :now)" for table, column in EXPIRING.items()}
    most = -1 if exact else MOST + 1
    counts = [
        f"""
        SELECT '{table}' AS name, count(*) AS total
        FROM (SELECT 1 FROM {table} WHERE {where} AND {live.get(table, "1")} LIMIT {most})
        """
        for table, where in wanted.items()
        if where
    ]
    rows = await db.all(" UNION ALL ".join(counts), {"workspace_id": workspace_id, "now": db.now()})
    totals = {row["name"]: row["total"] for row in rows if row["total"]}
    return {table: f"{MOST}+" if total == most else total for table, total in totals.items()}


async def _retention(db: Reader) -> dict[str, dict[str, str]]:
    """Return how long something is kept, and of the logs when the oldest entry may go."""
    found: dict[str, dict[str, str]] = {}
    for key in (key for key in DEFINED if key.startswith(RETENTION)):
        kept_for = await shared_settings.get(db, key)
        table = key.removeprefix(RETENTION)
        found[table] = {"kept_for": kept_for}
        seconds = DEFINED[key].amount(kept_for)
        oldest = await db.value(f"SELECT min(timestamp) FROM {table}") if table in LOGS else None
        found[table] |= {"goes_from": later(oldest, seconds)} if oldest and seconds is not None else {}
    return found


def _condition(table: str, columns: Sequence[str]) -> str | None:
    """Return what tells that a row belongs to a workspace, or None if rows of this table belong to none."""
    if table.startswith("search_"):
        return None  # it repeats what the other tables hold
    if "workspace_id" in columns:
        return "workspace_id = :workspace_id"
    return f"plan_id IN {PLANS}" if "plan_id" in columns else None


async def _oldest_claim(db: Reader, workspace_id: str | None) -> HeldClaim | None:
    """Return the claim whose lease runs out first, or ran out longest ago."""
    within = "p.workspace_id = :workspace_id AND s.status = 'active' AND" if workspace_id else ""
    row = await db.one(
        f"""
        SELECT p.workspace_id, s.plan_id, s.step_id, s.order_index AS "index", s.task, s.claimed_by,
            s.lease_expires_at, s.lease_expires_at <= :now AS expired
        FROM steps s JOIN plans p ON p.plan_id = s.plan_id
        WHERE {within} s.lease_expires_at IS NOT NULL AND s.claimed_by IS NOT NULL
        ORDER BY s.lease_expires_at LIMIT 1
        """,
        {"workspace_id": workspace_id, "now": db.now()},
    )
    return HeldClaim.of(row) if row else None


async def _trash(db: Reader, workspace_id: str | None) -> TrashSummary | None:
    within = "workspace_id = :workspace_id AND" if workspace_id else ""
    row = await db.one(
        f"""
        SELECT count(*) AS entries, sum(length(data)) AS bytes, min(expires_at) AS may_go_from
        FROM trash WHERE {within} expires_at > :now
        """,
        {"workspace_id": workspace_id, "now": db.now()},
    )
    return TrashSummary.of(row) if row and row["entries"] else None


async def _expiring(db: Reader, workspace_id: str | None) -> dict[str, dict[str, int | str]]:
    """Return what expired and what does so next, by table."""
    within = "workspace_id = :workspace_id AND" if workspace_id else ""
    rows = await db.all(
        " UNION ALL ".join(
            f"""
            SELECT '{table}' AS name,
                (SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {within} {column} <= :now LIMIT {MOST})) AS expired,
                (SELECT min({column}) FROM {table} WHERE {within} {column} > :now) AS next_at
            """
            for table, column in EXPIRING.items()
        ),
        {"workspace_id": workspace_id, "now": db.now()},
    )
    found = {row["name"]: {"expired": row["expired"], "next_at": row["next_at"]} for row in rows}
    told = {table: {name: value for name, value in told.items() if value} for table, told in found.items()}
    return {table: said for table, said in told.items() if said}
