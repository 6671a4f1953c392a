"""What is written is its owner's alone, whole or not at all, and written in one way."""

import ast
import json
import logging
import os
import stat
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from server import files
from server.jobs.auto_import import adopt
from server.settings import COPIES, PACKAGE, Settings
from server.store import Store, open_store
from server.tools.older_stores import OlderStore
from tests import legacy_store
from tests.conftest import Agent
from tests.e2e import commands

WIDE = pytest.mark.usefixtures("careless")


@pytest.fixture
def careless() -> Generator[None]:
    """A umask that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    """The modes of all that is in a folder, and its own."""
    found = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): f"{stat.S_IMODE(path.lstat().st_mode):o}" for path in found}


def assert_private(folder: Path) -> None:
    wide = {name: mode for name, mode in modes(folder).items() if mode not in ("600", "700")}
    assert wide == {}


def command(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*commands.program(), *words, "--data-root", str(settings.data_root)],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=False,
    )


@WIDE
def test_what_commands_write_is_their_owners_alone(unused: Settings, tmp_path: Path) -> None:
    store = legacy_store.put(tmp_path / "old", legacy_store.store(2, plans=2))
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    report = theirs / "report.json"
    report.write_text("old")

    assert command(unused, "import", str(store), "--report", str(report)).returncode == 0
    for layout in ("json", "legacy", "markdown"):
        assert command(unused, "export", "--format", layout, str(theirs / layout)).returncode == 0
        assert_private(theirs / layout)
    (theirs / "mirror").mkdir(mode=0o755)
    assert command(unused, "mirror", "--mirror", str(theirs / "mirror")).returncode == 0

    assert_private(unused.data_root)
    assert (modes(report), json.loads(report.read_bytes())["result"]) == ({".": "600"}, "clean")
    mirror = modes(theirs / "mirror")
    assert mirror.pop(".") == "755"  # its mode is that of who made it
    assert set(mirror.values()) == {"600", "700"}


@WIDE
async def test_a_store_that_is_copied_aside_is_its_owners_alone(unused: Settings, tmp_path: Path) -> None:
    project = tmp_path / "project"
    legacy_store.put(project / "data", legacy_store.store(2, plans=2))
    store = Store(unused)

    async def told(what: str, done: int, total: int) -> None:
        del what, done, total

    result = await adopt(store, OlderStore(str(project), ()), told)
    assert_private(unused.data_root)
    await store.close()

    assert result.status == "imported"
    assert result.copied_to is not None
    copied = {path.name for path in Path(result.copied_to).rglob("*") if path.is_file()}
    assert {"state.json", "workspace.meta.json"} <= copied


@WIDE
async def test_a_plan_that_is_exported_into_a_project_is_its_owners_alone(
    agent: Agent, project: Path, workspace_id: str
) -> None:
    plan = await agent("memory_plan", "create", workspace_id=workspace_id, title="P", steps=[{"task": "a"}])
    await agent("memory_plan", "export_plan", plan_id=plan["plan_id"], output_path="docs/plan.json")

    assert_private(project / "docs")
    identity = project / ".projectmemory" / "identity.json"  # no secret: whoever has the project may read it
    assert stat.S_IMODE(identity.stat().st_mode) == 0o666


async def test_what_of_ours_is_open_to_others_is_narrowed_and_said(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    copy = settings.data_root / COPIES / "store-1" / "file"
    copy.parent.mkdir(parents=True)
    copy.write_text("x")
    theirs = settings.data_root / "notes.txt"
    theirs.write_text("x")
    settings.trash.mkdir()
    (settings.trash / "trash_1").write_text("x")
    for path in (settings.database, copy, copy.parent, copy.parent.parent, theirs, settings.trash):
        path.chmod(0o777)

    def told(path: Path) -> str:
        return f"{path} was open to others (777); it is its owner's alone now"

    with caplog.at_level(logging.WARNING):
        await (await open_store(settings)).close()
        await (await open_store(settings)).close()

    assert caplog.messages == [told(copy.parent.parent), told(settings.database), told(settings.trash)]
    assert modes(theirs) == {".": "777"}
    theirs.unlink()
    found = modes(settings.data_root)
    assert {name: mode for name, mode in found.items() if mode not in ("600", "700")} == {}


async def test_what_only_has_a_name_of_ours_keeps_its_mode(settings: Settings) -> None:
    folder, pipe = (settings.data_root / f"{settings.database.name}{end}" for end in ("-folder", "-pipe"))
    folder.mkdir(mode=0o755)
    os.mkfifo(pipe, 0o644)
    for path in (folder, pipe):
        path.chmod(0o755)
    await (await open_store(settings)).close()

    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, pipe)] == [0o755, 0o755]
    pipe.unlink()


async def test_a_read_only_server_changes_no_mode(settings: Settings) -> None:
    settings.database.chmod(0o644)
    await (await open_store(Settings(data_root=settings.data_root, read_only=True, synchronous="off"))).close()

    assert modes(settings.database) == {".": "644"}


def test_a_file_that_is_not_given_its_name_leaves_nothing(tmp_path: Path) -> None:
    with files.drafted(tmp_path / "a", "new"):
        assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(OSError, match="\\[Errno"):
        files.replace(tmp_path, "x", scratch=tmp_path)

    assert list(tmp_path.iterdir()) == []


# Where else a file comes to be, and why it is not written by `files`.
ELSEWHERE = {
    "catalog.py": "files of the repository, written by a script",
    "db/backups/backup_files.py": "an empty file to copy a database into, 0600",
    "db/backups/byte_copier.py": "a database and its log into such a file and beside it, 0600",
    "upkeep/restore.py": "a backup into such a file",
    "db/storage/opening.py": "an empty database, 0600",
    "file_locks.py": "a file to lock, 0600",
    "db/upkeep/read_only.py": "a copy in a temporary folder of its owner, where only a copy can be read",
    "cli/stores/import_.py": "a report to what is no file, and the look whether one can be written, 0600",
    "confined/folder.py": "files of a project, relative to the descriptor of their folder",
    "cli/serving/background.py": "what a server says that starts in the background, behind an empty file of ours",
    "cli/demo.py": "the demo's own folder",
}
WAYS = ("write_text", "write_bytes", "copy2", "copyfile", "copytree", "O_CREAT")


def ways_of_writing(path: Path) -> list[str]:
    """The calls in a module that make a file, or change what is in one."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr in WAYS:
            found.append(node.attr)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            told = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            if name == "open" and any(set(mode) & set("wax+") and len(mode) <= 3 for mode in told):
                found.append(f"open {told}")
    return found


