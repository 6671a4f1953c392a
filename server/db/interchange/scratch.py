"""A scratch database beside the real one: what an import found, until one short transaction makes it real."""

import hashlib
import json
import marshal
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from server.db.ledger import tables as ledger
from server.db.plans.plan_archive import FAMILY
from server.db.storage.driver import Record, open_scratch
from server.db.storage.rows import stored
from server.models.base import encode
from server.models.imports import FileEntry, Finding, Findings, ImportBatch, ImportedRow, of

# Tables in an order in which rows can be inserted under the foreign keys.
TABLES = (
    "workspaces", "workspace_aliases", "programs", "program_workspace_links", "program_risks", "plans",
    "program_plans", "step_counts", "phases", "steps", "plan_notes", "confirmations", "step_workers", "approvals",
    "sessions", "lineage", "context_items", "research_documents", "knowledge", "memory_entries", "step_file_edits",
    "checkpoints", "messages", "build_scripts", "dependencies", *ledger.OF_PLANS, "agents", "file_reservations",
    "trash", "agent_definitions", "instruction_files", "skill_definitions", "event_log", "update_log",
)  # fmt: skip
LOGS = ("event_log", "update_log")
# What the database works out by itself is no part of what was imported.
DERIVED = {
    "plans": {"open_steps"},
    "steps": {"waits_for", "claimed_by", "claim_token", "lease_expires_at"},
    "dependencies": {"dep_status", "satisfied_at", "updated_at"},
}
NOTHING: set[str] = set()
PAGE_ROWS = 200
STORE = ""  # the unit of what belongs to no workspace
# INT: an index does not go on from a pair of a column and the rowid, which INTEGER would make of it.
SCHEMA = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE rows (
        seq INT PRIMARY KEY, unit TEXT NOT NULL, table_name TEXT NOT NULL, row_key TEXT NOT NULL, plan_id TEXT,
        path TEXT NOT NULL, json_path TEXT NOT NULL, moment TEXT NOT NULL, params BLOB NOT NULL,
        base TEXT NOT NULL, action TEXT NOT NULL DEFAULT 'insert', changes TEXT, UNIQUE (table_name, row_key)
    );
    CREATE INDEX rows_unit ON rows (unit, table_name, moment, seq);
    CREATE INDEX rows_plan ON rows (plan_id, table_name, seq);
    CREATE INDEX rows_path ON rows (path, unit);
    CREATE TABLE files (
        unit TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT, size INTEGER, status TEXT, reason TEXT, entity_type TEXT,
        entity_id TEXT, raw BLOB, modified_at TEXT, known TEXT, PRIMARY KEY (unit, path)
    );
    CREATE TABLE plans (plan_id TEXT PRIMARY KEY, unit TEXT NOT NULL, archived INTEGER NOT NULL, suffix TEXT);
    CREATE TABLE units (unit TEXT PRIMARY KEY, place INTEGER);
    CREATE TABLE known_entries (table_name TEXT, entry TEXT, PRIMARY KEY (table_name, entry)) WITHOUT ROWID;
    CREATE TABLE vanished (unit TEXT, path TEXT, forgotten INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (unit, path));
    CREATE TABLE unplaced (unit TEXT, table_name TEXT, row_key TEXT);
    CREATE TABLE gone (unit TEXT, table_name TEXT, row_key TEXT, suffix TEXT, plan_id TEXT);
"""

# Logs in the order of time, all else as it came.
PAGE = """
    SELECT r.*, coalesce(p.suffix, '') AS suffix FROM rows r LEFT JOIN plans p ON p.plan_id = r.plan_id
    WHERE r.unit = :unit AND r.table_name = :table AND (:action IS NULL OR r.action = :action)
      AND (r.moment, r.seq) > (:moment, :seq)
    ORDER BY r.moment, r.seq LIMIT :size
"""

KEYS = """
    SELECT row_key, moment, seq FROM rows
    WHERE unit = :unit AND table_name = :table AND (moment, seq) > (:moment, :seq) ORDER BY moment, seq LIMIT :size
"""
TO_WRITE = """
    SELECT r.*, coalesce(p.suffix, '') AS suffix FROM rows r LEFT JOIN plans p ON p.plan_id = r.plan_id
    WHERE {0} AND r.action IN ('insert', 'update', 'moved', 'rebase')
"""
OF_PLAN = f"""
    {TO_WRITE.format("r.plan_id = :plan_id AND r.table_name = :table AND r.seq > :seq")} ORDER BY r.seq LIMIT :size
"""
PLANS_TO_WRITE = """
    SELECT plan_id FROM rows
    WHERE unit = :unit AND plan_id IS NOT NULL AND action IN ('insert', 'update', 'moved', 'rebase')
    UNION SELECT plan_id FROM gone WHERE unit = :unit AND plan_id IS NOT NULL ORDER BY 1
