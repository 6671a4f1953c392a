"""Which events a database has that another one, such as a backup of it, has not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.db.backups.backup_files import Mark
from server.db.storage.clock import Clock
from server.db.storage.connection import Reader
from server.db.storage.driver import connected
from server.models.base import as_dict


@dataclass(frozen=True)
class LostEvents:
    """What only one of two databases knows. `is_earlier`: the other one is an earlier state of it."""

    is_earlier: bool
    total: int
    newest: list[dict[str, Any]]


async def compare(database: Path, other: Mark, most: int) -> LostEvents:
    """Return which events a database has behind the point that another one has reached; all, if that is none of its."""
    async with connected(database) as connection:
        db = Reader(connection, Clock())
        is_earlier = await db.value(
            """
            SELECT :newest = 0 OR NOT EXISTS (SELECT 1 FROM event_log WHERE event_id <= :newest)
                OR EXISTS (SELECT 1 FROM event_log WHERE event_id = :newest AND timestamp = :at)
            """,
            {"newest": other.newest_event, "at": other.newest_event_at},
        )
        since = {"since": other.newest_event if is_earlier else 0, "most": most}
        total = await db.value("SELECT count(*) FROM event_log WHERE event_id > :since", since)
        rows = await db.all(
            """
            SELECT timestamp, type, entity_id, agent FROM event_log WHERE event_id > :since
            ORDER BY event_id DESC LIMIT :most
            """,
            since,
        )
    return LostEvents(bool(is_earlier), total, [as_dict(row) for row in rows])
