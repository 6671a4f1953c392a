"""What a server does besides answering calls, imported when it is wanted: most servers never need it."""

import logging
import random
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace

import anyio
from anyio.to_thread import run_sync

from server import left_behind
from server.db.interchange import import_notices
from server.db.storage.connection import Reader
from server.db.terminal import servers
from server.db.workspaces import workspaces
from server.errors import ProjectMemoryError
from server.models.workspaces import LegacyStore, Workspace
from server.store import Store
from server.tools import TOOLS, older_stores
from server.tools.older_stores import OlderStore, Progress
from server.tools.paths import cwd, normal_path
from server.tools.project_files import file_changes
from server.waiting import Waits

logger = logging.getLogger(__name__)

LOAD_SECONDS = 1.5  # between two tools: calls are answered more slowly while one is loaded
BACKUP_AFTER_SECONDS = 30.0  # behind the first answers
TRIM_AFTER_SECONDS = 60.0
CHECK_AFTER_SECONDS = 90.0
LOOK_SECONDS = 3600.0  # of a job that has its turn once a day
PATIENCE_SECONDS = 20.0  # that an agent waits for an import before it is told that it goes on
STAGES = ("Copying", "Reading", "Writing", "Verifying")
Job = Callable[[], Awaitable[None]]


class Background:
    """The jobs of one server, and what it knows of older stores."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._greeted: set[str] = set()
        self._settled: set[str] = set()  # folders with nothing to tell of
        self._wanted: dict[str, Import] = {}
        self._has_more = anyio.Event()
        self._unindexed: dict[str, None] = {}
        self._has_new = anyio.Event()

    def jobs(self) -> Iterator[tuple[str, Job]]:
        """Yield what runs for as long as the server lives, with what it is called."""
        if path := self._store.settings.mirror:
            from server.jobs.mirroring import Follower

            yield "the mirror", Follower(self._store, path).run
        if self._imports_by_itself:
            yield "the import of older stores", self._import_all
        yield "the tools", _load
        yield "the look for an older store", self._look_around
        if not self._store.settings.read_only:
            yield "the list of servers", self._register
            yield "the daily backup", self._back_up
            yield "what was left undone", self._catch_up
            yield "the trim of what outlived its time", self._trim
            yield "the daily check", self._check
            yield "the profiles of new workspaces", self._index_all

    @property
    def _imports_by_itself(self) -> bool:
        return self._store.settings.auto_import and not self._store.settings.read_only

    async def seen(self, db: Reader, workspace: Workspace) -> LegacyStore | None:
        """Return the store of a workspace's folder that is not imported. It may run on a connection's thread."""
        folder = workspace.path
        found = None if folder is None or folder in self._settled else older_stores.find(folder)
        left = await _left(db, found)
        if left is None:
            self._settled.add(folder or workspace.workspace_id)
            return None
        return self._told(left)

    async def greet(self, workspace_id: str, progress: Progress | None) -> LegacyStore | None:
        """Return it for an agent that arrives, once; import it first if the settings want that."""
        if workspace_id in self._greeted:
            return None
        db = await self._store.open()
        workspace = await workspaces.find(db, workspace_id)
        found = await run_sync(older_stores.find, workspace.path) if workspace and workspace.path else None
        running = self._wanted.get(found.folder) if found else None
        left = await _left(db, found) if running is None else running.found
        if left is None:
            self._greeted.add(workspace_id)
            return None
        if self._imports_by_itself:
            told = await self._want(left).wait(progress)
            if told.status != "importing":
                self._greeted.add(workspace_id)
            return told
        self._greeted.add(workspace_id)
        fresh = await _not_noticed(db, left, workspace_id)
        if fresh:
            await import_notices.note(db, fresh, workspace_id)
        return self._told(left) if fresh else None

    def index_later(self, workspace_id: str) -> None:
        """Look at the folder of a new workspace as soon as there is time, and keep its profile."""
        self._unindexed[workspace_id] = None
        self._has_new.set()

    def _told(self, found: OlderStore) -> LegacyStore:
        if running := self._wanted.get(found.folder):
            return running.result
        command, programs = found.command(self._store.settings), tuple(found.programs)
        return LegacyStore(path=found.folder, status="found", programs=programs, command=command)

    def _want(self, found: OlderStore) -> "Import":
        if found.folder not in self._wanted:
            self._wanted[found.folder] = Import(found, self._store.waits)
            self._has_more.set()
        return self._wanted[found.folder]

    async def _register(self) -> None:
        from server.jobs import registration

        await registration.run(self._store)

    async def _trim(self) -> None:
        await anyio.sleep(TRIM_AFTER_SECONDS)  # most servers end before
        from server.jobs import trimming

        await self._hourly(trimming.once)

    async def _check(self) -> None:
        await anyio.sleep(CHECK_AFTER_SECONDS * random.uniform(1, 2))
        from server.jobs import checking

        await self._hourly(checking.once)

    async def _hourly(self, once: Callable[[Store], Awaitable[None]]) -> None:
        """Let a job look once in a while whether it is time."""
        while True:
            await once(self._store)
            await anyio.sleep(LOOK_SECONDS)

    async def _back_up(self) -> None:
        await anyio.sleep(
            BACKUP_AFTER_SECONDS * random.uniform(1, 2)
        )  # servers that begin together do not look together
        from server.jobs import daily_backup

        await daily_backup.run(self._store)

    async def _catch_up(self) -> None:
        """Carry out the changes of files that a process which died had stored, and note what died with one."""
        db = await self._store.open()
        await file_changes.catch_up_at_start(db)
        await run_sync(left_behind.end, await servers.lose_at_start(db))

    async def _look_around(self) -> None:
        """Tell who reads the log of an older store in the folder of the server, or in its data root."""
        try:
            db = await self._store.open()
            for folder in dict.fromkeys((normal_path(cwd()), normal_path(self._store.settings.data_root))):
                left = await _left(db, await run_sync(older_stores.find, folder))
                if left is None:
                    continue
                if self._imports_by_itself:
                    self._want(left)
                elif fresh := await _not_noticed(db, left, None):
                    logger.warning("%s has %s. To import it: %s", folder, left.what, left.command(self._store.settings))
                    if not self._store.settings.read_only:
                        await import_notices.note(db, fresh, None)
        except ProjectMemoryError as error:
            logger.info("no look for older stores: %s", error)

    async def _import_all(self) -> None:
        from server.jobs.auto_import import adopt

        while True:
            for wish in [wish for wish in self._wanted.values() if not wish.is_over]:
                with wish.under_way():
                    wish.result = await adopt(self._store, wish.found, wish.tell)
            await self._has_more.wait()
            self._has_more = anyio.Event()

    async def _index_all(self) -> None:
        while True:
            await self._has_new.wait()
            self._has_new = anyio.Event()
            from server.jobs.profiling import index

            while self._unindexed:
                workspace_id = next(iter(self._unindexed))
                del self._unindexed[workspace_id]  # first: one that fails would hold up the others for ever
                await index(self._store, workspace_id)


async def _load() -> None:
    """Load what was not called yet: an upgrade under a running server must not mix two versions."""
    for name in TOOLS:
        await anyio.sleep(LOAD_SECONDS)
        await run_sync(TOOLS.__getitem__, name)


async def _left(db: Reader, found: OlderStore | None) -> OlderStore | None:
    """Return what is not imported of the stores of a folder."""
    if found is None:
        return None
    ours = () if await import_notices.is_imported(db, found.workspaces) else found.workspaces
    done = await import_notices.imported(db, found.folder, found.programs.values())
    programs = {name: mark for name, mark in found.programs.items() if mark not in done}
    return replace(found, workspaces=ours, programs=programs) if ours or programs else None


async def _not_noticed(db: Reader, left: OlderStore, workspace_id: str | None) -> list[str]:
    return [one for one in left.places if not await import_notices.is_noticed(db, one, workspace_id)]


class Import:
    """An import that was asked for, and those who wait for it."""

    def __init__(self, found: OlderStore, waits: Waits) -> None:
        self.found = found
        self.result = LegacyStore(path=found.folder, status="importing")
        self._waits = waits
        self._done = anyio.Event()
        self._waiting: list[Progress] = []

    @property
    def is_over(self) -> bool:
        return self._done.is_set()

    async def wait(self, progress: Progress | None) -> LegacyStore:
        """Return how it stands when it is over, or when an agent should not wait any longer."""
        if progress:
            self._waiting.append(progress)
        try:
            with self._waits.at_most(PATIENCE_SECONDS):
                await self._done.wait()
        finally:
            if progress:
                self._waiting.remove(progress)
        return self.result

    async def tell(self, what: str, done: int, total: int) -> None:
        """Tell those who wait, in one measure that only grows."""
        reached = (STAGES.index(what) if what in STAGES else 0) + min(done / total, 1) if total else 0.0
        for progress in tuple(self._waiting):
            await progress(reached, len(STAGES), f"{what} {done} of {total}")

    @contextmanager
    def under_way(self) -> Generator[None]:
        try:
            yield
        finally:
            if self.result.status == "importing":
                reason = "it was interrupted; the log says more"
                self.result = LegacyStore(path=self.result.path, status="failed", reason=reason)
            self._done.set()
