"""Fixtures: a project of vibe-agency that was imported, asked and changed through the tools, and given back."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server.exporters import vibe_agency
from server.importers.report import ImportReport
from tests import vibe_store
from tests.importers.conftest import Taker
from tests.vibe_store import Files, Store


class Brought:
    """A project and the database that it came into."""

    def __init__(self, take: Taker, root: Path, found: Store) -> None:
        self.take = take
        self.root = root
        self.found = found

    async def come(self, path: Path | None = None, **options: Any) -> ImportReport:
        return await self.take(path or self.root, **options)

    async def ask(self, tool: str, action: str, **arguments: Any) -> dict[str, Any]:
        given: Mapping[str, object] = {"action": action, **arguments}
        return await self.take.ask(tool, given)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.take.db.path)) as db:
            return db.execute(sql, values).fetchall()

    def plan_of(self, path: str) -> str:
        [(plan_id,)] = self.rows("SELECT row_key FROM import_rows WHERE table_name = 'plans' AND path = ?", path)
        return plan_id

    def step_of(self, path: str, external_id: str) -> str:
        found = self.rows(
            "SELECT step_id FROM steps WHERE plan_id = ? AND external_id = ?", self.plan_of(path), external_id
        )
        return found[0][0]

    async def given_back(self) -> Files:
        """Return the files that an export gives."""
        [(workspace_id,)] = self.rows("SELECT workspace_id FROM workspaces")
        return {file.path: file.content async for file in vibe_agency.workspace(self.take.db, workspace_id)}

    def source(self) -> Files:
        return {path: (self.root / path).read_bytes() for path in self.found.files}


@pytest.fixture
def found() -> Store:
    return vibe_store.store()


@pytest.fixture
def project(tmp_path: Path, found: Store) -> Path:
    return vibe_store.put(tmp_path / "project", found)


@pytest.fixture
def with_databases(project: Path, found: Store) -> Path:
    """The project with both databases, and their rows among those that are expected."""
    vibe_store.missions_db(project / vibe_store.DATABASE)
    found.rows.update(vibe_store.DATABASE_ROWS)
    vibe_store.history_db(project / vibe_store.HISTORY)
    found.rows.update(vibe_store.HISTORY_ROWS)
    return project


@pytest_asyncio.fixture
async def brought(take: Taker, project: Path, found: Store) -> Brought:
    """The project, imported."""
    one = Brought(take, project, found)
    report = await one.come()
    assert report.problems == 0
    return one
