"""Files through the tool: what an agent sees, what stays when it takes something away, what it is kept from."""

import os
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from server.db.storage.connection import Database
from server.protocol.app import build
from server.settings import Settings
from server.tools.project_files import file_changes
from tests.conftest import Agent

FILES = "memory_filesystem"
POSIX = sys.platform != "win32"


@pytest.fixture
async def files(agent: Agent, workspace_id: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    """An agent in a project with a few files."""
    monkeypatch.chdir(project)
    for path, text in {
        "src/app.py": "import os\n\n\ndef main():\n    return 1\n",
        "src/deep/util.py": "def helper():\n    return main\n",
        "docs/notes.md": "# Notes\nlease\n",
        "README.md": "The main page\n",
        ".gitignore": "*.log\n/out/\n",
        "out/big.py": "def main(): pass\n",
        "trace.log": "main\n",
        "node_modules/x/index.js": "main\n",
        ".env": "TOKEN=secret\n",
        ".git/config": "[core]\n",
    }.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, encoding="utf-8")
    assert workspace_id
    return agent


async def step_of(agent: Agent, workspace_id: str) -> tuple[str, str]:
    made = {"title": "Files", "category": "quick_task", "workspace_id": workspace_id}
    plan = await agent("memory_plan", "create", steps=[{"task": "Write"}], **made)
    return plan["plan_id"], plan["step_ids"][0]


async def test_a_file_is_read_whole_or_by_lines(files: Agent) -> None:
    whole = await files(FILES, "read", path="src/app.py")
    some = await files(FILES, "read", path="src/app.py", lines="4-5")
    again = await files(FILES, "read", path="src/app.py", lines="4-")

    assert whole["content"] == "import os\n\n\ndef main():\n    return 1\n"
    assert (whole["path"], whole["size"]) == ("src/app.py", 37)
    assert (some["content"], some["first_line"], some["last_line"]) == ("def main():\n    return 1\n", 4, 5)
    assert again["content"] == some["content"]
    for lines in ("0", "5-2", "a", "-3"):
        assert (await files.fails(FILES, "read", path="src/app.py", lines=lines))["code"] == "invalid_arguments"


async def test_a_long_file_comes_in_pieces_and_a_longer_one_by_lines(files: Agent, project: Path) -> None:
    text = "".join(f"line {number} ä\n" for number in range(120_000))
    (project / "long.txt").write_text(text, encoding="utf-8")
    pieces, offset = "", 0
    while True:
        told = await files(FILES, "read", path="long.txt", offset=offset, max_bytes=45_000)
        pieces += told["text"]
        if "next_offset" not in told:
            break
        offset = told["next_offset"]

    assert text.startswith(pieces)
    assert len(pieces.encode()) in range(1024 * 1024 - 3, 1024 * 1024 + 1)
    assert told["cut"] is True
    rest = await files(FILES, "read", path="long.txt", lines="119999-120005")
    assert rest["content"] == "line 119998 ä\nline 119999 ä\n"


@pytest.mark.parametrize("data", [b"a\0b", b"\xff\xfe\xfa", "ä".encode("latin-1")])
async def test_a_binary_file_is_said_to_be_one(files: Agent, project: Path, data: bytes) -> None:
    (project / "blob").write_bytes(data)

    told = await files(FILES, "read", path="blob")

    assert told["binary"] is True
    assert "content" not in told


async def test_a_folder_and_what_is_not_there_are_told_apart(files: Agent) -> None:
    assert (await files.fails(FILES, "read", path="src"))["code"] == "invalid_arguments"
    assert (await files.fails(FILES, "read", path="src/none.py"))["code"] == "not_found"
    assert (await files.fails(FILES, "read", path="."))["code"] == "invalid_arguments"
    assert (await files.fails(FILES, "read", path="src/app.py/x"))["code"] == "not_allowed"
    assert (await files(FILES, "exists", path="src"))["type"] == "directory"
    assert (await files(FILES, "exists", path="src/app.py"))["type"] == "file"
    assert (await files(FILES, "exists", path="none/at/all"))["exists"] is False


