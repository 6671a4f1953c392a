"""A client may leave while the database is being opened."""

import threading
from pathlib import Path

import anyio
import pytest

from server.errors import Storage
from server.settings import Settings
from server.store import open_store
from tests.cancelling import cancelled


async def open_and_close(settings: Settings) -> None:
    await (await open_store(settings)).close()


def left_alive(before: set[threading.Thread]) -> list[threading.Thread]:
    """The threads that are still there after they had time to end. One of them would keep the process alive."""
    new = set(threading.enumerate()) - before
    for thread in new:
        thread.join(5)
    return [thread for thread in new if thread.is_alive()]


@pytest.mark.parametrize("first", [True, False], ids=["a new database", "a current one"])
async def test_an_opening_that_is_cancelled_at_any_moment_leaves_no_thread(tmp_path: Path, *, first: bool) -> None:
    if not first:
        await open_and_close(Settings(data_root=tmp_path, synchronous="off"))
    before = set(threading.enumerate())
    wait, finished = 0, False

    while not finished:
        settings = Settings(data_root=tmp_path / str(wait) if first else tmp_path, synchronous="off")
        with anyio.CancelScope() as scope:
            finished = await cancelled(open_and_close(settings), scope, wait) <= wait

        assert left_alive(before) == [], f"cancelled at wait {wait}"
        wait += 1 + (wait // 20 if first else 0)  # a new database waits for each statement of each migration alike

    assert wait > 5


async def test_an_opening_that_fails_leaves_no_thread(tmp_path: Path) -> None:
    settings = Settings(data_root=tmp_path, synchronous="off")
    settings.database.write_text("no database, but long enough for a header of one" * 4, encoding="utf-8")
    before = set(threading.enumerate())

    with pytest.raises(Storage):
        await open_store(settings)

    assert left_alive(before) == []
