"""Tables `event_log` and `update_log`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from server.db.plans import step_counts
from server.db.storage.connection import Database, Reader, Transaction
from server.db.storage.list_totals import counting
from server.errors import NotFound
from server.models.base import encode
from server.models.events import Event, LoggedEvent, LoggedUpdate

# What a log says of a workspace, or of one plan in it: that is found by the plan alone.
WITHIN = ("workspace_id = :workspace_id", "plan_id = :plan_id AND coalesce(workspace_id, '') = :workspace_id")


def record(tx: Transaction, event: Event) -> None:
    """Log `event` with this transaction; it is written by `flush`, all events in one go."""
    tx.events.append(event)


async def flush(tx: Transaction) -> None:
    """Write the events recorded so far, and an update-log row for those with a summary."""
    if tx.elsewhere:
        here = {_place(tx, event) for event in tx.events}
        tx.events += [event for event in tx.elsewhere if _place(tx, event) not in here]
    rows = [_row(tx, event) for event in tx.events]
    if rows:
        await tx.many(
            """
            INSERT INTO event_log (timestamp, workspace_id, plan_id, type, entity_type, entity_id,
                session_id, agent, tool, action, data)
            VALUES (:timestamp, :workspace_id, :plan_id, :type, :entity_type, :entity_id,
                :session_id, :agent, :tool, :action, :data)
            """,
            rows,
        )
        await step_counts.add(tx, tx.events)
    if told := [row for row in rows if row["summary"]]:
        await tx.many(
            """
            INSERT INTO update_log (timestamp, workspace_id, plan_id, tool, action, session_id, agent, summary)
            VALUES (:timestamp, :workspace_id, :plan_id, :tool, :action, :session_id, :agent, :summary)
            """,
            told,
        )
    tx.events.clear()
    tx.elsewhere.clear()


def _place(tx: Transaction, event: Event) -> tuple[str | None, str | None]:
    return event.workspace_id or tx.workspace_id, event.plan_id


def _row(tx: Transaction, event: Event) -> dict[str, Any]:
    return {
        "timestamp": tx.now(),
        "workspace_id": event.workspace_id or tx.workspace_id,
        "plan_id": event.plan_id,
        "type": event.type,
        "entity_type": event.entity_type,
        "entity_id": event.entity_id,
        "session_id": tx.origin.session_id,
        "agent": tx.origin.agent,
        "tool": tx.origin.tool,
        "action": tx.origin.action,
        "data": encode({**event.data, "token": tx.origin.token} if tx.origin.token else event.data),
        "summary": event.summary,
    }


@dataclass(frozen=True)
class EventFilter:
    """Which events of a workspace a caller asks for: those after an id, of some types, of one plan."""

    workspace_id: str
    since_id: int
    types: Sequence[str] = ()
    plan_id: str | None = None

    @property
    def where(self) -> str:
        return f"""
            {WITHIN[bool(self.plan_id)]} AND event_id > :since_id
            AND (:types = '[]' OR type IN (SELECT value FROM json_each(:types)))
        """

    def params(self, **more: Any) -> dict[str, Any]:
        return {
            "workspace_id": self.workspace_id,
            "since_id": self.since_id,
            "types": encode(list(self.types)),
            "plan_id": self.plan_id,
            **more,
        }


async def page(
    db: Reader, wanted: EventFilter, *, after_id: int, limit: int, newest: bool = False
) -> tuple[list[LoggedEvent], int]:
    """Return events from behind `after_id` on, and how many match in all, up to COUNTED + 1. The oldest come first,
    or the newest, those with lower ids then being behind."""
    behind = "event_id < :after_id ORDER BY event_id DESC" if newest else "event_id > :after_id ORDER BY event_id"
    rows = await db.all(
        f"SELECT * FROM event_log WHERE {wanted.where} AND {behind} LIMIT :limit",
        wanted.params(after_id=after_id, limit=limit),
    )
    total = await db.value(counting(f"FROM event_log WHERE {wanted.where}"), wanted.params())
    return [LoggedEvent.of(row) for row in rows], total


async def require(db: Reader, workspace_id: str, event_id: int) -> LoggedEvent:
    """Return an event of a workspace, or raise NotFound."""
    params = {"workspace_id": workspace_id, "id": event_id}
    row = await db.one("SELECT * FROM event_log WHERE event_id = :id AND workspace_id = :workspace_id", params)
    if row is None:
        raise NotFound(f"The log of {workspace_id} has no event {event_id}.").about("event")
    return LoggedEvent.of(row)


async def require_update(db: Reader, workspace_id: str, log_id: int) -> LoggedUpdate:
    """Return an entry of the update log of a workspace, or raise NotFound."""
    params = {"workspace_id": workspace_id, "id": log_id}
    row = await db.one("SELECT * FROM update_log WHERE log_id = :id AND workspace_id = :workspace_id", params)
    if row is None:
        raise NotFound(f"The history of {workspace_id} has no entry {log_id}.").about("update")
    return LoggedUpdate.of(row)


async def logged_types(db: Reader, workspace_id: str, types: Sequence[str]) -> set[str]:
    """Return those of `types` that the log of a workspace holds."""
    held = "SELECT 1 FROM event_log WHERE workspace_id = :workspace_id AND type = value"
    rows = await db.all(
        f"SELECT value FROM json_each(:types) WHERE EXISTS ({held})",
        {"types": encode(list(types)), "workspace_id": workspace_id},
    )
    return {row["value"] for row in rows}


async def wait_for(db: Database, wanted: EventFilter) -> None:
    """Return as soon as any process has committed a matching event."""
    mark = await db.version()
    while not await db.value(f"SELECT 1 FROM event_log WHERE {wanted.where} LIMIT 1", wanted.params()):
        await db.wait_for_change(mark, math.inf)
        mark = await db.version()


async def latest(db: Reader, workspace_id: str, *, limit: int) -> list[LoggedEvent]:
    """Return the last events of a workspace, newest first."""
    rows = await db.all(
        "SELECT * FROM event_log WHERE workspace_id = :workspace_id ORDER BY event_id DESC LIMIT :limit",
        {"workspace_id": workspace_id, "limit": limit},
    )
    return [LoggedEvent.of(row) for row in rows]


@dataclass(frozen=True)
class Feed:
    """Which events somebody follows: of a workspace or of all, of a plan, of some types."""

    workspace_id: str | None = None
    plan_id: str | None = None
    types: Sequence[str] = ()

    @property
    def where(self) -> str:
        places = [f"{name} = :{name}" for name in ("workspace_id", "plan_id") if getattr(self, name)]
        return " AND ".join([*places, "(:types = '[]' OR type IN (SELECT value FROM json_each(:types)))"])

    def params(self, **more: Any) -> dict[str, Any]:
        return {
            "workspace_id": self.workspace_id,
            "plan_id": self.plan_id,
            "types": encode(list(self.types)),
            **more,
        }

    def holds(self, event: LoggedEvent) -> bool:
        """Return whether an event is in it, as `where` would."""
        return (
            self.workspace_id in (None, event.workspace_id)
            and self.plan_id in (None, event.plan_id)
            and (not self.types or event.type in self.types)
        )


async def last(db: Reader, feed: Feed, *, limit: int) -> list[LoggedEvent]:
    """Return the last events of a feed, the newest at the end."""
    query = f"SELECT * FROM event_log WHERE {feed.where} ORDER BY event_id DESC LIMIT :limit"
    return [LoggedEvent.of(row) for row in reversed(await db.all(query, feed.params(limit=limit)))]


async def after(db: Reader, feed: Feed, event_id: int, *, limit: int) -> list[LoggedEvent]:
    """Return the events of a feed behind one, oldest first."""
    query = f"SELECT * FROM event_log WHERE event_id > :after AND {feed.where} ORDER BY event_id LIMIT :limit"
    return [LoggedEvent.of(row) for row in await db.all(query, feed.params(after=event_id, limit=limit))]


async def last_id(db: Reader) -> int:
    """Return the id of the newest event of all workspaces."""
    return await db.value("SELECT coalesce(max(event_id), 0) FROM event_log")


async def touched(db: Reader, since_id: int) -> tuple[list[str], int]:
    """Return the resource URIs of what changed after an event, and the id of the newest event.

    The newest may be older than `since_id`: then another file has taken the place of the database.
    """
    params = {"since_id": since_id}
    rows, [(newest,)] = await db.batch(
        (
            """
            SELECT DISTINCT 'memory://plans/' || plan_id AS uri FROM event_log
            WHERE event_id > :since_id AND plan_id IS NOT NULL
            UNION ALL
            SELECT DISTINCT 'memory://workspaces/' || workspace_id FROM event_log
            WHERE event_id > :since_id AND workspace_id IS NOT NULL
            """,
            params,
        ),
        ("SELECT coalesce(max(event_id), 0) FROM event_log", params),
    )
    return [row["uri"] for row in rows], newest


async def history(
    db: Reader,
    *,
    workspace_id: str,
    plan_id: str | None,
    agent: str | None,
    since: str | None,
    until: str | None,
    before_id: int | None,
    limit: int,
) -> tuple[list[LoggedUpdate], int]:
    """Return update-log rows, newest first, from before `before_id` on, and how many match, up to COUNTED + 1."""
    where = f"""
        {WITHIN[bool(plan_id)]} AND (:agent IS NULL OR agent = :agent)
        AND (:since IS NULL OR timestamp >= :since) AND (:until IS NULL OR timestamp < :until)
    """
    params = {
        "workspace_id": workspace_id,
        "plan_id": plan_id,
        "agent": agent,
        "since": since,
        "until": until,
        "before_id": before_id,
        "limit": limit,
    }
    rows = await db.all(
        f"""
        SELECT * FROM update_log WHERE {where} AND (:before_id IS NULL OR log_id < :before_id)
        ORDER BY log_id DESC LIMIT :limit
        """,
        params,
    )
    total = await db.value(counting(f"FROM update_log WHERE {where}"), params)
    return [LoggedUpdate.of(row) for row in rows], total
