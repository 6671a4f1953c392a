"""Fixtures: importing into a fresh database, and looking at all of it."""

import json
import sqlite3
from collections.abc import AsyncGenerator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from server import calls
from server.db.plans import plans
from server.db.storage.connection import Database
from server.importers.report import ImportReport
from server.importers.run import Options, import_path, verify_path
from server.settings import Settings
from server.store import Store, open_store
from server.tools import TOOLS
from tests import legacy_store
from tests.legacy_store import Json


class Taker:
    """Imports into one database, and asks the tools about it."""

    def __init__(self, settings: Settings, db: Database) -> None:
        self.store = Store(settings)
        self.db = db

    async def ask(self, tool: str, arguments: Mapping[str, object]) -> dict[str, Any]:
        return json.loads(await calls.run(self.store, TOOLS, tool, arguments))

    async def __call__(self, path: Path, **options: Any) -> ImportReport:
        report = await import_path(self.db, path, Options(**options), self.ask)
        assert await plans.miscounted(self.db) == []
        return report

    async def verify(self, path: Path) -> ImportReport:
        return await verify_path(self.db, path, Options(), self.ask)


@pytest_asyncio.fixture
async def take(settings: Settings, db: Database) -> AsyncGenerator[Taker]:
    taker = Taker(settings, db)
    yield taker
    await taker.store.close()


@pytest_asyncio.fixture
async def elsewhere(tmp_path: Path) -> AsyncGenerator[Taker]:
    """Another, empty store."""
    chosen = Settings(data_root=tmp_path / "elsewhere", synchronous="off")
    db = await open_store(chosen)
    taker = Taker(chosen, db)
    yield taker
    await taker.store.close()
    await db.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A healthy store of four plans."""
    return legacy_store.put(tmp_path / "old", legacy_store.store(1))


def everything(path: Path) -> dict[str, list[str]]:
    """Return all rows of all tables as text."""
    with closing(sqlite3.connect(path)) as db:
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(map(repr, db.execute(f'SELECT * FROM "{name}"'))) for name in names}


def change(file: Path, **fields: Any) -> Json:
    """Change fields of a JSON file, and return what it holds now."""
    found = json.loads(file.read_bytes()) | fields
    file.write_bytes(legacy_store.dump(found))
    return found


def states(root: Path) -> list[Path]:
    """Return the state files of the plans that are not archived."""
    found = sorted(root.glob("*/plans/plan_*/state.json"))
    return [path for path in found if json.loads(path.read_bytes())["status"] != "archived"]
