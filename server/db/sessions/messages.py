"""Table `messages`: what agents tell each other."""

from collections.abc import Iterable, Sequence
from typing import Any

from server.db.search.suggestions import not_found
from server.db.storage.connection import Reader, Transaction
from server.db.storage.name_functions import caseless
from server.errors import NotFound
from server.models.base import as_dict, encode, new_id
from server.models.messages import Mail, Message, NewMessage, Sent, Thread

Found = tuple[list[tuple[Message, list[str | int]]], int]  # messages with their places in the list, and how many in all

SHOWN = 2000  # characters of a message in a list
RANK = "CASE priority WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END"
FOR_ONE_OF = "folded(to_agent) IN (SELECT folded(value) FROM json_each(:names))"
YOURS = f"acknowledged_at IS NULL AND {FOR_ONE_OF}"
COLUMNS = """
    message_id, coalesce(thread_id, message_id) AS thread_id, plan_id, from_agent, from_session_id, to_agent, priority,
    created_at, acknowledged_by, acknowledged_at
"""
SHORT = f"{COLUMNS}, substr(content, 1, {SHOWN}) AS content, length(content) > {SHOWN} AS cut"


def waiting_for(names: Iterable[str]) -> str:
    """Return the condition that a message of a workspace waits for one of the names, which the parameter lists too."""
    form = caseless(names)
    mine = f"{form}(to_agent) IN (SELECT {form}(value) FROM json_each(:names))"
    return f"workspace_id = :workspace_id AND acknowledged_at IS NULL AND {mine}"


async def insert(tx: Transaction, message: NewMessage) -> Sent:
    """Send a message in the name of the actor; without a thread it starts one."""
    message_id = new_id("msg")
    row = await tx.one(
        f"""
        INSERT INTO messages (message_id, workspace_id, plan_id, thread_id, from_agent, from_session_id, to_agent,
            priority, content, created_at, updated_at)
        VALUES (:message_id, :workspace_id, :plan_id, coalesce(:thread_id, :message_id), :from_agent, :from_session_id,
            :to_agent, :priority, :content, :now, :now)
        RETURNING {COLUMNS}, workspace_id
        """,
        {**_params(tx, message), "message_id": message_id, "now": tx.now()},
    )
    assert row is not None  # RETURNING gives the row
    return Sent.of(row)


def _params(tx: Transaction, message: NewMessage) -> dict[str, Any]:
    return {**message.model_dump(), "from_agent": tx.origin.agent, "from_session_id": tx.origin.session_id}


async def waiting_twin(tx: Transaction, message: NewMessage) -> Sent | None:
    """Return the same message if the actor sent it before and nobody has acknowledged it yet."""
    row = await tx.one(
        f"""
        SELECT {COLUMNS}, workspace_id, 1 AS repeated FROM messages
        WHERE {waiting_for([message.to_agent])} AND content = :content AND priority = :priority AND plan_id IS :plan_id
          AND from_session_id IS :from_session_id AND from_agent IS :from_agent
          AND coalesce(thread_id, message_id) = coalesce(:thread_id, message_id)
        ORDER BY created_at DESC, message_id DESC LIMIT 1
        """,
        {**_params(tx, message), "names": encode([message.to_agent])},
    )
    return Sent.of(row) if row else None


async def require(db: Reader, message_id: str, names: Iterable[str]) -> tuple[Message, str]:
    """Return a message whole and its workspace, or raise NotFound. It says whether it waits for one of the names."""
    row = await db.one(
        f"SELECT {COLUMNS}, content, {YOURS} AS waiting, workspace_id FROM messages WHERE message_id = :message_id",
        {"message_id": message_id, "names": encode(list(names))},
    )
    if row is None:
        raise await missing(db, message_id)
    return Message.of(row), row["workspace_id"]


async def missing(db: Reader, message_id: str) -> NotFound:
    """Return the error for an id that no message has."""
    return await not_found(db, "message", message_id, table="messages", label="to_agent")


async def require_thread(db: Reader, thread_id: str) -> Thread:
    """Return a thread by its id or by that of a message in it, or raise NotFound."""
    row = await db.one(
        """
        SELECT coalesce(thread_id, message_id) AS thread_id, workspace_id FROM messages
        WHERE message_id = :thread_id OR thread_id = :thread_id LIMIT 1
        """,
        {"thread_id": thread_id},
    )
    if row is None:
        raise await missing(db, thread_id)
    return Thread.of(row)


