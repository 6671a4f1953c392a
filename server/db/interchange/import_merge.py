"""Decides, outside the write lock, what is to be done with each staged row, given what earlier imports wrote."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from server.db.interchange import import_gates, import_ledger, import_places, import_runs
from server.db.interchange.exports import ALL_PLANS
from server.db.interchange.scratch import DERIVED, LOGS, NOTHING, Stage, params
from server.db.plans.plan_archive import ARCHIVE, FAMILY
from server.db.plans.plans import IS_SHOWN
from server.db.storage.connection import Reader
from server.db.storage.driver import Record
from server.db.storage.table_shapes import Shape, shape_of
from server.models.base import as_dict, encode
from server.models.imports import Finding, Findings, Severity

CHUNK = 400
# They follow every edit, so that both sides moved them says nothing.
BOOKKEEPING = {"version", "updated_at", "last_seen_at"}
NUMBERS = ("event_id", "log_id")
# Rows that are never deleted because a file does not name them any more: too much hangs on them.
KEPT = ("workspaces", "workspace_aliases", "programs", "plans", *LOGS)
# What another program says happened is kept, too: its files are written over, drained and turned.
RECORDS = (
    "checkpoints", "messages", "lineage", "sessions", "decisions", "tool_calls", "runs", "quality_gates",
    "metric_points", "field_changes",
)  # fmt: skip
# What a human said of a plan that is there already is said here, or it is not: a file may claim anything.
WORDS = ("confirmations", "approvals")
BELONGS = ("plan_id", "parent_id", "source_id")  # columns that say what a row is of
PROGRAMS, COUNTING = ("run", "allowlist"), ("open", "approved")
Columns = dict[str, Any]
Entry = tuple[tuple[str, Any], ...]


@dataclass
class Decided:
    """What `decide` found besides what it wrote into the stage."""

    findings: Findings = field(default_factory=Findings)
    generation: tuple[int, str | None] = (0, None)


@dataclass(frozen=True)
class Base:
    """What an import wrote of a row, for which workspace, and from which file."""

    text: str
    workspace_id: str | None
    path: str


async def decide(db: Reader, stage: Stage, unit: str, *, overwrites: bool = False) -> Decided:
    """Set the `action` of every staged row of a workspace, and the `changes` of those to update.

    insert, update, same; rebase: the source changed, what the database holds stays; foreign: the id is taken by
    something that no import of this workspace wrote. What the database changed since stays, unless it `overwrites`.
    """
    decided = Decided(generation=await import_runs.generation(db))
    await _place_plans(db, stage, unit)
    stage.change("UPDATE rows SET action = 'insert', changes = NULL WHERE unit = :unit", [{"unit": unit}])
    stage.change("DELETE FROM gone WHERE unit = :unit", [{"unit": unit}])
    imported_before = await db.value("SELECT 1 FROM import_rows LIMIT 1") is not None
    for table in stage.tables(unit):
        if table in LOGS:
            await _decide_log(db, stage, unit, table)
            continue
        one = _Table(db, stage, unit, table, await shape_of(db, table), decided, overwrites)
        for rows in stage.pages(unit, table, CHUNK):
            await one.decide(rows, await one.bases(rows) if imported_before else {})
        one.leave_out_doubles()
    _drop_families(stage, unit)
    await import_ledger.decide(db, stage, unit)
    if imported_before:
        await _vanished(db, stage, unit, decided)
    return decided


async def _decide_log(db: Reader, stage: Stage, unit: str, table: str) -> None:
    """Mark the entries that were imported before, and those that this very database wrote, by all that they say."""
    known = set(await known_entries(db, table, unit))
    there: dict[str, Counter[Entry]] = {}
    for rows in stage.pages(unit, table, CHUNK):
        moments = {row["moment"] for row in rows}
        there = {moment: there[moment] for moment in moments & there.keys()}  # a moment may be on two pages
        there |= await _logged(db, table, moments - there.keys())
        same: list[dict[str, Any]] = []
        for row in rows:
            equal, entry = there[row["moment"]], _entry(params(row))
            if short(row["row_key"]) in known or equal[entry] > 0:
                equal[entry] -= 1
                same.append({"seq": row["seq"]})
        stage.change("UPDATE rows SET action = 'same' WHERE seq = :seq", same)


async def _logged(db: Reader, table: str, moments: Iterable[str]) -> dict[str, Counter[Entry]]:
    """Return how often the database has each entry of these moments."""
    found = {moment: Counter[Entry]() for moment in moments}
    query = f"SELECT * FROM {table} WHERE timestamp IN (SELECT value FROM json_each(:moments))"
    for row in await db.all(query, {"moments": encode(list(found))}) if found else ():
        found[row["timestamp"]][_entry(as_dict(row))] += 1
    return found


def _entry(values: Columns) -> Entry:
    """Return an entry without its number, which is its place in one database."""
    return tuple((name, values[name]) for name in sorted(values) if name not in NUMBERS and values[name] is not None)


async def known_entries(db: Reader, table: str, unit: str) -> list[str]:
    """Return what tells the entries of a log that were imported before.

    One row holds all of a workspace; so does one of each that was merged into it.
    """
    found = await db.all(
        "SELECT base FROM import_rows WHERE table_name = :table AND (row_key = :unit OR workspace_id = :unit)",
        {"table": table, "unit": unit},
    )
    return [entry for row in found for entry in json.loads(row["base"])]


def short(key: str) -> str:
    """Return what is remembered of the key of a log's entry."""
    return blake2b(key.encode(), digest_size=8).hexdigest()


