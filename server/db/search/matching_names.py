"""What people call things, found by a part of it while they type."""

from dataclasses import dataclass

from server.db.storage.connection import Reader

SHOWN = "workspace_id NOT IN (SELECT workspace_id FROM workspaces WHERE importing IS NOT NULL)"


@dataclass(frozen=True)
class Named:
    """A table whose rows have an id and a name, and when each was last of interest."""

    table: str
    id: str
    name: str
    time: str = "updated_at"


NAMED = {
    "plan": Named("plans", "plan_id", "title"),
    "program": Named("programs", "program_id", "title"),
    "document": Named("research_documents", "document_id", "filename"),
    "knowledge": Named("knowledge", "slug", "title"),
    "session": Named("sessions", "session_id", "agent", "last_seen_at"),
}


async def matching(
    db: Reader, kind: str, text: str, *, workspace_id: str | None = None, limit: int
) -> list[tuple[str, str]]:
    """Return id and name of what has an id that starts with `text`, or a name with it inside; the latest first."""
    of = NAMED[kind]
    rows = await db.all(
        f"""
        SELECT {of.id} AS id, {of.name} AS name FROM {of.table}
        WHERE (substr({of.id}, 1, length(:text)) = :text OR instr(folded({of.name}), folded(:text)) > 0)
        AND (:workspace_id IS NULL OR workspace_id = :workspace_id) AND {SHOWN}
        ORDER BY {of.time} DESC, {of.id} LIMIT :limit
        """,
        {"text": text, "workspace_id": workspace_id, "limit": limit},
    )
    return [(row["id"], row["name"]) for row in rows]


async def agents(db: Reader, text: str, *, limit: int) -> list[str]:
    """Return the names under which agents worked that have `text` inside, the latest first."""
    rows = await db.all(
        f"""
        SELECT agent FROM sessions WHERE instr(folded(agent), folded(:text)) > 0 AND {SHOWN}
        GROUP BY agent ORDER BY max(last_seen_at) DESC, agent LIMIT :limit
        """,
        {"text": text, "limit": limit},
    )
    return [row["agent"] for row in rows]
