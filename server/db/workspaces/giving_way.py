"""What gives way when two workspaces become one: of two of one name, that which was told of first."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from server.db.audit import trash
from server.db.ledger.entries import CHANGES
from server.db.storage.connection import Reader, Transaction
from server.models.base import as_dict, new_id

Ids = Mapping[str, str]  # source, target, now


@dataclass(frozen=True)
class Unique:
    """What there may be once in a workspace: the column that tells one, the columns of its key, how it is called."""

    table: str
    id: str
    kind: str
    key: tuple[str, ...]
    own: str | None = None  # a column of the key that names the workspace itself


@dataclass(frozen=True)
class Displaced:
    """A row that gives way: what it is and is called, its id, and that of the row which counts."""

    table: str
    kind: str
    name: str
    id: str
    instead: str
    is_moving: bool  # it is of the source
    trash_id: str | None = None


# What has a present state or a newest entry: of two, that which was told of last counts. No action could remove one.
NEWEST = (
    Unique("agents", "agent_id", "agent", ("agent",)),
    Unique("artifacts", "artifact_id", "artifact", ("parent_type", "parent_id", "artifact_type", "name"), "parent_id"),
    Unique("task_progress", "progress_id", "progress", ("parent_type", "parent_id", "task_name"), "parent_id"),
    Unique("cache_entries", "entry_id", "entry", ("parent_type", "parent_id", "key"), "parent_id"),
)
# Of two figures, the older one stays too, as one that was corrected.
POINTS = Unique(
    "metric_points", "point_id", "point", ("parent_type", "parent_id", "name", "category", "bucket"), "parent_id"
)
SAID = ("path", "ref", "url", "branch", "status", "metadata")  # by an artifact
# Links, and what is remembered of calls: where the target has the same, that of the source goes.
LINKS = {
    "program_workspace_links": ("program_id",),
    "workspace_agents": ("name",),
    "workspace_instructions": ("name",),
    "workspace_skills": ("name",),
    "requests": ("request_id", "agent", "tool", "action"),
}
KEYS = {one.table: one.id for one in NEWEST}
NOTED = ("workspace_agents", "workspace_instructions", "workspace_skills")  # links with a text of their own


async def displaced(db: Reader, ids: Ids) -> list[Displaced]:
    """Return what gives way, by its kind and name."""
    found: list[Displaced] = []
    for one in NEWEST:
        for row in await db.all(_pairs(one, "updated_at"), ids):
            if row["is_newer"]:
                older, newer = row["in_target"], row["in_source"]
            else:
                older, newer = row["in_source"], row["in_target"]
            found.append(Displaced(one.table, one.kind, row["name"], older, newer, is_moving=not row["is_newer"]))
    for table in NOTED:
        rows = await db.all(
            f"""
            SELECT s.name FROM {table} s JOIN {table} t ON t.workspace_id = :target AND t.name = s.name
            WHERE s.workspace_id = :source AND s.notes IS NOT NULL AND s.notes IS NOT t.notes ORDER BY 1
            """,
            ids,
        )
        found += [Displaced(table, "link", row["name"], row["name"], row["name"], is_moving=True) for row in rows]
    return found


def _pairs(one: Unique, moment: str, more: str = "") -> str:
    """Return the query for two of one name, and which of them was told of last. What expired is none."""
    told = " || ' / ' || ".join(f"coalesce(s.{name}, '')" for name in one.key)
    same = " AND ".join(f"t.{name} IS {will_be(one, name)}" for name in one.key)
    live = "".join(f" AND ({row}.expires_at IS NULL OR {row}.expires_at > :now)" for row in "st")
    return f"""
        SELECT {told} AS name, s.{one.id} AS in_source, t.{one.id} AS in_target, s.{moment} > t.{moment} AS is_newer
        FROM {one.table} s JOIN {one.table} t ON t.workspace_id = :target AND {same}
        WHERE s.workspace_id = :source{more}{live if one.table == "cache_entries" else ""} ORDER BY 1, 2
    """


def will_be(one: Unique, name: str) -> str:
    """Return what a column of a row `s` of the source will be."""
    return f"CASE s.{name} WHEN :source THEN :target ELSE s.{name} END" if name == one.own else f"s.{name}"


def is_linked(table: str) -> str:
    """Return the condition that the target has a link of the source too."""
    same = " AND ".join(f"t.{name} = {table}.{name}" for name in LINKS[table])
    return f"EXISTS (SELECT 1 FROM {table} t WHERE t.workspace_id = :target AND {same})"


async def make_room(tx: Transaction, ids: Ids) -> list[Displaced]:
    """Take away what gives way, and return it with its entries in the trash; links that are there twice go."""
    await _correct_points(tx, ids)
    found = [await _put_away(tx, one, ids) for one in await displaced(tx, ids)]
    for table in LINKS:
        await tx.run(f"DELETE FROM {table} WHERE workspace_id = :source AND {is_linked(table)}", ids)
    return found


async def _correct_points(tx: Transaction, ids: Ids) -> None:
    current = " AND s.corrected_by IS NULL AND t.corrected_by IS NULL"
    for row in await tx.all(_pairs(POINTS, "recorded_at", current), ids):
        older, newer = ("in_target", "in_source") if row["is_newer"] else ("in_source", "in_target")
        await tx.run(
            "UPDATE metric_points SET corrected_by = :newer WHERE point_id = :older",
            {"older": row[older], "newer": row[newer]},
        )


async def _put_away(tx: Transaction, one: Displaced, ids: Ids) -> Displaced:
    """Put a row into the trash of the target, whole; what an artifact said is in the history of the newer one, too."""
    key = KEYS.get(one.table, "name")
    where = f"{key} = :id AND workspace_id = :home"
    about = {"id": one.id, "home": ids["source" if one.is_moving else "target"]}
    row = as_dict((await tx.all(f"SELECT * FROM {one.table} WHERE {where}", about))[0])
    trash_id = await trash.put(
        tx,
        entity_type=one.kind,
        entity_id=one.id,
        title=one.name,
        workspace_id=ids["target"],
        plan_id=row.get("plan_id"),
        rows={one.table: [row]},
    )
    if one.table == "artifacts":
        await _remember_artifact(tx, {"older": one.id, "newer": one.instead, **ids})
    await tx.run(f"DELETE FROM {one.table} WHERE {where}", about)
    return replace(one, trash_id=trash_id)


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