async def _place_plans(db: Reader, stage: Stage, unit: str) -> None:
    """Note where each plan is now; a new one goes where the source has it."""
    ids = [row["plan_id"] for row in stage.query("SELECT plan_id FROM plans WHERE unit = :unit", {"unit": unit})]
    found = await db.all(
        """
        SELECT plan_id, '' AS suffix FROM plans WHERE plan_id IN (SELECT value FROM json_each(:ids))
        UNION ALL
        SELECT plan_id, '_archive' FROM plans_archive WHERE plan_id IN (SELECT value FROM json_each(:ids))
        """,
        {"ids": encode(ids)},
    )
    stage.change(
        "UPDATE plans SET suffix = CASE archived WHEN 1 THEN '_archive' ELSE '' END WHERE unit = :unit",
        [{"unit": unit}],
    )
    stage.change("UPDATE plans SET suffix = :suffix WHERE plan_id = :plan_id", [as_dict(row) for row in found])


def key_of(shape: Shape) -> str:
    """Return the expression that gives the key under which a row is staged."""
    return " || ' ' || ".join(shape.key)


@dataclass
class _Table:
    """One table of one workspace on its way through the decisions."""

    db: Reader
    stage: Stage
    unit: str
    name: str
    shape: Shape
    decided: Decided
    overwrites: bool
    barred: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])

    def tell(self, row: Record, severity: Any, what: str, value: Any = None, used: Any = None) -> None:
        where = f"{row['json_path']}"
        self.decided.findings.append(Finding(severity, row["path"], where, what, value, used))

    async def bases(self, rows: Sequence[Record]) -> dict[str, Base]:
        found = await self.db.all(
            """
            SELECT row_key, base, workspace_id, path FROM import_rows
            WHERE table_name = :table AND row_key IN (SELECT value FROM json_each(:keys))
            """,
            {"table": self.name, "keys": encode([row["row_key"] for row in rows])},
        )
        return {row["row_key"]: Base(row["base"], row["workspace_id"], row["path"]) for row in found}

    async def live(self, keys: Iterable[str]) -> dict[str, tuple[str, Columns]]:
        """Return the rows of the database by key, each with the suffix of its table."""
        found: dict[str, tuple[str, Columns]] = {}
        wanted = {"keys": encode(list(keys))}
        for suffix in ("", ARCHIVE) if self.name in FAMILY else ("",):
            sql = f"""
                SELECT *, {key_of(self.shape)} AS "?key" FROM {self.name}{suffix}
                WHERE {key_of(self.shape)} IN (SELECT value FROM json_each(:keys))
            """
            for row in await self.db.all(sql, wanted):
                columns = as_dict(row)
                found[columns.pop("?key")] = (suffix, columns)
        return found

    async def decide(self, rows: Sequence[Record], bases: Mapping[str, Base]) -> None:
        moved = [row for row in rows if self.overwrites or _has_moved(row, bases)]
        live = await self.live(row["row_key"] for row in moved)
        new = [row for row in moved if row["row_key"] not in live]
        taken = await import_places.taken(self.db, self.name, self.shape, new)
        there = await self.plans_there(rows) if self.name in WORDS else set[str]()
        self.barred = await self._barred(moved, live)
        changes: list[Columns] = []
        for row in rows:
            base = bases.get(row["row_key"])
            action, changed = "same", None
            if base and (base.workspace_id or "") != self.unit:
                action = "foreign"
                self.tell(row, "error", f"imported already, into the workspace {base.workspace_id!r}", row["row_key"])
            elif self.overwrites or _has_moved(row, bases):
                action, changed = self._one(row, base, live.get(row["row_key"]), taken.get(row["row_key"]))
            if action in ("insert", "update") and self.name in WORDS and (claim := _claim(row, there)):
                action, changed = ("foreign" if action == "insert" else "rebase"), None
                self.tell(row, *claim, row["row_key"])
            if action != "insert":
                changes.append({"seq": row["seq"], "action": action, "changes": encode(changed) if changed else None})
        self.stage.change("UPDATE rows SET action = :action, changes = :changes WHERE seq = :seq", changes)

    def _one(
        self, row: Record, base: Base | None, live: tuple[str, Columns] | None, taken: str | None
    ) -> tuple[str, Columns | None]:
        if live is None and base is not None and not self.overwrites:
            self.tell(row, "info", "deleted in the database since; it stays deleted", row["row_key"])
            return "rebase", None
        if taken:
            self.displaced(row, taken)
            return "foreign", None
        if live is None:
            return "insert", None
        new = json.loads(row["base"])
        differing = [name for name in new.keys() - BOOKKEEPING if new[name] != live[1][name]]
        if not differing and (base is None or base.path != row["path"]):
            return "same", None  # it was written here, and has come back
        if base is None:
            return self._unknown(row, live[1], differing)
        changed = self._merged(row, json.loads(base.text), json.loads(row["base"]), live[1])
        return ("update", changed) if changed else ("rebase", None)

    def _unknown(self, row: Record, live: Columns, differing: Sequence[str]) -> tuple[str, Columns | None]:
        """Decide on a row that is there though no import made it, and says something else."""
        if self.name == "workspaces":
            changed = self._adopted(row, live)
            return ("update", changed) if changed else ("same", None)
        told = f"that id exists already, with another {', '.join(sorted(differing)[:5])}; left out"
        self.tell(row, "error", told, row["row_key"])
        return "foreign", None

    def _adopted(self, row: Record, live: Columns) -> Columns:
        """Fill in what a workspace that is registered already lacks; what it has stays."""
        new = json.loads(row["base"])
        changed = {name: value for name, value in new.items() if live[name] is None and value is not None}
        meta = json.loads(live["meta"])
        lacking = {name: value for name, value in json.loads(new["meta"]).items() if name not in meta}
        changed |= {"meta": encode({**meta, **lacking})} if lacking else {}
        what = "registered already; " + ("what it lacked was added" if changed else "it lacked nothing")
        self.tell(row, "info", what, live["path"], row["row_key"])
        return changed

    def _merged(self, row: Record, base: Columns, new: Columns, live: Columns) -> Columns:
        """Return what the source changed since, less what was edited in the database since."""
        changed: Columns = {}
        held = import_gates.held(self.name, new, live, self.barred.get(row["row_key"], import_gates.NONE))
        for name, value in new.items():
            if live.get(name) == value or (value == base.get(name) and not self.overwrites):
                continue
            if name in held:
                self.tell(row, "error", f"{name} stays: a gate of this database holds it", value, live[name])
            elif live.get(name) == base.get(name) or name in BOOKKEEPING or self.overwrites:
                changed[name] = value
            else:
                self.tell(
                    row, "error", f"{name} changed here and in the database; the database's stays", value, live[name]
                )
        if not set(changed) - BOOKKEEPING:
            return {}
        if "version" in live:
            changed["version"] = live["version"] + 1
        if "updated_at" in live:
            changed["updated_at"] = max(live["updated_at"], new.get("updated_at", ""))
        return changed

    async def _barred(
        self, moved: Sequence[Record], live: Mapping[str, tuple[str, Columns]]
    ) -> dict[str, frozenset[str]]:
        pairs = {
            row["row_key"]: (json.loads(row["base"]), live[row["row_key"]][1])
            for row in moved
            if row["row_key"] in live
        }
        return await import_gates.barred(self.db, self.stage, self.name, pairs)

    async def plans_there(self, rows: Sequence[Record]) -> set[str]:
        """Return the plans of these rows that are there, but for those that an interrupted import still brings."""
        found = await self.db.all(
            f"""
            SELECT plan_id FROM {ALL_PLANS} AS p
            WHERE plan_id IN (SELECT value FROM json_each(:ids)) AND {IS_SHOWN.format("p")}
            """,
            {"ids": encode(list({_plan_of(row) for row in rows}))},
        )
        return {row["plan_id"] for row in found}

    def leave_out_doubles(self) -> None:
        """Leave out all but the first of new rows that would stand in one place."""
        rows = import_places.doubles(self.stage, self.unit, self.name, self.shape)
        for row in rows:
            self.displaced(row, row["first"])
        foreign = [{"seq": row["seq"]} for row in rows]
        self.stage.change("UPDATE rows SET action = 'foreign' WHERE seq = :seq", foreign)

    def displaced(self, row: Record, other: str) -> None:
        """Tell that a row is left out, since another one is in its place."""
        severity = "info" if self.name == "plan_terms" else "error"  # the word is there, whoever put it
        self.tell(row, severity, f"{self.name} {other} is in its place already; left out", row["row_key"])


