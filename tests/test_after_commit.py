"""Nothing that follows a commit can fail the call: every use of the operating system after it is refused here."""

import errno
import os
import sqlite3
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from server.registry import Action
from tests.populated_store import PopulatedStore, answer, connected
from tests.test_requests import WRITES, arguments, label, prepare

LOOKS = ("stat", "lstat", "fstat", "statvfs", "access", "readlink")  # those that no audit hook hears of
WATCHED = ("open", "sqlite3.connect", "subprocess.Popen", "os.", "shutil.", "tempfile.", "glob.", "pathlib.")


class Faults:
    """Refuses whatever is asked of the operating system from the next commit on, while it is armed."""

    def __init__(self) -> None:
        self.is_armed = self.is_committed = False
        self.refused: list[str] = []

    def refuse(self, what: str) -> None:
        if self.is_armed and self.is_committed:
            self.refused.append(what)
            raise OSError(errno.EIO, "refused by a test")

    @contextmanager
    def armed(self) -> Generator[None]:
        self.is_armed, self.is_committed = True, False
        self.refused.clear()
        try:
            yield
        finally:
            self.is_armed = False


FAULTS = Faults()


def _hear(event: str, _: tuple[Any, ...]) -> None:
    if FAULTS.is_armed and event.startswith(WATCHED):
        FAULTS.refuse(event)


class Watched(sqlite3.Connection):
    """A connection that tells when it has committed."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        found = super().execute(sql, parameters)
        FAULTS.is_committed |= sql == "COMMIT"
        return found


@pytest.fixture(scope="module", autouse=True)
def heard() -> None:
    """Hooks cannot be taken back: this one does nothing unless the faults are armed."""
    sys.addaudithook(_hear)


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    def refusing(name: str, real: Any) -> Any:
        def look(*given: Any, **more: Any) -> Any:
            FAULTS.refuse(f"os.{name}")
            return real(*given, **more)

        return look

    for name in LOOKS:
        monkeypatch.setattr(os, name, refusing(name, getattr(os, name)))
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Watched))
    return FAULTS


@pytest.mark.parametrize("action", WRITES, ids=label)
async def test_a_write_that_is_stored_is_answered_whatever_fails_after_it(
    action: Action, copy: PopulatedStore, faults: Faults
) -> None:
    call = arguments(copy, action, {})
    async with connected(copy.data_root) as client:
        await prepare(client, copy, action)
        with faults.armed():
            failed, told, _ = await answer(client, action.tool, call)

    assert faults.is_committed
    assert not failed, (told, faults.refused)
