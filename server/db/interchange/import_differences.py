"""How the database differs from what a source became, or would become now."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from server.db.interchange import import_rows
from server.db.interchange.import_merge import Entry, entry_of, logged
from server.db.interchange.import_rows import BOOKKEEPING, key_of
from server.db.interchange.scratch import LOGS, Stage, params
from server.db.plans import plan_archive
from server.db.storage.connection import Reader
from server.db.storage.driver import Record
from server.db.storage.table_shapes import shape_of
from server.models.base import encode
from server.models.imports import Finding, of

ROWS = 2000  # looked for in one hop


async def missing(db: Reader, stage: Stage) -> list[Finding]:
    """Return the rows that an import wrote and that are not there, live or archived."""
    found: list[Finding] = []
    for unit in stage.units():
        for table in stage.tables(unit):
            if table in LOGS:
                continue
            key = key_of(await shape_of(db, table))
            names = (table, table + plan_archive.ARCHIVE) if table in plan_archive.FAMILY else (table,)
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


async def differing(db: Reader, stage: Stage, *, has_changed: bool, now: str) -> list[Finding]:
    """Return how the database differs from what a source would become, field by field.

    What an import brought and somebody changed or deleted since is a warning. What no import brought is an error,
    unless the source `has_changed`. An entry of a log that is dated later than `now` is not looked for.
    """
    found: list[Finding] = []
    for unit in stage.units():
        for table in stage.tables(unit):
            told = _of_log(db, stage, unit, table, now) if table in LOGS else _of_table(db, stage, unit, table)
            found += of(unit or None, [_milder(one) if has_changed else one for one in await told])
    return found


def _milder(one: Finding) -> Finding:
    return replace(one, severity="warning")


async def _of_table(db: Reader, stage: Stage, unit: str, table: str) -> list[Finding]:
    found: list[Finding] = []
    shape = await shape_of(db, table)
    for rows in stage.pages(unit, table, ROWS):
        keys = [row["row_key"] for row in rows]
        live = await import_rows.live(db, table, shape, keys)
        bases = await db.all(
            "SELECT row_key FROM import_rows WHERE table_name = :table "
            "AND row_key IN (SELECT value FROM json_each(:keys))",
            {"table": table, "keys": encode(keys)},
        )
        brought = {row["row_key"] for row in bases}
        for row in rows:
            found += _row_differences(row, live.get(row["row_key"], ("", None))[1], brought)
    return found


async def _of_log(db: Reader, stage: Stage, unit: str, table: str, now: str) -> list[Finding]:
    """Return of which files how many entries of a log are not there as they are in the file."""
    missed = Counter[str]()
    there: dict[str, Counter[Entry]] = {}
    for rows in stage.pages(unit, table, ROWS):
        past = [row for row in rows if row["moment"] < now]
        moments = {row["moment"] for row in past}
        there = {moment: there[moment] for moment in moments & there.keys()}  # a moment may be on two pages
        there |= await logged(db, table, moments - there.keys())
        for row in past:
            equal, entry = there[row["moment"]], entry_of(params(row))
            missed[row["path"]] += equal[entry] <= 0
            equal[entry] -= 1
    what = f"entries of {table} are not here as they are in the file"
    return [Finding("warning", path, "$", what, number) for path, number in missed.items() if number]


def _row_differences(row: Record, live: Mapping[str, Any] | None, brought: set[str]) -> Iterator[Finding]:
    is_ours = row["row_key"] in brought
    table: str = row["table_name"]
    if live is None:
        what = f"deleted here since: {table}" if is_ours else f"not in {table}"
        yield Finding("warning" if is_ours else "error", row["path"], row["json_path"], what, row["row_key"])
        return
    for name, value in json.loads(row["base"]).items():
        if name not in BOOKKEEPING and name != "workspace_id" and value != live.get(name):
            where = f"{row['json_path']} {name}"
            yield Finding("warning", row["path"], where, f"{table} was changed since", value, live.get(name))


async def broken_references(db: Reader) -> list[Finding]:
    """Return what the database itself says of references that lead nowhere."""
    rows = await db.all("PRAGMA foreign_key_check")
    return [Finding("error", row[0], f"row {row[1]}", f"refers to nothing in {row[2]}") for row in rows]