async def test_a_folder_is_listed_page_by_page(files: Agent) -> None:
    listed = await files(FILES, "list", path=".", limit=3)
    rest = await files(FILES, "list", path=".", limit=200, cursor=listed["next_cursor"])
    deep = await files(FILES, "list", path=".", recursive=True, limit=200)

    names = [entry["name"] for entry in listed["entries"] + rest["entries"]]
    assert names == sorted(names)
    assert {".env", ".git"}.isdisjoint(names)
    assert listed["hidden"] == 2
    assert [entry["path"] for entry in deep["entries"] if entry["type"] == "file"] == [
        ".gitignore", "README.md", "docs/notes.md", "src/app.py", "src/deep/util.py",
    ]  # fmt: skip


async def test_a_tree_shows_folders_first_and_leaves_out_what_git_ignores(files: Agent) -> None:
    told = await files(FILES, "tree")

    assert told["tree"].split("\n") == [
        "docs/", "  notes.md", "src/", "  deep/", "    util.py", "  app.py", ".gitignore", "README.md",
    ]  # fmt: skip
    assert (await files(FILES, "tree", max_depth=1))["tree"].split("\n")[0] == "docs/"
    assert (await files(FILES, "tree", path="src/deep"))["tree"] == "util.py"


async def test_files_are_found_by_name_and_by_text(files: Agent) -> None:
    async def paths(**wanted: Any) -> list[str]:
        return [match["path"] for match in (await files(FILES, "search", **wanted))["matches"]]

    assert await paths(pattern="*.py") == ["src/app.py", "src/deep/util.py"]
    assert await paths(pattern="SRC/*.py") == ["src/app.py"]
    assert await paths(regex="^src/.*U.il") == ["src/deep/util.py"]
    assert await paths(pattern="*.py", regex="util") == ["src/deep/util.py"]
    found = await files(FILES, "search", query="MAIN", include="*.py")
    assert [(match["path"], match["line"], match["text"]) for match in found["matches"]] == [
        ("src/app.py", 4, "def main():"), ("src/deep/util.py", 2, "    return main"),
    ]  # fmt: skip
    assert await paths(query="main", path="docs") == []
    assert await paths(query="secret") == []
    first = await files(FILES, "search", query="main", limit=1)
    second = await files(FILES, "search", query="main", limit=1, cursor=first["next_cursor"])
    assert first["matches"] + second["matches"] == (await files(FILES, "search", query="main", limit=2))["matches"]


async def test_a_regular_expression_that_never_ends_is_refused_and_holds_up_nobody(files: Agent, project: Path) -> None:
    (project / ("a" * 60)).touch()

    assert "too long" in (await files.fails(FILES, "search", regex="(a+)+$(?<=b)b"))["message"]
    assert (await files.fails(FILES, "search", regex="("))["code"] == "invalid_arguments"
    assert (await files.fails(FILES, "search"))["code"] == "invalid_arguments"
    assert (await files.fails(FILES, "search", pattern="!a"))["code"] == "invalid_arguments"


async def test_code_that_a_prompt_is_about_is_found_best_first(files: Agent) -> None:
    told = await files(FILES, "discover_codebase", prompt_text="The main app of the helper", task_text="lease")

    assert [match["path"] for match in told["matches"]] == [
        "src/app.py",
        "src/deep/util.py",
        "README.md",
        "docs/notes.md",
    ]
    assert told["matches"][0]["relevance_score"] == 0.45
    assert told["keywords"] == "main app helper lease"
    assert (await files.fails(FILES, "discover_codebase", prompt_text="a b"))["code"] == "invalid_arguments"


async def test_a_written_file_keeps_its_mode_and_what_it_held_comes_back(
    files: Agent, project: Path, workspace_id: str
) -> None:
    target = project / "src" / "app.py"
    before = target.read_text(encoding="utf-8")
    target.chmod(0o750)

    told = await files(FILES, "write", path="src/app.py", content="new ä\r\n")

    assert target.read_bytes() == "new ä\r\n".encode()
    assert not POSIX or stat.S_IMODE(target.stat().st_mode) == 0o750
    assert (told["created"], told["bytes_written"]) == (False, 8)
    restored = await files("memory_workspace", "restore", trash_id=told["trash_id"])
    assert (restored["entity_type"], restored["entity_id"]) == ("file", "src/app.py")
    assert target.read_text(encoding="utf-8") == before
    assert not POSIX or stat.S_IMODE(target.stat().st_mode) == 0o750
    trash = await files("memory_workspace", "trash", workspace_id=workspace_id)
    assert [entry["title"] for entry in trash["trash"]] == ["src/app.py"]  # what was written in between
    await files("memory_workspace", "restore", trash_id=trash["trash"][0]["trash_id"])
    assert target.read_bytes() == "new ä\r\n".encode()


