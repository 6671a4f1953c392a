"""The database of one server: opened when first needed, migrated, seeded, and opened anew after a failure."""

import logging
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import anyio

from server import catalog, files, library_files
from server.db.gates import gates
from server.db.library import seed
from server.db.search import index_upkeep, indexing
from server.db.storage.connection import Database
from server.db.storage.driver_errors import Unreadable
from server.db.storage.migrations import Migration, load, migrate
from server.db.storage.opening import open_database
from server.errors import Ending, ProjectMemoryError, Storage
from server.processes import Processes
from server.settings import ASSETS, Settings, followed, is_to_narrow
from server.waiting import Waits

logger = logging.getLogger(__name__)

MIGRATIONS = ASSETS / "migrations"
END_SECONDS = 1.0  # for the programs that a server runs, when it ends


@dataclass(frozen=True)
class Shipped:
    """What a release brings into a database."""

    migrations: list[Migration]
    catalog: str  # hashes
    content: str


@cache
def shipped() -> Shipped:
    """Return what this release brings, read once: an upgrade under a running process is of the next one."""
    return Shipped(load(MIGRATIONS), catalog.digest(ASSETS / "catalog"), library_files.digest(ASSETS))


class DatabaseFiles(NamedTuple):
    """What tells the files of a database from others that take their names later; None for one that is not there."""

    database: tuple[int, int] | None = None
    log: tuple[int, int] | None = None
    shared: tuple[int, int] | None = None


class Store:
    """Opens the database once for all callers. A failure is told to each of them and tried again with the next."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.waits = Waits()
        self.processes = Processes()
        self.waits.at_end(self.processes.end_all)
        self._db: Database | None = None
        self._files = DatabaseFiles()
        self._opening = anyio.Lock()
        self._is_stopped = False

    async def open(self) -> Database:
        """Return the open database. One whose file is gone since, or another one, is an error until it is back."""
        if self._db is None:
            async with self._opening:
                if self._db is None:
                    self.settings = replace(self.settings, data_root=followed(self.settings.data_root))
                    self._db = await open_store(self.settings)
                    self._files = _files(self._db.path)
        if self._is_stopped:
            raise Ending
        if (now := _files(self._db.path)) != self._files:
            raise self._lost(self._db.path, now)
        return self._db

    def _lost(self, database: Path, now: DatabaseFiles) -> Storage:
        path = str(database)
        if now.database != self._files.database:
            return Storage(
                f"{path!r} was moved away, deleted, emptied or replaced while this server used it. Nothing was written."
                " Put that very file back, and the same call works again; to go on with what is there now, restart "
                "this server."
            )
        return Storage(
            f"The log {path + '-wal'!r} or its index -shm was moved away, deleted or replaced while this server used "
            "it. Nothing was written. Restart every server on this database, and let nothing remove these files."
        )

    async def keep(self, interval: float) -> None:
        """Open the database ahead of the first call, then tidy up what was written whenever `interval` s passed."""
        try:
            await self.open()
        except ProjectMemoryError as error:
            logger.warning("the database does not open yet: %s", error)
        while True:
            await anyio.sleep(interval)
            if self._db and _files(self._db.path) == self._files:
                if not self.settings.read_only:
                    await index_upkeep.merge(self._db)
                await self._db.checkpoint_if_dirty()

    def stop(self) -> None:
        """Let no call store anything any more, but for a commit that is under way."""
        self._is_stopped = True
        if self._db:
            self._db.stop_writing()

    @property
    def is_committing(self) -> bool:
        """Return whether it is open yet what becomes of a call."""
        return self._db is not None and self._db.is_committing

    async def close(self) -> None:
        self.processes.end_all()
        with anyio.move_on_after(END_SECONDS):
            await self.processes.settle()
        self.processes.end_left_behind()
        if self._db:
            db, self._db = self._db, None
            now = _files(db.path)
            is_ours = now.database == self._files.database and now.shared in (self._files.shared, None)
            await db.close(checkpoint=is_ours)  # else what others write by another index would be written over


def _files(database: Path) -> DatabaseFiles:
    """Return the files that are there now. A database that is empty is none."""
    log, shared = _beside(database)
    return DatabaseFiles(_identity(database, least=1), _identity(log), _identity(shared))


@cache  # each call of an agent looks
def _beside(database: Path) -> tuple[Path, Path]:
    return Path(f"{database}-wal"), Path(f"{database}-shm")


def _identity(path: Path, least: int = 0) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found.st_size >= least else None


async def open_store(settings: Settings) -> Database:
    """Return the open, migrated and seeded database of `settings`. The caller closes it."""
    if not settings.read_only:
        files.narrow(settings.data_root, is_to_narrow)
    try:
        return await _opened(settings)
    except Unreadable as error:
        logger.warning("opening once more: %s", error)
        return await _opened(settings)


async def _opened(settings: Settings) -> Database:
    db = await open_database(settings.database, synchronous=settings.synchronous)
    try:
        await migrate(db, MIGRATIONS, allowed=not settings.read_only, loaded=shipped().migrations)
        if not settings.read_only:
            await indexing.work_off(db)
            await _seed(db)
            await gates.watch(db)
    except BaseException:
        await db.close()
        raise
    return db


async def _seed(db: Database) -> None:
    seeded = await seed.hashes(db)
    if shipped().catalog != seeded.get("catalog"):
        logger.info("seeding the catalog")
        await seed.seed_catalog(db, catalog.load(ASSETS / "catalog"), shipped().catalog)
    if shipped().content != seeded.get("content"):
        logger.info("seeding agents, instructions and skills")
        await seed.seed_content(
            db,
            library_files.agents(ASSETS / "agents"),
            library_files.instructions(ASSETS / "instructions"),
            library_files.skills(ASSETS / "skills"),
            shipped().content,
        )
