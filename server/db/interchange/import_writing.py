"""Makes real what was decided for a workspace, in transactions so short that agents can write between them.

A workspace that is new stays hidden until its last transaction shows it. Into one that is there each plan comes whole,
in one transaction. Whatever is written is written with what is remembered of it, so that an import which goes on after
one that was interrupted finds that as it is.
"""

import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import anyio

from server.db.audit import events
from server.db.dependencies import dependencies
from server.db.dependencies.dependencies import Node
from server.db.interchange import import_ledger, import_runs
from server.db.interchange.import_merge import Decided, short
from server.db.interchange.import_places import NAMES
from server.db.interchange.import_rows import key_of
from server.db.interchange.import_runs import Run
from server.db.interchange.imports import ImportOutcome, counted, is_idle
from server.db.interchange.scratch import LOGS, STORE, TABLES, Stage, file_id, params
from server.db.plans import plan_archive
from server.db.search import indexing
from server.db.storage.connection import Database, Transaction
from server.db.storage.driver import Record
from server.db.storage.driver_errors import ConstraintViolation, in_words
from server.db.storage.table_shapes import shape_of
from server.errors import Conflict, ProjectMemoryError
from server.models.base import as_dict, encode
from server.models.events import Event
from server.text.display import number_of

HELD_SECONDS = 0.06  # how long a transaction takes in further pieces
PAUSE_SECONDS = 0.005  # between two: more than those who wait for the lock pause between looks at it
ROWS = 250  # in one piece
ENTRIES = 2000  # of a log, in one row of what is remembered
FILES = 10
TARGETS = 200
HEAD = ("workspaces", "workspace_aliases")
BEFORE_PLANS = ("programs", "program_workspace_links", "program_risks")
FILE_COLUMNS = (
    "path", "sha256", "size", "status", "reason", "entity_type", "entity_id", "raw", "modified_at",
)  # fmt: skip
REMEMBER = """
    INSERT INTO import_rows (table_name, row_key, workspace_id, path, json_path, base, updated_at)
    VALUES (:table_name, :row_key, :workspace_id, :path, :json_path, :base, :now)
    ON CONFLICT (table_name, row_key) DO UPDATE SET path = excluded.path, json_path = excluded.json_path,
        base = excluded.base, updated_at = excluded.updated_at
"""

NEWEST = {
    "event_log": "SELECT coalesce(max(event_id), 0) AS newest FROM event_log",
    "update_log": "SELECT coalesce(max(log_id), 0) AS newest FROM update_log",
}


class Unfit(Conflict):
    """What was decided does not fit the database: somebody wrote meanwhile, or it is decided so again and again."""


Piece = Callable[[Transaction], Awaitable[None]]  # what is in one transaction
Rows = Sequence[Record]


async def apply(db: Database, stage: Stage, run: Run, decided: Decided, report: Mapping[str, Any]) -> ImportOutcome:
    """Make what was decided for one workspace real. Raises Conflict if it is out of date: what was written stays."""
    written = counted(stage, run.unit)
    if is_idle(stage, run.unit) and not await import_runs.is_open(db, [run.unit]):
        return written
    whole = {**report, "layout": run.layout, "source": run.source, "counts": written.counts}
    try:
        try:
            await _in_parts(db, run, written, _pieces(stage, run, decided))
            await _search(db, written)
            await _in_parts(db, run, written, iter([partial(_complete, run, whole)]))
        except ConstraintViolation as error:
            raise Unfit(f"The database refused what was prepared: {in_words(error)}.") from error
    except BaseException:
        await _let_go(db, run)
        raise
    await _search(db, written)
    written.run_id = run.run_id
    return written


async def _in_parts(db: Database, run: Run, written: ImportOutcome, pieces: Iterator[Piece]) -> None:
    piece = next(pieces, None)
    while piece:
        async with db.transaction() as tx:
            begun = time.perf_counter()
            if run.run_id:
                await import_runs.go_on(tx, run)
            await tx.run("PRAGMA defer_foreign_keys = ON")  # knowledge and what supersedes it name each other
            while piece:
                await piece(tx)
                await tx.settle()
                piece = next(pieces, None)
                if time.perf_counter() - begun >= HELD_SECONDS:
                    break
            # What is new is indexed in transactions of its own; a start makes up for a crash.
            await tx.run("INSERT INTO search_backlog (entity_id, kind) SELECT entity_id, kind FROM search_pending")
            await tx.run("DELETE FROM search_pending")
        written.seconds = max(written.seconds, time.perf_counter() - begun)
        await anyio.sleep(PAUSE_SECONDS)


