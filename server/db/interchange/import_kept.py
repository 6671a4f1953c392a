"""What a source does not tell, or is not asked for: it stays what it was."""

import json
import marshal
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from server.db.interchange import import_rows
from server.db.interchange.import_rows import BOOKKEEPING, Columns
from server.db.interchange.scratch import LOGS, Stage, params
from server.db.storage.connection import Reader
from server.db.storage.driver import Record
from server.db.storage.table_shapes import shape_of
from server.models.base import encode
from server.text.redaction import BLANK

ROWS = 2000  # looked for in one hop


async def keep(db: Reader, stage: Stage) -> None:
    """Let what is staged say again what stood there before.

    That is the time of the file for one that the source does not tell, as it was at the first import: else all of a
    file was made anew when one line changed. A secret that is here, where the source has it blanked out. And all that
    a file said that cannot be read any more.
    """
    if await db.value("SELECT 1 FROM import_rows LIMIT 1") is None:
        return
    for unit in stage.units():
        files = stage.query("SELECT path, modified_at, status FROM files WHERE unit = :unit", {"unit": unit})
        times: dict[str, str] = {file["path"]: file["modified_at"] for file in files if file["modified_at"]}
        failed = {file["path"] for file in files if file["status"] == "failed"}
        for table in stage.tables(unit):
            if table in LOGS:
                continue
            for rows in stage.pages(unit, table, ROWS):
                marks = [(row, (times.get(row["path"], BLANK), BLANK)) for row in rows]
                some = [row for row, told in marks if row["path"] in failed or any(one in row["base"] for one in told)]
                await _keep(db, stage, table, some, times, failed=failed)


async def _keep(
    db: Reader, stage: Stage, table: str, rows: Sequence[Record], times: Mapping[str, str], *, failed: Collection[str]
) -> None:
    keys = [row["row_key"] for row in rows]
    found = await db.all(
        """
        SELECT row_key, base FROM import_rows
        WHERE table_name = :table AND row_key IN (SELECT value FROM json_each(:keys))
        """,
        {"table": table, "keys": encode(keys)},
    )
    bases = {row["row_key"]: json.loads(row["base"]) for row in found}
    blanked = [row["row_key"] for row in rows if BLANK in row["base"]]
    live = await import_rows.live(db, table, await shape_of(db, table), blanked)
    kept: list[dict[str, Any]] = []
    for row in rows:
        base, was = json.loads(row["base"]), bases.get(row["row_key"], {})
        secrets = _secrets(base, live[row["row_key"]][1]) if row["row_key"] in live else {}
        before = secrets | _times({**base, **secrets}, was, times.get(row["path"]))
        before = was if row["path"] in failed else before
        if before:
            changed = marshal.dumps(params(row) | before)
            kept.append({"seq": row["seq"], "params": changed, "base": encode(base | before)})
    stage.change("UPDATE rows SET params = :params, base = :base WHERE seq = :seq", kept)


def _times(base: Columns, was: Columns, time: str | None) -> Columns:
    """Return the columns that have the time of the file, as they were; `updated_at` moves if anything else did."""
    before = {name: was[name] for name, value in base.items() if value == time and was.get(name) is not None}
    is_same = {**base, **before} == was
    return before if is_same else {name: value for name, value in before.items() if name not in BOOKKEEPING}


def _secrets(base: Columns, live: Columns) -> Columns:
    """Return the columns in which something is blanked out, with what stands there here."""
    blanked = {name: value for name, value in base.items() if isinstance(value, str) and BLANK in value}
    found = {name: _filled(value, live.get(name)) for name, value in blanked.items()}
    return {name: value for name, value in found.items() if value != base[name]}


def _filled(text: str, here: Any) -> Any:
    """Return a value of a column, JSON or a mere text, filled in where it is blank."""
    if text == BLANK:
        return here
    try:
        told, known = json.loads(text), json.loads(here)
    except (ValueError, TypeError):
        return text
    return encode(_together(told, known))


def _together(told: Any, known: Any) -> Any:
    if told == BLANK:
        return known if isinstance(known, str) else told
    if isinstance(told, dict) and isinstance(known, dict):
        here = cast(Columns, known)
        return {name: _together(value, here.get(name)) for name, value in cast(Columns, told).items()}
    if isinstance(told, list) and isinstance(known, list):
        values, there = cast(list[Any], told), cast(list[Any], known)
        return [_together(*pair) for pair in zip(values, there, strict=True)] if len(values) == len(there) else values
    return cast(Any, told)
