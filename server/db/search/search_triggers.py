"""The triggers by which the search learns what changed, as SQLite has them: they follow from the searched tables.

A row that is new or changed is noted in `search_pending`; one that goes to the archive, or comes back, only changes the
flag of its document, and one that is only touched the time of it.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby

from server.db.search.indexing import TEXT
from server.db.search.searched_tables import COLUMN, SOURCES, Around, SearchedTable
from server.db.storage.connection import Reader

OF_SEARCH = re.compile(r"\bsearch_")
WIDTH = 120
PENDING = "INSERT INTO search_pending (entity_id, kind)"
INDEXED = ", ".join(TEXT)


def rendered() -> dict[str, str]:
    """Return every trigger of the search, by name."""
    own = (one for kind, source in SOURCES.items() for table in source.tables for one in _of_table(kind, source, table))
    return dict([*_of_index(), *own, *_of_moves(), *_of_imports()])


async def migration(db: Reader) -> str:
    """Return the statements that give a database the triggers that it should have."""
    wanted, found = rendered(), await there(db)
    gone = [f"DROP TRIGGER {name};" for name in found if found[name] != wanted.get(name)]
    new = [f"{sql};" for name, sql in wanted.items() if found.get(name) != sql]
    return "".join(f"{statement}\n" for statement in (*gone, *new))


async def there(db: Reader) -> dict[str, str]:
    """Return the triggers of a database that have to do with the search, by name."""
    rows = await db.all("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    return {row["name"]: row["sql"] for row in rows if OF_SEARCH.search(row["sql"])}


def _trigger(name: str, event: str, body: Iterable[str], when: str = "") -> tuple[str, str]:
    condition = f"\nWHEN {when}" if when else ""
    lines = "".join(f"    {statement};\n" for statement in body)
    return name, f"CREATE TRIGGER {name} AFTER {event}{condition} BEGIN\n{lines}END"


def _of_index() -> Iterator[tuple[str, str]]:
    """The index holds no copy of the documents, so it is told what it forgets."""
    new = f"INSERT INTO search_index (rowid, {INDEXED})\n    VALUES (NEW.doc, {_row('NEW')})"
    old = f"INSERT INTO search_index (search_index, rowid, {INDEXED})\n    VALUES ('delete', OLD.doc, {_row('OLD')})"
    yield _trigger("search_documents_inserted", "INSERT ON search_documents", [new])
    yield _trigger("search_documents_deleted", "DELETE ON search_documents", [old])
    yield _trigger("search_documents_changed", f"UPDATE OF doc, {INDEXED} ON search_documents", [old, new])


def _row(row: str) -> str:
    return ", ".join(f"{row}.{name}" for name in TEXT)


def _of_table(kind: str, source: SearchedTable, table: str) -> Iterator[tuple[str, str]]:
    new, old = _at("NEW", source.key), _at("OLD", source.key)
    columns, after, before = (_lines(f"{row}{name}" for name in source.feeds) for row in ("", "NEW.", "OLD."))
    shown = [_at("NEW", source.where)] if source.where != "1" else []
    is_new = [f"NOT {_in_twin(source, table, new)}"] if source.archives else []
    note = f"{PENDING} VALUES ({new}, '{kind}') ON CONFLICT DO NOTHING"
    forget = f"{PENDING} SELECT {old}, '{kind}'\n        WHERE {old} IS NOT {new} ON CONFLICT DO NOTHING"
    yield _trigger(f"{table}_insert_search", f"INSERT ON {table}", [note], " AND ".join([*is_new, *shown]))
    event = f"UPDATE OF{columns}ON {table}"
    yield _trigger(f"{table}_update_search", event, [note, forget], f"({after}) IS NOT ({before})")
    if source.updated_at == "t.updated_at":
        touch = f"UPDATE search_documents SET updated_at = NEW.updated_at WHERE entity_id = {new} AND kind = '{kind}'"
        only = [*shown, "NEW.updated_at IS NOT OLD.updated_at", f"({after}) IS ({before})"]
        yield _trigger(f"{table}_touch_search", f"UPDATE OF updated_at ON {table}", [touch], " AND ".join(only))
    yield _trigger(f"{table}_delete_search", f"DELETE ON {table}", _gone(kind, source, table))
    for event, row in (("insert", "NEW"), ("delete", "OLD")) if source.hides else ():
        hidden = _at(row, source.hides)
        body = [f"{PENDING} VALUES ({hidden}, '{kind}') ON CONFLICT DO NOTHING"]
        yield _trigger(f"{table}_{event}_hides_search", f"{event.upper()} ON {table}", body, f"{hidden} IS NOT NULL")


def _gone(kind: str, source: SearchedTable, table: str) -> Iterator[str]:
    """Drop the document of a row that is in neither of its tables; one that is in the other one moves."""
    old = _at("OLD", source.key)
    document = f"WHERE entity_id = {old} AND kind = '{kind}'"
    if source.archives:
        there = _in_twin(source, table, old)
        yield f"UPDATE search_documents SET archived = {int(table == source.table)} {document}\n        AND {there}"
        document += f"\n        AND NOT {there}"
    yield f"DELETE FROM search_documents {document}"


def _in_twin(source: SearchedTable, table: str, key: str) -> str:
    [twin] = [other for other in source.tables if other != table]
    return f"EXISTS (SELECT 1 FROM {twin} WHERE {_at('', source.key)} = {key})"


def _at(row: str, sql: str) -> str:
    return COLUMN.sub(rf"{row}.\1" if row else r"\1", sql)


def _lines(names: Iterable[str]) -> str:
    """Return a list within what is around it, on lines of its own."""
    text = ", ".join(names)
    return f"\n{textwrap.fill(text, WIDTH, initial_indent='    ', subsequent_indent='    ')}\n"


def _of_moves() -> Iterator[tuple[str, str]]:
    """What hangs on a row that moves is somewhere else now."""
    hanging = [
        (f"{around.table}{suffix}", around, f"{PENDING}\n    SELECT {_hanging(kind, source, suffix, around)}")
        for kind, source in SOURCES.items()
        for around in source.around
        for suffix in (("", "_archive") if around.archives else ("",))
    ]
    for table, found in groupby(sorted(hanging, key=lambda one: one[0]), key=lambda one: one[0]):
        every = list(found)
        column = every[0][1].column
        body = [f"{note}\n    ON CONFLICT DO NOTHING" for _, _, note in every]
        event = f"UPDATE OF {column} ON {table}"
        yield _trigger(f"{table}_moved_search", event, body, f"NEW.{column} IS NOT OLD.{column}")


def _hanging(kind: str, source: SearchedTable, suffix: str, around: Around) -> str:
    return f"{_at('', source.key)}, '{kind}' FROM {source.table}{suffix} WHERE {around.of}"


def _of_imports() -> Iterator[tuple[str, str]]:
    """A document says whether its row was imported."""
    kinds = {source.table: kind for kind, source in SOURCES.items() if source.imported != "0"}
    names = _lines(f"'{table}'" for table in kinds)
    arms = "\n".join(f"        WHEN '{table}' THEN '{kind}'" for table, kind in kinds.items())
    for event, row in (("insert", "NEW"), ("delete", "OLD")):
        kind = f"CASE {row}.table_name\n{arms}\n    END"
        yield _trigger(
            f"import_rows_{event}_search",
            f"{event.upper()} ON import_rows WHEN {row}.table_name IN ({names})",
            [f"{PENDING} VALUES ({row}.row_key, {kind}) ON CONFLICT DO NOTHING"],
        )