async def _search(db: Database, written: ImportOutcome) -> None:
    """Let the search know what is new."""
    _, longest = await indexing.work_off(db)
    written.seconds = max(written.seconds, longest)


async def _let_go(db: Database, run: Run) -> None:
    """Say that nobody is at a run that failed; if that fails too, it shows by its silence."""
    with suppress(ProjectMemoryError), anyio.move_on_after(1, shield=True):
        async with db.transaction() as tx:
            await import_runs.let_go(tx, run)


def _pieces(stage: Stage, run: Run, decided: Decided) -> Iterator[Piece]:
    """Yield all that has to be written, parents before their children.

    What takes long is found before the first piece: the others are made while the lock is held.
    """
    unit = run.unit
    is_new = bool(stage.query(IS_NEW, {"unit": unit}))
    plan_ids, targets, moves = stage.plans_to_write(unit), _targets(stage, unit), list(_moves(stage, unit))
    yield partial(_begin, stage, run, decided, is_new)
    for table in BEFORE_PLANS:
        yield from _of_table(stage, run, table)
    for plan_id in plan_ids:
        pages = stage.of_plan(plan_id, ROWS, whole=NAMES)  # what may swap names is written at once
        yield from (partial(_write, run, rows) for rows in pages) if is_new else (partial(_write_all, run, pages),)
        yield partial(_delete, stage, run, plan_id, None)
    yield partial(_delete, stage, run, None, "knowledge")  # their slugs may be those of new ones
    for table in TABLES:
        if table not in (*HEAD, *BEFORE_PLANS):
            yield from _of_table(stage, run, table)
    yield partial(_delete, stage, run, None, None)
    yield partial(_lose_places, stage, run)
    for table in LOGS:
        yield from _entries(stage, run, table)
    yield from _files(stage, run)
    yield partial(_forget_files, stage, run)
    yield from (partial(import_ledger.restore, *one) for one in import_ledger.pages(stage, unit))
    yield from moves
    for start in range(0, len(targets), TARGETS):
        yield partial(_refresh, targets[start : start + TARGETS])


IS_NEW = "SELECT 1 FROM rows WHERE unit = :unit AND table_name = 'workspaces' AND action = 'insert'"


async def _begin(stage: Stage, run: Run, decided: Decided, is_new: bool, tx: Transaction) -> None:
    """Take up the run, and make the workspace, hidden if it is new."""
    if await import_runs.generation(tx) != decided.generation:
        raise Conflict("Another import was faster.")
    await import_runs.begin(tx, run)
    for table in HEAD:
        for rows in stage.to_write(run.unit, table, ROWS):
            await _write(run, rows, tx)
    if is_new:
        values = {"unit": run.unit, "run_id": run.run_id}
        await tx.run("UPDATE workspaces SET importing = :run_id WHERE workspace_id = :unit", values)


def _of_table(stage: Stage, run: Run, table: str) -> Iterator[Piece]:
    """Yield what belongs to no plan; knowledge at once, since its rows name each other."""
    pages = stage.to_write(run.unit, table, ROWS)
    if table == "knowledge":
        pages = iter([[row for page in pages for row in page]])
    yield from (partial(_write, run, rows) for rows in pages)


async def _write(run: Run, rows: Rows, tx: Transaction) -> None:
    """Write rows of one table or of several, and what is remembered of them."""
    for table in dict.fromkeys(row["table_name"] for row in rows):
        own = [row for row in rows if row["table_name"] == table]
        await _let_go_of_names(tx, table, own)
        await _insert(tx, table, [row for row in own if row["action"] == "insert"])
        await _update(tx, table, [row for row in own if row["action"] == "update"])
    names = ("table_name", "row_key", "path", "json_path", "base")
    common = {"workspace_id": run.unit or None, "now": tx.now()}
    kept = [{name: row[name] for name in names} | common for row in rows if row["table_name"] not in LOGS]
    await tx.many(REMEMBER, kept)


async def _write_all(run: Run, pages: Iterator[Rows], tx: Transaction) -> None:
    """Write a plan as a whole: nobody sees a part of one in a workspace that is in use."""
    for rows in pages:
        await _write(run, rows, tx)


