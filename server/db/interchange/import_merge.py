"""Decides, outside the write lock, what is to be done with each staged row, given what earlier imports wrote."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from server.db.interchange import (
    import_gates,
    import_ledger,
    import_places,
    import_rows,
    import_runs,
    import_vanished,
)
from server.db.interchange.exports import ALL_PLANS
from server.db.interchange.import_open import left_open
from server.db.interchange.import_rows import BOOKKEEPING, Columns
from server.db.interchange.scratch import LOGS, Stage, params
from server.db.plans.plans import IS_SHOWN
from server.db.storage.connection import Reader
from server.db.storage.driver import Record
from server.db.storage.table_shapes import Shape, shape_of
from server.models.base import as_dict, encode
from server.models.imports import Finding, Findings, Severity

CHUNK = 400
NUMBERS = ("event_id", "log_id")
# What a human said of a plan that is there already is said here, or it is not: a file may claim anything.
WORDS = ("confirmations", "approvals")
PROGRAMS, COUNTING = ("run", "allowlist"), ("open", "approved")
KNOWN_ENTRIES = """
    SELECT row_key, base FROM import_rows
    WHERE table_name = :table AND (row_key = :unit OR coalesce(workspace_id, '') = :unit)
      AND (:last IS NULL OR row_key > :last)
    ORDER BY row_key LIMIT 20
