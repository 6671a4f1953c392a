"""Times of files that stand for times which a source does not tell."""

import json
import marshal
from collections.abc import Mapping, Sequence
from typing import Any

from server.db.interchange.import_rows import BOOKKEEPING
from server.db.interchange.scratch import LOGS, Stage, params
from server.db.storage.connection import Reader
from server.db.storage.driver import Record
from server.models.base import encode

ROWS = 2000  # looked for in one hop


async def keep(db: Reader, stage: Stage) -> None:
    """Let such times be what they were at the first import: else all of a file was made anew when one line changed."""
    if await db.value("SELECT 1 FROM import_rows LIMIT 1") is None:
        return
    for unit in stage.units():
        files = stage.query("SELECT path, modified_at FROM files WHERE unit = :unit", {"unit": unit})
        times: dict[str, str] = {file["path"]: file["modified_at"] for file in files if file["modified_at"]}
        for table in stage.tables(unit):
            if table in LOGS:
                continue
            for rows in stage.pages(unit, table, ROWS):
                await _keep(
                    db, stage, table, [row for row in rows if times.get(row["path"], "\0") in row["base"]], times
                )


async def _keep(db: Reader, stage: Stage, table: str, rows: Sequence[Record], times: Mapping[str, str]) -> None:
    found = await db.all(
        """
        SELECT row_key, base FROM import_rows
        WHERE table_name = :table AND row_key IN (SELECT value FROM json_each(:keys))
        """,
        {"table": table, "keys": encode([row["row_key"] for row in rows])},
    )
    bases = {row["row_key"]: json.loads(row["base"]) for row in found}
    kept: list[dict[str, Any]] = []
    for row in rows:
        base, was = json.loads(row["base"]), bases.get(row["row_key"], {})
        before = _before(base, was, times[row["path"]])
        if before:
            changed = marshal.dumps(params(row) | before)
            kept.append({"seq": row["seq"], "params": changed, "base": encode(base | before)})
    stage.change("UPDATE rows SET params = :params, base = :base WHERE seq = :seq", kept)


def _before(base: Mapping[str, Any], was: Mapping[str, Any], time: str) -> dict[str, Any]:
    """Return the columns that have the time of the file, as they were; `updated_at` moves if anything else did."""
    before = {name: was[name] for name, value in base.items() if value == time and was.get(name) is not None}
    is_same = {**base, **before} == was
    return before if is_same else {name: value for name, value in before.items() if name not in BOOKKEEPING}
