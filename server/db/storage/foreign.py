"""Databases of other programs: copied first, so that nothing is ever written to them or beside them, then read."""

import os
import sqlite3
import stat
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from server import files

MOST_BYTES = 2 * 1024 * 1024 * 1024
ATTEMPTS = 3
PAGE = 500  # rows that are fetched at once
WAL = "-wal"


class BadDatabase(Exception):
    """It cannot be read; the message says why, for people."""


class ForeignDatabase:
    """A database of another program, as it was when it was copied."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        driver.row_factory = sqlite3.Row
        driver.text_factory = _text
        self._driver = driver

    def tables(self) -> dict[str, list[str]]:
        """Return the columns of every table by its name; views and virtual tables are left out."""
        names = self._all(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "AND sql NOT LIKE 'CREATE VIRTUAL %' ORDER BY name"
        )
        return {
            row["name"]: [found["name"] for found in self._all("SELECT name FROM pragma_table_info(?)", row["name"])]
            for row in names
        }

    def version(self) -> int:
        return self._all("PRAGMA user_version")[0][0]

    def count(self, table: str) -> int:
        return self._all(f"SELECT count(*) FROM {_quoted(table)}")[0][0]

    def rows(self, table: str, order: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the rows of a table, in the order of a column, or as they were inserted."""
        ordered = f" ORDER BY {_quoted(order)}" if order else ""
        with _told():
            cursor = self._driver.execute(f"SELECT * FROM {_quoted(table)}{ordered}")
        while True:
            with _told():
                page = cursor.fetchmany(PAGE)
            if not page:
                return
            yield from (dict(zip(row.keys(), row, strict=True)) for row in page)

    def _all(self, sql: str, *params: str) -> list[sqlite3.Row]:
        with _told():
            return self._driver.execute(sql, params).fetchall()


@contextmanager
def opened(path: Path) -> Generator[ForeignDatabase]:
    """Read a database that another program may be writing to. Raises BadDatabase, here and from what is read."""
    with tempfile.TemporaryDirectory(prefix="project-memory-foreign-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "copy.db"
        _copy(path, copy)
        with _told():
            driver = sqlite3.connect(copy, isolation_level=None, check_same_thread=False)
        try:
            with _told():
                for pragma in ("trusted_schema = OFF", "query_only = ON", "cell_size_check = ON"):
                    driver.execute(f"PRAGMA {pragma}")
                driver.execute("SELECT count(*) FROM sqlite_master").fetchone()
            yield ForeignDatabase(driver)
        finally:
            driver.close()


def _copy(path: Path, copy: Path) -> None:
    """Copy a database with its log; again, if somebody wrote to it meanwhile."""
    for _ in range(ATTEMPTS):
        before = _state(path)
        for end in ("", WAL):
            _copy_one(path.with_name(path.name + end), copy.with_name(copy.name + end))
        if before == _state(path):
            return
    raise BadDatabase("it is being written to: import it when nobody is")


def _copy_one(path: Path, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    if path.exists():
        files.copy(path, copy)


def _state(path: Path) -> list[tuple[int, int]]:
    """Return what changes when somebody writes. Links, and what is too large, are refused."""
    found: list[tuple[int, int]] = []
    for one in (path, path.with_name(path.name + WAL)):
        if not os.path.lexists(one):
            continue
        about = one.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise BadDatabase("it is no regular file")
        if about.st_size > MOST_BYTES:
            raise BadDatabase(f"{about.st_size} bytes are more than the {MOST_BYTES} that are read")
        found.append((about.st_size, about.st_mtime_ns))
    return found


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise BadDatabase(f"no database that can be read: {error}") from error


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
