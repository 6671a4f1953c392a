"""Tables `import_runs`, `import_files`, `import_rows`: what was imported, and the transaction that makes it real."""

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from server.db import dependencies, events, family, import_ledger, indexing
from server.db.connection import Database, Reader, Transaction, shape_of
from server.db.dependencies import Node
from server.db.import_merge import Decided, generation, key_of, known_entries, short
from server.db.staging import LOGS, STORE, TABLES, Stage, file_id, params
from server.errors import Conflict
from server.models.base import encode, new_id
from server.models.events import Event
from server.models.imports import Finding, of

ROWS = 2000  # inserted in one hop
FILES = 100
CACHE_KIB, USUAL_CACHE_KIB = 32_000, 2_000  # a large transaction should not spill
Key = tuple[str | None, str]  # workspace, path
REMEMBER = """
    INSERT INTO import_rows (table_name, row_key, workspace_id, path, json_path, base, updated_at)
    VALUES (:table_name, :row_key, :workspace_id, :path, :json_path, :base, :now)
    ON CONFLICT (table_name, row_key) DO UPDATE SET path = excluded.path, json_path = excluded.json_path,
        base = excluded.base, updated_at = excluded.updated_at
"""


@dataclass(frozen=True)
class KnownFile:
    """A file as the last import of it left it."""

    sha256: str
    status: str
    reason: str | None
    modified_at: str | None