def _listing(where: str, *, rank: str, waiting: str) -> str:
    """Return the statement for a page of messages. It touches the texts of those on the page alone."""
    return f"""
        SELECT {SHORT}, {waiting} AS waiting, w.rank, w.total FROM (
            SELECT * FROM (
                SELECT message_id AS id, created_at AS sent_at, {rank} AS rank, count(*) OVER () AS total
                FROM messages WHERE {where}
            ) found
            WHERE (rank, sent_at, id) > (:rank, :sent_at, :id) ORDER BY rank, sent_at, id LIMIT :limit
        ) w JOIN messages ON message_id = w.id ORDER BY w.rank, w.sent_at, w.id
    """


def inbox_of(names: Iterable[str]) -> str:
    return _listing(waiting_for(names), rank=RANK, waiting="NULL")


THREAD = _listing(
    "thread_id = :thread_id OR (message_id = :thread_id AND thread_id IS NULL)",
    rank="0",
    waiting=YOURS,
)


async def inbox(
    db: Reader, *, workspace_id: str, names: Sequence[str], after: Sequence[str | int] | None, limit: int
) -> Found:
    """Return what waits for any of the names: the most urgent first, and the oldest of these."""
    return await _page(db, inbox_of(names), after, limit, workspace_id=workspace_id, names=encode(list(names)))


async def of_thread(
    db: Reader, thread_id: str, *, names: Iterable[str], after: Sequence[str | int] | None, limit: int
) -> Found:
    """Return the messages of a thread, oldest first. Those that wait for one of the names say so."""
    return await _page(db, THREAD, after, limit, thread_id=thread_id, names=encode(list(names)))


async def _page(db: Reader, sql: str, after: Sequence[str | int] | None, limit: int, **params: str) -> Found:
    rank, sent_at, message_id = after or (-1, "", "")
    rows = await db.all(sql, {**params, "rank": rank, "sent_at": sent_at, "id": message_id, "limit": limit})
    found = [(Message.of(row), [row["rank"], row["created_at"], row["message_id"]]) for row in rows]
    return found, rows[0]["total"] if rows else 0


async def recent(db: Reader, names: Iterable[str], limit: int) -> list[dict[str, Any]]:
    """Return what was sent to any of the names last, newest first."""
    rows = await db.all(
        f"""
        SELECT message_id, from_agent, created_at FROM messages WHERE {YOURS}
        ORDER BY created_at DESC, message_id DESC LIMIT :limit
        """,
        {"names": encode(list(names)), "limit": limit},
    )
    return [as_dict(row) for row in rows]


MAIL = f"""
    SELECT 'message' AS kind, message_id AS entity_id, workspace_id, plan_id, to_agent, NULL AS note_type,
        {FOR_ONE_OF} AS mine, 0 AS archived, acknowledged_at
    FROM messages WHERE message_id IN (SELECT value FROM json_each(:message_ids))
"""
NOTES = """
    SELECT 'note' AS kind, n.note_id AS entity_id, p.workspace_id, n.plan_id, n.deliver_to AS to_agent, n.note_type,
        n.deliver_to IS NULL OR folded(n.deliver_to) IN (SELECT folded(value) FROM json_each(:names)) AS mine,
        {archived} AS archived, n.acknowledged_at
    FROM plan_notes{suffix} n JOIN plans{suffix} p ON p.plan_id = n.plan_id
    WHERE n.note_id IN (SELECT value FROM json_each(:note_ids))
"""
LIVE_NOTES, ARCHIVED_NOTES = (NOTES.format(archived=n, suffix=suffix) for n, suffix in enumerate(("", "_archive")))


async def mail(db: Reader, *, message_ids: Sequence[str], note_ids: Sequence[str], names: Iterable[str]) -> list[Mail]:
    """Return the messages and notes with these ids that exist, as they look to someone of these names."""
    rows = await db.all(
        f"{MAIL} UNION ALL {LIVE_NOTES} UNION ALL {ARCHIVED_NOTES}",
        {
            "message_ids": encode(list(message_ids)),
            "note_ids": encode(list(note_ids)),
            "names": encode(list(names)),
        },
    )
    return [Mail.of(row) for row in rows]


async def acknowledge(tx: Transaction, found: Iterable[Mail]) -> None:
    """Mark messages and notes as read by the actor. The caller has checked that they are for it and live."""
    ids = [mail.entity_id for mail in found]
    params: dict[str, Any] = {"ids": encode(ids), "actor": tx.origin.actor, "now": tx.now()}
    for table, key in (("messages", "message_id"), ("plan_notes", "note_id")):
        await tx.run(
            f"""
            UPDATE {table} SET acknowledged_by = :actor, acknowledged_at = :now, updated_at = :now
            WHERE {key} IN (SELECT value FROM json_each(:ids)) AND acknowledged_at IS NULL
            """,
            params,
        )
