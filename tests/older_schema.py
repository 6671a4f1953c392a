"""A database of an earlier release, written to by the code of this one."""

from dataclasses import replace

import pytest

from server.db.search.searched_tables import COLUMN, SOURCES
from server.db.storage.connection import Database
from server.db.storage.table_shapes import columns_of_tables


async def search_what_is_there(monkeypatch: pytest.MonkeyPatch, db: Database) -> None:
    """Let the search be fed by those columns alone that the database has."""
    there = await columns_of_tables(db)
    whole = [*SOURCES.items()]
    for kind, _ in reversed(whole):  # so that they come back in their order
        monkeypatch.delitem(SOURCES, kind)
    for kind, source in whole:
        if source.table not in there:
            continue
        columns = {*there[source.table]}

        def known(texts: tuple[str, ...], columns: set[str] = columns) -> tuple[str, ...]:
            return tuple(text for text in texts if {*COLUMN.findall(text)} <= columns)

        older = replace(source, texts=known(source.texts), data=known(source.data), also=known(source.also))
        monkeypatch.setitem(SOURCES, kind, older)