async def _let_go_of_names(tx: Transaction, table: str, rows: Rows) -> None:
    """Let rows that get another name be called by their keys meanwhile: one may get that of another."""
    name = NAMES.get(table)
    keys = [row["row_key"] for row in rows if name and name in json.loads(row["changes"] or "{}")]
    if keys:
        key = key_of(await shape_of(tx, table))
        for suffix in ("", plan_archive.ARCHIVE) if table in plan_archive.FAMILY else ("",):
            sql = f"UPDATE {table}{suffix} SET {name} = {key} WHERE {key} IN (SELECT value FROM json_each(:keys))"
            await tx.run(sql, {"keys": encode(keys)})


async def _insert(tx: Transaction, table: str, found: Rows) -> None:
    before = await tx.value(NEWEST[table]) if table in LOGS and found else 0
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
    if table in LOGS and found:
        await _note_entries(tx, table, before)


async def _note_entries(tx: Transaction, table: str, before: int) -> None:
    """Note which entries of a log came with an import: nobody else wrote meanwhile."""
    await tx.run(
        f"""
        INSERT INTO imported_logs (table_name, first_id, last_id)
        SELECT :table, :first, newest FROM ({NEWEST[table]}) AS n WHERE newest >= :first
        """,
        {"table": table, "first": before + 1},
    )


async def _update(tx: Transaction, table: str, found: Rows) -> None:
    key = key_of(await shape_of(tx, table)) if found else ""
    for row in found:
        changes = json.loads(row["changes"] or "{}")
        sets = ", ".join(f"{name} = :{name}" for name in changes)
        for suffix in (
            ("", plan_archive.ARCHIVE) if changes and table in plan_archive.FAMILY else ("",) if changes else ()
        ):
            sql = f"UPDATE {table}{suffix} SET {sets} WHERE {key} = :row_key"
            await tx.run(sql, {**changes, "row_key": row["row_key"]})


async def _delete(stage: Stage, run: Run, plan_id: str | None, table: str | None, tx: Transaction) -> None:
    """Delete what is no longer in the files of a plan, or of none; only of one table if that is named."""
    gone = stage.query(
        "SELECT * FROM gone WHERE unit = :unit AND plan_id IS :plan_id AND table_name = coalesce(:table, table_name)",
        {"unit": run.unit, "plan_id": plan_id, "table": table},
    )
    for row in sorted(gone, key=lambda found: -TABLES.index(found["table_name"])):
        name, key = row["table_name"], key_of(await shape_of(tx, row["table_name"]))
        await tx.run(f"DELETE FROM {name}{row['suffix']} WHERE {key} = :key", {"key": row["row_key"]})
        await tx.run(
            "DELETE FROM import_rows WHERE table_name = :table AND row_key = :key",
            {"table": name, "key": row["row_key"]},
        )


async def _lose_places(stage: Stage, run: Run, tx: Transaction) -> None:
    """Remember of what stays that it has no place in its file any more."""
    lost = stage.query(
        'SELECT table_name AS "table", row_key AS "key" FROM unplaced WHERE unit = :unit', {"unit": run.unit}
    )
    sql = "UPDATE import_rows SET json_path = '' WHERE table_name = :table AND row_key = :key"
    await tx.many(sql, [as_dict(row) for row in lost])


def _entries(stage: Stage, run: Run, table: str) -> Iterator[Piece]:
    """Yield what tells the entries of a log, those of an import before that was interrupted too, in parts."""
    for keys in stage.keys(run.unit, table, ENTRIES):
        entries = list(map(short, keys))
        known = stage.known(table, entries)
        if new := [entry for entry in entries if entry not in known]:
            yield partial(_remember_log, run, table, new)


async def _remember_log(run: Run, table: str, entries: Sequence[str], tx: Transaction) -> None:
    """Keep what tells entries of a log."""
    entry = {"table_name": table, "row_key": f"{run.unit}#{entries[0]}", "path": "", "json_path": "$"}
    about = {"base": encode(list(entries)), "workspace_id": run.unit or None, "now": tx.now()}
    await tx.run(REMEMBER, entry | about)


