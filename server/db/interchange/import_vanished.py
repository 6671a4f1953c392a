"""What earlier imports made of files that do not hold it any more: it goes too, unless something keeps it."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from server.db.interchange import import_gates, import_rows
from server.db.interchange.exports import ALL_PLANS
from server.db.interchange.import_rows import BOOKKEEPING, Columns
from server.db.interchange.scratch import DERIVED, LOGS, NOTHING, Stage
from server.db.plans.plan_archive import ARCHIVE, FAMILY
from server.db.storage.connection import Reader
from server.db.storage.driver import Record
from server.db.storage.table_shapes import shape_of
from server.models.base import as_dict, encode
from server.models.imports import Finding

CHUNK = 400
# Rows that are never deleted because a file does not name them any more: too much hangs on them.
KEPT = ("workspaces", "workspace_aliases", "programs", "plans", *LOGS)
# What another program says happened is kept, too: its files are written over, drained and turned.
RECORDS = (
    "checkpoints", "messages", "lineage", "sessions", "decisions", "tool_calls", "runs", "quality_gates",
    "metric_points", "field_changes",
)  # fmt: skip
NO_PLACE = """
    INSERT INTO unplaced SELECT :unit, :table, :key
    WHERE NOT EXISTS (SELECT 1 FROM rows WHERE table_name = :table AND row_key = :key)
      AND NOT EXISTS (SELECT 1 FROM gone WHERE table_name = :table AND row_key = :key)
