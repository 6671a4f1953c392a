"""What changed since an event, for those who follow the database from outside: by plans and workspaces."""

from dataclasses import dataclass, field

from server.db.interchange.exports import ALL_PLANS
from server.db.plans.plan_archive import ARCHIVE
from server.db.storage.connection import Reader

# Events of a workspace that change what every document of it says.
WHOLE = ("imported", "trimmed", "workspace_updated", "workspace_moved", "workspace_registered")
SESSIONS = "(SELECT session_id, plan_id FROM sessions UNION ALL SELECT session_id, plan_id FROM sessions_archive)"
NODES = " UNION ALL ".join(
    f"SELECT '{kind}' AS type, {kind}_id AS id, plan_id FROM {kind}s{suffix}"
    for kind in ("plan", "phase", "step")
    for suffix in ("", ARCHIVE)
)
# A write touches the plan of its event, that of the session that writes, plans that depend on something in these, and
# plans that depended on what went to the trash.
TOUCHED = f"""
    WITH new AS MATERIALIZED (SELECT plan_id, session_id FROM event_log WHERE event_id > :since_id),
    own AS MATERIALIZED (
        SELECT plan_id FROM new WHERE plan_id IS NOT NULL
        UNION SELECT s.plan_id FROM {SESSIONS} s WHERE s.session_id IN (SELECT session_id FROM new)
        UNION SELECT plan_id FROM sessions WHERE last_seen_at > :since
    ),
    ours AS MATERIALIZED (SELECT type, id FROM ({NODES}) WHERE plan_id IN (SELECT plan_id FROM own)),
    ends AS MATERIALIZED (
        SELECT d.target_type AS type, d.target_id AS id FROM ours
            JOIN dependencies d ON d.source_type = ours.type AND d.source_id = ours.id
        UNION SELECT d.source_type, d.source_id FROM ours
            JOIN dependencies d ON d.target_type = ours.type AND d.target_id = ours.id
        UNION SELECT d.value ->> 'source_type', d.value ->> 'source_id'
            FROM trash t, json_each(t.data) tables, json_each(tables.value) d
            WHERE t.created_at >= :since AND tables.key IN ('dependencies', 'dependencies{ARCHIVE}')
    )
    SELECT p.plan_id, p.workspace_id FROM {ALL_PLANS} AS p
    WHERE p.plan_id IN (
        SELECT plan_id FROM own
        UNION SELECT n.plan_id FROM ({NODES}) n WHERE (n.type, n.id) IN (SELECT type, id FROM ends)
    )
    ORDER BY p.plan_id
"""


@dataclass(frozen=True)
class Moment:
    """Where a database stands: which it is, its newest event, when that was, how many plans it has.

    Of the events up to `trimmed` some are gone.
    """

    database: str
    trimmed: int
    newest: int
    at: str
    plans: int


@dataclass
class Changes:
    """What may look different: plans with their workspaces, workspaces, and those of which nothing is the same.

    Among the last, None stands for what belongs to no workspace.
    """

    plans: dict[str, str] = field(default_factory=dict[str, str])
    workspaces: set[str] = field(default_factory=set[str])
    whole: set[str | None] = field(default_factory=set[str | None])


async def moment(db: Reader) -> Moment:
    """Return where the database stands. It is told from another one by when it was made."""
    [(made,)], [(newest,)], [(at,)], [(plans,)], [(trimmed,)] = await db.batch(
        ("SELECT min(applied_at) FROM _migrations", {}),
        ("SELECT coalesce(max(event_id), 0) FROM event_log", {}),
        ("SELECT coalesce(max(timestamp), '') FROM event_log", {}),
        (f"SELECT count(*) FROM {ALL_PLANS}", {}),
        ("SELECT coalesce(max(newest_id), 0) FROM trimmed_logs WHERE table_name = 'event_log'", {}),
    )
    return Moment(made, trimmed, newest, at, plans)


async def is_unchanged(db: Reader, since_id: int, since: str) -> bool:
    """Return whether nothing was written after an event, and no session was heard of since."""
    query = """
        SELECT EXISTS (SELECT 1 FROM event_log WHERE event_id > :since_id)
            OR EXISTS (SELECT 1 FROM sessions WHERE last_seen_at > :since)
    """
    return not await db.value(query, {"since_id": since_id, "since": since})


async def after(db: Reader, since_id: int, since: str) -> Changes:
    """Return what may have changed after an event; `since` is when that was."""
    params = {"since_id": since_id, "since": since}
    plans, places = await db.batch(
        (TOUCHED, params),
        ("SELECT DISTINCT workspace_id, type FROM event_log WHERE event_id > :since_id", params),
    )
    found = Changes({row["plan_id"]: row["workspace_id"] for row in plans})
    found.workspaces = {row["workspace_id"] for row in places if row["workspace_id"]} | set(found.plans.values())
    found.whole = {row["workspace_id"] for row in places if row["type"] in WHOLE}
    return found
