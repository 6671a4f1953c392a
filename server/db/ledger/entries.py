"""Rows of the ledger: added in the name of the actor, read one by one or by pages, newest first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.db.search.suggestions import not_found
from server.db.storage.connection import Reader, Transaction
from server.db.storage.driver import Record
from server.db.storage.list_totals import counting
from server.db.storage.rows import stored
from server.errors import Conflict
from server.models.base import new_id


@dataclass(frozen=True)
class LedgerTable:
    """A table of the ledger: its key, the prefix of its ids, what tells people of a row, and when one is."""

    name: str
    key: str
    prefix: str
    label: str
    moment: str
    is_edited: bool = False

    @property
    def kind(self) -> str:
        return self.key.removesuffix("_id")


DECISIONS = LedgerTable("decisions", "decision_id", "dec", "decision", "made_at")
CALLS = LedgerTable("tool_calls", "call_id", "call", "tool", "started_at")
RUNS = LedgerTable("runs", "run_id", "run", "name", "started_at", is_edited=True)
GATES = LedgerTable("quality_gates", "gate_id", "gate", "gate_name", "recorded_at")
ARTIFACTS = LedgerTable("artifacts", "artifact_id", "art", "name", "updated_at", is_edited=True)
POINTS = LedgerTable("metric_points", "point_id", "point", "name", "recorded_at")
CHANGES = LedgerTable("field_changes", "change_id", "chg", "field", "changed_at")
PROGRESS = LedgerTable("task_progress", "progress_id", "task", "task_name", "updated_at", is_edited=True)
CACHES = LedgerTable("cache_entries", "entry_id", "cache", "key", "updated_at", is_edited=True)
TERMS = LedgerTable("plan_terms", "term_id", "term", "term", "created_at")
BUDGETS = LedgerTable("budgets", "budget_id", "budget", "unit", "updated_at", is_edited=True)
AGENTS = LedgerTable("agents", "agent_id", "agent", "agent", "last_activity_at", is_edited=True)
# What is asked for by its id.
NAMED = {table.kind for table in (DECISIONS, CALLS, RUNS, GATES, ARTIFACTS, POINTS, PROGRESS, CHANGES)}
BY_ACTOR = {"decisions", "tool_calls", "runs", "quality_gates", "artifacts", "metric_points", "task_progress",
            "cache_entries", "plan_terms"}  # fmt: skip


@dataclass
class LedgerFilter:
    """Which rows are wanted: of a workspace, with these values in these columns, and further conditions."""

    workspace_id: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    conditions: Sequence[str] = ()
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    suffix: str = ""

    @property
    def where(self) -> str:
        named = [f"t.{column} = :{column}" for column, value in self.values.items() if value is not None]
        return " AND ".join(["t.workspace_id = :workspace_id", *named, *self.conditions])

    @property
    def parameters(self) -> dict[str, Any]:
        return {"workspace_id": self.workspace_id, **stored(self.values), **self.params}


async def add(tx: Transaction, table: LedgerTable, values: Mapping[str, Any]) -> Record:
    """Insert a row, made now by the actor, and return it."""
    row = _filled(tx, table, values)
    found = await tx.one(f"{_insert(table, row)} RETURNING *", row)
    assert found is not None  # RETURNING gives the row
    return found


async def add_many(tx: Transaction, table: LedgerTable, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Insert rows of the same columns, and return their ids."""
    filled = [_filled(tx, table, values) for values in rows]
    await tx.many(_insert(table, filled[0]), filled)
    return [row[table.key] for row in filled]


def _filled(tx: Transaction, table: LedgerTable, values: Mapping[str, Any]) -> dict[str, Any]:
    row = {table.key: new_id(table.prefix), **stored(values), "created_at": tx.now()}
    if table.name in BY_ACTOR:
        row = {**row, "agent": values.get("agent") or tx.origin.agent, "session_id": tx.origin.session_id}
    return {**row, "updated_at": tx.now()} if table.is_edited else row


def _insert(table: LedgerTable, row: Mapping[str, Any]) -> str:
    return f"INSERT INTO {table.name} ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"


async def change(tx: Transaction, table: LedgerTable, entity_id: str, values: Mapping[str, Any]) -> Record:
    """Change columns of a row that is there, and the time of its last change; return it."""
    columns = {**stored(values), "updated_at": tx.now()} if table.is_edited else stored(values)
    version = ", version = version + 1" if table.is_edited and table not in (RUNS, CACHES) else ""
    row = await tx.one(
        f"""
        UPDATE {table.name} SET {", ".join(f"{name} = :{name}" for name in columns)}{version}
        WHERE {table.key} = :entity_id RETURNING *
        """,
        {**columns, "entity_id": entity_id},
    )
    assert row is not None  # the caller read it in this transaction
    return row


async def find(db: Reader, table: LedgerTable, wanted: LedgerFilter) -> Record | None:
    """Return a row that fulfils a filter."""
    sql = f"SELECT t.* FROM {table.name}{wanted.suffix} t WHERE {wanted.where} LIMIT 1"
    return await db.one(sql, wanted.parameters)


async def require(db: Reader, table: LedgerTable, entity_id: str) -> Record:
    """Return a row, one of an archived plan too, or raise NotFound."""
    homes = (table.name, f"{table.name}_archive")
    query = " UNION ALL ".join(f"SELECT * FROM {name} WHERE {table.key} = :entity_id" for name in homes)
    row = await db.one(query, {"entity_id": entity_id})
    if row is None:
        raise await not_found(db, table.kind, entity_id, table=table.name, label=table.label)
    return row


def there(table: LedgerTable, told: str) -> str:
    """Return the condition that there is a row, live or archived, whose id this expression tells."""
    homes = (table.name, f"{table.name}_archive")
    return f"EXISTS ({' UNION ALL '.join(f'SELECT 1 FROM {home} WHERE {table.key} = {told}' for home in homes)})"


async def is_there(db: Reader, table: LedgerTable, entity_id: str) -> bool:
    return bool(await db.value(f"SELECT {there(table, ':id')}", {"id": entity_id}))


async def require_live(db: Reader, table: LedgerTable, entity_id: str) -> Record:
    """Return a row that can be changed, or raise NotFound, or Conflict for one of an archived plan."""
    row = await require(db, table, entity_id)
    if await find(db, table, LedgerFilter(row["workspace_id"], {table.key: entity_id})) is None:
        archived = Conflict(f"{entity_id} is of the archived plan {row['plan_id']}; it can only be read.")
        raise archived.about("archived plan", plan_id=row["plan_id"])
    return row


async def page(
    db: Reader,
    table: LedgerTable,
    wanted: LedgerFilter,
    *,
    after: Sequence[str | int] | None,
    limit: int,
    columns: str = "t.*",
) -> tuple[list[Record], int]:
    """Return rows, newest first, from behind (moment, key) on, and how many there are, up to COUNTED + 1."""
    source = f"FROM {table.name}{wanted.suffix} t WHERE {wanted.where}"
    place = f"t.{table.moment}, t.{table.key}"
    behind = f"AND ({place}) < (:after_moment, :after_key)" if after else ""
    moment, key = after or (None, None)
    rows, [(total,)] = await db.batch(
        (
            f"SELECT {columns} {source} {behind} ORDER BY t.{table.moment} DESC, t.{table.key} DESC LIMIT :limit",
            {**wanted.parameters, "after_moment": moment, "after_key": key, "limit": limit},
        ),
        (counting(source), wanted.parameters),
    )
    return rows, total