"""
OF_A_FILE = "table_name NOT IN ('workspaces', 'workspace_aliases')"  # a workspace is named after what is read first
HELD = "SELECT 1 FROM rows WHERE table_name = :table AND row_key = :key AND action <> 'foreign'"
BELONGS = ("plan_id", "parent_id", "source_id")  # columns that say what a row is of


@dataclass(frozen=True)
class _Unit:
    """A workspace, or what belongs to none, and what of it stays since a whole plan does."""

    db: Reader
    stage: Stage
    unit: str
    kept: Collection[str]


async def decide(db: Reader, stage: Stage, unit: str) -> Sequence[Finding]:
    """Note what earlier imports made of files that do not hold it any more; what somebody edited, or a gate, stays."""
    findings: list[Finding] = []
    one = _Unit(db, stage, unit, await _plans(db, stage, unit, findings))
    for tables in ("<> 'phases'", "= 'phases'"):  # in this order: a phase stays with what is in it
        findings += await _of_tables(one, tables)
    await _lose_places(one)
    return [*findings, *await _of_files(one)]


async def _of_files(one: _Unit) -> list[Finding]:
    """Tell of files that are not there any more, and forget those of which nothing is here."""
    told: list[Finding] = []
    for file in one.stage.query("SELECT path FROM vanished WHERE unit = :unit ORDER BY path", {"unit": one.unit}):
        values = {"unit": one.unit, "path": file["path"]}
        if left := await _left_of(one, file["path"]):
            what = "the file is no longer there; what it brought stays here"
            told.append(Finding("warning", file["path"], "$", what, left))
        else:
            what = "the file is no longer there; nothing here is from it alone"
            told.append(Finding("info", file["path"], "$", what))
        forgotten = values | {"forgotten": not left}
        one.stage.change("UPDATE vanished SET forgotten = :forgotten WHERE unit = :unit AND path = :path", [forgotten])
    return told


async def _left_of(one: _Unit, path: str) -> dict[str, int]:
    """Return how many rows of each table a file brought that are here, and that no other file holds now."""
    sql = f"""
        SELECT table_name, row_key FROM import_rows
        WHERE workspace_id IS :workspace_id AND path = :path AND {OF_A_FILE}
    """
    listed: dict[str, list[str]] = {}
    for row in await one.db.all(sql, {"workspace_id": one.unit or None, "path": path}):
        held = {"table": row["table_name"], "key": row["row_key"]}
        if not one.stage.query(HELD, held):
            listed.setdefault(row["table_name"], []).append(row["row_key"])
    live = {
        table: await import_rows.live(one.db, table, await shape_of(one.db, table), keys)
        for table, keys in listed.items()
    }
    return {table: len(rows) for table, rows in live.items() if rows}


async def _lose_places(one: _Unit) -> None:
    """Note what stays though its file was read without it: what stands in its place there now is something else."""
    files = one.stage.query(
        "SELECT path FROM files WHERE unit = :unit AND status = 'imported' AND known IS NULL", {"unit": one.unit}
    )
    for file in files:
        rows = await one.db.all(
            f"""
            SELECT table_name AS "table", row_key AS "key" FROM import_rows
            WHERE workspace_id IS :workspace_id AND path = :path AND json_path <> ''
              AND {OF_A_FILE}
            """,
            {"workspace_id": one.unit or None, "path": file["path"]},
        )
        one.stage.change(NO_PLACE, [{**as_dict(row), "unit": one.unit} for row in rows])


async def _of_tables(one: _Unit, tables: str) -> list[Finding]:
    told: list[Finding] = []
    last = ("", "")
    while True:
        found = await one.db.all(
            f"""
            SELECT table_name, row_key, path, base FROM import_rows
            WHERE coalesce(workspace_id, '') = :unit AND (table_name, row_key) > (:table, :key)
              AND table_name {tables} AND table_name NOT IN ({", ".join(repr(name) for name in KEPT)})
              AND NOT (
                table_name IN ({", ".join(repr(name) for name in RECORDS)}) AND base ->> 'source_system' IS NOT NULL
              )
            ORDER BY table_name, row_key LIMIT {CHUNK}
            """,
            {"unit": one.unit, "table": last[0], "key": last[1]},
        )
        if not found:
            return told
        last = (found[-1]["table_name"], found[-1]["row_key"])
        for table in dict.fromkeys(row["table_name"] for row in found):
            rows = [row for row in found if row["table_name"] == table and _is_gone(one.stage, one.unit, row)]
            told += await _of_table(one, table, rows)


async def _plans(db: Reader, stage: Stage, unit: str, findings: list[Finding]) -> set[str]:
    """Tell of the plans that their files do not hold any more, and return the ids of all that stays with them."""
    listed = await db.all(
        "SELECT * FROM import_rows WHERE table_name = 'plans' AND coalesce(workspace_id, '') = :unit", {"unit": unit}
    )
    gone = {row["row_key"]: row for row in listed if _is_gone(stage, unit, row)}
    inside = await db.all(
        f"""
        SELECT plan_id, plan_id AS id FROM {ALL_PLANS} AS p WHERE plan_id IN (SELECT value FROM json_each(:plans))
        UNION ALL SELECT plan_id, phase_id FROM phases WHERE plan_id IN (SELECT value FROM json_each(:plans))
        UNION ALL SELECT plan_id, step_id FROM steps WHERE plan_id IN (SELECT value FROM json_each(:plans))
        """,
        {"plans": encode(list(gone))},
    )
    for plan_id in dict.fromkeys(row["plan_id"] for row in inside):
        what = "the plan is no longer in the file; it stays here, with all that is in it"
        findings.append(Finding("warning", gone[plan_id]["path"], "$", what, plan_id))
    return {row["id"] for row in inside}


async def _of_table(one: _Unit, table: str, rows: Sequence[Record]) -> list[Finding]:
    live = await import_rows.live(one.db, table, await shape_of(one.db, table), [row["row_key"] for row in rows])
    there = {key: columns for key, (_, columns) in live.items()}
    held = await import_gates.held_rows(one.db, table, there)
    full = await _with_steps(one, there) if table == "phases" else set[str]()
    told: list[Finding] = []
    for row in rows:
        key = row["row_key"]
        if key not in there or any(there[key].get(name) in one.kept for name in BELONGS):
            continue
        why = _why_it_stays(row, there[key], is_held=key in held, is_full=key in full)
        what = f"no longer in the file{why or '; deleted'}"
        told.append(Finding("error" if why else "info", row["path"], "$", what, key))
        if not why:
            plan_id = there[key].get("plan_id") if table in FAMILY else None
            values = {"unit": one.unit, "table": table, "key": key, "suffix": live[key][0], "plan_id": plan_id}
            one.stage.change("INSERT INTO gone VALUES (:unit, :table, :key, :suffix, :plan_id)", [values])
    return told


def goes(stage: Stage, unit: str, row: Mapping[str, Any], live: Columns) -> bool:
    """Return whether a row that no gate needs leaves with its file."""
    return _is_gone(stage, unit, row) and not _why_it_stays(row, live, is_held=False, is_full=False)


def _why_it_stays(row: Mapping[str, Any] | Record, live: Columns, *, is_held: bool, is_full: bool) -> str | None:
    skipped = DERIVED.get(row["table_name"], NOTHING) | BOOKKEEPING
    if any(live[name] != value for name, value in json.loads(row["base"]).items() if name not in skipped):
        return ", but edited since; it stays"
    if is_held:
        return ", but a gate of this database needs it; it stays"
    return ", but what stays is in it; it stays" if is_full else None


async def _with_steps(one: _Unit, phases: Collection[str]) -> set[str]:
    """Return the phases that have steps which neither go nor move to another phase."""
    leaving = one.stage.query(
        """
        SELECT row_key FROM gone WHERE unit = :unit AND table_name = 'steps'
        UNION ALL SELECT row_key FROM rows WHERE unit = :unit AND table_name = 'steps' AND action = 'update'
            AND changes ->> 'phase_id' IS NOT NULL
        """,
        {"unit": one.unit},
    )
    wanted = {"phases": encode(list(phases)), "leaving": encode([row["row_key"] for row in leaving])}
    rows = await one.db.all(
        " UNION ".join(
            f"""
            SELECT phase_id FROM steps{suffix} WHERE phase_id IN (SELECT value FROM json_each(:phases))
              AND step_id NOT IN (SELECT value FROM json_each(:leaving))
            """
            for suffix in ("", ARCHIVE)
        ),
        wanted,
    )
    return {row["phase_id"] for row in rows}


def _is_gone(stage: Stage, unit: str, row: Mapping[str, Any] | Record) -> bool:
    """Return whether the file a row was made of was read and imported, without that row."""
    values = {"unit": unit, "path": row["path"], "table": row["table_name"], "key": row["row_key"]}
    return bool(
        stage.query(
            """
            SELECT 1 FROM files WHERE unit = :unit AND path = :path AND status = 'imported'
              AND NOT EXISTS (SELECT 1 FROM rows WHERE table_name = :table AND row_key = :key)
            """,
            values,
        )
    )