async def test_a_new_file_is_made_with_the_folders_to_it_and_writing_the_same_again_changes_nothing(
    files: Agent, project: Path
) -> None:
    made = await files(FILES, "write", path="a/b/c.txt", content="one")
    again = await files(FILES, "write", path="a/b/c.txt", content="one")

    assert (made["created"], made.get("trash_id")) == (True, None)
    assert again["unchanged"] is True
    assert (project / "a/b/c.txt").read_text(encoding="utf-8") == "one"
    assert not POSIX or not stat.S_IMODE((project / "a/b/c.txt").stat().st_mode) & 0o111
    assert (await files.fails(FILES, "write", path="x/y.txt", content="", create_dirs=False))["code"] == "not_found"
    assert not (project / "x").exists()
    assert left_over(project) == []


async def test_a_file_is_appended_to_if_it_is_there(files: Agent, project: Path) -> None:
    (project / "run.sh").write_text("#!/bin/sh\n", encoding="utf-8")
    (project / "run.sh").chmod(0o755)

    told = await files(FILES, "append", path="run.sh", content="true\n", agent="Ada", request_id="one")
    again = await files(FILES, "append", path="run.sh", content="true\n", agent="Ada", request_id="one")

    assert again == told
    assert (project / "run.sh").read_text(encoding="utf-8") == "#!/bin/sh\ntrue\n"
    assert os.access(project / "run.sh", os.X_OK)
    assert (told["bytes_appended"], told["size"]) == (5, 15)
    assert (await files.fails(FILES, "append", path="none.txt", content="x"))["code"] == "not_found"
    assert (await files.fails(FILES, "append", path="src", content="x"))["code"] == "invalid_arguments"
    assert left_over(project) == []


async def test_deleting_asks_first_and_goes_to_the_trash(files: Agent, project: Path) -> None:
    asked = await files(FILES, "delete", path="docs/notes.md")
    tried = await files(FILES, "delete", path="docs/notes.md", confirm=True, dry_run=True)
    assert asked["preview"] == tried["preview"] == {"would_delete": "docs/notes.md"}
    assert (project / "docs/notes.md").exists()

    done = await files(FILES, "delete", path="docs/notes.md", confirm=True)
    again = await files(FILES, "delete", path="docs/notes.md", confirm=True)
    folder = await files(FILES, "delete", path="docs", confirm=True)

    assert (done["deleted"], again["deleted"], folder["type"]) == (True, False, "directory")
    assert not (project / "docs").exists()
    assert (await files.fails(FILES, "delete", path="src", confirm=True))["code"] == "conflict"
    await files("memory_workspace", "restore", trash_id=done["trash_id"])
    assert (project / "docs/notes.md").read_text(encoding="utf-8") == "# Notes\nlease\n"
    assert (await files.fails("memory_workspace", "restore", trash_id=folder["trash_id"]))["code"] == "conflict"


async def test_a_restored_file_replaces_nothing_newer_without_being_told_to(files: Agent, project: Path) -> None:
    done = await files(FILES, "delete", path="README.md", confirm=True)
    (project / "README.md").write_text("newer", encoding="utf-8")

    refused = await files.fails("memory_workspace", "restore", trash_id=done["trash_id"])

    assert (refused["code"], (project / "README.md").read_text(encoding="utf-8")) == ("conflict", "newer")
    forced = await files("memory_workspace", "restore", trash_id=done["trash_id"], force=True)
    assert (project / "README.md").read_text(encoding="utf-8") == "The main page\n"
    [trash_id] = [word.strip("'.") for word in forced["warnings"][0].split("=")[1:]]
    await files("memory_workspace", "restore", trash_id=trash_id)
    assert (project / "README.md").read_text(encoding="utf-8") == "newer"


