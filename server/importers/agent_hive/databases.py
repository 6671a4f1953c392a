"""Databases of a hive, by looking at what tables they have: nothing comes in of one that cannot be read whole."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from server.db.storage.foreign import BadDatabase, ForeignDatabase
from server.importers.agent_hive import tables
from server.importers.agent_hive.hive import Hive, HivePart
from server.importers.agent_hive.tree import HiveFile
from server.importers.reading import UnreadableFile, modified
from server.importers.reading import read as read_file
from server.importers.taking import WHOLE_BYTES, Sink
from server.importers.values import Object, QuietTeller
from server.models.base import encode
from server.models.imports import FileEntry, ImportBatch
from server.text import redaction

SIZE = 500  # rows in one batch
KEPT_ROWS = 500  # rows of a table in one item of context
OWN = ("schema_migrations",)  # tables that a program keeps for itself


def read(hive: Hive, file: HiveFile) -> Iterator[ImportBatch]:
    """Yield what a database becomes; the last batch has its account."""
    account = Sink(hive.workspace_id)
    path = file.entry.path
    is_whole = False
    with hive.taker.database(file.entry, account) as db:
        if db is not None:
            counts = _counted(db)
            make = hive.taker.maker(path, min(modified(file.entry.location), hive.known.now))
            part = HivePart(hive, path, file.inner, make, ImportBatch(hive.workspace_id), file.is_copy)
            part.teller = QuietTeller(path, account.batch.findings)
            for table in sorted(counts, key=tables.place_of):
                yield from _table(part, db, table, counts)
            yield part.take()
            is_whole = not part.hidden
    if is_whole and [entry.status for entry in account.batch.files] == ["imported"]:
        account.batch.files[:] = [_with_bytes(file, account.batch.files[0])]
    yield account.batch


def _with_bytes(file: HiveFile, entry: FileEntry) -> FileEntry:
    """Return the account of a database with its bytes: rows that were deleted may still stand in them."""
    try:
        content = read_file(file.entry, most=WHOLE_BYTES)
    except (OSError, UnreadableFile):
        return entry
    if content.sha256 != entry.sha256 or redaction.has_shape(content.data.decode("latin-1")):
        return entry
    return replace(entry, raw=content.raw)


def _counted(db: ForeignDatabase) -> dict[str, int]:
    """Return how many rows each table has. Each is read once: what is damaged shows before anything comes in."""
    counts = {table: sum(1 for _ in db.rows(table)) for table in db.tables()}
    for table, count in counts.items():
        if (told := db.count(table)) != count:
            raise BadDatabase(f"of the {told} rows of the table {table} {count} can be read")
    return counts


def _table(part: HivePart, db: ForeignDatabase, table: str, counts: Mapping[str, int]) -> Iterator[ImportBatch]:
    """Yield what the rows of a table become. What no row is made of is kept as it is, and told."""
    columns = db.tables()[table]
    mapper = tables.mapper_of(table, columns) if not part.is_copy else None
    if mapper is None and counts[table] and table not in OWN:
        what = f"a table that is not known here; its {counts[table]} rows are kept whole, as context"
        part.tell("warning", table, what)
    kept: list[Object] = []
    items = seen = 0
    for row in db.rows(table):
        where = f"{table}[{seen}]"
        opened = {name: _without_secrets(part, _plain(cell), f"{where}.{name}") for name, cell in row.items()}
        value = part.clean(opened, where)
        seen += 1
        if mapper is None or not mapper(part, value, where):
            kept.append(value)
        if len(kept) == KEPT_ROWS:
            _keep(part, table, columns, kept, items)
            kept, items = [], items + 1
        if len(part.batch.rows) >= SIZE:
            yield part.take()
    if kept or (mapper is None and not items):
        _keep(part, table, columns, kept, items)
    if seen != counts[table]:
        what = f"{seen} of its {counts[table]} rows came in"
        part.tell("error", table, what)


def _keep(part: HivePart, table: str, columns: list[str], rows: list[Object], number: int) -> None:
    kind = f"databases/{part.path}/{table}" + (f"#{number + 1}" if number else "")
    part.context(kind, {"table": table, "columns": columns, "rows": rows}, table)


def _without_secrets(part: HivePart, cell: Any, where: str) -> Any:
    """Return a value without the secrets that stand in it as JSON; else it stays as it is written."""
    if not isinstance(cell, str) or cell[:1] not in ("{", "["):
        return cell
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    cleaned = part.clean(found, where)
    return cell if cleaned == found else encode(cleaned)


def _plain(cell: Any) -> Any:
    """Return a value as JSON has it."""
    return {"base64": base64.b64encode(cell).decode()} if isinstance(cell, bytes) else cell