def _has_moved(row: Record, bases: Mapping[str, Base]) -> bool:
    """Return whether the source says something else of a row than at the last import."""
    base = bases.get(row["row_key"])
    return base is None or base.text != row["base"]


def _claim(row: Record, there: Collection[str]) -> tuple[Severity, str] | None:
    """Return why a human's word that a file claims, or asks for, is left out."""
    if _plan_of(row) in there:
        return "error", "a human's word on a plan that is there already; left out"
    said = params(row)
    if said.get("kind") in PROGRAMS and said.get("status") in COUNTING:
        return "warning", "what may run is asked and allowed in this database alone; left out"
    return None


def _plan_of(row: Record) -> str:
    """Return the plan that a human's word is about; one on an archived plan names that as its entity."""
    return row["plan_id"] or params(row).get("entity_id", "")


def _drop_families(stage: Stage, unit: str) -> None:
    """Leave out all of a plan whose id is not ours, and what names it or a program like that."""
    stage.change(
        """
        UPDATE rows SET action = 'foreign' WHERE unit = :unit AND plan_id IN (
            SELECT row_key FROM rows WHERE table_name = 'plans' AND action = 'foreign')
        """,
        [{"unit": unit}],
    )


async def _vanished(db: Reader, stage: Stage, unit: str, decided: Decided) -> None:
    """Find what earlier imports made of files that do not hold it any more; nobody edited it, or it stays."""
    kept = await _vanished_plans(db, stage, unit, decided)
    last = ("", "")
    while True:
        found = await db.all(
            f"""
            SELECT table_name, row_key, path, base FROM import_rows
            WHERE coalesce(workspace_id, '') = :unit AND (table_name, row_key) > (:table, :key)
              AND table_name NOT IN ({", ".join(repr(name) for name in KEPT)})
              AND NOT (
                table_name IN ({", ".join(repr(name) for name in RECORDS)}) AND base ->> 'source_system' IS NOT NULL
              )
            ORDER BY table_name, row_key LIMIT {CHUNK}
            """,
            {"unit": unit, "table": last[0], "key": last[1]},
        )
        if not found:
            return
        last = (found[-1]["table_name"], found[-1]["row_key"])
        for table in dict.fromkeys(row["table_name"] for row in found):
            one = _Table(db, stage, unit, table, await shape_of(db, table), decided, overwrites=False)
            await _vanished_from(one, [row for row in found if row["table_name"] == table], kept)