async def test_a_large_file_waits_in_the_trash_as_a_file(files: Agent, project: Path, settings: Settings) -> None:
    data = os.urandom(3 * 1024 * 1024)
    (project / "big.bin").write_bytes(data)

    done = await files(FILES, "delete", path="big.bin", confirm=True)

    [stored] = settings.trash.iterdir()
    assert (stored.name, stored.read_bytes() == data) == (done["trash_id"], True)
    assert not POSIX or stat.S_IMODE(stored.stat().st_mode) == 0o600
    await files("memory_workspace", "restore", trash_id=done["trash_id"])
    assert (project / "big.bin").read_bytes() == data
    assert list(settings.trash.iterdir()) == []


async def test_what_is_left_over_in_the_trash_is_swept_and_what_can_come_back_stays(
    files: Agent, project: Path, settings: Settings, db: Database
) -> None:
    (project / "big.bin").write_bytes(os.urandom(2 * 1024 * 1024))
    done = await files(FILES, "delete", path="big.bin", confirm=True)
    for name in ("trash_old", "trash_new"):
        (settings.trash / name).write_bytes(b"left over")
    for name in ("trash_old", done["trash_id"]):
        os.utime(settings.trash / name, (1, 1))

    tried = await file_changes.sweep(db, settings, dry_run=True)
    there = {path.name for path in settings.trash.iterdir()}
    swept = await file_changes.sweep(db, settings)

    assert tried == swept == {"trash_old": 9}
    assert there == {"trash_old", "trash_new", done["trash_id"]}
    assert {path.name for path in settings.trash.iterdir()} == {"trash_new", done["trash_id"]}
    assert await file_changes.sweep(db, replace(settings, data_root=project / "none")) == {}


