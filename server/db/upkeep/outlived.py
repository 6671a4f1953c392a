"""What has outlived its time, and goes in transactions so short that agents can write between them.

Imported rows stay as long as if they had been written when they were imported; imported entries of logs stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.db.audit import events
from server.db.interchange import import_notices
from server.db.storage.connection import Database, Reader, Transaction
from server.db.workspaces.stats import EXPIRING
from server.models.base import encode
from server.models.events import Event, Origin

MOST = 1000  # rows in one transaction
ARRIVED = """NOT EXISTS (
    SELECT 1 FROM import_rows i WHERE i.table_name = '{table}' AND i.row_key = t.{key} AND i.updated_at > :before
)"""
FINISHED = "NOT EXISTS (SELECT 1 FROM plans p WHERE p.plan_id = t.plan_id AND p.status <> 'completed')"
# The newest event of a workspace says where its log stands; whether somebody was told of a store is asked for later.
EVENTS = f"""
    {FINISHED} AND t.type <> '{import_notices.NOTICED}'
    AND t.event_id < (SELECT max(n.event_id) FROM event_log n WHERE n.workspace_id IS t.workspace_id)
"""
UPDATES = "t.log_id < (SELECT max(n.log_id) FROM update_log n)"
CAME_BY_IMPORT = """coalesce((
    SELECT i.last_id FROM imported_logs i WHERE i.table_name = '{table}' AND i.first_id <= t.{key}
    ORDER BY i.first_id DESC LIMIT 1
), 0) >= t.{key}"""


@dataclass(frozen=True)
class TrimRule:
    """What of a table goes: rows `t` that are older than the setting `retention` allows, and fulfil a condition.

    Those of a log go in the order of their ids; which the newest was is remembered.
    """

    table: str
    keys: tuple[str, ...]
    age: str
    retention: str
    further: str = "1"
    is_log: bool = False
    is_told: bool = True  # in the log: who mirrors the rows has to know

    @property
    def where(self) -> str:
        return f"t.{self.age} <= :before AND {self.further}"


def _imported(table: str, key: str) -> str:
    return ARRIVED.format(table=table, key=key)


def _expiring() -> list[TrimRule]:
    """Return the rules of what expires by itself. The archive is left alone."""
    keys = {
        "context_items": "item_id",
        "memory_entries": "entry_id",
        "cache_entries": "entry_id",
        "file_reservations": "reservation_id",
    }
    return [
        TrimRule(table, (keys[table],), EXPIRING[table], "expired", _imported(table, keys[table])) for table in keys
    ]


def _log(table: str, key: str, further: str) -> TrimRule:
    own = f"{further} AND NOT {CAME_BY_IMPORT.format(table=table, key=key)}"
    return TrimRule(table, (key,), "timestamp", table, own, is_log=True, is_told=False)


RULES = (
    TrimRule(
        "trash", ("trash_id",), "created_at", "trash", f"t.expires_at <= :now AND {_imported('trash', 'trash_id')}"
    ),
    *_expiring(),
    TrimRule("messages", ("message_id",), "acknowledged_at", "messages", _imported("messages", "message_id")),
    TrimRule(
        "requests", ("request_id", "agent", "tool", "action", "workspace_id"), "created_at", "requests", is_told=False
    ),
    _log("event_log", "event_id", EVENTS),
    _log("update_log", "log_id", UPDATES),
)


@dataclass
class Trimmed:
    """How many rows of a table went, in how many transactions, and how long the longest held the lock."""

    rows: int = 0
    transactions: int = 0
    seconds: float = 0.0
    last: list[Any] = field(default_factory=list[Any])


async def count(db: Reader, rule: TrimRule, before: str) -> int:
    """Return how many rows would go."""
    params = {"before": before, "now": db.now()}
    return await db.value(f"SELECT count(*) FROM {rule.table} AS t WHERE {rule.where}", params)


async def next_keys(db: Reader, rule: TrimRule, before: str, after: Sequence[Any]) -> list[list[Any]]:
    """Return the keys of the next rows that may go, behind `after`, in the order of their keys."""
    columns = ", ".join(f"t.{key}" for key in rule.keys)
    behind = ", ".join(f":after{place}" for place in range(len(rule.keys)))
    rows = await db.all(
        f"""
        SELECT {columns} FROM {rule.table} AS t WHERE {rule.where} {f"AND ({columns}) > ({behind})" if after else ""}
        ORDER BY {columns} LIMIT :most
        """,
        {"before": before, "now": db.now(), "most": MOST, **{f"after{n}": one for n, one in enumerate(after)}},
    )
    return [list(row) for row in rows]


async def remove(db: Database, rule: TrimRule, before: str, keys: Sequence[Sequence[Any]]) -> int:
    """Remove those of some rows that may still go, in one transaction, and return how many."""
    async with db.transaction() as tx:
        tx.origin = Origin("project-memory", "trim")
        params = {"before": before, "now": tx.now(), "keys": encode([one[0] for one in keys])}
        among = f"t.{rule.keys[0]} IN (SELECT value FROM json_each(:keys))"
        if len(rule.keys) > 1:
            values = ", ".join(f"value ->> {place}" for place in range(len(rule.keys)))
            among = f"({', '.join(f't.{key}' for key in rule.keys)}) IN (SELECT {values} FROM json_each(:keys))"
            params["keys"] = encode([list(one) for one in keys])
        if rule.is_log:
            return await _remove_entries(tx, rule, among, params)
        rows = await tx.all(f"DELETE FROM {rule.table} AS t WHERE {among} AND {rule.where} RETURNING *", params)
        if rule.is_told:
            _tell(tx, rule.table, [row["workspace_id"] for row in rows])
            await events.flush(tx)
        return len(rows)


async def _remove_entries(tx: Transaction, rule: TrimRule, among: str, params: Mapping[str, Any]) -> int:
    """Remove entries of a log; the newest of each workspace is remembered."""
    [key] = rule.keys
    rows = await tx.all(f"SELECT t.{key} FROM {rule.table} AS t WHERE {among} AND {rule.where}", params)
    gone = {"keys": encode([row[0] for row in rows]), "now": params["now"], "table": rule.table}
    mine = f"FROM {rule.table} AS t WHERE t.{key} IN (SELECT value FROM json_each(:keys))"
    await tx.run(
        f"""
        INSERT INTO trimmed_logs (table_name, of_workspace, newest_id, trimmed_at)
        SELECT :table, coalesce(t.workspace_id, ''), max(t.{key}), :now {mine} GROUP BY 2
        ON CONFLICT (table_name, of_workspace) DO UPDATE SET
            newest_id = max(newest_id, excluded.newest_id), trimmed_at = excluded.trimmed_at
        """,
        gone,
    )
    await tx.run(f"DELETE {mine}", gone)
    return len(rows)


def _tell(tx: Transaction, table: str, workspaces: Sequence[str | None]) -> None:
    """Log for each workspace how many rows of a table went."""
    for workspace_id in dict.fromkeys(workspaces):
        data = {"table": table, "rows": workspaces.count(workspace_id)}
        about = ("workspace", workspace_id) if workspace_id else ("store", "store")
        events.record(tx, Event("trimmed", *about, workspace_id, data=data))


async def newest_trimmed(db: Reader, workspace_id: str | None) -> int:
    """Return the id of the newest event of a workspace that is gone, 0 for none; without a workspace, of all."""
    query = """
        SELECT coalesce(max(newest_id), 0) FROM trimmed_logs
        WHERE table_name = 'event_log' AND (:workspace_id IS NULL OR of_workspace = :workspace_id)
    """
    return await db.value(query, {"workspace_id": workspace_id})


async def take_turn(db: Database, task: str, before: str) -> bool:
    """Return whether a task is this process's now: nobody took it since `before`. A turn in the future is a clock's."""
    async with db.transaction() as tx:
        taken = await tx.all(
            """
            INSERT INTO upkeep_turns (task, taken_at) VALUES (:task, :now)
            ON CONFLICT (task) DO UPDATE SET taken_at = excluded.taken_at WHERE taken_at <= :before OR taken_at > :now
            RETURNING task
            """,
            {"task": task, "now": tx.now(), "before": before},
        )
    return bool(taken)


async def note_turns(db: Database, *tasks: str) -> None:
    """Note that tasks were taken now, whoever took them before."""
    async with db.transaction() as tx:
        await tx.many(
            """
            INSERT INTO upkeep_turns (task, taken_at) VALUES (:task, :now)
            ON CONFLICT (task) DO UPDATE SET taken_at = excluded.taken_at
            """,
            [{"task": task, "now": tx.now()} for task in tasks],
        )


async def last_turn(db: Reader, task: str) -> str | None:
    return await db.value("SELECT taken_at FROM upkeep_turns WHERE task = :task", {"task": task})
