"""Who uses a database: all together, or one alone."""

import asyncio
import errno
import logging
import os
import signal
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from server.db.storage import process_lock
from server.db.storage.opening import open_database
from server.db.storage.process_lock import ProcessLock, alone, is_in_use, users
from server.errors import Busy
from server.settings import ASSETS

HOLD = """
import asyncio, sys
from pathlib import Path
from server.db.storage import process_lock
from server.db.storage.opening import open_database

async def main(path, work):
    if work:
        async with process_lock.alone(path, work):
            tell()
    else:
        db = await open_database(path)
        tell()
        await db.close()

def tell():
    print("ready", flush=True)
    sys.stdin.readline()

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


def test_a_use_that_others_look_for_meanwhile_is_seen_for_as_long_as_it_lasts(tmp_path: Path) -> None:
    """Whoever looks removes files that nobody holds: one must not vanish between its making and its lock."""
    database, is_over = tmp_path / "m.db", threading.Event()

    def look() -> None:
        while not is_over.is_set():
            users(database)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for one in lookers:
        one.start()
    lost = 0
    for _ in range(300):
        lock = ProcessLock(database, None)
        lost += not is_in_use(database, lock.name)
        lock.release()
    is_over.set()
    for one in lookers:
        one.join()

    assert lost == 0
    assert list((tmp_path / "processes").iterdir()) == []


class Holder:
    """A process that has a database open, or for itself, until it is told to go on."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, path: Path, work: str = "") -> "Holder":
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOLD, str(path), work, stdin=pipe, stdout=pipe, cwd=ASSETS
        )
        assert process.stdout
        assert await process.stdout.readline() == b"ready\n"
        return cls(process)

    async def end(self) -> None:
        assert await self.process.communicate(b"\n") == (b"", None)

    async def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        await self.process.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "some.db"


def entries(path: Path) -> list[str]:
    return sorted(entry.name for entry in (path.parent / "processes").iterdir())


async def test_whoever_has_a_database_open_keeps_others_from_having_it_alone_and_is_named(path: Path) -> None:
    db = await open_database(path)
    other = await Holder.start(path)

    with pytest.raises(Busy) as refused:
        async with alone(path, "restore"):
            pass
    assert refused.value.details["used_by"] == [user.pid for user in users(path)]
    assert {user.pid for user in users(path)} == {os.getpid(), other.process.pid}
    assert str(other.process.pid) in str(refused.value)
    assert "run `restore` again" in str(refused.value)
    await db.close()
    with pytest.raises(Busy, match=str(other.process.pid)):
        async with alone(path, "restore"):
            pass
    await other.end()
    async with alone(path, "restore"):
        assert [user.work for user in users(path)] == ["restore"]
    assert entries(path) == []


async def test_a_process_that_was_killed_holds_nothing_and_its_file_is_swept(path: Path) -> None:
    first, second = await Holder.start(path), await Holder.start(path)
    names = entries(path)
    assert [name.partition("-")[0] for name in names] == sorted(map(str, (first.process.pid, second.process.pid)))
    await first.kill()
    [gone] = [name for name in names if name.startswith(f"{first.process.pid}-")]

    assert not is_in_use(path, gone)
    assert [user.pid for user in users(path)] == [second.process.pid]
    await second.kill()
    (path.parent / "processes" / "1-00000000").write_text("")  # of a process that lives, and has nothing to do with it
    async with alone(path, "restore"):
        pass
    await (await open_database(path)).close()
    assert entries(path) == []


async def test_a_start_waits_for_who_has_the_database_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await (await open_database(path)).close()
    other = await Holder.start(path, "restore")
    opening = asyncio.create_task(open_database(path))
    await asyncio.sleep(0)  # until it has looked for the first time
    assert caplog.messages
    assert not opening.done()
    await other.end()

    await (await opening).close()
    [told] = caplog.messages
    assert told.startswith(f"waiting for `restore` (process {other.process.pid}")


async def test_a_start_gives_up_in_the_end_and_says_what_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_lock, "WAIT_SECONDS", 0.1)
    await (await open_database(path)).close()
    other = await Holder.start(path, "compact")

    with pytest.raises(Busy, match=rf"`compact` \(process {other.process.pid}[^~]*has the database for itself"):
        await open_database(path)
    await other.kill()
    await (await open_database(path)).close()


def descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


async def test_who_waits_may_give_up_and_leaves_nothing_open(path: Path) -> None:
    path.parent.mkdir()
    async with alone(path, "restore"):
        before = descriptors()
        opening = asyncio.create_task(open_database(path))
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        after = descriptors()

    assert opening.cancelled()
    assert after == before


async def test_a_program_of_others_is_noticed_by_its_own_locks(path: Path) -> None:
    db = await open_database(path)
    await db.equip("CREATE TABLE notes (text TEXT)")
    await db.close()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM notes").fetchone() == (0,)
        with pytest.raises(Busy, match="in use by another process"):
            async with alone(path, "restore"):
                pass
    async with alone(path, "restore"):
        assert sorted(file.name for file in path.parent.glob("some.db*")) == ["some.db"]


async def test_without_locks_of_files_those_of_sqlite_are_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(handle: int, *, exclusive: bool) -> bool:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(process_lock, "locked", none)
    db = await open_database(path)
    with pytest.raises(Busy, match="in use by another process"):
        async with alone(path, "restore"):
            pass
    await db.close()
    async with alone(path, "restore"):
        pass


async def test_a_folder_that_nobody_may_write_to_keeps_nobody_from_reading(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await (await open_database(path)).close()
    (path.parent / "processes").rmdir()

    def refuse(path: Path) -> int:
        raise OSError(errno.EROFS, "read-only", str(path))

    monkeypatch.setattr(process_lock, "lockable", refuse)
    with caplog.at_level(logging.INFO):
        db = await open_database(path)
    assert await db.value("SELECT count(*) FROM sqlite_master") == 0
    with pytest.raises(Busy, match="another process"):
        async with alone(path, "restore"):
            pass
    await db.close()
    assert "read-only" in caplog.text