async def test_a_file_with_other_names_is_read_where_package_managers_put_such(
    files: Agent, project: Path, tmp_path: Path, settings: Settings
) -> None:
    (tmp_path / "store").write_text("def helper(): return 1\n", encoding="utf-8")
    for path in ("node_modules/x/lib.py", ".venv/lib/site-packages/lib.py", "src/lib.py"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        os.link(tmp_path / "store", project / path)
    os.link(settings.database, project / "node_modules/x/data.txt")

    for path in ("node_modules/x/lib.py", ".venv/lib/site-packages/lib.py"):
        assert "helper" in (await files(FILES, "read", path=path))["content"]
        assert (await files.fails(FILES, "write", path=path, content="x"))["code"] == "not_allowed"
    found = await files(FILES, "search", path="node_modules/x", query="helper")
    assert [match["path"] for match in found["matches"]] == ["node_modules/x/lib.py"]
    await files(FILES, "copy", source="node_modules/x/lib.py", destination="copy.py")
    for path in ("src/lib.py", "node_modules/x/data.txt"):
        assert (await files.fails(FILES, "read", path=path))["code"] == "not_allowed"
        assert (await files.fails(FILES, "copy", source=path, destination="other.py"))["code"] == "not_allowed"
    assert (tmp_path / "store").read_text(encoding="utf-8") == "def helper(): return 1\n"


async def test_a_huge_file_with_holes_is_not_read_through(files: Agent, project: Path) -> None:
    for name, size in (("small.bin", 20_000), ("huge.bin", 1 << 29)):
        with (project / name).open("wb") as file:
            file.truncate(size)

    assert "sha256" in await files(FILES, "read", path="small.bin")
    assert await files(FILES, "read", path="huge.bin") | {"workspace_id": ""} == {
        "workspace_id": "", "path": "huge.bin", "size": 1 << 29, "binary": True,
    }  # fmt: skip


async def test_a_file_is_moved_and_copied(files: Agent, project: Path) -> None:
    tried = await files(FILES, "move", source="README.md", destination="docs/README.md", dry_run=True)
    assert tried["preview"] == {"would_move": "README.md", "to": "docs/README.md"}
    moved = await files(FILES, "move", source="README.md", destination="docs/README.md")
    assert (moved["moved"], moved["overwritten"], (project / "README.md").exists()) == (True, False, False)
    assert (await files(FILES, "move", source="docs", destination="docs"))["moved"] is False
    copied = await files(FILES, "copy", source="docs/README.md", destination="new/place.md")
    assert (project / "new/place.md").read_text(encoding="utf-8") == "The main page\n"
    assert copied["bytes_copied"] == 14

    for action in ("move", "copy"):
        clash = {"source": "docs/README.md", "destination": "docs/notes.md"}
        assert (await files.fails(FILES, action, **clash))["code"] == "conflict"
        assert (await files.fails(FILES, action, **clash | {"destination": "src"}))["code"] == "conflict"
        assert (await files.fails(FILES, action, source="none", destination="x"))["code"] == "not_found"
    assert (await files.fails(FILES, "move", source="docs", destination="docs/x"))["code"] == "invalid_arguments"
    assert (await files.fails(FILES, "copy", source="src", destination="x"))["code"] == "invalid_arguments"
    over = await files(FILES, "move", source="docs/README.md", destination="docs/notes.md", overwrite=True)
    assert (project / "docs/notes.md").read_text(encoding="utf-8") == "The main page\n"
    await files("memory_workspace", "restore", trash_id=over["trash_id"])
    assert (project / "docs/notes.md").read_text(encoding="utf-8") == "# Notes\nlease\n"
    folder = await files(FILES, "move", source="src/deep", destination="deep")
    assert (folder["moved"], (project / "deep/util.py").is_file()) == (True, True)
    assert left_over(project) == []


async def test_what_is_done_for_a_step_is_recorded_with_it(files: Agent, workspace_id: str) -> None:
    plan_id, step_id = await step_of(files, workspace_id)
    where = {"step_id": step_id, "agent": "Ada"}
    await files(FILES, "write", path="new.txt", content="a", **where)
    await files(FILES, "append", path="new.txt", content="b", **where)
    await files(FILES, "move", source="new.txt", destination="newer.txt", **where)
    await files(FILES, "copy", source="newer.txt", destination="copied.txt", **where)
    await files(FILES, "delete", path="newer.txt", confirm=True, **where)

    edits = (await files("memory_steps", "list_edits", step_id=step_id))["edits"]
    assert [(edit["change_type"], edit["file_path"], edit.get("previous_path")) for edit in edits[::-1]] == [
        ("create", "new.txt", None), ("edit", "new.txt", None), ("rename", "newer.txt", "new.txt"),
        ("create", "copied.txt", None), ("delete", "newer.txt", None),
    ]  # fmt: skip
    assert {edit["agent"] for edit in edits} == {"Ada"}
    logged = await files("memory_workspace", "events", types=["file"], workspace_id=workspace_id)
    assert [event["type"] for event in logged["events"]] == [
        "file_changed", "file_changed", "file_moved", "file_copied", "file_deleted",
    ]  # fmt: skip
    assert (await files.fails(FILES, "write", path="a", content="b", step_id="step_none"))["code"] == "not_found"
    assert plan_id


async def test_a_failed_call_leaves_nothing(files: Agent, project: Path, workspace_id: str) -> None:
    before = sorted(str(path) for path in project.rglob("*"))
    latest = await files("memory_workspace", "events", workspace_id=workspace_id, limit=1)

    await files.fails(FILES, "write", path="x/y/z.txt", content="a", session_id="sess_none", workspace_id=workspace_id)
    await files.fails(FILES, "write", path="big.txt", content="a" * (256 * 1024 + 1))
    await files.fails(FILES, "copy", source="README.md", destination="q/r", agent="user")

    assert sorted(str(path) for path in project.rglob("*")) == before
    after = await files("memory_workspace", "events", workspace_id=workspace_id, limit=1)
    assert after["latest_id"] == latest["latest_id"]


GUARDED = [
    ".env", ".ENV", "deep/.env.local", ".git/config", ".git", ".GIT/hooks/pre-commit", "a\\.git\\config",
    ".git./config", "GIT~1/config", ".git::$INDEX_ALLOCATION/config", ".g\u200cit/config", "\uff0eenv",
    "id_rsa", "keys/ID_ED25519", "tls/server.pem", "x.KEY", ".ssh/config", ".aws/credentials", ".npmrc", ".netrc",
    ".mcp.json", ".vscode/mcp.json",
    ".cursor/mcp.json", ".gemini/settings.json", ".codex/config.toml", "project-memory.db", "project-memory.db-wal",
    ".env ", "sub/.env.", "prod.env", ".jj/repo/config.toml", ".cursor/hooks.json", ".config/gh/hosts.yml",
]  # fmt: skip


async def test_what_is_guarded_is_kept_from_every_action(files: Agent, project: Path) -> None:
    for path in GUARDED:
        await refused_everywhere(files, project, path)


async def refused_everywhere(files: Agent, project: Path, path: str) -> None:
    before = {str(p): p.read_bytes() for p in project.rglob("*") if p.is_file()}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("read", {"path": path}),
        ("exists", {"path": path}),
        ("write", {"path": path, "content": "x"}),
        ("append", {"path": path, "content": "x"}),
        ("delete", {"path": path, "confirm": True}),
        ("move", {"source": path, "destination": "free"}),
        ("move", {"source": "README.md", "destination": path}),
        ("copy", {"source": path, "destination": "free"}),
        ("copy", {"source": "README.md", "destination": path}),
    ]
    for action, arguments in calls:
        error = await files.fails(FILES, action, **arguments)
        assert (path, action, error["code"]) == (path, action, "not_allowed")
    assert {str(p): p.read_bytes() for p in project.rglob("*") if p.is_file()} == before