def _files(stage: Stage, run: Run) -> Iterator[Piece]:
    """Yield what became of the files that are not as they were."""
    last = ""
    while found := stage.query(
        "SELECT * FROM files WHERE unit = :unit AND known IS NULL AND path > :last ORDER BY path LIMIT :size",
        {"unit": run.unit, "last": last, "size": FILES},
    ):
        last = found[-1]["path"]
        yield partial(_account, run, found)


async def _account(run: Run, found: Rows, tx: Transaction) -> None:
    about = {"run_id": run.run_id, "workspace_id": run.unit or None, "now": tx.now()}
    rows = [
        {name: row[name] for name in FILE_COLUMNS} | about | {"file_id": file_id(run.unit, row["path"])}
        for row in found
    ]
    await tx.many(
        f"""
        INSERT INTO import_files (file_id, run_id, workspace_id, created_at, {", ".join(FILE_COLUMNS)})
        VALUES (:file_id, :run_id, :workspace_id, :now, {", ".join(":" + name for name in FILE_COLUMNS)})
        ON CONFLICT (coalesce(workspace_id, ''), path) DO UPDATE SET run_id = excluded.run_id,
            created_at = excluded.created_at, {", ".join(f"{name} = excluded.{name}" for name in FILE_COLUMNS)}
        """,
        rows,
    )


async def _forget_files(stage: Stage, run: Run, tx: Transaction) -> None:
    """Forget files that are not there any more, and of which nothing is here."""
    sql = "SELECT unit, path FROM vanished WHERE unit = :unit AND forgotten"
    forgotten = stage.query(sql, {"unit": run.unit})
    sql = "DELETE FROM import_files WHERE coalesce(workspace_id, '') = :unit AND path = :path"
    await tx.many(sql, [as_dict(row) for row in forgotten])


def _moves(stage: Stage, unit: str) -> Iterator[Piece]:
    """Archive a plan that the source archived since, and bring one back; one that was moved here stays."""
    moved = stage.query(
        """
        SELECT p.plan_id, r.changes ->> 'archived_at' AS archived_at
        FROM plans p JOIN rows r ON r.table_name = 'plans' AND r.row_key = p.plan_id
        WHERE p.unit = :unit AND r.action = 'update' AND r.changes ->> 'archived_at' IS NOT NULL
          AND p.archived = 1 AND p.suffix = ''
        """,
        {"unit": unit},
    )
    back = stage.query(
        """
        SELECT p.plan_id FROM plans p JOIN rows r ON r.table_name = 'plans' AND r.row_key = p.plan_id
        WHERE p.unit = :unit AND r.action = 'update' AND json_type(r.changes, '$.archived_at') = 'null'
          AND p.archived = 0 AND p.suffix <> ''
        """,
        {"unit": unit},
    )
    yield from (partial(_archive, as_dict(row)) for row in moved)
    yield from (partial(_unarchive, row["plan_id"]) for row in back)


async def _archive(plan: Mapping[str, Any], tx: Transaction) -> None:
    """Archive a plan as of when the source did."""
    await plan_archive.archive(tx, plan["plan_id"])
    await tx.run("UPDATE plans_archive SET archived_at = :archived_at WHERE plan_id = :plan_id", plan)


async def _unarchive(plan_id: str, tx: Transaction) -> None:
    await plan_archive.unarchive(tx, plan_id)


def _targets(stage: Stage, unit: str) -> list[Node]:
    """Return what plans, phases and programs wait for by the rows that are written."""
    found: dict[Node, None] = {}
    for rows in stage.pages(unit, "dependencies", ROWS):
        for values in (params(row) for row in rows if row["action"] != "foreign"):
            found[values["target_type"], values["target_id"]] = None
    return [node for node in found if node[0] != "step"]


async def _refresh(targets: Sequence[Node], tx: Transaction) -> None:
    await dependencies.refresh(tx, targets)


async def _complete(run: Run, report: Mapping[str, Any], tx: Transaction) -> None:
    """Show the workspace, and log that it was imported."""
    rows = sum(sum(by_action.values()) for by_action in report["counts"].values())
    summary = f"Imported {number_of(rows, 'row')} from {run.source}"
    entity = ("workspace", run.unit) if run.unit != STORE else ("import", run.run_id)
    data = {"run_id": run.run_id, **{name: report[name] for name in ("layout", "source", "counts")}}
    events.record(tx, Event("imported", *entity, run.unit or None, summary=summary, data=data))
    await events.flush(tx)
    await import_runs.complete(tx, run, encode(dict(report)))