async def _vanished_plans(db: Reader, stage: Stage, unit: str, decided: Decided) -> set[str]:
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
        decided.findings.append(Finding("warning", gone[plan_id]["path"], "$", what, plan_id))
    return {row["id"] for row in inside}


async def _vanished_from(one: _Table, rows: Sequence[Record], kept: Collection[str]) -> None:
    stage, unit, table = one.stage, one.unit, one.name
    gone = [row for row in rows if _is_gone(stage, unit, row)]
    live = await one.live(row["row_key"] for row in gone)
    skipped = DERIVED.get(table, NOTHING) | BOOKKEEPING
    for row in gone:
        if row["row_key"] not in live:
            continue
        suffix, columns = live[row["row_key"]]
        base = json.loads(row["base"])
        if any(columns.get(name) in kept for name in BELONGS):
            continue
        untouched = all(columns[name] == value for name, value in base.items() if name not in skipped)
        what = "no longer in the file; deleted" if untouched else "no longer in the file, but edited since; it stays"
        one.decided.findings.append(Finding("info" if untouched else "error", row["path"], "$", what, row["row_key"]))
        if untouched:
            plan_id = columns.get("plan_id") if table in FAMILY else None
            values = {"unit": unit, "table": table, "key": row["row_key"], "suffix": suffix, "plan_id": plan_id}
            stage.change("INSERT INTO gone VALUES (:unit, :table, :key, :suffix, :plan_id)", [values])


def _is_gone(stage: Stage, unit: str, row: Record) -> bool:
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