ORDINARY = [
    "environment.ts",
    "keyboard.py",
    ".environment",
    "my.pem.txt",
    ".env.example",
    "example.env",
    "git/config",
    "key",
    "x.keys",
]


async def test_names_that_only_look_alike_are_ordinary(files: Agent) -> None:
    for path in ORDINARY:
        await files(FILES, "write", path=path, content=path)

        assert (await files(FILES, "read", path=path))["content"] == path


async def test_what_runs_by_itself_is_read_and_not_written(files: Agent, project: Path) -> None:
    for path in (
        ".github/workflows/ci.yml", ".projectmemory/own.json", ".vscode/tasks.json", ".github/hooks/a.json",
        ".claude/hooks/a.sh", ".opencode/plugin/a.ts", "lefthook.yml", ".woodpecker/a.yml",
    ):  # fmt: skip
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("{}", encoding="utf-8")

        assert (await files(FILES, "read", path=path))["content"] == "{}"
        assert (await files.fails(FILES, "write", path=path, content="x"))["code"] == "not_allowed"
        assert (await files.fails(FILES, "move", source=path, destination="x"))["code"] == "not_allowed"


async def test_a_folder_is_not_moved_to_where_what_it_holds_would_be_guarded(files: Agent, project: Path) -> None:
    (project / "conf").mkdir()
    (project / "conf/tasks.json").write_text("{}", encoding="utf-8")
    (project / "held").mkdir()
    (project / "held/.env").write_text("A=1", encoding="utf-8")

    assert (await files.fails(FILES, "move", source="conf", destination=".vscode"))["code"] == "not_allowed"
    assert (await files.fails(FILES, "move", source="held", destination="open"))["code"] == "not_allowed"


async def test_a_server_that_only_reads_writes_no_file(settings: Settings, files: Agent, project: Path) -> None:
    async with Client(build(replace(settings, read_only=True)), raise_exceptions=True) as client:
        reader = Agent(client)
        where = {"workspace_path": str(project)}
        assert (await reader(FILES, "read", path="README.md", **where))["content"] == "The main page\n"
        for action, arguments in (
            ("write", {"path": "a", "content": "b"}),
            ("append", {"path": "README.md", "content": "b"}),
            ("delete", {"path": "README.md"}),
            ("move", {"source": "README.md", "destination": "b"}),
            ("copy", {"source": "README.md", "destination": "b"}),
        ):
            assert (await reader.fails(FILES, action, **where, **arguments))["code"] == "not_allowed"


async def test_the_data_root_in_a_project_is_out_of_reach(tmp_path: Path, project: Path) -> None:
    chosen = Settings(data_root=project / "memory", synchronous="off")
    async with Client(build(chosen), raise_exceptions=True) as client:
        here = Agent(client)
        await here("memory_workspace", "register", workspace_path=str(project))
        (project / "memory/other.txt").write_text("x", encoding="utf-8")
        where = {"workspace_path": str(project)}

        assert (await here.fails(FILES, "read", path="memory/other.txt", **where))["code"] == "not_allowed"
        assert (await here.fails(FILES, "write", path="memory/new", content="x", **where))["code"] == "not_allowed"
        assert (await here(FILES, "list", path=".", **where))["hidden"] == 1
    assert tmp_path


async def test_help_says_once_what_is_guarded(files: Agent) -> None:
    told = await files(FILES, "help", topic="read")

    assert any(".env" in guard["paths"] for guard in told["guarded"])


def left_over(project: Path) -> list[str]:
    return [path.name for path in project.rglob("*.pm-draft")]
