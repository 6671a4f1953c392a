"""A workspace row that goes takes all that belongs to it, and nothing of another."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from server.settings import DATABASE_NAME
from tests.populated_store import PopulatedStore
from tests.upkeep.test_check import names

# What tells of the past, whose workspaces may be gone; it goes by its age.
LOGS = {"event_log", "update_log", "trash"}
Rows = dict[str, dict[str, list[str]]]


def rows(root: Path) -> Rows:
    """Return the rows of each table that names a workspace, by workspace."""
    found: Rows = {}
    with closing(sqlite3.connect(root / DATABASE_NAME)) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]
            if "workspace_id" in columns and table not in LOGS:
                place = columns.index("workspace_id")
                for row in db.execute(f'SELECT * FROM "{table}"'):
                    found.setdefault(table, {}).setdefault(str(row[place]), []).append(repr(row))
    return found


def test_a_workspace_takes_what_belongs_to_it_and_leaves_all_else(copy: PopulatedStore) -> None:
    before = rows(copy.data_root)
    gone = max(before["workspaces"], key=lambda one: sum(len(of.get(one, ())) for of in before.values()))
    assert sum(gone in of for of in before.values()) > 25  # there is something of nearly everything
    with closing(sqlite3.connect(copy.data_root / DATABASE_NAME)) as db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM workspaces WHERE workspace_id = ?", (gone,))
        db.commit()

    after = rows(copy.data_root)
    assert [table for table, of in after.items() if gone in of] == []
    assert names(copy.data_root, deep=True) == set()
    others = {table: {one: kept for one, kept in of.items() if one != gone} for table, of in before.items()}
    for table in ("plans", "steps", "decisions", "knowledge", "workspaces"):
        assert {one: sorted(kept) for one, kept in after.get(table, {}).items()} == {
            one: sorted(kept) for one, kept in others.get(table, {}).items()
        }


@pytest.mark.parametrize("table", ["steps", "decisions", "budgets", "sessions"])
def test_a_row_of_a_workspace_that_is_not_there_is_refused(copy: PopulatedStore, table: str) -> None:
    column = "plan_id" if table in ("steps", "budgets") else "workspace_id"
    with closing(sqlite3.connect(copy.data_root / DATABASE_NAME)) as db:
        db.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            db.execute(f"UPDATE {table} SET {column} = 'gone'")