"""


class Stage:
    """What an import found. Rows and files are on disk; the lines of the report go to `findings`."""

    def __init__(self, path: Path, findings: Findings) -> None:
        self._db = open_scratch(path, SCHEMA)
        self._numbers = count(1)
        self._findings = findings

    def close(self) -> None:
        self._db.close()

    def add(self, draft: ImportBatch) -> None:
        """Keep a part of what was found."""
        unit = draft.workspace_id or STORE
        self._db.execute("BEGIN")
        self._db.execute("INSERT OR IGNORE INTO units VALUES (?, (SELECT count(*) FROM units))", (unit,))
        self._add_rows(unit, draft)
        self._db.executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            [(unit, *_file(entry)) for entry in draft.files],
        )
        self._db.execute("COMMIT")
        self._findings += of(draft.workspace_id, draft.findings)

    def _add_rows(self, unit: str, draft: ImportBatch) -> None:
        before = self._db.total_changes
        self._db.executemany(
            """
            INSERT OR IGNORE INTO rows (seq, unit, table_name, row_key, plan_id, path, json_path, moment, params, base)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            ((next(self._numbers), *_row(unit, row)) for row in draft.rows),
        )
        if self._db.total_changes - before < len(draft.rows):
            self._tell_of_doubles(draft)
        plans = [(row.key, unit, row.key in draft.archived) for row in draft.rows if row.table == "plans"]
        self._db.executemany("INSERT OR IGNORE INTO plans VALUES (?, ?, ?, NULL)", plans)

    def _tell_of_doubles(self, draft: ImportBatch) -> None:
        for row in draft.rows:
            path, json_path = self._db.execute(
                "SELECT path, json_path FROM rows WHERE table_name = ? AND row_key = ?", (row.table, row.key)
            ).fetchone()
            if (path, json_path) != (row.path, row.json_path) and row.table not in LOGS:
                what = f"the id is taken by {path} {json_path}; left out"
                draft.findings.append(Finding("error", row.path, row.json_path, what, row.key))

    def miss(self, files: Iterable[tuple[str | None, str]]) -> None:
        """Note files that were imported before, and are not there any more."""
        missed = [{"unit": unit or STORE, "path": path} for unit, path in files]
        self.change("INSERT INTO vanished (unit, path) VALUES (:unit, :path)", missed)

    def know(self, table: str, entries: Iterable[str]) -> None:
        """Note entries of a log that were imported before."""
        self.change(
            "INSERT OR IGNORE INTO known_entries VALUES (:table, :entry)",
            [{"table": table, "entry": entry} for entry in entries],
        )

    def known(self, table: str, entries: Iterable[str]) -> set[str]:
        """Return which of these entries of a log were imported before."""
        sql = """
            SELECT entry FROM known_entries
            WHERE table_name = :table AND entry IN (SELECT value FROM json_each(:entries))
        """
        return {row["entry"] for row in self.query(sql, {"table": table, "entries": encode(list(entries))})}

    def keys(self, unit: str, table: str, size: int) -> Iterator[list[str]]:
        """Yield the keys of the rows of a table, in parts."""
        values = {"unit": unit, "table": table, "size": size, "moment": "", "seq": 0}
        while found := self.query(KEYS, values):
            yield [row["row_key"] for row in found]
            values |= {"moment": found[-1]["moment"], "seq": found[-1]["seq"]}

    def units(self) -> list[str]:
        """Return the workspaces in their order, the store itself last."""
        found = self._db.execute("SELECT unit FROM units ORDER BY unit = '', place")
        return [unit for (unit,) in found]

    def query(self, sql: str, params: Mapping[str, Any]) -> list[Record]:
        return self._db.execute(sql, params).fetchall()

    def change(self, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._db.execute("BEGIN")
            self._db.executemany(sql, rows)
            self._db.execute("COMMIT")

    def rename(self, row: Record, name: str, value: str) -> None:
        """Give a staged row another value in a column."""
        changed = marshal.dumps(params(row) | {name: value})
        base = encode(json.loads(row["base"]) | {name: value})
        values = {"seq": row["seq"], "params": changed, "base": base}
        self.change("UPDATE rows SET params = :params, base = :base WHERE seq = :seq", [values])

    def drop(self, unit: str) -> None:
        """Forget the rows of a workspace."""
        self.change("DELETE FROM rows WHERE unit = :unit", [{"unit": unit}])

    def tables(self, unit: str) -> list[str]:
        """Return the tables that a workspace has rows for, parents before children."""
        found = self.query("SELECT DISTINCT table_name AS name FROM rows WHERE unit = :unit", {"unit": unit})
        names = {row["name"] for row in found}
        return [table for table in TABLES if table in names]

    def plans_to_write(self, unit: str) -> list[str]:
        """Return the plans of which something is new, changed or gone."""
        return [row["plan_id"] for row in self.query(PLANS_TO_WRITE, {"unit": unit})]

    def of_plan(self, plan_id: str, size: int, whole: Collection[str] = ()) -> Iterator[list[Record]]:
        """Yield the rows of a plan that are to be written, parents before their children, in parts of one table each.

        Those of the tables `whole` come at once.
        """
        for table in TABLES:
            values = {"plan_id": plan_id, "table": table, "size": -1 if table in whole else size, "seq": 0}
            while found := self.query(OF_PLAN, values):
                yield found
                values["seq"] = found[-1]["seq"]

    def plans(self) -> list[tuple[str, bool]]:
        """Return the plans, each with whether it ends in the archive."""
        found = self.query("SELECT plan_id, archived FROM plans ORDER BY rowid", {})
        return [(row["plan_id"], bool(row["archived"])) for row in found]

    def keys_of(self, plan_id: str, table: str) -> dict[str, None]:
        """Return the keys of the rows that a plan has in a table, in the order in which they came."""
        sql = "SELECT row_key FROM rows WHERE plan_id = :plan_id AND table_name = :table ORDER BY seq"
        return dict.fromkeys(row["row_key"] for row in self.query(sql, {"plan_id": plan_id, "table": table}))

    def rows_of(self, table: str, keys: Sequence[str]) -> dict[str, ImportedRow]:
        """Return rows of a table by their keys, as they came but for lists and objects, which are JSON."""
        sql = """
            SELECT * FROM rows WHERE table_name = :table AND row_key IN (SELECT value FROM json_each(:keys))
            ORDER BY seq
        """
        found = self.query(sql, {"table": table, "keys": encode(list(keys))})
        return {row["row_key"]: _imported(row) for row in found}

    def rows_in(self, table: str) -> Iterator[ImportedRow]:
        """Yield the rows of a table, whichever workspace they are of, as `rows_of` does."""
        for unit in self.units():
            for page in self.pages(unit, table, PAGE_ROWS):
                yield from map(_imported, page)

    def to_write(self, unit: str, table: str, size: int) -> Iterator[list[Record]]:
        """Yield the rows of a table that are to be written and belong to no plan, in parts, in the order of time."""
        where = """
            r.unit = :unit AND r.table_name = :table AND r.plan_id IS NULL
            AND (r.moment, r.seq) > (:moment, :seq)
        """
        sql = f"{TO_WRITE.format(where)} ORDER BY r.moment, r.seq LIMIT :size"
        values = {"unit": unit, "table": table, "size": size, "moment": "", "seq": 0}
        while found := self.query(sql, values):
            yield found
            values |= {"moment": found[-1]["moment"], "seq": found[-1]["seq"]}

    def pages(self, unit: str, table: str, size: int, action: str | None = None) -> Iterator[list[Record]]:
        """Yield the rows of a table in parts, each read when it is asked for, with the `suffix` of their plan."""
        values = {"unit": unit, "table": table, "size": size, "action": action, "moment": "", "seq": 0}
        while found := self.query(PAGE, values):
            yield found
            values |= {"moment": found[-1]["moment"], "seq": found[-1]["seq"]}


def _row(unit: str, row: ImportedRow) -> tuple[Any, ...]:
    values = stored(row.values)
    derived = DERIVED.get(row.table, NOTHING)
    remembered = row.table in TABLES and row.table not in LOGS
    base = encode({k: v for k, v in values.items() if k not in derived}) if remembered else "{}"
    plan_id = row.plan_id if row.table in FAMILY else None
    moment = (values.get("timestamp") or "") if row.table in LOGS else ""
    return (unit, row.table, row.key, plan_id, row.path, row.json_path, moment, marshal.dumps(values), base)


def _imported(row: Record) -> ImportedRow:
    return ImportedRow(row["table_name"], row["row_key"], params(row), row["path"], row["json_path"], row["plan_id"])


def params(row: Record) -> dict[str, Any]:
    """Return the columns of a staged row."""
    return marshal.loads(row["params"])


def _file(entry: FileEntry) -> tuple[Any, ...]:
    return (
        entry.path,
        entry.sha256,
        entry.size,
        entry.status,
        entry.reason,
        entry.entity_type,
        entry.entity_id,
        entry.raw,
        entry.modified_at,
    )


def file_id(unit: str, path: str) -> str:
    """Return the id of a file's row: one for each place in the store."""
    return f"file_{hashlib.sha256(f'{unit} {path}'.encode()).hexdigest()[:24]}"
