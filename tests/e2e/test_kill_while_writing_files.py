"""kill -9 around the commit of a change of files: there is the row and the file, or neither."""

import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands import script
from tests.e2e.processes import Died, ServerProcess

WORKER = str(Path(__file__).with_name("dying_server.py"))
RENAMES = str(Path(__file__).with_name("server_that_dies_renaming.py"))
FILES = "memory_filesystem"
OLD, NEW = "old\n", "new\n"


@dataclass(frozen=True)
class Kill:
    """A call that changes files, and what the project holds without it and with it."""

    action: str
    arguments: dict[str, Any]
    done: dict[str, str]
    before: dict[str, str]


THERE = {"a.txt": OLD, "b.txt": OLD}
WRITE = Kill("write", {"path": "a.txt", "content": NEW}, THERE | {"a.txt": NEW}, THERE)
CREATE = Kill("write", {"path": "c.txt", "content": NEW}, THERE | {"c.txt": NEW}, THERE)
DELETE = Kill("delete", {"path": "a.txt", "confirm": True}, {"b.txt": OLD}, THERE)
MOVE = Kill("move", {"source": "a.txt", "destination": "b.txt", "overwrite": True}, {"b.txt": OLD}, THERE)


def held(project: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in project.iterdir() if path.suffix == ".txt"}


def drafts(project: Path) -> list[Path]:
    return list(project.glob("*.pm-draft"))


def logged(data_root: Path) -> int:
    with closing(sqlite3.connect(data_root / "project-memory.db")) as db:
        return db.execute("SELECT count(*) FROM event_log WHERE type LIKE 'file_%'").fetchone()[0]


async def set_up(data_root: Path, project: Path) -> None:
    project.mkdir()
    server = await ServerProcess.start(data_root)
    await server("memory_workspace", "register", workspace_path=str(project))
    await server.close()


async def killed(data_root: Path, project: Path, kill: Kill, *command: str) -> None:
    server = await ServerProcess.start(data_root, command=(*script(command[0]), *command[1:]))
    with pytest.raises(Died):
        await server(FILES, kill.action, workspace_path=str(project), **kill.arguments)
    assert await server.process.wait() == -signal.SIGKILL


async def recovered(data_root: Path, project: Path) -> None:
    """Let another server start, and write something else."""
    server = await ServerProcess.start(data_root)
    await server("memory_workspace", "list")
    await server(FILES, "write", workspace_path=str(project), path="sub/other", content="x")
    await server.close()


async def test_a_server_that_dies_at_the_commit_leaves_the_row_and_the_file_or_neither(tmp_path: Path) -> None:
    data_root, project = tmp_path / "data", tmp_path / "project"
    await set_up(data_root, project)
    for kill, moment in ((WRITE, "after"), (DELETE, "after"), (MOVE, "after"), (DELETE, "before")):
        for path in project.glob("*.txt"):
            path.unlink()
        for name, text in kill.before.items():
            (project / name).write_text(text, encoding="utf-8")
        forget(data_root)
        await killed(data_root, project, kill, WORKER, "1", moment)
        events = logged(data_root)
        assert held(project) == kill.before  # the rename comes after the commit

        await recovered(data_root, project)

        assert (kill.action, events) == (kill.action, int(moment == "after"))
        assert held(project) == (kill.done if moment == "after" else kill.before)
        assert moment == "before" or drafts(project) == []
        for draft in drafts(project):
            os.utime(draft, (0, 0))


async def test_a_server_that_dies_behind_the_rename_has_done_it_once(tmp_path: Path) -> None:
    data_root, project = tmp_path / "data", tmp_path / "project"
    await set_up(data_root, project)
    (project / "a.txt").write_text(OLD, encoding="utf-8")
    await killed(data_root, project, Kill("append", {"path": "a.txt", "content": NEW}, {}, {}), RENAMES)
    assert held(project) == {"a.txt": OLD + NEW}
    (project / "a.txt").write_text("by hand\n", encoding="utf-8")

    await recovered(data_root, project)

    assert held(project) == {"a.txt": "by hand\n"}
    assert drafts(project) == []


async def test_a_draft_that_was_left_over_goes_with_the_next_write(tmp_path: Path) -> None:
    data_root, project = tmp_path / "data", tmp_path / "project"
    await set_up(data_root, project)
    await killed(data_root, project, CREATE, WORKER, "1", "before")
    [draft] = drafts(project)
    os.utime(draft, (0, 0))

    server = await ServerProcess.start(data_root)
    await server(FILES, "write", workspace_path=str(project), path="d.txt", content="x")
    await server.close()

    assert drafts(project) == []


def forget(data_root: Path) -> None:
    """Forget what was logged and carried out, so that the first commit of a server is that of the call."""
    with closing(sqlite3.connect(data_root / "project-memory.db")) as db:
        db.execute("DELETE FROM event_log WHERE type LIKE 'file_%'")
        db.execute("DELETE FROM file_changes")
        db.commit()