"""
Entry = tuple[tuple[str, Any], ...]


@dataclass
class Decided:
    """What `decide` found besides what it wrote into the stage."""

    findings: Findings = field(default_factory=Findings)
    generation: tuple[int, str | None] = (0, None)


@dataclass(frozen=True)
class Base:
    """What an import wrote of a row, for which workspace, and from which place in which file."""

    text: str
    workspace_id: str | None
    path: str
    json_path: str


async def decide(db: Reader, stage: Stage, unit: str, *, overwrites: bool = False) -> Decided:
    """Set the `action` of every staged row of a workspace, and the `changes` of those to update.

    insert, update, same; moved: the same, in another place of the source; rebase: the source changed, what the database
    holds stays; foreign: the id is taken by something that no import of this workspace wrote. What the database changed
    since stays, unless it `overwrites`.
    """
    decided = Decided(generation=await import_runs.generation(db))
    await _place_plans(db, stage, unit)
    stage.change("UPDATE rows SET action = 'insert', changes = NULL WHERE unit = :unit", [{"unit": unit}])
    for table in ("gone", "unplaced"):
        stage.change(f"DELETE FROM {table} WHERE unit = :unit", [{"unit": unit}])
    imported_before = await db.value("SELECT 1 FROM import_rows LIMIT 1") is not None
    for table in stage.tables(unit):
        if table in LOGS:
            await _decide_log(db, stage, unit, table)
            continue
        one = _Table(db, stage, unit, table, await shape_of(db, table), decided, overwrites)
        for rows in stage.pages(unit, table, CHUNK):
            await one.decide(rows, await one.bases([row["row_key"] for row in rows]) if imported_before else {})
        one.leave_out_doubles()
    _drop_families(stage, unit)
    await import_ledger.decide(db, stage, unit)
    if imported_before:
        decided.findings += await import_vanished.decide(db, stage, unit)
    return decided


async def _decide_log(db: Reader, stage: Stage, unit: str, table: str) -> None:
    """Mark the entries that were imported before, and those that this very database wrote, by all that they say."""
    await _note_known(db, stage, unit, table)
    there: dict[str, Counter[Entry]] = {}
    for rows in stage.pages(unit, table, CHUNK):
        moments = {row["moment"] for row in rows}
        there = {moment: there[moment] for moment in moments & there.keys()}  # a moment may be on two pages
        there |= await logged(db, table, moments - there.keys())
        same: list[dict[str, Any]] = []
        known = stage.known(table, [short(row["row_key"]) for row in rows])
        for row in rows:
            equal, entry = there[row["moment"]], entry_of(params(row))
            if short(row["row_key"]) in known or equal[entry] > 0:
                equal[entry] -= 1
                same.append({"seq": row["seq"]})
        stage.change("UPDATE rows SET action = 'same' WHERE seq = :seq", same)


async def logged(db: Reader, table: str, moments: Iterable[str]) -> dict[str, Counter[Entry]]:
    """Return how often the database has each entry of these moments."""
    found = {moment: Counter[Entry]() for moment in moments}
    query = f"SELECT * FROM {table} WHERE timestamp IN (SELECT value FROM json_each(:moments))"
    for row in await db.all(query, {"moments": encode(list(found))}) if found else ():
        found[row["timestamp"]][entry_of(as_dict(row))] += 1
    return found


def entry_of(values: Columns) -> Entry:
    """Return an entry without its number, which is its place in one database."""
    return tuple((name, values[name]) for name in sorted(values) if name not in NUMBERS and values[name] is not None)


async def _note_known(db: Reader, stage: Stage, unit: str, table: str) -> None:
    """Note on the stage what tells the entries of a log that were imported before.

    A row holds many of a workspace; so do those of each that was merged into it.
    """
    stage.change("DELETE FROM known_entries WHERE table_name = :table", [{"table": table}])
    values: Columns = {"table": table, "unit": unit, "last": None}
    while found := await db.all(KNOWN_ENTRIES, values):
        for row in found:
            stage.know(table, json.loads(row["base"]))
        values["last"] = found[-1]["row_key"]


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
    held: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    left_open: set[str] = field(default_factory=set[str])
    taken: dict[str, str] = field(default_factory=dict[str, str])

    def tell(self, row: Record, severity: Any, what: str, value: Any = None, used: Any = None) -> None:
        where = f"{row['json_path']}"
        self.decided.findings.append(Finding(severity, row["path"], where, what, value, used))

    async def bases(self, keys: Sequence[str]) -> dict[str, Base]:
        found = await self.db.all(
            """
            SELECT row_key, base, workspace_id, path, json_path FROM import_rows
            WHERE table_name = :table AND row_key IN (SELECT value FROM json_each(:keys))
            """,
            {"table": self.name, "keys": encode(list(keys))},
        )
        return {row["row_key"]: Base(row["base"], row["workspace_id"], row["path"], row["json_path"]) for row in found}

    async def decide(self, rows: Sequence[Record], bases: Mapping[str, Base]) -> None:
        moved = [row for row in rows if self.overwrites or _has_moved(row, bases)]
        live = await import_rows.live(self.db, self.name, self.shape, [row["row_key"] for row in moved])
        self.taken = await self._taken(moved, live)
        there = await self.plans_there(rows) if self.name in WORDS else set[str]()
        pairs = {
            row["row_key"]: (json.loads(row["base"]), live[row["row_key"]][1])
            for row in moved
            if row["row_key"] in live
        }
        self.held = await import_gates.held_columns(self.db, self.stage, self.name, pairs)
        if self.name == "plans":
            self.left_open = await left_open(self.db, self.stage, self.unit, pairs, overwrites=self.overwrites)
        changes: list[Columns] = []
        for row in rows:
            base = bases.get(row["row_key"])
            action, changed = "same", None
            if base and (base.workspace_id or "") != self.unit:
                action = "foreign"
                self.tell(row, "error", f"imported already, into the workspace {base.workspace_id!r}", row["row_key"])
            elif self.overwrites or _has_moved(row, bases):
                action, changed = self._one(row, base, live.get(row["row_key"]))
            elif self._stands_elsewhere(row, bases[row["row_key"]]):
                action = "moved"
            if action in ("insert", "update") and self.name in WORDS and (claim := _claim(row, there)):
                action, changed = ("foreign" if action == "insert" else "rebase"), None
                self.tell(row, *claim, row["row_key"])
            if action != "insert":
                changes.append({"seq": row["seq"], "action": action, "changes": encode(changed) if changed else None})
        self.stage.change("UPDATE rows SET action = :action, changes = :changes WHERE seq = :seq", changes)

    def _one(self, row: Record, base: Base | None, live: tuple[str, Columns] | None) -> tuple[str, Columns | None]:
        if live is None and base is not None and not self.overwrites:
            self.tell(row, "info", "deleted in the database since; it stays deleted", row["row_key"])
            return "rebase", None
        if live is None:
            other = self.taken.get(row["row_key"])
            return ("foreign" if other and not self.makes_way(row, other) else "insert"), None
        new = json.loads(row["base"])
        differing = [name for name in new.keys() - BOOKKEEPING if new[name] != live[1][name]]
        if not differing and (base is None or (base.path != row["path"] and not self._stands_elsewhere(row, base))):
            return "same", None  # it was written here, and has come back
        if base is None:
            return self._unknown(row, live[1], differing)
        changed = self._merged(row, json.loads(base.text), json.loads(row["base"]), live[1])
        return ("update", changed) if changed else ("rebase", None)

    def _stands_elsewhere(self, row: Record, base: Base) -> bool:
        """Return whether a row that says the same left its place: a file changes there when it is given back."""
        if base.path == row["path"]:
            return base.json_path != row["json_path"]
        told = {"unit": self.unit, "path": base.path}
        sql = """
            SELECT 1 FROM files WHERE unit = :unit AND path = :path
            UNION ALL SELECT 1 FROM vanished WHERE unit = :unit AND path = :path
        """
        return bool(self.stage.query(sql, told))

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
        held = self.held.get(row["row_key"], import_gates.NONE)
        for name, value in new.items():
            if live.get(name) == value or (value == base.get(name) and not self.overwrites):
                continue
            if name == import_places.NAMES.get(self.name) and row["row_key"] in self.taken:
                self.tell(row, "error", f"{name} stays: {self.taken[row['row_key']]} is called so", value, live[name])
            elif name in held:
                self.tell(row, "error", f"{name} stays: a gate of this database holds it", value, live[name])
            elif name in import_gates.STATUS["plans"] and row["row_key"] in self.left_open:
                self.tell(
                    row, "error", f"{name} stays: steps are open here that the source does not have", value, live[name]
                )
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

    async def _taken(self, moved: Sequence[Record], live: Mapping[str, tuple[str, Columns]]) -> dict[str, str]:
        """Return which rows would stand where another one is and stays."""
        name = import_places.NAMES.get(self.name)
        asked = moved if name else [row for row in moved if row["row_key"] not in live]
        taken = await import_places.taken(self.db, self.name, self.shape, asked)
        if not taken or not name:
            return taken
        others = list(dict.fromkeys(taken.values()))
        bases = await self.bases(others)
        there = await import_rows.live(self.db, self.name, self.shape, others)
        leaving = {key for key, base in bases.items() if self._leaves(key, base, there[key][1], name)}
        return {key: other for key, other in taken.items() if other not in leaving}

    def _leaves(self, key: str, base: Base, live: Columns, name: str) -> bool:
        """Return whether a row gives up what it is called: by another name, or by leaving its file."""
        told = {"table": self.name, "key": key}
        staged = self.stage.query("SELECT base FROM rows WHERE table_name = :table AND row_key = :key", told)
        if staged:
            is_ours = json.loads(base.text)[name] != live[name]
            return json.loads(staged[0]["base"])[name] != live[name] and (self.overwrites or not is_ours)
        row = {"table_name": self.name, "row_key": key, "path": base.path, "base": base.text}
        return self.name == "knowledge" and import_vanished.goes(self.stage, self.unit, row, live)

    def leave_out_doubles(self) -> None:
        """Leave out all but the first of new rows that would stand in one place."""
        rows = import_places.doubles(self.stage, self.unit, self.name, self.shape)
        foreign = [{"seq": row["seq"]} for row in rows if not self.makes_way(row, row["first"])]
        self.stage.change("UPDATE rows SET action = 'foreign' WHERE seq = :seq", foreign)

    def makes_way(self, row: Record, other: str) -> bool:
        """Tell that another row is in the place of one; return whether it gets another name: much hangs on a phase."""
        if self.name == "phases":
            name = f"{params(row)['name']} ({row['row_key']})"
            self.stage.rename(row, "name", name)
            self.tell(row, "warning", f"{other} is called so, too", params(row)["name"], name)
            return True
        severity = "info" if self.name == "plan_terms" else "error"  # the word is there, whoever put it
        self.tell(row, severity, f"{self.name} {other} is in its place already; left out", row["row_key"])
        return False


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