@dataclass
class Written:
    """What a workspace's transaction did. `counts`: table -> action -> rows. `seconds` is how long it held the lock."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    files: dict[str, int] = field(default_factory=dict[str, int])
    seconds: float = 0.0
    run_id: str | None = None


async def known_files(db: Reader, targets: Iterable[str | None]) -> dict[Key, KnownFile]:
    """Return what is known of the files of these workspaces; None stands for the store itself."""
    rows = await db.all(
        """
        SELECT workspace_id, path, sha256, status, reason, modified_at FROM import_files
        WHERE coalesce(workspace_id, '') IN (SELECT value FROM json_each(:units))
        """,
        {"units": encode([target or STORE for target in targets])},
    )
    return {
        (row["workspace_id"], row["path"]): KnownFile(row["sha256"], row["status"], row["reason"], row["modified_at"])
        for row in rows
    }


async def target_of(db: Reader, workspace_id: str) -> str | None:
    """Return the workspace of the database that one of a store is by its id, new or old."""
    return await db.value(
        """
        SELECT coalesce(
            (SELECT workspace_id FROM workspaces WHERE workspace_id = :id),
            (SELECT workspace_id FROM workspace_aliases WHERE alias = :id AND kind = 'id'))
        """,
        {"id": workspace_id},
    )


async def workspace_at(db: Reader, path: str) -> str | None:
    """Return the workspace of the database that has a path; the case of a path of Windows says nothing."""
    return await db.value(
        """
        SELECT workspace_id FROM workspaces WHERE path = :path OR (
            lower(replace(path, char(92), '/')) = lower(rtrim(replace(:path, char(92), '/'), '/'))
            AND path GLOB '[A-Za-z]:*') LIMIT 1
        """,
        {"path": path},
    )


def mark_known(stage: Stage, known: Mapping[Key, KnownFile]) -> None:
    """Note which staged files are as they were at the last import of them."""
    rows = [{"unit": unit or STORE, "path": path, "sha256": f.sha256} for (unit, path), f in known.items()]
    stage.change("UPDATE files SET known = 'same' WHERE unit = :unit AND path = :path AND sha256 = :sha256", rows)


def counted(stage: Stage, unit: str) -> Written:
    """Return the counts of what is decided for a workspace: they are those of the run that does it."""
    rows = stage.query(
        "SELECT table_name, action, count(*) AS n FROM rows WHERE unit = :unit GROUP BY 1, 2", {"unit": unit}
    )
    found = Written()
    for row in rows:
        found.counts.setdefault(row["table_name"], {})[row["action"]] = row["n"]
    gone = stage.query("SELECT table_name, count(*) AS n FROM gone WHERE unit = :unit GROUP BY 1", {"unit": unit})
    for row in gone:
        found.counts.setdefault(row["table_name"], {})["delete"] = row["n"]
    files = stage.query(
        """
        SELECT CASE WHEN known IS NULL THEN status ELSE 'unchanged' END AS status, count(*) AS n FROM files
        WHERE unit = :unit GROUP BY 1
        """,
        {"unit": unit},
    )
    found.files = {row["status"]: row["n"] for row in files}
    return found


def left_out(stage: Stage, unit: str) -> None:
    """Count files of which nothing was kept, because the ids in them are taken, as failed."""
    stage.change(
        """
        UPDATE files SET status = 'failed', reason = 'the ids in it are taken by something else in the database'
        WHERE unit = :unit AND status = 'imported'
          AND EXISTS (SELECT 1 FROM rows r WHERE r.unit = files.unit AND r.path = files.path AND r.action = 'foreign')
          AND NOT EXISTS (SELECT 1 FROM rows r WHERE r.unit = files.unit AND r.path = files.path
                          AND r.action <> 'foreign')
        """,
        [{"unit": unit}],
    )


def come_back(stage: Stage, unit: str) -> None:
    """Count documents that say what the database has already as unchanged: nothing is remembered of them."""
    stage.change("UPDATE files SET known = NULL WHERE unit = :unit AND known = 'here'", [{"unit": unit}])
    stage.change(
        """
        UPDATE files AS f SET known = 'here'
        WHERE unit = :unit AND known IS NULL AND status = 'imported' AND raw IS NULL
          AND NOT EXISTS (SELECT 1 FROM rows r
                          WHERE (r.unit = f.unit OR f.unit = :store) AND r.path = f.path AND r.action <> 'same')
        """,
        [{"unit": unit, "store": STORE}],  # a workspace takes in what belongs to all
    )


def is_idle(stage: Stage, unit: str) -> bool:
    """Return whether nothing of a workspace has to be written."""
    return not stage.query(
        """
        SELECT 1 FROM rows WHERE unit = :unit AND action NOT IN ('same', 'foreign')
        UNION ALL SELECT 1 FROM gone WHERE unit = :unit
        UNION ALL SELECT 1 FROM files WHERE unit = :unit AND known IS NULL LIMIT 1
        """,
        {"unit": unit},
    )


async def apply(
    db: Database, stage: Stage, unit: str, decided: Decided, *, layout: str, source: str, report: Mapping[str, Any]
) -> Written:
    """Make what was decided for one workspace real, in one transaction. Raises Conflict if it is out of date."""
    written = counted(stage, unit)
    if is_idle(stage, unit):
        return written
    try:
        async with db.transaction() as tx:
            begun = time.perf_counter()
            if await generation(tx) != decided.generation:
                raise Conflict("Another import was faster. Nothing was written.")
            whole = {**report, "layout": layout, "source": source, "counts": written.counts}
            written.run_id = await _write(tx, stage, unit, whole)
    except sqlite3.IntegrityError as error:
        raise Conflict(f"The database changed while the import was prepared: {error}. Nothing was written.") from error
    written.seconds = time.perf_counter() - begun
    await indexing.work_off(db)
    return written


async def _write(tx: Transaction, stage: Stage, unit: str, report: Mapping[str, Any]) -> str:
    run_id, workspace_id = new_id("imp"), unit or None
    await tx.run(f"PRAGMA cache_size = -{CACHE_KIB}")
    await tx.run("PRAGMA defer_foreign_keys = ON")  # knowledge that supersedes other knowledge is named by it in turn
    await tx.run(
        """
        INSERT INTO import_runs (run_id, workspace_id, layout, source_path, status, report, started_at, completed_at)
        VALUES (:run_id, :workspace_id, :layout, :source_path, 'completed', :report, :now, :now)
        """,
        {
            "run_id": run_id,
            "workspace_id": workspace_id,
            "layout": report["layout"],
            "source_path": report["source"],
            "report": encode(dict(report)),
            "now": tx.now(),
        },
    )
    for table in TABLES:
        await _insert(tx, stage, unit, table)
        await _update(tx, stage, unit, table)
    await _delete(tx, stage, unit)
    await _remember(tx, stage, unit)
    await _account(tx, stage, unit, run_id)
    await import_ledger.restore(tx, stage, unit)
    await _move_plans(tx, stage, unit)
    await dependencies.refresh(tx, _targets(stage, unit))
    rows = sum(sum(by_action.values()) for by_action in report["counts"].values())
    summary = f"Imported {rows} rows from {report['source']}"
    entity = ("workspace", workspace_id) if workspace_id else ("import", run_id)
    data = {"run_id": run_id, **{name: report[name] for name in ("layout", "source", "counts")}}
    events.record(tx, Event("imported", entity[0], entity[1] or run_id, workspace_id, summary=summary, data=data))
    await events.flush(tx)
    # What is new is indexed after the commit, in parts, so that nobody waits for it; a start makes up for a crash.
    await tx.run("INSERT INTO search_backlog (entity_id, kind) SELECT entity_id, kind FROM search_pending")
    await tx.run("DELETE FROM search_pending")
    await tx.run(f"PRAGMA cache_size = -{USUAL_CACHE_KIB}")
    return run_id


async def _insert(tx: Transaction, stage: Stage, unit: str, table: str) -> None:
    for found in stage.pages(unit, table, ROWS, "insert"):
        groups: dict[tuple[str, tuple[str, ...]], list[dict[str, Any]]] = {}
        for row in found:
            values = params(row)
            if table == "steps" and not row["suffix"]:
                values.pop("waits_for", None)  # triggers count it
            if table in LOGS:
                values["timestamp"] = min(values["timestamp"], tx.now())
            groups.setdefault((row["suffix"], tuple(values)), []).append(values)
        for (suffix, names), rows in groups.items():
            marks = ", ".join(f":{name}" for name in names)
            await tx.many(f"INSERT INTO {table}{suffix} ({', '.join(names)}) VALUES ({marks})", rows)
        await tx.settle()


async def _update(tx: Transaction, stage: Stage, unit: str, table: str) -> None:
    for found in stage.pages(unit, table, ROWS, "update"):
        key = key_of(await shape_of(tx, table))
        for row in found:
            changes = json.loads(row["changes"] or "{}")
            sets = ", ".join(f"{name} = :{name}" for name in changes)
            for suffix in ("", family.ARCHIVE) if changes and table in family.FAMILY else ("",) if changes else ():
                sql = f"UPDATE {table}{suffix} SET {sets} WHERE {key} = :row_key"
                await tx.run(sql, {**changes, "row_key": row["row_key"]})
        await tx.settle()


async def _delete(tx: Transaction, stage: Stage, unit: str) -> None:
    gone = stage.query("SELECT * FROM gone WHERE unit = :unit", {"unit": unit})
    for row in sorted(gone, key=lambda found: -TABLES.index(found["table_name"])):
        table, key = row["table_name"], key_of(await shape_of(tx, row["table_name"]))
        await tx.run(f"DELETE FROM {table}{row['suffix']} WHERE {key} = :key", {"key": row["row_key"]})
        await tx.run(
            "DELETE FROM import_rows WHERE table_name = :table AND row_key = :key",
            {"table": table, "key": row["row_key"]},
        )


async def _remember(tx: Transaction, stage: Stage, unit: str) -> None:
    """Keep each row as it was imported, for the next import to compare with; of logs, what tells their entries."""
    common = {"workspace_id": unit or None, "now": tx.now()}
    for table in stage.tables(unit):
        if table in LOGS:
            new = [short(row["row_key"]) for rows in stage.pages(unit, table, ROWS, "insert") for row in rows]
            base = encode([*await known_entries(tx, table, unit), *new])
            entry = {"table_name": table, "row_key": unit, "path": "", "json_path": "$", "base": base}
            await tx.run(REMEMBER, {**entry, **common})
            continue
        for action in ("insert", "update", "rebase"):
            for found in stage.pages(unit, table, ROWS, action):
                await tx.many(REMEMBER, [{**_remembered(row), **common} for row in found])
                await tx.settle()


def _remembered(row: sqlite3.Row) -> dict[str, Any]:
    return {name: row[name] for name in ("table_name", "row_key", "path", "json_path", "base")}


async def _account(tx: Transaction, stage: Stage, unit: str, run_id: str) -> None:
    """Write what became of each file that is not as it was."""
    columns = (
        "path", "sha256", "size", "status", "reason", "entity_type", "entity_id", "raw", "modified_at",
    )  # fmt: skip
    last = ""
    while found := stage.query(
        "SELECT * FROM files WHERE unit = :unit AND known IS NULL AND path > :last ORDER BY path LIMIT :size",
        {"unit": unit, "last": last, "size": FILES},
    ):
        last = found[-1]["path"]
        await tx.many(
            f"""
            INSERT INTO import_files (file_id, run_id, workspace_id, created_at, {", ".join(columns)})
            VALUES (:file_id, :run_id, :workspace_id, :now, {", ".join(":" + name for name in columns)})
            ON CONFLICT (file_id) DO UPDATE SET run_id = excluded.run_id, created_at = excluded.created_at,
                {", ".join(f"{name} = excluded.{name}" for name in columns)}
            """,
            [
                {
                    **{name: row[name] for name in columns},
                    "file_id": file_id(unit, row["path"]),
                    "run_id": run_id,
                    "workspace_id": unit or None,
                    "now": tx.now(),
                }
                for row in found
            ],
        )
        await tx.settle()


async def _move_plans(tx: Transaction, stage: Stage, unit: str) -> None:
    """Archive a plan that the source archived since, and bring one back; one that was moved here stays."""
    moved = stage.query(
        """
        SELECT p.plan_id, p.archived, p.suffix FROM plans p
        JOIN rows r ON r.table_name = 'plans' AND r.row_key = p.plan_id
        WHERE p.unit = :unit AND r.action = 'update' AND r.changes ->> 'archived_at' IS NOT NULL
          AND p.archived = 1 AND p.suffix = ''
        """,
        {"unit": unit},
    )
    for row in moved:
        await family.archive(tx, row["plan_id"])
    back = stage.query(
        """
        SELECT p.plan_id FROM plans p JOIN rows r ON r.table_name = 'plans' AND r.row_key = p.plan_id
        WHERE p.unit = :unit AND r.action = 'update' AND json_type(r.changes, '$.archived_at') = 'null'
          AND p.archived = 0 AND p.suffix <> ''
        """,
        {"unit": unit},
    )
    for row in back:
        await family.unarchive(tx, row["plan_id"])


def _targets(stage: Stage, unit: str) -> list[Node]:
    """Return what plans, phases and programs wait for by the rows that were written."""
    found: dict[Node, None] = {}
    for action in ("insert", "update"):
        for rows in stage.pages(unit, "dependencies", ROWS, action):
            for values in map(params, rows):
                found[values["target_type"], values["target_id"]] = None
    return [node for node in found if node[0] != "step"]


async def missing(db: Reader, stage: Stage) -> list[Finding]:
    """Return the rows that an import wrote and that are not there, live or archived."""
    found: list[Finding] = []
    for unit in stage.units():
        for table in stage.tables(unit):
            if table in LOGS:
                continue
            key = key_of(await shape_of(db, table))
            names = (table, table + family.ARCHIVE) if table in family.FAMILY else (table,)
            there = " UNION ALL ".join(
                f"SELECT {key} FROM {name} WHERE {key} IN (SELECT value FROM json_each(:keys))" for name in names
            )
            for rows in stage.pages(unit, table, ROWS, "insert"):
                keys = {row[0] for row in await db.all(there, {"keys": encode([row["row_key"] for row in rows])})}
                lost = [row for row in rows if row["row_key"] not in keys]
                found += of(
                    unit or None,
                    [Finding("error", r["path"], r["json_path"], f"not in {table}", r["row_key"]) for r in lost],
                )
    return found


async def broken_references(db: Reader) -> list[Finding]:
    """Return what the database itself says of references that lead nowhere."""
    rows = await db.all("PRAGMA foreign_key_check")
    return [Finding("error", row[0], f"row {row[1]}", f"refers to nothing in {row[2]}") for row in rows]


def new_plans(stage: Stage) -> set[str]:
    """Return the plans that an import wrote anew."""
    rows = stage.query("SELECT row_key FROM rows WHERE table_name = 'plans' AND action = 'insert'", {})
    return {row["row_key"] for row in rows}