def test_files_are_written_in_one_place() -> None:
    writers = {
        path.relative_to(PACKAGE).as_posix(): ways
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "files.py" and (ways := ways_of_writing(path))
    }
    strange = {
        name: ways for name, ways in writers.items() if name not in ELSEWHERE and name != "db/storage/migrations.py"
    }
    assert strange == {}


@pytest.mark.parametrize(("refused", "said"), [(FileNotFoundError, False), (PermissionError, True)])
async def test_what_cannot_be_narrowed_stops_nobody(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    refused: type[OSError],
    *,
    said: bool,
) -> None:
    settings.database.chmod(0o644)

    def refuse(path: Path, mode: int) -> None:
        raise refused(1, "not yours", str(path), mode)

    monkeypatch.setattr(Path, "chmod", refuse)
    await (await open_store(settings)).close()

    assert ("cannot be narrowed" in caplog.text) is said


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o777])
def test_what_is_rewritten_keeps_its_mode_and_its_link(tmp_path: Path, mode: int) -> None:
    file, link = tmp_path / "there" / "file", tmp_path / "link"
    file.parent.mkdir()
    file.write_bytes(b"old")
    file.chmod(mode)
    link.symlink_to(file)

    files.rewrite(link, b"new", mode=files.SHARED)

    assert link.is_symlink()
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new", mode)
    assert list(file.parent.iterdir()) == [file]
