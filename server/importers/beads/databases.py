"""The SQLite database that beads kept its issues in before 0.50, read as the lines that `bd export` writes of it."""

from collections.abc import Iterator
from typing import Any

from server.db.storage.foreign import BadDatabase, ForeignDatabase
from server.importers.reading import Entry
from server.importers.taking import Line, Sink, Taker
from server.importers.values import Object
from server.models.imports import Finding

SUFFIX = ".db"
ISSUES = "issues"
BESIDE = ("labels", "dependencies", "comments")  # whose rows name their issue
LEFT_OUT = ("source_repo", "content_hash", "export_hash")  # what beads works out by itself
NO_TABLE = "it has no table of issues: write them with `bd export -o .beads/issues.jsonl --all`, then import again"
INSTEAD = "there is no file of issues: they are read from the database; `bd export -o FILE --all` may tell more"
OTHERS = "tables that hold no issues, and are not imported"


def issues_in(taker: Taker, entry: Entry, sink: Sink) -> Iterator[Line]:
    """Yield the issues of a file with their numbers, whether it has a line or a row for each."""
    return _rows(taker, entry, sink) if is_database(entry) else taker.lines(entry, sink)


def is_database(entry: Entry) -> bool:
    return entry.location.suffix == SUFFIX


def _rows(taker: Taker, entry: Entry, sink: Sink) -> Iterator[Line]:
    with taker.database(entry, sink) as db:
        if db is None:
            return
        tables = db.tables()
        if not {"id", "title"} <= set(tables.get(ISSUES, ())):
            raise BadDatabase(NO_TABLE)
        sink.batch.findings.append(Finding("info", entry.path, "$", INSTEAD))
        others = [name for name in tables if name not in (ISSUES, *BESIDE)]
        if others:
            sink.batch.findings.append(Finding("info", entry.path, "$", OTHERS, others))
        beside = {name: _by_issue(db, name, tables) for name in BESIDE}
        for number, row in enumerate(db.rows(ISSUES, "id"), 1):
            issue = _told(row)
            for name, found in beside.items():
                if of_it := found.get(str(row["id"])):
                    issue[name] = [one["label"] for one in of_it if "label" in one] if name == "labels" else of_it
            yield number, taker.clean(issue, sink.batch, entry.path, f"row {number}")


def _by_issue(db: ForeignDatabase, table: str, tables: dict[str, list[str]]) -> dict[str, list[Object]]:
    """Return the rows of a table by the issue that they name."""
    found: dict[str, list[Object]] = {}
    for row in db.rows(table) if "issue_id" in tables.get(table, ()) else ():
        found.setdefault(str(row["issue_id"]), []).append(_told(row))
    return found


def _told(row: dict[str, Any]) -> Object:
    """Return what a row says: an export leaves out what is empty, too."""
    return {name: value for name, value in row.items() if value not in (None, "") and name not in LEFT_OUT}
